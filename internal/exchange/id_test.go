package exchange_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// IDs sort in the order in which they were made, also within a millisecond and when the clock is set
// back, and are unique.
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

// ones is the largest randomness: the random part cannot be incremented.
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

// If the random parts of a millisecond are used up, the next millisecond is used. Later ids still sort
// after these when the clock has caught up, and when it is set back.
func TestIDsFollowOneAnotherWhenAMillisecondIsFull(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	ids := exchange.NewIDs(func() time.Time { return now }, ones{})
	last := ""
	for _, step := range []time.Duration{0, 0, 0, 2 * time.Millisecond, 0, -time.Hour, 0, time.Hour + 5*time.Millisecond} {
		now = now.Add(step)
		id := ids.New()
		if id <= last {
			t.Fatalf("%q after %q", id, last)
		}
		last = id
	}
	if at := exchange.IDTime(last); !at.Equal(now) {
		t.Errorf("the last id is of %s, at %s", at, now)
	}
}

func TestAnIDIsOfTheClocksTimeUnlessItWasSetBack(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000).UTC()
	ids := exchange.NewIDs(func() time.Time { return now }, rand.Reader)
	made := now
	for _, step := range []time.Duration{0, time.Second, -time.Hour, 0, time.Minute} { // set back and left there
		now = now.Add(step)
		if now.After(made) {
			made = now
		}
		if id := ids.New(); !exchange.IDTime(id).Equal(made) || exchange.IDTime(id).Location() != time.UTC {
			t.Errorf("%q is of %s, want %s", id, exchange.IDTime(id), made)
		}
	}
}

func TestWithoutRandomnessThereIsNoID(t *testing.T) {
	ids := exchange.NewIDs(time.Now, iotest.ErrReader(errors.New("broken")))
	defer func() {
		if recover() == nil {
			t.Error("an id was made")
		}
	}()
	ids.New()
}

// nought is the smallest random part.
type nought struct{}

func (nought) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTheFirstIDSortsBeforeTheIDsOfItsTime(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Unix(0, 0), time.UnixMilli(1_700_000_000_123),
		time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		first := exchange.FirstID(at)
		for _, later := range []time.Duration{0, time.Microsecond, time.Millisecond, time.Hour} {
			id := exchange.NewIDs(func() time.Time { return at.Add(later) }, nought{}).New()
			if first > id || len(first) != len(id) {
				t.Errorf("%s: %q, and %q %s later", at, first, id, later)
			}
		}
		if at.Unix() > 0 && at.Year() < 10000 {
			before := exchange.NewIDs(func() time.Time { return at.Add(-time.Millisecond) }, ones{}).New()
			if before >= first {
				t.Errorf("%s: %q is of the millisecond before %q", at, before, first)
			}
			if got := exchange.IDTime(first); !got.Equal(at) {
				t.Errorf("%q is of %s, want %s", first, got, at)
			}
		}
	}
}

func TestWhatIsNoIDHasNoTime(t *testing.T) {
	id := exchange.FirstID(time.UnixMilli(1_700_000_000_000))
	for _, s := range []string{"", "acme", id[:10], id[:25], id + "0", "8" + id[1:],
		strings.Repeat("U", 26), id[:25] + "é", id[:25] + " "} {
		if at := exchange.IDTime(s); !at.IsZero() {
			t.Errorf("%q is of %s", s, at)
		}
	}
}
