package onboard

import (
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// paceRemembers is how many addresses are remembered at once. Beyond it, those that were seen longest ago in
// the same period are forgotten together.
const paceRemembers = 20_000

// pace counts what each network address does in a period. It is kept in memory: it stops a flood before the
// database is asked.
type pace struct {
	period time.Duration

	mu    sync.Mutex
	most  int
	start time.Time
	count map[netip.Prefix]int
}

func newPace(most int, period time.Duration) *pace {
	return &pace{most: most, period: period, count: map[netip.Prefix]int{}}
}

// limit sets how many are allowed.
func (p *pace) limit(most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = most
}

// allow counts one more, and reports whether the address may do it. IPv6 addresses count by their /64, which
// is one customer's. An address that is not one counts as all others like it.
func (p *pace) allow(from string, now time.Time) bool {
	addr, _ := netip.ParseAddr(from) // the zero address, if it is none
	key := valid.Subscriber(addr)
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
