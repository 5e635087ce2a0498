package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/api"
)

// openSocket serves the API on the Unix socket in the data folder, to root
// and to the server's own user.
func (n *Node) openSocket() error {
	path, done, err := client.SocketPath(n.cfg.Data)
	if err != nil {
		return err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // the lock is ours, so nobody else is listening on it
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // the path may lead through /proc
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	n.socket = l
	handler := api.New(api.Services{Guides: guides{n}, Records: n.records, HandOver: n.links, Account: n.accounts,
		Feed: n.feeds, Inbox: n.inbox, Tree: n.tree, Sessions: n.ssh, HostKeys: n.hostKeys, Server: n.server(), Log: n.log,
		Trace: n.traces, Audit: n.audits, Notify: n.tell, Retain: n.retain, Naming: n.naming, Expect: n.expect})
	n.api = &http.Server{Handler: n.guarded(handler, api.Fault), ReadHeaderTimeout: 10 * time.Second,
		ConnContext: peerActor, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
	n.background.Go(func() {
		if err := n.api.Serve(localOnly{l}); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("the local socket stopped", "err", err)
		}
	})
	return nil
}

// localOnly lets in root and the server's own user, by the kernel's word.
type localOnly struct{ net.Listener }

func (l localOnly) Accept() (net.Conn, error) {
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

// peerActor names who is at the other end, for the audit log.
func peerActor(ctx context.Context, c net.Conn) context.Context {
	uid, err := peerUID(c)
	if err != nil {
		return ctx
	}
	name := strconv.Itoa(int(uid))
	if u, err := user.LookupId(name); err == nil {
		name = fmt.Sprintf("%s(%s)", u.Username, u.Uid)
	}
	return api.WithActor(ctx, "local:"+name)
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
