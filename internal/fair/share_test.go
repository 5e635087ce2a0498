package fair_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fair"
)

// party uses the processor for a moment at a time, with rests in between.
type party struct {
	name         string
	moment, rest time.Duration
	next         time.Time
	used, pauses time.Duration
	longest      time.Duration
}

// divide simulates parties for ten seconds.
func divide(short bool, parties ...*party) {
	s := fair.NewShare(func(time.Time) bool { return short })
	began := time.Now()
	for _, p := range parties {
		p.next = began
	}
	for {
		p := parties[0]
		for _, other := range parties {
			if other.next.Before(p.next) {
				p = other
			}
		}
		now := p.next.Add(p.moment)
		if now.Sub(began) > 10*time.Second {
			return
		}
		pause := s.Used(p.name, p.moment, now)
		p.used, p.pauses, p.longest = p.used+p.moment, p.pauses+pause, max(p.longest, pause)
		p.next = now.Add(pause + p.rest)
	}
}

const us = time.Microsecond

func TestAShareOfTheProcessor(t *testing.T) {
	heavy := func() *party { return &party{name: "heavy", moment: 300 * us} }
	light := func() *party { return &party{name: "light", moment: 200 * us, rest: 800 * us} }
	t.Run("who uses most pauses, who uses little never", func(t *testing.T) {
		h, l := heavy(), light()
		divide(true, h, l)
		if l.pauses != 0 || h.used > 3*l.used {
			t.Errorf("heavy used %v, light %v and paused for %v", h.used, l.used, l.pauses)
		}
		if h.longest > 100*time.Millisecond {
			t.Errorf("one pause took %v", h.longest)
		}
	})
	t.Run("alone nobody pauses", func(t *testing.T) {
		h := heavy()
		if divide(true, h); h.pauses != 0 {
			t.Errorf("paused for %v", h.pauses)
		}
	})
	t.Run("nor while there is enough", func(t *testing.T) {
		h, l := heavy(), light()
		if divide(false, h, l); h.pauses+l.pauses != 0 {
			t.Errorf("paused for %v and %v", h.pauses, l.pauses)
		}
	})
	t.Run("equals stay equal", func(t *testing.T) {
		a, b := heavy(), heavy()
		b.name = "as heavy"
		divide(true, a, b)
		if a.used > b.used*11/10 || b.used > a.used*11/10 || a.used < 8*time.Second {
			t.Errorf("used %v and %v", a.used, b.used)
		}
	})
	t.Run("one of many", func(t *testing.T) {
		h, all := heavy(), []*party{}
		for i := range 50 {
			l := light()
			l.name = fmt.Sprint(i)
			l.rest *= 20
			all = append(all, l)
		}
		divide(true, append(all, h)...)
		if h.used > 2*time.Second {
			t.Errorf("heavy used %v", h.used)
		}
		for _, l := range all {
			if l.pauses != 0 {
				t.Fatalf("%s paused for %v", l.name, l.pauses)
			}
		}
	})
}

// TestManyAtOnceTakeTurns: a party gets no more through many concurrent uses.
func TestManyAtOnceTakeTurns(t *testing.T) {
	s := fair.NewShare(func(time.Time) bool { return true })
	now := time.Now()
	s.Used("light", 100*us, now)
	last := time.Duration(0)
	for i := range 100 {
		pause := s.Used("heavy", 500*us, now)
		if pause < last || pause > time.Second {
			t.Fatalf("the %dth pauses for %v, the one before for %v", i+1, pause, last)
		}
		last = pause
	}
	if last < 100*time.Millisecond {
		t.Errorf("the last of a hundred pauses for %v", last)
	}
	if pause := s.Used("light", 100*us, now.Add(time.Millisecond)); pause != 0 {
		t.Errorf("light pauses for %v", pause)
	}
}

// TestTheProcessorIsShort: the processor is short while all of it is in use, and not for long
// afterwards.
func TestTheProcessorIsShort(t *testing.T) {
	var p fair.Processor
	p.Short(time.Now())
	var stop atomic.Bool
	for range 4 * runtime.GOMAXPROCS(0) {
		go func() {
			for !stop.Load() {
			}
		}()
	}
	until := time.Now().Add(30 * time.Second)
	for !p.Short(time.Now()) {
		if time.Now().After(until) {
			t.Fatal("all of it is in use, and it is not short")
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop.Store(true)
}
