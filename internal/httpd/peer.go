package httpd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
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
