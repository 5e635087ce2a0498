package exchange_test

import (
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"pgregory.net/rapid"
)

// size is how many bytes the property's bitmap has.
const size = 200

// bitmap is what Spans say, byte for byte.
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

// Spans without a limit are a bitmap; with one they claim a part of it.
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

// Packed spans that were damaged unpack to spans in order, or to fewer.
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

// IDs sort as they were made, also within a millisecond and when the clock is
// set back, and are never made twice.
func TestIDsAreSortedAndUnique(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	ids := exchange.NewIDs(func() time.Time { return now }, rand.Reader)
	last := ""
	for i := range 10_000 {
		switch i % 100 {
		case 50:
			now = now.Add(time.Millisecond)
		case 75:
			now = now.Add(-time.Hour)
		case 76:
			now = now.Add(time.Hour)
		}
		id := ids.New()
		if id <= last || len(id) != 26 {
			t.Fatalf("%q after %q", id, last)
		}
		last = id
	}
}

// ones is the worst randomness: the counter must carry on from it.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0xff
	}
	return len(p), nil
}

func TestIDsCarryFromTheLargestRandomPart(t *testing.T) {
	ids := exchange.NewIDs(func() time.Time { return time.UnixMilli(1) }, ones{})
	last := ""
	for range 1000 {
		id := ids.New()
		if id <= last {
			t.Fatalf("%q after %q", id, last)
		}
		last = id
	}
}

func TestIDsOfManyGoroutines(t *testing.T) {
	ids := exchange.NewIDs(time.Now, rand.Reader)
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				id := ids.New()
				mu.Lock()
				if seen[id] {
					t.Errorf("%q twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
}
