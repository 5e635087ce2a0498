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
// pieces would have a small part. The bytes of this time are not lost, since the bucket keeps them: whoever
// comes back slowly is awaited until it is half full.
const awaitFor = 2 * time.Millisecond

// Bandwidth limits the bytes that parties move. Parties that wait take turns by bytes, however many
// callers each has (start-time fair queueing: Goyal, Vin, Cheng, 1996); the callers of one party go in the
// order they came. A party that waits only for its own limit delays nobody. NewBandwidth makes one.
type Bandwidth struct {
	limited atomic.Bool // so that callers do not meet at mu while there is no limit

	mu      sync.Mutex
	rates   Rates
	all     bucket
	of      map[string]*mover
	ready   movers   // with callers that wait, by the start of their next turn
	held    movers   // with callers that wait until their own limit lets them, by that time
	awaited []*mover // without callers; the next one is awaited for a moment
	turn    float64  // start of the latest turn, in bytes
	timer   *time.Timer
}

// mover is a party.
type mover struct {
	own   bucket
	next  float64 // start of its next turn, in bytes
	queue []*take
	in    *movers   // that has it: ready, held or neither
	at    int       // its index there
	until time.Time // in held: when its own limit lets it; in awaited: how long it is
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

// NewBandwidth returns a Bandwidth without limits.
func NewBandwidth() *Bandwidth {
	return &Bandwidth{of: map[string]*mover{}, ready: movers{earlier: byTurn}, held: movers{earlier: byTime}}
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
	for len(b.held.list) > 0 { // their own limit is another one
		b.ready.add(b.held.list[0])
	}
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
	if n == 0 || !b.limited.Load() {
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
	i := slices.Index(m.queue, t)
	if i < 0 {
		return nil // the turn came at the same moment
	}
	if m.queue = slices.Delete(m.queue, i, i+1); len(m.queue) == 0 {
		m.in.remove(m)
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
	m.queue = append(m.queue, t)
	if m.in == nil {
		i := slices.Index(b.awaited, m)
		if i >= 0 {
			b.awaited = slices.Delete(b.awaited, i, i+1)
		}
		if i < 0 || now.After(m.until) {
			m.next = max(m.next, b.turn) // what it did not use before is lost
		}
		b.ready.add(m)
	}
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
	if m.in != nil {
		b.ready.add(m)
	}
	b.dispatch(time.Now())
}

// dispatch gives turns as long as there are bytes, and sets the timer for the next one. Callers hold mu.
func (b *Bandwidth) dispatch(now time.Time) {
	b.all.refill(b.rates.All, now)
	for len(b.held.list) > 0 && !b.held.list[0].until.After(now) {
		b.ready.add(b.held.list[0])
	}
	for len(b.ready.list) > 0 {
		m := b.ready.list[0]
		m.own.refill(b.rates.Party, now)
		if wait := m.own.wait(b.rates.Party); wait > 0 {
			m.until = now.Add(wait)
			b.held.add(m)
			continue
		}
		// One that its own limit held makes up for a burst at most.
		if least := b.turn - burst(b.rates.All); m.next < least {
			m.next = least
			b.ready.add(m)
			continue
		}
		if wait := max(b.all.wait(b.rates.All), b.await(m, now)); wait > 0 {
			b.later(wait)
			return
		}
		b.give(m, now)
	}
	if len(b.held.list) > 0 {
		b.later(b.held.list[0].until.Sub(now))
	}
}

// await returns how long a party whose turn it is waits for one that had a turn just now and would be
// before it. Nobody is awaited while there are bytes for both.
func (b *Bandwidth) await(m *mover, now time.Time) (wait time.Duration) {
	b.awaited = slices.DeleteFunc(b.awaited, func(a *mover) bool { return !a.until.After(now) })
	if b.all.left >= burst(b.rates.All)/2 {
		return 0
	}
	for _, a := range b.awaited {
		a.own.refill(b.rates.Party, now)
		if a.next < m.next && a.own.wait(b.rates.Party) == 0 {
			wait = max(wait, a.until.Sub(now))
		}
	}
	return wait
}

// give gives a party a turn.
func (b *Bandwidth) give(m *mover, now time.Time) {
	t := m.queue[0]
	m.queue = m.queue[1:]
	b.turn = max(b.turn, m.next)
	m.next += float64(t.n)
	m.own.left -= float64(t.n)
	b.all.left -= float64(t.n)
	close(t.given)
	if len(m.queue) > 0 {
		b.ready.add(m)
		return
	}
	m.in.remove(m)
	m.until = now.Add(awaitFor)
	b.awaited = append(b.awaited, m)
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
	if len(b.of) < maxUses {
		return
	}
	for party, m := range b.of {
		m.own.refill(b.rates.Party, now)
		if m.in == nil && m.next <= b.turn && m.own.left >= burst(b.rates.Party) {
			delete(b.of, party)
		}
	}
}
