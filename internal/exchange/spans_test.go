package exchange_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// size is how many bytes the property's bitmap has.
const size = 200

// bitmap returns Spans as a bit for each byte.
func bitmap(t *rapid.T, s exchange.Spans) (bits [size]bool) {
	t.Helper()
	last := int64(-1)
	for _, a := range s {
		if a.From >= a.To || a.From <= last || a.To > size {
			t.Fatalf("%v: not in order, not apart, or empty", s)
		}
		last = a.To
		for i := a.From; i < a.To; i++ {
			bits[i] = true
		}
	}
	return bits
}

// Spans without a limit equal a bitmap; with a limit they claim a subset of it.
func TestSpansAgainstABitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 2, 5, size}).Draw(t, "limit")
		var s exchange.Spans
		var want [size]bool
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			from := rapid.Int64Range(0, size).Draw(t, "from")
			to := rapid.Int64Range(0, size).Draw(t, "to")
			if rapid.IntRange(0, 5).Draw(t, "what") == 0 {
				s = s.Cut(to)
				clear(want[to:])
			} else {
				s = s.Add(from, to, limit)
				for i := from; i < to; i++ {
					want[i] = true
				}
			}
			check(t, s, want, limit)
		}
		if back := exchange.UnpackSpans(s.Pack()); !slices.Equal(back, s) {
			t.Fatalf("%v unpacks to %v", s, back)
		}
	})
}

func check(t *rapid.T, s exchange.Spans, want [size]bool, limit int) {
	t.Helper()
	got := bitmap(t, s)
	if len(s) > limit {
		t.Fatalf("%d spans, at most %d", len(s), limit)
	}
	var total, prefix int64
	for i := range got {
		if got[i] && !want[i] {
			t.Fatalf("%v claims byte %d", s, i)
		}
		if limit == size && got[i] != want[i] {
			t.Fatalf("%v lacks byte %d", s, i)
		}
		if got[i] {
			total++
		}
		if got[i] && prefix == int64(i) {
			prefix++
		}
	}
	if s.Total() != total || s.Prefix() != prefix {
		t.Fatalf("%v: total %d, prefix %d, want %d and %d", s, s.Total(), s.Prefix(), total, prefix)
	}
}

// Damaged packed spans unpack to ordered spans, possibly fewer.
func TestDamagedSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes")
		s := exchange.UnpackSpans(b)
		last := int64(-1)
		for _, a := range s {
			if a.From <= last || a.From >= a.To {
				t.Fatalf("%v", s)
			}
			last = a.To
		}
	})
}
