package onboard

import (
	"net/netip"
	"sync"
	"time"
)

// paceRemembers is how many addresses are remembered at once. Beyond it, those that were seen longest ago in
// the same period are forgotten together.
const paceRemembers = 20_000

// pace counts what each network address does in a period. It is kept in memory: it stops a flood before the
// database is asked.
type pace struct {
	most   int
	period time.Duration

	mu    sync.Mutex
	start time.Time
	count map[netip.Prefix]int
}

func newPace(most int, period time.Duration) *pace {
	return &pace{most: most, period: period, count: map[netip.Prefix]int{}}
}

// allow counts one more, and reports whether the address may do it. IPv6 addresses count by their /64, which
// is one customer's. An address that is not one counts as all others like it.
func (p *pace) allow(from string, now time.Time) bool {
	bits := 64
	addr, err := netip.ParseAddr(from)
	if addr = addr.Unmap(); addr.Is4() {
		bits = 32
	}
	key := netip.Prefix{}
	if err == nil {
		key, _ = addr.WithZone("").Prefix(bits) // bits fit
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.start) >= p.period || now.Before(p.start) || len(p.count) >= paceRemembers {
		p.start = now
		clear(p.count)
	}
	if p.most > 0 && p.count[key] >= p.most {
		return false
	}
	p.count[key]++
	return true
}
