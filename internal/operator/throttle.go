package operator

import (
	"sync"
	"time"
)

// mostGuessers is how many addresses or operators a throttle remembers. Beyond it, it forgets those
// whose failures are the oldest, and those that are refused last of all.
const mostGuessers = 20_000

// aMoment is how long to wait while as many tries are looked at as may fail.
const aMoment = 5 * time.Second

// throttle counts failures by a key, such as an address, and refuses a key for a while after too
// many. A try counts from its beginning, so that tries at once are no way around it.
type throttle struct {
	mu          sync.Mutex
	after       int // 0: never
	within, out time.Duration
	known       map[string]*failures
}

type failures struct {
	first   time.Time // of those that count
	latest  time.Time
	count   int
	pending int       // tries that are looked at
	until   time.Time // refused until then
}

func newThrottle(after int, within, out time.Duration) *throttle {
	return &throttle{after: after, within: within, out: out, known: map[string]*failures{}}
}

// limit sets how many failures within a time have a key refused, and for how long.
func (t *throttle) limit(after int, within, out time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.after, t.within, t.out = after, within, out
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

// Begin counts a try whose outcome is not known yet, or returns how long the key is refused. End must
// follow a try.
func (t *throttle) Begin(key string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.of(key, now)
	switch {
	case now.Before(f.until):
		return f.until.Sub(now)
	case t.after > 0 && f.count+f.pending >= t.after:
		return aMoment
	}
	f.pending++
	return 0
}

// End ends a try.
func (t *throttle) End(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.known[key]; f != nil && f.pending > 0 {
		f.pending--
	}
}

// of returns what is known of a key. Failures that are too long ago count no more.
func (t *throttle) of(key string, now time.Time) *failures {
	f := t.known[key]
	if f == nil {
		t.makeRoom(now)
		f = &failures{first: now, latest: now}
		t.known[key] = f
	}
	if f.count == 0 || now.Sub(f.first) > t.within {
		f.first, f.count = now, 0
	}
	return f
}

// Failed counts a failure, and reports whether the key is refused from now on.
func (t *throttle) Failed(key string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.of(key, now)
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
	if f := t.known[key]; f != nil {
		f.count, f.until = 0, time.Time{}
	}
}

// makeRoom forgets keys whose failures count no more. If there are still too many, it forgets the one
// that failed longest ago, one that is not refused if there is any.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.known) < mostGuessers {
		return
	}
	oldest := map[bool]string{}
	at := map[bool]time.Time{}
	for key, f := range t.known {
		refused := now.Before(f.until)
		if now.Sub(f.latest) > t.within && !refused && f.pending == 0 {
			delete(t.known, key)
		} else if at[refused].IsZero() || f.latest.Before(at[refused]) {
			oldest[refused], at[refused] = key, f.latest
		}
	}
	if len(t.known) < mostGuessers {
		return
	}
	if key, ok := oldest[false]; ok {
		delete(t.known, key)
		return
	}
	delete(t.known, oldest[true])
}
