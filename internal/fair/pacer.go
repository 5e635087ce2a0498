package fair

import (
	"sync"
	"time"
)

// Pacer slows down callers that do something too often; it refuses nothing. Each name may do an hour's
// worth at once, and after that is slowed down to its hourly rate.
type Pacer struct {
	mu     sync.Mutex
	byName map[string]*pace
}

// pace is a token bucket. left is negative while callers wait.
type pace struct {
	left float64
	at   time.Time // the time of left
	told time.Time // when tell was last true
}

// maxPaces is how many buckets are kept before full ones are deleted.
const maxPaces = 10_000

// Wait takes one token from a name's bucket, which holds and gains hourly tokens an hour. It returns
// how long the caller must wait, most at the longest, so that callers that left while waiting do not
// delay the next ones further. tell is true for the first wait, and then once an hour.
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

// prune deletes buckets that are full again. Callers hold mu.
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
