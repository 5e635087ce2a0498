package exchange

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// Clock tells the time. Services get one, so that tests can move it.
type Clock func() time.Time

// Micros is a time as the store keeps it: microseconds since 1970, UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// FromMicros reads a stored time back.
func FromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// IDs makes ULIDs (github.com/ulid/spec). Within one millisecond the random
// part counts upwards, so that one process's ids sort as they were made. Safe
// for concurrent use.
type IDs struct {
	clock Clock

	mu      sync.Mutex
	last    uint64 // the millisecond of the last id
	entropy *ulid.MonotonicEntropy
}

// NewIDs takes the clock and a source of randomness (crypto/rand.Reader).
func NewIDs(clock Clock, rand io.Reader) *IDs {
	return &IDs{clock: clock, entropy: ulid.Monotonic(rand, 1)}
}

// New returns a fresh id. It panics if the randomness source fails, since no
// safe answer exists without it.
func (g *IDs) New() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = max(g.last, millis(g.clock())) // a clock that was set back does not set ids back
	id, err := ulid.New(g.last, g.entropy)
	if errors.Is(err, ulid.ErrMonotonicOverflow) { // no larger random part exists in this millisecond
		g.last++
		id, err = ulid.New(g.last, g.entropy)
	}
	if err != nil {
		panic("exchange: no randomness: " + err.Error())
	}
	return id.String()
}

// millis is a time as an id has it: milliseconds since 1970, in 48 bits.
func millis(t time.Time) uint64 { return min(uint64(max(t.UnixMilli(), 0)), ulid.MaxTime()) }

// FirstID sorts before every id made at a time or later.
func FirstID(at time.Time) string {
	var id ulid.ULID
	_ = id.SetTime(millis(at)) // fails beyond MaxTime alone
	return id.String()
}

// IDTime returns when an id was made, to the millisecond; the zero time if it is not an id.
func IDTime(id string) time.Time {
	parsed, err := ulid.ParseStrict(id)
	if err != nil {
		return time.Time{}
	}
	return parsed.Timestamp().UTC()
}
