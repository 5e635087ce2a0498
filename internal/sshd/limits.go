package sshd

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// gate counts the connections that have not logged in. When there are too
// many, the oldest makes room: who means to log in has done so within moments,
// and a crowd that only holds connections can't keep others out.
type gate struct {
	limits Limits
	clock  exchange.Clock

	mu    sync.Mutex
	all   []*halfOpen // in the order they came
	byIP  map[netip.Addr]int
	close bool
}

type halfOpen struct {
	conn    net.Conn
	from    netip.Addr
	ctx     context.Context // ends when it is no longer half-open, or made room
	cancel  context.CancelFunc
	evicted atomic.Bool // it made room for another
}

func newGate(l Limits, clock exchange.Clock) *gate {
	return &gate{limits: l, clock: clock, byIP: map[netip.Addr]int{}}
}

// enter counts a connection in; the one that makes room is closed.
func (g *gate) enter(conn net.Conn, from netip.Addr) *halfOpen {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.close {
		return nil
	}
	if g.byIP[from] >= g.limits.HalfOpenAddress {
		g.evict(func(h *halfOpen) bool { return h.from == from })
	} else if len(g.all) >= g.limits.HalfOpen {
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

// done counts a connection out: it logged in, or ended.
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

// address is the address of a connection's end, IPv4 as such.
func address(end net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(end.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
