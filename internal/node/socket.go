package node

import (
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
	"github.com/sallyport-sftp/sallyport/model"
)

// openSocket serves the API on the Unix socket in the data folder, where only root and the server's
// own user may connect, and on the one for a group, if there is one.
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
	n.guides, n.overview = n.buildGuide(), n.buildOverview()
	n.operations = api.New(api.Services{Operators: n.operators, Guides: n.guides, Records: n.records,
		HandOver: n.links, Account: n.accounts,
		Feed: n.feeds, Inbox: n.inbox, Tree: n.tree, Sessions: n.ssh, HostKeys: n.ring, Endpoints: n.endpoints,
		Server: n.server, Log: n.log,
		Trace: n.traces, Audit: n.audits, Notify: n.tell, Retain: n.retain, Naming: n.naming, Expect: n.expect,
		Names: n.store, Clock: n.clock, Overview: n.overview, HelpOf: n.helpOf, Announce: n.announced,
		Onboard: n.requests, MoveIn: n.movedIn, Operator: func() string { return n.branding().Name }, Reload: n.Reload,
		Health:   n.health,
		Partners: partners.New(n.store, n.accounts, n.feeds)})
	n.api = &http.Server{Handler: httpd.Guard(n.log, named(n.operations), api.Fault), ReadHeaderTimeout: 10 * time.Second,
		ConnContext: httpd.WithPeer, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
	n.serveAPI(httpd.LocalOnly{Listener: l})
	if n.cfg.Socket.Group == "" {
		return nil
	}
	forGroup, err := httpd.ListenForGroup(n.cfg.SocketPath(), n.cfg.Socket.Group)
	if err != nil {
		return err
	}
	n.serveAPI(forGroup)
	return nil
}

// named tells the API who sent a request. Whoever may connect to a socket of this machine is an
// administrator.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := httpd.Person(r.Context(), r.Header.Get(client.SudoHeader))
		next.ServeHTTP(w, r.WithContext(api.WithIdentity(r.Context(),
			model.Identity{Name: "local:" + who, Role: model.RoleAdmin})))
	})
}

func (n *Node) serveAPI(l net.Listener) {
	n.background.Go(func() {
		if err := n.api.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("the local socket stopped", "err", err)
		}
	})
}
