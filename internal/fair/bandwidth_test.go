package fair_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fair"
)

const kib = 1 << 10

// crowd moves bytes of parties through a Bandwidth, and counts them.
type crowd struct {
	b  *fair.Bandwidth
	mu sync.Mutex
	of map[string]int64
}

func newCrowd(r fair.Rates) *crowd {
	c := &crowd{b: fair.NewBandwidth(), of: map[string]int64{}}
	c.b.Set(r)
	return c
}

// move takes pieces of up to most bytes for a party until ctx ends.
func (c *crowd) move(ctx context.Context, party string, most int, random *rand.Rand) {
	for ctx.Err() == nil {
		n := 1 + random.IntN(most)
		if c.b.Take(ctx, party, n, func() {}) != nil {
			return
		}
		c.mu.Lock()
		c.of[party] += int64(n)
		c.mu.Unlock()
	}
}

// taken returns what each party and all have moved.
func (c *crowd) taken() (of map[string]int64, all int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of = map[string]int64{}
	for party, n := range c.of {
		of[party] = n
		all += n
	}
	return of, all
}

// Whatever parties do, none gets more than its rate and a burst, all together get no more than theirs, and
// what one does not use the others have. Parties that want all they can get have equal parts, however many
// sessions each has and however large its requests are.
func TestBandwidthIsLimitedAndShared(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { shareOnce(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func shareOnce(t *testing.T, random *rand.Rand) {
	rates := fair.Rates{All: int64(64*kib + random.IntN(20<<20))}
	parties := 2 + random.IntN(5)
	if random.IntN(2) == 0 {
		rates.Party = int64(16*kib + random.IntN(10<<20))
	}
	c := newCrowd(rates)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	for i := range parties {
		most := 1 + random.IntN(256*kib)
		for range 1 + random.IntN(20) {
			own := rand.New(rand.NewPCG(random.Uint64(), 2))
			done.Go(func() { c.move(ctx, fmt.Sprint(i), most, own) })
		}
	}
	const seconds = 30
	time.Sleep(seconds * time.Second)
	cancel()
	done.Wait()
	of, all := c.taken()
	const request = 256 * kib // the last one that is let through
	may := func(rate int64) int64 { return rate*seconds + max(rate/4, 256*kib) + request }
	if all > may(rates.All) {
		t.Errorf("all moved %d bytes, with a limit of %d", all, rates.All)
	}
	want := min(rates.All, rates.Party*int64(parties))
	if rates.Party == 0 {
		want = rates.All
	}
	if got := all / seconds; got < want*95/100 {
		t.Errorf("%+v: all moved %d a second, and could have had %d", rates, got, want)
	}
	for party, n := range of {
		if rates.Party > 0 && n > may(rates.Party) {
			t.Errorf("party %s moved %d bytes, with a limit of %d", party, n, rates.Party)
		}
		if part := want * seconds / int64(parties); n < part*9/10-2*request {
			t.Errorf("%+v: party %s of %d moved %d bytes; an equal part is %d", rates, party, parties, n, part)
		}
	}
}

// A party that comes later has its part at once, and nothing for the time when it was away; when it leaves,
// the others have its part.
func TestAPartyThatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(fair.Rates{All: 1 << 20})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for i := range uint64(8) {
			go c.move(ctx, "early", 32*kib, rand.New(rand.NewPCG(i, 3)))
		}
		time.Sleep(10 * time.Minute)
		before, _ := c.taken()
		late, leave := context.WithCancel(ctx)
		go c.move(late, "late", 32*kib, rand.New(rand.NewPCG(9, 3)))
		time.Sleep(10 * time.Second)
		with, _ := c.taken()
		if got := with["late"]; got < 4<<20 || got > 6<<20 {
			t.Errorf("who came later moved %d bytes in 10 s", got)
		}
		if got := with["early"] - before["early"]; got < 4<<20 {
			t.Errorf("who was there moved %d bytes in the same time", got)
		}
		leave()
		time.Sleep(10 * time.Second)
		after, _ := c.taken()
		if got := after["early"] - with["early"]; got < 9<<20 {
			t.Errorf("alone again, it moved %d bytes in 10 s", got)
		}
	})
}

