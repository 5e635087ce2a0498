package sshwire

import (
	"errors"
	"sync/atomic"
	"testing"
)

// arrive makes n bytes arrive on the wire.
func arrive(t *testing.T, c *Conn, n int) error {
	t.Helper()
	for ; n > 0; n -= 64 << 10 {
		if err := c.backlog.came(min(n, 64<<10)); err != nil {
			return err
		}
	}
	return nil
}

func TestWhatIsReadIsNoBacklog(t *testing.T) {
	var total atomic.Int64
	c := newConn(nil)
	c.Watch(&total, nil)
	lane := c.Lane()
	for range 1000 { // 250 MiB in packets of 32 KiB, the reader never idle
		if err := arrive(t, c, 256<<10); err != nil {
			t.Fatal(err)
		}
		lane.Read(255<<10, false)
	}
	for range 100_000 { // small requests, many more bytes on the wire than content
		if err := c.backlog.came(1000); err != nil {
			t.Fatal(err)
		}
		lane.Read(200, true)
	}
	if c.Backlog() != 0 || total.Load() != 0 {
		t.Fatalf("%d bytes are said to wait, %d in all", c.Backlog(), total.Load())
	}
}

func TestABacklogEndsTheConnection(t *testing.T) {
	var total atomic.Int64
	grew := 0
	c := newConn(nil)
	c.Watch(&total, func() { grew++ })
	stuck, busy := c.Lane(), c.Lane()
	var err error
	var sent int
	for sent = 0; err == nil && sent < 100<<20; sent += 64 << 10 {
		err = arrive(t, c, 32<<10) // for the channel that is not read
		if err == nil {
			err = arrive(t, c, 32<<10)
			busy.Read(32<<10-200, true)
		}
	}
	if !errors.Is(err, ErrBacklog) || sent > 3*2*LaneBacklog {
		t.Fatalf("after %d bytes: %v", sent, err)
	}
	if total.Load() != c.Backlog() || grew == 0 {
		t.Fatalf("%d of %d are counted", total.Load(), c.Backlog())
	}
	stuck.End()
	busy.End()
	if total.Load() != 0 {
		t.Fatalf("%d bytes are counted of a connection without channels", total.Load())
	}
}

// TestRepliesAreNoBacklog: a client that adjusts the window for each part of a reply sends
// more bytes of that than of requests, and its channel is never empty.
func TestRepliesAreNoBacklog(t *testing.T) {
	c := newConn(nil)
	lane := c.Lane()
	if err := arrive(t, c, 2<<20); err != nil { // the window is full of requests
		t.Fatal(err)
	}
	for range 1_000_000 {
		if err := c.backlog.came(38 + 2*84); err != nil {
			t.Fatal(err)
		}
		lane.Read(34, false)
	}
	var err error
	for range 1 << 20 { // then nothing is read, while the client sends single bytes
		if err = c.backlog.came(40); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrBacklog) {
		t.Fatal("what nobody reads is excused by what was read before")
	}
}
