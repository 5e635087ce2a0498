package sshd

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	rateOver  = 2 * time.Second  // a rate is measured over so long at least
	rateUntil = 10 * time.Second // after so long a silence it is 0
)

// rate measures how many bytes a second a session moved lately. It looks when bytes move, so that idle
// sessions cost nothing.
type rate struct {
	next atomic.Int64 // UnixNano from which it looks again

	mu           sync.Mutex
	before, last mark
}

// mark is how many bytes were moved until a time.
type mark struct {
	at    time.Time
	bytes int64
}

// moved notes that something moved; bytes returns how much did since the session began.
func (r *rate) moved(now time.Time, bytes func() int64) {
	if now.UnixNano() < r.next.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last.at) < rateOver {
		return // another goroutine was faster
	}
	r.before, r.last = r.last, mark{now, bytes()}
	r.next.Store(now.Add(rateOver).UnixNano())
}

// lately returns bytes a second: since rateOver to twice that ago, while something moves.
func (r *rate) lately(now time.Time, bytes int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := r.before
	if now.Sub(r.last.at) >= rateOver {
		from = r.last
	}
	passed := now.Sub(from.at)
	if from.at.IsZero() || passed <= 0 || now.Sub(r.last.at) > rateUntil {
		return 0
	}
	return int64(float64(bytes-from.bytes) / passed.Seconds())
}