// A party that asks for little, again and again, neither has others wait for it while there are bytes for both, nor
// is it held up by them.
func TestAPartyThatAsksForLittle(t *testing.T) {
	for _, rates := range []fair.Rates{{All: 20 << 20}, {Party: 20 << 20}, {All: 200 << 20, Party: 20 << 20}} {
		for _, size := range []int{0, 1, 4 * kib} {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(rates)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				longest := time.Duration(0)
				var done sync.WaitGroup
				done.Go(func() {
					for ctx.Err() == nil {
						began := time.Now()
						_ = c.b.Take(ctx, "little", size, func() {})
						longest = max(longest, time.Since(began))
						time.Sleep(1900 * time.Microsecond)
					}
				})
				for i := range uint64(4) {
					done.Go(func() { c.move(ctx, "much", 32*kib, rand.New(rand.NewPCG(i, 4))) })
				}
				const seconds = 10
				time.Sleep(seconds * time.Second)
				cancel()
				done.Wait()
				if _, all := c.taken(); all/seconds < 16<<20 {
					t.Errorf("%+v, requests of %d: the other one moved %d bytes a second", rates, size, all/seconds)
				}
				if longest > 50*time.Millisecond {
					t.Errorf("%+v, requests of %d: one waited for %v", rates, size, longest)
				}
			})
		}
	}
}

// A small file of somebody who did nothing lately waits for nothing but the turn of others; a caller that
// gives up leaves its place; a limit that is lifted lets all go on; bytes that came back count again.
func TestBandwidthLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(fair.Rates{Party: 64 * kib})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		take := func(party string, n int) time.Duration {
			began := time.Now()
			if err := c.b.Take(ctx, party, n, func() {}); err != nil {
				t.Error(err)
			}
			return time.Since(began)
		}
		for range 8 {
			if w := take("small", 32*kib); w > 0 {
				t.Errorf("a file of 256 KiB waits for %v", w)
			}
		}
		gone, giveUp := context.WithCancel(ctx)
		refused := make(chan error)
		go func() { refused <- c.b.Take(gone, "small", 1<<30, func() {}) }()
		synctest.Wait()
		giveUp()
		if err := <-refused; err == nil {
			t.Error("who gave up was let through")
		}
		if w := take("small", 1); w > 10*time.Millisecond {
			t.Errorf("the place of who gave up was kept for %v", w)
		}
		c.b.Back("small", 64*kib)
		if w := take("small", 32*kib) + take("small", 32*kib); w > 10*time.Millisecond {
			t.Errorf("after 64 KiB came back, 64 KiB waited for %v", w)
		}
		take("small", 1<<20) // 16 s
		if w := take("small", 1); w < 15*time.Second {
			t.Errorf("after 1 MiB it waits for %v", w)
		}
		take("small", 1<<30)
		done := make(chan time.Duration)
		go func() { done <- take("small", 1) }()
		time.Sleep(time.Second)
		c.b.Set(fair.Rates{})
		if w := <-done; w > 2*time.Second {
			t.Errorf("after the limit was lifted, it waited for %v", w)
		}
		c.b.Set(fair.Rates{Party: 64 * kib, All: 64 * kib})
		if w := take("small", 1); w > 0 {
			t.Errorf("what was taken before there was a limit counts: it waits for %v", w)
		}
	})
}

// A thousand parties that wait cost each turn little.
func BenchmarkManyPartiesWait(b *testing.B) {
	for _, rates := range []fair.Rates{{All: 1 << 20}, {Party: 16 << 10}} {
		b.Run(fmt.Sprintf("%+v", rates), func(b *testing.B) {
			w := fair.NewBandwidth()
			w.Set(rates)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			for i := range 1000 {
				go func() {
					for w.Take(ctx, fmt.Sprint(i), 1<<20, func() {}) == nil {
					}
				}()
			}
			time.Sleep(100 * time.Millisecond) // all wait
			for i := 0; b.Loop(); i++ {
				gone, leave := context.WithCancel(ctx)
				leave()
				_ = w.Take(gone, fmt.Sprint(i%1000), 1, func() {})
			}
		})
	}
}

// Without a limit, a session pays for one look.
func BenchmarkNoBandwidthLimit(b *testing.B) {
	w := fair.NewBandwidth()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = w.Take(b.Context(), "acme", 32*kib, nil)
		}
	})
}

// With limits that hold nobody, it pays for a place and a turn.
func BenchmarkHighBandwidthLimit(b *testing.B) {
	w := fair.NewBandwidth()
	w.Set(fair.Rates{Party: 1 << 50, All: 1 << 50})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = w.Take(b.Context(), "acme", 32*kib, func() {})
		}
	})
}
