package fair

import (
	"math"
	"sync"
	"time"
)

// How a Share divides.
const (
	shareTime  = time.Second            // what was used before weighs less and less
	shareEpoch = 100 * time.Millisecond // who used something in this one or the last is there
	leastUse   = 20 * time.Millisecond  // lately; who used less is light
	steepness  = 12                     // a turn's length in uses, for each equal part above one's own
	maxTurn    = 24                     // uses
	longest    = time.Second            // that a party is held back
	shortest   = 2 * time.Millisecond   // that is worth a timer; shorter ones add up
	maxUses    = 10_000                 // parties, before those that used nothing lately go
)

// Share divides the processor while it is short: a party that uses more than an equal
// part pauses in between, the longer the more it is above. While there is enough of it,
// or nobody else is there, nobody pauses. Light parties never do.
type Share struct {
	short func(now time.Time) bool // the processor is short

	mu           sync.Mutex
	of           map[string]*use
	all          Spent
	epoch        int64
	here, before int // parties of this epoch and the one before
}

// NewShare divides while short says so.
func NewShare(short func(now time.Time) bool) *Share {
	return &Share{short: short, of: map[string]*use{}}
}

// use is what a party used.
type use struct {
	Spent
	epoch int64     // it was last here
	until time.Time // its next turn
}

// Spent is time that a party took of something, of which older parts weigh less: after
// a second, a third.
type Spent struct {
	sum float64 // seconds
	at  time.Time
}

// Left is what counts of it now, in seconds.
func (s *Spent) Left(now time.Time) float64 {
	return s.sum * math.Exp(-now.Sub(s.at).Seconds()/shareTime.Seconds())
}

// Add notes more of it.
func (s *Spent) Add(d time.Duration, now time.Time) { s.sum, s.at = s.Left(now)+d.Seconds(), now }

// Used notes that a party used the processor for d, and returns for how long it pauses
// now. Each use has a turn of its own, so that many at once pause one after the other.
func (s *Share) Used(party string, d time.Duration, now time.Time) (pause time.Duration) {
	short := s.short(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.of[party]
	if u == nil {
		s.prune(now)
		u = &use{}
		s.of[party] = u
	}
	u.Add(d, now)
	s.all.Add(d, now)
	parties := s.count(u, now)
	used := u.Left(now)
	above := used/s.all.Left(now)*float64(parties) - 1
	if !short || parties < 2 || used < leastUse.Seconds() || above <= 0 {
		u.until = now
		return 0
	}
	if u.until.Before(now) {
		u.until = now
	}
	u.until = u.until.Add(time.Duration(float64(d) * min(above*steepness, maxTurn)))
	if last := now.Add(longest); u.until.After(last) {
		u.until = last
	}
	if pause = u.until.Sub(now); pause < shortest {
		return 0
	}
	return pause
}

// count is how many parties are there, with u.
func (s *Share) count(u *use, now time.Time) int {
	epoch := now.UnixNano() / int64(shareEpoch)
	switch epoch {
	case s.epoch:
	case s.epoch + 1:
		s.before, s.here = s.here, 0
	default:
		s.before, s.here = 0, 0
	}
	s.epoch = epoch
	if u.epoch != epoch {
		u.epoch = epoch
		s.here++
	}
	return max(s.here, s.before)
}

// prune forgets parties that used next to nothing lately. Callers hold mu.
func (s *Share) prune(now time.Time) {
	if len(s.of) < maxUses {
		return
	}
	for party, u := range s.of {
		if u.Left(now) < time.Millisecond.Seconds() && !u.until.After(now) {
			delete(s.of, party)
		}
	}
}
