package guide

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Bounds of the test of the server address.
const (
	dialWait  = 5 * time.Second
	probeWait = 20 * time.Second
)

// failed turns an error into a result.
func failed(what string, err error) model.Check {
	return model.Check{What: what, Says: fault.PublicText(err), Hint: fault.HintIn(err), Action: fault.ActionIn(err)}
}

// server tests the way that a partner goes: name, address, port, host key, log-in, folders. It ends at the first part
// that fails.
func (t *tests) server(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	if t.card.Host == "" {
		t.add(failed("Server address", nameless(t.endpoint)))
		return
	}
	if !t.name(ctx) {
		return
	}
	dialing, stop := context.WithTimeout(ctx, dialWait)
	defer stop()
	nc, err := t.s.o.Dial(dialing, "tcp", t.card.Address())
	if err != nil {
		t.add(model.Check{What: "Port", Says: fmt.Sprintf("%s can't be reached from here: %v.", t.card.Address(), err),
			Hint: "check the listener, the firewall and any load balancer"})
		return
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(probeWait)) // a net.Conn that is open takes it
	t.roundTrip(ctx, nc)
}

// name resolves the server's name, and judges where it leads. It returns false if it leads nowhere.
func (t *tests) name(ctx context.Context) bool {
	host := t.card.Host
	found, err := t.s.o.Resolve(ctx, host)
	if err != nil {
		t.add(model.Check{What: "Server address", Says: fmt.Sprintf("%s is not known to the DNS here: %v.", host, err),
			Hint: "set " + t.endpoint.Setting + " to a name that partners can resolve, and make its DNS record"})
		return false
	}
	says := host + " is " + strings.Join(found, ", ") + "."
	var inside []string
	for _, s := range found {
		if a, _ := netip.ParseAddr(s); !valid.IsPublic(a) {
			inside = append(inside, s+" ("+whose(a)+")")
		}
	}
	if len(inside) > 0 {
		says = fmt.Sprintf("%s leads to %s: partners outside can't reach it.", host, listed(inside, "and"))
		if a, err := netip.ParseAddr(host); err == nil {
			says = fmt.Sprintf("%s is %s: partners outside can't reach it.", host, whose(a))
		}
	}
	t.add(model.Check{What: "Server address", OK: len(inside) == 0, Says: says,
		Hint: "set " + t.endpoint.Setting + " to a name that leads to a public address"})
	return true
}

// whose says why an address is not a public one.
func whose(a netip.Addr) string {
	switch a = a.Unmap(); {
	case a.IsLoopback():
		return "this machine alone"
	case a.IsPrivate():
		return "a private network"
	case a.IsLinkLocalUnicast():
		return "one cable"
	}
	return "not on the open internet"
}

// roundTrip logs in as the user with a key that is made for it and held in memory alone, and lists the folders.
func (t *tests) roundTrip(ctx context.Context, nc net.Conn) {
	p, end, err := t.s.probe(t.user)
	if err != nil {
		t.add(failed("Log-in", err))
		return
	}
	defer end()
	seen := ""
	conf := &ssh.ClientConfig{User: t.user.Name, Auth: []ssh.AuthMethod{ssh.PublicKeys(p.signer)}, ClientVersion: p.client,
		Timeout: dialWait, HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			if seen = ssh.FingerprintSHA256(k); !t.ours(seen) {
				return errors.New("this is another server's key")
			}
			return nil
		}}
	sc, chans, requests, err := ssh.NewClientConn(nc, t.card.Address(), conf)
	if seen == "" {
		t.silent(nc, err)
		return
	}
	t.tried = t.ours(seen)
	t.add(model.Check{What: "Port", OK: true, Says: fmt.Sprintf("%s answers.", t.card.Address())})
	t.add(model.Check{What: "Host key", OK: t.ours(seen), Says: fmt.Sprintf("It shows %s.", seen),
		Hint: "that is another server: partners would be warned, or connect to the wrong one"})
	if err != nil {
		t.refused(t.ours(seen), err)
		return
	}
	conn := ssh.NewClient(sc, chans, requests)
	defer conn.Close()
	client, err := sftp.NewClient(conn)
	if err != nil {
		t.add(model.Check{What: "Log-in", Says: fmt.Sprintf("The log-in works, but SFTP does not begin: %v.", err),
			Hint: "look into the server's log"})
		return
	}
	defer client.Close()
	t.add(model.Check{What: "Log-in", OK: true,
		Says: "A log-in as " + t.user.Name + " works, with a key that was made for this test and is forgotten now."})
	t.walk(ctx, client)
}

// ours reports whether a fingerprint is one of our host keys.
func (t *tests) ours(fingerprint string) bool {
	return slices.ContainsFunc(t.card.HostKeys, func(k model.HostKey) bool { return k.Fingerprint == fingerprint })
}

