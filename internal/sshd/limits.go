package sshd

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// gate limits the connections that have not logged in. When there are too
// many, the oldest is closed. A real client logs in within moments, so connections that
// are only held open cannot keep others out.
type gate struct {
	limits atomic.Pointer[Limits]
	clock  exchange.Clock

	mu    sync.Mutex
	all   []*halfOpen // in the order they came
	byIP  map[netip.Addr]int
	close bool
}

// halfOpen is a connection's place at the gate.
type halfOpen struct {
	conn    net.Conn
	from    netip.Addr
	ctx     context.Context // ends when the connection leaves the gate or is evicted
	cancel  context.CancelFunc
	evicted atomic.Bool // it was closed to make room for another
}

func newGate(l Limits, clock exchange.Clock) *gate {
	g := &gate{clock: clock, byIP: map[netip.Addr]int{}}
	g.limits.Store(&l)
	return g
}

// enter counts a connection in. If its address, or the gate, has too many, the oldest of
// them is evicted. It returns nil if the gate is closed.
func (g *gate) enter(conn net.Conn, from netip.Addr) *halfOpen {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.close {
		return nil
	}
	if g.byIP[from] >= g.limits.Load().HalfOpenAddress {
		g.evict(func(h *halfOpen) bool { return h.from == from })
	} else if len(g.all) >= g.limits.Load().HalfOpen {
		g.evict(func(*halfOpen) bool { return true })
	}
	h := &halfOpen{conn: conn, from: from}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	g.all = append(g.all, h)
	g.byIP[from]++
	return h
}

func (g *gate) evict(match func(*halfOpen) bool) {
	for _, h := range g.all {
		if match(h) {
			h.evicted.Store(true)
			_ = h.conn.Close()
			g.remove(h)
			return
		}
	}
}

// done counts a connection out, because it logged in or ended. It may be called again.
func (g *gate) done(h *halfOpen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(h)
}

func (g *gate) remove(h *halfOpen) {
	h.cancel()
	for i, have := range g.all {
		if have == h {
			g.all = append(g.all[:i], g.all[i+1:]...)
			if g.byIP[h.from]--; g.byIP[h.from] == 0 {
				delete(g.byIP, h.from)
			}
			return
		}
	}
}

func (g *gate) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.close = true
	for _, h := range g.all {
		h.cancel()
		_ = h.conn.Close()
	}
}

// address returns the IP address of a connection's end, without a zone. An IPv4-mapped
// address becomes IPv4. The zero Addr means that there is none.
func address(end net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(end.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
