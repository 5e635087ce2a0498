package fair

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Rates are limits in bytes a second; 0 is none.
type Rates struct {
	Party int64 // of each party
	All   int64 // of all together
}

// Least returns the lower limit, which is what one party can have at most; 0 is none.
func (r Rates) Least() int64 {
	if r.Party == 0 || r.All == 0 {
		return max(r.Party, r.All)
	}
	return min(r.Party, r.All)
}

// A bucket holds what its rate gives in burstTime, and no less than leastBurst, so that small files pass
// at once.
const (
	burstTime  = 250 * time.Millisecond
	leastBurst = 256 << 10 // bytes
)

// soonest is the shortest wait that is worth a timer.
const soonest = time.Millisecond

// awaitFor is how long the next caller of a party that had its turn is awaited before others go on. Most
// sessions ask for one piece at a time, and come back within microseconds: without this, one with small
// pieces would have a small part. The bytes of this time are not lost; the bucket keeps them.
const awaitFor = 2 * time.Millisecond

// Bandwidth limits the bytes that parties move. Parties that wait take turns by bytes, however many
// callers each has (start-time fair queueing: Goyal, Vin, Cheng, 1996); the callers of one party go in the
// order they came. A party that waits only for its own limit delays nobody. The zero value has no limit.
type Bandwidth struct {
	limited atomic.Bool // so that callers do not meet at mu while there is no limit

	mu      sync.Mutex
	rates   Rates
	all     bucket
	of      map[string]*mover
	present []*mover // those with callers that wait, and those whose next caller is awaited
	turn    float64  // start of the latest turn, in bytes
	timer   *time.Timer
}

// mover is a party.
type mover struct {
	own     bucket
	next    float64 // start of its next turn, in bytes
	queue   []*take
	present bool      // is in Bandwidth.present
	awaited time.Time // until then it is present although no caller waits
}

// take is a caller that waits.
type take struct {
	n     int
	given chan struct{}
}

// bucket is a token bucket. Whoever comes while something is left may take more than that; the next one
// then waits until it is made up for.
type bucket struct {
	left float64
	at   time.Time // the time of left
}

func burst(rate int64) float64 { return max(float64(rate)*burstTime.Seconds(), leastBurst) }

// refill adds what a rate gave since the last time. A new bucket is full.
func (b *bucket) refill(rate int64, now time.Time) {
	b.left = min(b.left+now.Sub(b.at).Seconds()*float64(rate), burst(rate))
	if b.at = now; rate == 0 {
		b.left = burst(rate) // nothing is owed to a limit that is set later
	}
}

// wait returns how long the bucket has nothing left. It must have been refilled.
func (b *bucket) wait(rate int64) time.Duration {
	if rate == 0 || b.left > 0 {
		return 0
	}
	return max(time.Duration((1-b.left)/float64(rate)*float64(time.Second)), soonest)
}

// Set puts limits in force. Callers that wait go on under them.
func (b *Bandwidth) Set(r Rates) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.all.refill(b.rates.All, now)
	for _, m := range b.of {
		m.own.refill(b.rates.Party, now)
	}
	b.rates = r
	b.limited.Store(r != Rates{})
	b.dispatch(now)
}

// Rates returns the limits in force.
func (b *Bandwidth) Rates() Rates {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rates
}

// Take waits until a party may move n bytes, or returns the error of ctx when that ends first. Before it
// waits, it calls before.
func (b *Bandwidth) Take(ctx context.Context, party string, n int, before func()) error {
	if !b.limited.Load() {
		return nil
	}
	t := &take{n: n, given: make(chan struct{})}
	m := b.enqueue(party, t)
	select {
	case <-t.given:
		return nil
	default:
	}
	before()
	select {
	case <-t.given:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(m.queue, t); i >= 0 {
		m.queue = slices.Delete(m.queue, i, i+1)
	}
	return ctx.Err()
}

// enqueue lets a caller wait for its turn, which may come at once.
func (b *Bandwidth) enqueue(party string, t *take) *mover {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	m := b.of[party]
	if m == nil {
		b.prune(now)
		m = &mover{own: bucket{burst(b.rates.Party), now}}
		b.of[party] = m
	}
	if !m.present {
		m.next = max(m.next, b.turn) // what it did not use before is lost
		m.present = true
		b.present = append(b.present, m)
	}
	m.queue = append(m.queue, t)
	b.dispatch(now)
	return m
}

// Back returns n bytes of what a party took and did not move.
func (b *Bandwidth) Back(party string, n int) {
	if n == 0 || !b.limited.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.of[party]
	if m == nil {
		return
	}
	b.all.left += float64(n)
	m.own.left += float64(n)
	m.next -= float64(n)
	if len(b.present) > 0 {
		b.dispatch(time.Now())
	}
}

// dispatch gives turns as long as there are bytes, and sets the timer for the next one. It looks at all
// parties that wait: a thousand cost a few microseconds. Callers hold mu.
func (b *Bandwidth) dispatch(now time.Time) {
	b.all.refill(b.rates.All, now)
	b.present = slices.DeleteFunc(b.present, func(m *mover) bool {
		m.own.refill(b.rates.Party, now)
		m.present = len(m.queue) > 0 || m.awaited.After(now)
		return !m.present
	})
	for {
		next, wait := b.first(now)
		if next != nil {
			wait = b.all.wait(b.rates.All)
		}
		if wait > 0 {
			b.later(wait)
		}
		if wait > 0 || next == nil {
			return
		}
		b.give(next, now)
	}
}

// first returns the party whose turn begins first, of those whose own limit lets them. If it is nil, wait
// is how long until there may be one; 0 if nobody waits.
func (b *Bandwidth) first(now time.Time) (next *mover, wait time.Duration) {
	earlier := func(d time.Duration) {
		if wait == 0 || d < wait {
			wait = d
		}
	}
	var awaited *mover
	for _, m := range b.present {
		// One that its own limit held makes up for a burst at most.
		m.next = max(m.next, b.turn-burst(b.rates.All))
		w := m.own.wait(b.rates.Party)
		switch {
		case len(m.queue) == 0:
			if w == 0 && m.awaited.After(now) && (awaited == nil || m.next < awaited.next) {
				awaited = m
			}
		case w > 0:
			earlier(w)
		case next == nil || m.next < next.next:
			next = m
		}
	}
	if next != nil && awaited != nil && awaited.next < next.next {
		earlier(awaited.awaited.Sub(now))
		next = nil
	}
	return next, wait
}

// give gives a party a turn.
func (b *Bandwidth) give(m *mover, now time.Time) {
	t := m.queue[0]
	m.queue = m.queue[1:]
	m.awaited = now.Add(awaitFor)
	b.turn = max(b.turn, m.next)
	m.next += float64(t.n)
	m.own.left -= float64(t.n)
	b.all.left -= float64(t.n)
	close(t.given)
}

// later calls dispatch after a time.
func (b *Bandwidth) later(wait time.Duration) {
	if b.timer == nil {
		b.timer = time.AfterFunc(wait, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.dispatch(time.Now())
		})
		return
	}
	b.timer.Reset(wait)
}

// prune forgets parties that could be new, once there are many.
func (b *Bandwidth) prune(now time.Time) {
	if b.of == nil {
		b.of = map[string]*mover{}
	}
	if len(b.of) < maxUses {
		return
	}
	for party, m := range b.of {
		m.own.refill(b.rates.Party, now)
		if !m.present && m.next <= b.turn && m.own.left >= burst(b.rates.Party) {
			delete(b.of, party)
		}
	}
}
