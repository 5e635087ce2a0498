package exchange

import (
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"time"
)

// Clock tells the time. Rooms get one, so that tests can move it.
type Clock func() time.Time

// Micros is a time as the store keeps it: microseconds since 1970, UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// FromMicros reads a stored time back.
func FromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// IDs makes ULIDs (github.com/ulid/spec): 48 bits of milliseconds, 80 bits of
// randomness, 26 letters of Crockford's base 32. Within one millisecond the
// random part counts upwards, so that one process's ids sort as they were
// made. Safe for concurrent use.
type IDs struct {
	clock Clock
	rand  io.Reader

	mu     sync.Mutex
	lastMS uint64
	hi     uint16 // the upper 16 of the 80 random bits
	lo     uint64
}

// NewIDs takes the clock and a source of randomness (crypto/rand.Reader).
func NewIDs(clock Clock, rand io.Reader) *IDs { return &IDs{clock: clock, rand: rand} }

// New returns a fresh id. It panics if the randomness source fails, since no
// safe answer exists without it.
func (g *IDs) New() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	ms := uint64(g.clock().UnixMilli())
	if ms > g.lastMS {
		var b [10]byte
		if _, err := io.ReadFull(g.rand, b[:]); err != nil {
			panic("exchange: no randomness: " + err.Error())
		}
		g.lastMS = ms
		g.hi, g.lo = binary.BigEndian.Uint16(b[:2])&0x7fff, binary.BigEndian.Uint64(b[2:])
	} else { // the same millisecond, or a clock set back
		if g.lo++; g.lo == 0 {
			g.hi++
		}
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], g.lastMS<<16|uint64(g.hi))
	binary.BigEndian.PutUint64(b[8:], g.lo)
	return crockford(b)
}

// crockford writes 128 bits as 26 letters, five bits each, the first with two
// leading zero bits.
func crockford(b [16]byte) string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var out [26]byte
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// FirstID sorts before every id made at a time or later.
func FirstID(at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(max(at.UnixMilli(), 0))<<16)
	return crockford(b)
}

// IDTime is when an id was made, to the millisecond; the zero time for what is
// no id.
func IDTime(id string) time.Time {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	if len(id) < 10 {
		return time.Time{}
	}
	ms := int64(0)
	for i := range 10 {
		v := strings.IndexByte(alphabet, id[i])
		if v < 0 {
			return time.Time{}
		}
		ms = ms<<5 | int64(v)
	}
	return time.UnixMilli(ms).UTC()
}
