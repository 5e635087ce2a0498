package exchange

import (
	"encoding/binary"
	"slices"
)

// Span is a half-open interval of byte offsets.
type Span struct{ From, To int64 }

// Spans are disjoint intervals in ascending order: which bytes of a file have been written, or served.
// Merging keeps them few. Beyond a limit, an interval that joins no other is left out, so that Spans
// may claim too little but never too much.
type Spans []Span

// Add merges [from, to) in, keeping at most limit intervals.
func (s Spans) Add(from, to int64, limit int) Spans {
	if from >= to {
		return s
	}
	if n := len(s); n > 0 && s[n-1].From <= from && from <= s[n-1].To { // the usual case: in order
		s[n-1].To = max(s[n-1].To, to)
		return s
	}
	// i is the first interval that touches or follows; j is the first beyond.
	i, _ := slices.BinarySearchFunc(s, from, func(a Span, at int64) int {
		if a.To < at {
			return -1
		}
		return 1
	})
	j := i
	for j < len(s) && s[j].From <= to {
		from, to = min(from, s[j].From), max(to, s[j].To)
		j++
	}
	if i == j && len(s) >= limit {
		return s
	}
	return slices.Replace(s, i, j, Span{from, to})
}

// Cut removes everything from size on.
func (s Spans) Cut(size int64) Spans {
	for n := len(s); n > 0 && s[n-1].To > size; n = len(s) {
		if s[n-1].From < size {
			s[n-1].To = size
			break
		}
		s = s[:n-1]
	}
	return s
}

// Prefix is how many bytes from the start on are covered without a gap.
func (s Spans) Prefix() int64 {
	if len(s) == 0 || s[0].From > 0 {
		return 0
	}
	return s[0].To
}

// Total is how many bytes are covered.
func (s Spans) Total() (n int64) {
	for _, a := range s {
		n += a.To - a.From
	}
	return n
}

// Pack writes the spans as pairs of big-endian 64-bit offsets.
func (s Spans) Pack() []byte {
	b := make([]byte, 0, 16*len(s))
	for _, a := range s {
		b = binary.BigEndian.AppendUint64(b, uint64(a.From))
		b = binary.BigEndian.AppendUint64(b, uint64(a.To))
	}
	return b
}

// UnpackSpans reads packed spans; what is damaged or out of order is left out.
func UnpackSpans(b []byte) (s Spans) {
	for ; len(b) >= 16; b = b[16:] {
		a := Span{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))}
		if a.From < 0 || a.From >= a.To || len(s) > 0 && a.From <= s[len(s)-1].To {
			continue
		}
		s = append(s, a)
	}
	return s
}
