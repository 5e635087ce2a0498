package exchange

import (
	"slices"
	"sync"
	"time"
)

// Probes are the log-ins that this process makes to its own server, to test a user's set-up. They are known in memory
// alone: a probe's key is made for one connection, and its client names a version line that nobody can guess. This is
// the one place that says what a probe is, so that all who keep records can ask here.
type Probes struct {
	mu   sync.Mutex
	list []Probe
}

// Probe is one log-in of our own.
type Probe struct {
	User        string // username
	Fingerprint string // of the key that was made for it
	Client      string // its version line
	Until       time.Time

	keyless bool // a connection that offered no key was taken for it
}

// probeAfter is how long a probe is known after it is over: the server may see the end of its connection later.
const probeAfter = time.Minute

// NewProbes returns an empty list.
func NewProbes() *Probes { return &Probes{} }

// Begin makes a probe known until end is called with the time, or its time is over.
func (p *Probes) Begin(probe Probe, now time.Time) (end func(now time.Time)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = slices.DeleteFunc(p.list, func(old Probe) bool { return now.After(old.Until.Add(probeAfter)) })
	p.list = append(p.list, probe)
	return func(now time.Time) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := range p.list {
			if p.list[i].Fingerprint == probe.Fingerprint && now.Before(p.list[i].Until) {
				p.list[i].Until = now
			}
		}
	}
}

// MayLogIn reports whether a key is that of a probe that may log in as the user now.
func (p *Probes) MayLogIn(user, fingerprint string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.list, func(have Probe) bool {
		return have.User == user && have.Fingerprint == fingerprint && now.Before(have.Until)
	})
}

// Own reports whether a connection that began at a time was a probe: it has the version line of one, began
// before that was over, and offered no other key. The version line is seen on the network, the key is not: so
// of connections that offered none, one is taken for each probe, which may have failed early.
func (p *Probes) Own(client string, offered []string, began time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.list {
		have := &p.list[i]
		if have.Client != client || began.After(have.Until) ||
			slices.ContainsFunc(offered, func(key string) bool { return key != have.Fingerprint }) {
			continue
		}
		if len(offered) > 0 {
			return true
		}
		if !have.keyless {
			have.keyless = true
			return true
		}
	}
	return false
}
