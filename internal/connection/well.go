package connection

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Whoever logs in well from an address is not shown how to log in.
const (
	wellLately   = 45 * 24 * time.Hour // many come once a month
	wellFailures = 3                   // so many failures in wellWithin, after the last log-in, are not well
	wellWithin   = 15 * time.Minute
)

// LogsInWell reports whether a user, by its name as typed, has logged in from an address, or from its IPv6 network,
// lately, and has not failed several times since. It says nothing about users to those who have never logged in as them
// from there.
func (r *Service) LogsInWell(user string, from netip.Addr) bool {
	q, now := r.o.Store.Read(context.Background()), r.o.Clock()
	name, address, network := valid.Printable(user), from.String(), ""
	if u := valid.Subscriber(from); u.Addr().Is6() {
		// The text of a network has as many groups as those of its addresses, unless it has zeros that are left out.
		if text := strings.TrimSuffix(u.Addr().String(), "::"); strings.Count(text, ":") == 3 {
			network = text + ":"
		}
	}
	last, err := q.LastLoginFrom(name, address, network)
	if err != nil || now.Sub(last) > wellLately {
		return false
	}
	if soon := now.Add(-wellWithin); last.Before(soon) {
		last = soon
	}
	failed, err := q.FailedFrom(name, address, last, wellFailures)
	return err == nil && failed < wellFailures
}
