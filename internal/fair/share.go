package fair

import (
	"math"
	"sync"
	"time"
)

// How a Share divides.
const (
	shareTime  = time.Second            // after which earlier use counts 1/e
	shareEpoch = 100 * time.Millisecond // a party that used something in this epoch or the last is present
	leastUse   = 20 * time.Millisecond  // recent use; a party with less is light
	steepness  = 12                     // length of a turn, as a multiple of the use, for each equal part above the first
	maxTurn    = 24                     // greatest length of a turn, as a multiple of the use
	longest    = time.Second            // longest pause
	shortest   = 2 * time.Millisecond   // shortest pause that is worth a timer; shorter ones add up
	maxUses    = 10_000                 // how many parties are kept before those without recent use are deleted
)

// Share divides the processor while it is short: a party that uses more than an equal part pauses
// after its uses, the longer the more it is above. No party pauses while the processor is not short or
// no other party is present. Light parties never pause.
type Share struct {
	short func(now time.Time) bool // the processor is short

	mu           sync.Mutex
	of           map[string]*use
	all          Spent
	epoch        int64
	here, before int // parties of this epoch and the one before
}

// NewShare makes a Share that divides the processor while short returns true.
func NewShare(short func(now time.Time) bool) *Share {
	return &Share{short: short, of: map[string]*use{}}
}

// use is a party's recent use.
type use struct {
	Spent
	epoch int64     // in which it was last present
	until time.Time // its next turn
}

// Spent is time that a party used. Older use counts less: after a second, a third (1/e).
type Spent struct {
	sum float64 // seconds
	at  time.Time
}

// Left returns how much of it still counts, in seconds.
func (s *Spent) Left(now time.Time) float64 {
	return s.sum * math.Exp(-now.Sub(s.at).Seconds()/shareTime.Seconds())
}

// Add adds a use of d at a time.
func (s *Spent) Add(d time.Duration, now time.Time) { s.sum, s.at = s.Left(now)+d.Seconds(), now }

// Used records that a party used the processor for d, and returns for how long the party must pause
// now. Each use has a turn of its own, so that concurrent uses pause one after the other.
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

// count returns how many parties are present, u included.
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

// prune deletes parties without recent use. Callers hold mu.
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
