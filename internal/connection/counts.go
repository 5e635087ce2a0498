package connection

import (
	"maps"
	"sync"

	"github.com/sallyport-sftp/sallyport/model"
)

// Counts are sums since the service was started, for a monitor.
type Counts struct {
	// Outcomes counts connections by outcome: model.ReasonOK for log-ins, and the reasons why others got none. It has
	// every reason, so that a monitor sees the first of a kind as an increase from 0.
	Outcomes map[string]int64
}

// counting is what Counts are made of.
type counting struct {
	mu       sync.Mutex
	outcomes map[string]int64
}

// add counts a record. A log-in is counted when it succeeds, not again when its connection ends. The outcome of a
// record is a word of ours, so there are as many as there are reasons.
func (n *counting) add(c Record) {
	outcome := c.Outcome
	if c.LoggedIn {
		if c.EndedAt != nil {
			return
		}
		outcome = model.ReasonOK
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.outcomes == nil {
		n.outcomes = map[string]int64{}
	}
	n.outcomes[outcome]++
}

// Counts returns the sums until now. Records that were dropped because there were too many are counted, too.
func (r *Service) Counts() Counts {
	out := Counts{Outcomes: map[string]int64{}}
	for reason := range reasons {
		out.Outcomes[reason] = 0
	}
	r.counted.mu.Lock()
	defer r.counted.mu.Unlock()
	maps.Copy(out.Outcomes, r.counted.outcomes)
	return out
}
