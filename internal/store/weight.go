package store

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fair"
)

// Parties that write much wait for parties that write little. A party is heavy while it has recently
// taken more than a tenth of the writer's time. If other parties write, a batch runs functions of
// heavy parties for heavyTime only. A party that writes alone is not held back, and neither are light
// parties. What the server does behind its users' backs (Behind) is nobody's company: each upload leaves it a row to
// seal and an event to hand out, and no user would ever write alone.
const (
	heavyShare = 0.1                    // of a second, as fair.Spent counts it
	besides    = 100 * time.Millisecond // a party that wrote within this time is present
	heavyTime  = 500 * time.Microsecond // of a batch, while other parties are present
	maxWeighed = 1000
)

// weights records how much of the writer's time parties took. The queue's mu guards it.
type weights struct {
	of   map[string]*fair.Spent // by party
	last [2]struct {            // the two parties that wrote last
		party string
		at    time.Time
	}
}

// heavy reports whether a party is heavy and others are present.
func (w *weights) heavy(party string, now time.Time) bool {
	p := w.of[party]
	return p != nil && w.others(party, now) && p.Left(now) > heavyShare
}

// others reports whether another party wrote within besides.
func (w *weights) others(party string, now time.Time) bool {
	for _, l := range w.last {
		if l.party != party && now.Sub(l.at) < besides {
			return true
		}
	}
	return false
}

// add records that a party took the writer's time.
func (w *weights) add(party string, took time.Duration, now time.Time) {
	p := w.of[party]
	if p == nil {
		w.prune(now)
		p = &fair.Spent{}
		w.of[party] = p
	}
	p.Add(took, now)
	if party == Behind {
		return
	}
	if w.last[0].party != party {
		w.last[1] = w.last[0]
	}
	w.last[0].party, w.last[0].at = party, now
}

func (w *weights) prune(now time.Time) {
	if w.of == nil {
		w.of = map[string]*fair.Spent{}
	}
	if len(w.of) < maxWeighed {
		return
	}
	for party, p := range w.of {
		if p.Left(now) < heavyShare/100 {
			delete(w.of, party)
		}
	}
}
