package store

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fair"
)

// Who writes much waits for who writes little. A party is heavy while it has taken
// more than a tenth of the writer's time lately; next to others, a batch has heavy
// parties' functions for a moment only. Alone, or among light ones, nobody is held
// back: batches are as large as they come.
const (
	heavyShare = 0.1                    // of a second, as fair.Spent counts it
	besides    = 100 * time.Millisecond // who wrote in this time is there
	heavyTime  = 500 * time.Microsecond // of a batch, next to others
	maxWeighed = 1000
)

// weights are what parties have taken of the writer. The queue's mu guards them.
type weights struct {
	of   map[string]*fair.Spent // of the writer
	last [2]struct {            // the two parties that wrote last
		party string
		at    time.Time
	}
}

// heavy reports whether a party is one, and others are there.
func (w *weights) heavy(party string, now time.Time) bool {
	p := w.of[party]
	return p != nil && w.others(party, now) && p.Left(now) > heavyShare
}

// others reports whether anybody else wrote just now.
func (w *weights) others(party string, now time.Time) bool {
	for _, l := range w.last {
		if l.party != party && now.Sub(l.at) < besides {
			return true
		}
	}
	return false
}

// add notes that a party took the writer's time.
func (w *weights) add(party string, took time.Duration, now time.Time) {
	p := w.of[party]
	if p == nil {
		w.prune(now)
		p = &fair.Spent{}
		w.of[party] = p
	}
	p.Add(took, now)
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
