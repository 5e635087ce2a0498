package platform

import (
	"sync"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Readings records what service users have read of received files, across their
// sessions, because programs may read over one connection and remove over another. It is
// kept in memory only: after a restart a file must be read again before it is accepted.
// All methods are safe for concurrent use.
type Readings struct {
	mu sync.Mutex
	of map[reading]*progress
}

// reading identifies one user's reading of one drop, by ids, since a drop may be renamed.
type reading struct{ user, drop string }

// progress is the state of a reading.
type progress struct {
	spans exchange.Spans // bytes that the user's connections accepted
	open  int            // handles
}

// maxReadings bounds the readings that are remembered: at the limit, those without an open
// handle are forgotten. maxSpans bounds the ranges of one reading. What is forgotten must be
// read again.
const (
	maxReadings = 100_000
	maxSpans    = 64
)

// NewReadings returns an empty Readings.
func NewReadings() *Readings { return &Readings{of: map[reading]*progress{}} }

func (r *Readings) begin(k reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.of[k]
	if p == nil {
		if len(r.of) >= maxReadings {
			for old, p := range r.of {
				if p.open == 0 {
					delete(r.of, old)
				}
			}
		}
		p = &progress{}
		r.of[k] = p
	}
	p.open++
}

func (r *Readings) served(k reading, off int64, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.of[k]; p != nil {
		p.spans = p.spans.Add(off, off+int64(n), maxSpans)
	}
}

func (r *Readings) end(k reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.of[k]; p != nil {
		p.open--
	}
}

// state reports whether every byte of a drop was read, and whether a handle on it is open.
func (r *Readings) state(k reading, size int64) (whole, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.of[k]
	return p != nil && p.spans.Prefix() >= size, p != nil && p.open > 0
}

func (r *Readings) forget(k reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.of[k]; p != nil && p.open == 0 {
		delete(r.of, k)
	}
}
