package sshwire

import (
	"io"
	"net"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen in time")
		}
	}
}

// sender returns a connection to which the other end sends without end, and a lane of it.
func sender(t *testing.T) (*Conn, *Lane) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	in, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { _, _ = in.Close(), out.Close() })
	go func() {
		for piece := make([]byte, 32<<10); ; {
			if _, err := out.Write(piece); err != nil {
				return
			}
		}
	}()
	c := newConn(in)
	return c, c.Lane()
}

// keep reads like the library: all that comes is kept.
func keep(c *Conn) {
	_, _ = io.Copy(io.Discard, struct{ io.Reader }{c})
}

// While a session waits for bandwidth, its connection keeps no more than heldBacklog and one read. What the session
// takes makes room; whoever waits for the client, or for no bandwidth any more, is served.
func TestASessionThatWaitsForBandwidthKeepsLittle(t *testing.T) {
	c, lane := sender(t)
	release := c.Hold()
	go keep(c)
	most := int64(heldBacklog + readBuffer)
	came := func(atLeast int64) int64 {
		t.Helper()
		eventually(t, func() bool { return c.Received() > atLeast })
		last := int64(-1)
		for last != c.Received() { // until nothing comes for a while
			last = c.Received()
			time.Sleep(3 * holdFor)
		}
		return last
	}
	first := came(heldBacklog)
	if first > most {
		t.Errorf("%d bytes were read", first)
	}
	lane.Read(int(first), false)
	if second := came(first + heldBacklog - readBuffer); second > first+most {
		t.Errorf("%d bytes were read after %d had been taken", second-first, first)
	}
	release() // it does something else now, which may need what the client sent
	at := c.Received()
	eventually(t, func() bool { return c.Received() > at+1 })

	release = c.Hold()
	lane.Wait() // the channel is empty
	at = c.Received()
	eventually(t, func() bool { return c.Received() > at+16<<20 })
	release()
}

// Of a connection with several channels, a read is let through now and then: another channel than the one that
// waits may need what comes.
func TestAnotherChannelGoesOn(t *testing.T) {
	c, _ := sender(t)
	c.Lane()
	defer c.Hold()()
	go keep(c)
	eventually(t, func() bool { return c.Received() > heldBacklog })
	time.Sleep(2 * holdFor) // what was under way has come
	at := c.Received()
	eventually(t, func() bool { return c.Received() > at+readBuffer })
}

// A connection that is closed ends a held read.
func TestClosingEndsAHeldRead(t *testing.T) {
	c, _ := sender(t)
	defer c.Hold()()
	done := make(chan struct{})
	go func() {
		defer close(done)
		keep(c)
	}()
	eventually(t, func() bool { return c.Received() > heldBacklog })
	must(t, c.Close())
	<-done
}
