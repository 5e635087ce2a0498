package operator

import (
	"sync"
	"time"
)

// mostGuessers is how many addresses or operators a throttle remembers. Beyond it, it forgets those
// whose failures are the oldest.
const mostGuessers = 20_000

// throttle counts failures by a key, such as an address, and refuses a key for a while after too
// many.
type throttle struct {
	after       int // 0: never
	within, out time.Duration

	mu    sync.Mutex
	known map[string]*failures
}

type failures struct {
	first  time.Time // of those that count
	latest time.Time
	count  int
	until  time.Time // refused until then
}

func newThrottle(after int, within, out time.Duration) *throttle {
	return &throttle{after: after, within: within, out: out, known: map[string]*failures{}}
}

// Refused returns how long a key is still refused; 0 if it is not.
func (t *throttle) Refused(key string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.known[key]; f != nil && now.Before(f.until) {
		return f.until.Sub(now)
	}
	return 0
}

// Failed counts a failure, and reports whether the key is refused from now on.
func (t *throttle) Failed(key string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.known[key]
	if f == nil {
		t.makeRoom(now)
		f = &failures{}
		t.known[key] = f
	}
	if f.count == 0 || now.Sub(f.first) > t.within {
		f.first, f.count = now, 0
	}
	f.latest = now
	f.count++
	if t.after == 0 || f.count < t.after {
		return false
	}
	f.count, f.until = 0, now.Add(t.out)
	return true
}

// Forget clears what is known of a key, after it has succeeded.
func (t *throttle) Forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, key)
}

// makeRoom forgets keys whose failures count no more. If there are still too many, it forgets the
// one that failed longest ago.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.known) < mostGuessers {
		return
	}
	oldest, at := "", now
	for key, f := range t.known {
		if now.Sub(f.latest) > t.within && !now.Before(f.until) {
			delete(t.known, key)
		} else if f.latest.Before(at) {
			oldest, at = key, f.latest
		}
	}
	if len(t.known) >= mostGuessers {
		delete(t.known, oldest)
	}
}
