package connection

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Banner is the text for a failed log-in. It depends on the listener alone, never on the client, so
// that it reveals nothing. help is how to reach support, or "".
func Banner(help, reference string) string {
	return fmt.Sprintf("This server takes SSH keys only, no passwords. Choose your private key file in your SFTP\r\n"+
		"program; a passphrase only unlocks that file. Help: %s, reference %s.\r\n", helpers(help), reference)
}

// Turned is the text for a banned address, sent before anything else. reference may be "".
func Turned(help, reference string, until time.Time) string {
	text := fmt.Sprintf("Too many log-ins from your address failed. Correct the program that keeps trying, and try "+
		"again after %s UTC. Help: %s", until.UTC().Format("15:04"), helpers(help))
	if reference != "" {
		text += ", reference " + reference
	}
	return text + "."
}

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
	if u := unit(from); u.Addr().Is6() {
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

func helpers(help string) string {
	if help != "" {
		return valid.Printable(help)
	}
	return "the people who gave you your username"
}
