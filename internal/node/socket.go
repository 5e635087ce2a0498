package node

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/api"
	"github.com/sallyport-sftp/sallyport/internal/httpd"
	"github.com/sallyport-sftp/sallyport/internal/partners"
)

// openSocket serves the API on the Unix socket in the data folder. Only root and the server's own
// user may connect.
func (n *Node) openSocket() error {
	path, done, err := client.SocketPath(n.cfg.Data)
	if err != nil {
		return err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // we hold the folder's lock, so no other server listens on it
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
	handler := api.New(api.Services{Guides: n.buildGuide(), Records: n.records, HandOver: n.links, Account: n.accounts,
		Feed: n.feeds, Inbox: n.inbox, Tree: n.tree, Sessions: n.ssh, HostKeys: n.hostKeys, Server: n.server(), Log: n.log,
		Trace: n.traces, Audit: n.audits, Notify: n.tell, Retain: n.retain, Naming: n.naming, Expect: n.expect,
		Overview: n.buildOverview(), Announce: n.announced,
		Partners: partners.New(n.store, n.accounts, n.feeds)})
	n.api = &http.Server{Handler: httpd.Guard(n.log, handler, api.Fault), ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return api.WithActor(ctx, "local:"+httpd.PeerName(c))
		}, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
	n.background.Go(func() {
		if err := n.api.Serve(httpd.LocalOnly{Listener: l}); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("the local socket stopped", "err", err)
		}
	})
	return nil
}
