package sshwire

import (
	"sync"
	"sync/atomic"
	"time"
)

// While a session waits for its share of the bandwidth, what its client goes on sending would be kept in
// memory, up to a window of 2 MiB for each channel. So nothing more is read from the socket then, once
// heldBacklog bytes are unread: TCP tells the client to wait.
const (
	heldBacklog = 256 << 10
	// heldBeside is the bound if a channel of the connection is empty: its client may want something of it.
	heldBeside = 1 << 20
)

// What a session does besides may need something that the client sent: room for its replies. So a held
// read looks again after holdFor, and is let through if no session waits just then. Of several channels one
// may need it while another one waits; so every holdBeside a read is let through.
const (
	holdFor    = 100 * time.Millisecond
	holdBeside = time.Second
)

// hold is the state of a connection whose sessions wait for bandwidth.
type hold struct {
	slowed atomic.Bool // sessions wait now and then, and no channel was empty since

	mu    sync.Mutex
	waits int           // sessions that wait now
	wake  chan struct{} // closed when a held read should look again; nil: none is held
}

// Hold notes that a session waits for bandwidth, until release is called.
func (c *Conn) Hold() (release func()) {
	h := &c.hold
	h.mu.Lock()
	h.waits++
	h.slowed.Store(true)
	h.mu.Unlock()
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.waits--
	}
}

// empty notes that a channel is empty: its session waits for the client.
func (h *hold) empty() {
	if !h.slowed.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slowed.Store(false)
	h.again()
}

// fewer notes that n bytes are unread now.
func (h *hold) fewer(n int64) {
	if n > heldBacklog || !h.slowed.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.again()
}

// again lets a held read look again. Callers hold mu.
func (h *hold) again() {
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
}

// holdRead is called before the socket is read. It waits while the connection is slowed and much is unread.
func (c *Conn) holdRead() {
	h := &c.hold
	if !h.slowed.Load() {
		return
	}
	for began := time.Now(); h.slowed.Load(); {
		full, lanes := c.backlog.full()
		if !full {
			return
		}
		h.mu.Lock()
		if h.wake == nil {
			h.wake = make(chan struct{})
		}
		wake := h.wake
		h.mu.Unlock()
		t := time.NewTimer(holdFor)
		select {
		case <-wake:
		case <-c.meter.closed:
			t.Stop()
			return
		case <-t.C:
			h.mu.Lock()
			waits := h.waits
			h.mu.Unlock()
			if waits == 0 || waits < lanes && time.Since(began) >= holdBeside {
				return
			}
		}
		t.Stop()
	}
}
