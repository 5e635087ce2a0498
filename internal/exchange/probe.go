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

	over bool
}

// probeAfter is how long a probe is known after it is over: the server may see the end of its connection later.
const probeAfter = time.Minute

// NewProbes returns an empty list.
func NewProbes() *Probes { return &Probes{} }

// Begin makes a probe known until end is called, or its time is over.
func (p *Probes) Begin(probe Probe, now time.Time) (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = slices.DeleteFunc(p.list, func(old Probe) bool { return now.After(old.Until.Add(probeAfter)) })
	p.list = append(p.list, probe)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := range p.list {
			if p.list[i].Fingerprint == probe.Fingerprint {
				p.list[i].over = true
			}
		}
	}
}

// MayLogIn reports whether a key is that of a probe that may log in as the user now.
func (p *Probes) MayLogIn(user, fingerprint string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.list, func(have Probe) bool {
		return have.User == user && have.Fingerprint == fingerprint && !have.over && now.Before(have.Until)
	})
}

// Own reports whether a connection was a probe: it has the version line of one, and offered no other key.
func (p *Probes) Own(client string, offered []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.list, func(have Probe) bool {
		return have.Client == client &&
			!slices.ContainsFunc(offered, func(key string) bool { return key != have.Fingerprint })
	})
}