// silent notes that no SSH server answered. A list of addresses may be why.
func (t *tests) silent(nc net.Conn, err error) {
	if from, ok := netip.AddrFromSlice(ip(nc.LocalAddr())); ok && len(t.endpoint.AllowIPs) > 0 {
		if networks, _ := common(t.endpoint.AllowIPs, []string{prefixOf(from)}); len(networks) == 0 {
			t.add(model.Check{What: "Log-in", Left: true, Says: fmt.Sprintf("%s takes connections from %s alone, and this "+
				"machine (%s) is not among them, so it could not be tested from here.", t.card.Address(),
				strings.Join(t.endpoint.AllowIPs, ", "), from.Unmap())})
			return
		}
	}
	t.add(model.Check{What: "Port", Says: fmt.Sprintf("%s answers, but not with SSH: %v.", t.card.Address(), err),
		Hint: "does something else listen there, or a proxy that speaks for it?"})
}

func ip(a net.Addr) []byte {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP
	}
	return nil
}

func prefixOf(a netip.Addr) string {
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()).String()
}

// refused notes that the log-in failed. What keeps any log-in out has a result of its own.
func (t *tests) refused(ours bool, err error) {
	switch {
	case !ours: // the host key's result says it
	case !t.user.Enabled || t.account.State == model.AccountSuspended || t.account.State == model.AccountClosed:
		t.add(model.Check{What: "Log-in", Left: true, Says: "No log-in as " + t.user.Name + " is let in, see below."})
	default:
		t.add(model.Check{What: "Log-in", Says: fmt.Sprintf("A log-in as %s fails: %v.", t.user.Name, err),
			Hint: "is this another server process with the same host keys? Its log says more"})
	}
}

// walk lists every folder of the card, and compares the start directory.
func (t *tests) walk(ctx context.Context, client *sftp.Client) {
	if at, err := client.Getwd(); err != nil || path.Clean(at) != path.Clean(t.user.StartDir) {
		t.add(model.Check{What: "Start", Says: fmt.Sprintf("A session starts in %s, not in %s.", valid.Printable(at),
			t.user.StartDir)})
	} else if _, err := client.Stat(at); err != nil {
		t.add(model.Check{What: "Start", Says: fmt.Sprintf("A session starts in %s, which can't be seen: %v.", at, err),
			Action: model.Do("edit-user", "user", t.user.Name, "start_dir", "")})
	} else {
		t.add(model.Check{What: "Start", OK: true, Says: "A session starts in " + at + "."})
	}
	for _, f := range t.card.Folders {
		if slices.ContainsFunc(t.card.Feeds, func(feed Feed) bool { return feed.Dir == f.Path }) && !f.Send {
			continue // see its feed
		}
		t.look(ctx, client, "Folder", f.Path, f.Path+": "+f.does()+".")
	}
	for _, f := range t.card.Feeds {
		t.look(ctx, client, "Feed", f.Dir, f.Name+" arrives in "+f.Dir+".")
	}
	for _, f := range t.card.Outbound {
		t.look(ctx, client, "Feed", "/outbound/"+f.Name, f.Name+" is published in /outbound/"+f.Name+".")
	}
	if t.card.Inbox {
		t.look(ctx, client, "Folder", "/inbox", "/inbox: fetch what partners sent.")
	}
}

// look lists a folder.
func (t *tests) look(ctx context.Context, client *sftp.Client, what, dir, says string) {
	_, err := client.ReadDirContext(ctx, dir)
	if errors.Is(err, fs.ErrPermission) { // a folder to put things into, and not to look into
		_, err = client.Stat(dir)
	}
	if err != nil {
		t.add(model.Check{What: what, Says: fmt.Sprintf("%s is not there for the user: %v.", dir, err)})
		return
	}
	t.add(model.Check{What: what, OK: true, Says: says})
}

// probing is what a probe connects with.
type probing struct {
	signer ssh.Signer
	client string
}

// probe makes a key for one log-in as a user, and makes it known to this process alone.
func (s *Service) probe(u model.User) (p probing, end func(), err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return p, nil, fault.Wrap("guide.probe", fault.Internal, err)
	}
	if p.signer, err = ssh.NewSignerFromKey(key); err != nil {
		return p, nil, fault.Wrap("guide.probe", fault.Internal, err)
	}
	p.client = "SSH-2.0-SallyportTest_" + rand.Text()
	now := s.o.Clock()
	over := s.o.Probes.Begin(exchange.Probe{User: u.Name, Fingerprint: ssh.FingerprintSHA256(p.signer.PublicKey()),
		Client: p.client, Until: now.Add(probeWait + dialWait)}, now)
	return p, func() { over(s.o.Clock()) }, nil
}
