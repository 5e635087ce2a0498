package fair

import (
	"sync"
	"time"
)

// Pacer slows down who does something too often, and refuses nobody. Each name has
// an hour's worth at once; past that, as many an hour as the hour's worth is.
type Pacer struct {
	mu     sync.Mutex
	byName map[string]*pace
}

// pace is a bucket. It goes below zero by those that wait.
type pace struct {
	left float64
	at   time.Time // left is of then
	told time.Time // when somebody was last told that it is empty
}

// maxPaces is how many buckets are kept before those that are full again go.
const maxPaces = 10_000

// Wait takes one off a name's bucket of so many an hour, and returns how long to wait
// before it is done: most at the longest, so that who left while waiting costs the next
// no more. tell is true at the first wait, and then once an hour.
func (p *Pacer) Wait(name string, hourly int64, most time.Duration, now time.Time) (wait time.Duration, tell bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	whole := float64(hourly)
	rate := whole / 3600 // a second
	b := p.byName[name]
	if b == nil {
		p.prune(whole, rate, now)
		b = &pace{left: whole, at: now}
		p.byName[name] = b
	}
	b.left = min(b.left+max(0, now.Sub(b.at).Seconds())*rate, whole) - 1
	b.left = max(b.left, -rate*most.Seconds())
	b.at = now
	if b.left >= 0 {
		return 0, false
	}
	if tell = now.Sub(b.told) >= time.Hour; tell {
		b.told = now
	}
	return time.Duration(-b.left / rate * float64(time.Second)), tell
}

// prune forgets buckets that are full again. Callers hold mu.
func (p *Pacer) prune(whole, rate float64, now time.Time) {
	if p.byName == nil {
		p.byName = map[string]*pace{}
	}
	if len(p.byName) < maxPaces {
		return
	}
	for name, b := range p.byName {
		if b.left+now.Sub(b.at).Seconds()*rate >= whole {
			delete(p.byName, name)
		}
	}
}
