package httpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// LocalOnly is a listener on a Unix socket that accepts connections only of root and of the
// server's own user, as the kernel reports them (SO_PEERCRED).
type LocalOnly struct{ net.Listener }

// Accept returns the next connection of root or of the server's own user. It closes others.
func (l LocalOnly) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peerUID(c); err == nil && (uid == 0 || int(uid) == os.Getuid()) {
			return c, nil
		}
		_ = c.Close()
	}
}

// peer is the context key of the peer of a connection on a Unix socket.
type peer struct{}

// WithPeer returns a context with the peer of a connection on a Unix socket, for Person.
func WithPeer(ctx context.Context, c net.Conn) context.Context {
	uid, err := peerUID(c)
	shared := err == nil && (uid == 0 || int(uid) == os.Getuid())
	return context.WithValue(ctx, peer{}, person{PeerName(c), shared})
}

// person is a peer. Several people may be behind root and the server's own user.
type person struct {
	name   string
	shared bool
}

// sudoName matches the name of a user of the machine, of a domain, too.
var sudoName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@\\-]{0,63}$`)

// Person returns who sent a request over a Unix socket: "jo(1000)" as the kernel says. If that is
// root or the server's own user, and sudo told the client for whom it runs, that name is added:
// "root(0) (jo via sudo)". It is only told: root can claim any name.
func Person(ctx context.Context, toldBySudo string) string {
	p, ok := ctx.Value(peer{}).(person)
	switch {
	case !ok:
		return "unknown"
	case !p.shared || !sudoName.MatchString(toldBySudo) || strings.HasPrefix(p.name, toldBySudo+"("):
		return p.name
	}
	return p.name + " (" + toldBySudo + " via sudo)"
}

// PeerName returns the user at the other end of a Unix socket, as name(uid), or "unknown".
func PeerName(c net.Conn) string {
	uid, err := peerUID(c)
	if err != nil {
		return "unknown"
	}
	name := strconv.Itoa(int(uid))
	if u, err := user.LookupId(name); err == nil {
		name = fmt.Sprintf("%s(%s)", u.Username, u.Uid)
	}
	return name
}

func peerUID(c net.Conn) (uint32, error) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	err = raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil || cred == nil {
		return 0, errors.Join(err, errors.New("no peer credentials"))
	}
	return cred.Uid, nil
}
