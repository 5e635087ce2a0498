package store

import (
	"math"
	"time"
)

// Who writes much waits for who writes little. A party is heavy while it has taken
// more than a tenth of the writer's time lately; next to others, a batch has heavy
// parties' functions for a moment only. Alone, or among light ones, nobody is held
// back: batches are as large as they come.
const (
	heavyShare = 0.1
	lately     = time.Second            // what is older weighs less and less
	besides    = 100 * time.Millisecond // who wrote in this time is there
	heavyTime  = 500 * time.Microsecond // of a batch, next to others
	maxWeighed = 1000
)

// weights are what parties have taken of the writer. The queue's mu guards them.
type weights struct {
	of   map[string]*weight
	last [2]struct { // the two parties that wrote last
		party string
		at    time.Time
	}
}

// weight is how much of the writer's time a party took lately, in seconds.
type weight struct {
	spent float64
	at    time.Time
}

// left is what is left of it now.
func (w *weight) left(now time.Time) float64 {
	return w.spent * math.Exp(-now.Sub(w.at).Seconds()/lately.Seconds())
}

// heavy reports whether a party is one, and others are there.
func (w *weights) heavy(party string, now time.Time) bool {
	p := w.of[party]
	return p != nil && w.others(party, now) && p.left(now) > heavyShare*lately.Seconds()
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
		p = &weight{}
		w.of[party] = p
	}
	p.spent, p.at = p.left(now)+took.Seconds(), now
	if w.last[0].party != party {
		w.last[1] = w.last[0]
	}
	w.last[0].party, w.last[0].at = party, now
}

func (w *weights) prune(now time.Time) {
	if w.of == nil {
		w.of = map[string]*weight{}
	}
	if len(w.of) < maxWeighed {
		return
	}
	for party, p := range w.of {
		if p.left(now) < heavyShare/100 {
			delete(w.of, party)
		}
	}
}
