// Package node is the only place that builds and joins everything: the store,
// the blobs, the services, and the servers.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/hotfolder"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/naming"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/notify/webhook"
	"github.com/sallyport-sftp/sallyport/internal/platform"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/sshd"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/trace"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Version is the release; the build sets it.
var Version = "dev"

// Options are what a node is built from.
type Options struct {
	Config config.Config
	Log    *slog.Logger
	Clock  exchange.Clock // nil: the real one
	// NewSigningKey and NewHostKeys say why keys that are lost are replaced; ""
	// refuses to start without them.
	NewSigningKey, NewHostKeys string
	AcceptLog                  string // why the audit log is shorter than, or not, what was signed; "": it must not be

	Again func(first, second store.Run) error // the store's; for tests
}

// Node is one running server.
type Node struct {
	cfg   config.Config
	o     Options
	log   *slog.Logger
	clock exchange.Clock
	ids   *exchange.IDs

	lock       *os.File
	memory     int64 // bytes that there are for this process; 0: not known
	store      *store.Store
	blobs      *disk.Store
	desk       *deposit.Desk
	accounts   *account.Service
	inbox      *inbox.Service
	naming     *naming.Service
	feeds      *feed.Service
	expect     *expect.Service
	retain     *retention.Service
	traces     *trace.Service
	audits     *audit.Service
	tell       *notify.Service
	hooks      *webhook.Sender
	folder     *hotfolder.Service
	key        *proof.Key
	name       string // of this process, to others that share the database
	tree       *tree.Tree
	readings   *platform.Readings
	records    *connection.Service
	links      *handover.Service
	offered    chan model.PendingKey // unknown keys, to be noted
	web        *http.Server
	metrics    *http.Server
	revoked    *revocations
	processor  *fair.Share // what users' sessions get of it
	ssh        *sshd.Server
	api        *http.Server
	listeners  []net.Listener
	socket     net.Listener
	hostKeys   []model.HostKey
	background sync.WaitGroup
	cancel     context.CancelFunc
}

// Start builds a node and opens its listeners. The data folder is this process's
// alone until Close.
func Start(o Options) (n *Node, err error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	n = &Node{readings: platform.NewReadings(), processor: fair.NewShare(new(fair.Processor).Short),
		offered: make(chan model.PendingKey, 64), o: o, cfg: o.Config, log: slog.New(newQuiet(o.Log.Handler())),
		clock: o.Clock, ids: exchange.NewIDs(o.Clock, rand.Reader)}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	defer func() {
		if err != nil {
			n.Close(ctx)
		}
	}()
	n.memory = limitMemory()
	if err := n.claimData(); err != nil {
		return n, err
	}
	for _, reason := range []string{o.NewSigningKey, o.NewHostKeys, o.AcceptLog} {
		if reason != "" {
			if err := valid.CheckLabel("reason", reason); err != nil {
				return n, err
			}
		}
	}
	n.name = nodeName(n.cfg.Data, n.ids)
	holder := store.Holder{Name: n.name + " (" + n.cfg.Data + ")", Lock: lockIdentity(n.lock), Log: n.log}
	if n.store, err = store.Open(ctx,
		store.Options{Dir: n.cfg.Data, URL: n.cfg.Database.URL, Holder: &holder, Again: o.Again}); err != nil {
		return n, err
	}
	n.background.Go(func() { n.watchLease(ctx) })
	signers, err := n.ownHostKeys(ctx)
	if err != nil {
		return n, fault.Wrap("node.Start", fault.Invalid, err)
	}
	if err := n.buildServices(ctx); err != nil {
		return n, err
	}
	if err := n.buildListeners(ctx, signers); err != nil {
		return n, err
	}
	if o.AcceptLog != "" {
		if err := n.audits.Accept(ctx, o.AcceptLog); err != nil {
			return n, err
		}
	}
	if err := n.noteStart(ctx); err != nil {
		return n, err
	}
	n.startServices(ctx)
	n.log.Info("sallyport is up", "version", Version, "sftp", n.Addresses(), "data", n.cfg.Data)
	return n, nil
}

// claimData makes the data folder and takes its lock.
func (n *Node) claimData() error {
	const op = "node.claimData"
	dir := n.cfg.Data
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.E(op, fault.Invalid, "The data folder cannot be made: %v.", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fault.E(op, fault.Invalid, "The data folder cannot be used: %v.", err)
	}
	n.lock = f
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fault.E(op, fault.Conflict, "Another sallyport is using the data folder %s.", dir).
			WithHint("stop it first, or choose another folder with --data")
	}
	return n.makePrivate()
}

func (n *Node) buildServices(ctx context.Context) (err error) {
	if n.blobs, err = disk.Open(filepath.Join(n.cfg.Data, "blobs"), n.clock); err != nil {
		return err
	}
	n.desk = deposit.New(n.store, n.log)
	policy, err := accountPolicy(&n.cfg)
	if err != nil {
		return err
	}
	n.links = handover.New(n.store, n.clock, n.ids)
	n.accounts = account.New(n.store, n.clock, n.ids, policy)
	if err := n.buildExchange(ctx); err != nil {
		return err
	}
	n.records = connection.New(ctx, connection.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log,
		Policy: recordPolicy(&n.cfg, policy.EndpointIPs)})
	n.revoked = &revocations{store: n.store, clock: n.clock, log: n.log}
	n.tree, err = tree.New(tree.Options{Store: n.store, Blobs: n.blobs, Desk: n.desk, Clock: n.clock, IDs: n.ids,
		Log: n.log, Policy: treePolicy(&n.cfg), Used: n.used,
		Hooks: tree.Hooks{OnCommit: n.inbox.Arrived, OnRename: n.inbox.Renamed, Final: n.final, OnMove: n.moved,
			OnGone: n.gone, Class: n.retain.Class, OnServed: n.feeds.Served, OnSeen: n.records.Seen,
			MayWrite: n.revoked.mayWrite}})
	if err != nil {
		return err
	}
	n.inbox.Join(mailboxes{n})
	sweeper := retention.NewSweeper(n.store, n.blobs, n.clock, n.log)
	n.background.Go(func() { sweeper.Run(ctx) })
	n.background.Go(func() { n.accounts.Keep(ctx, n.log) })
	n.background.Go(func() { n.links.Keep(ctx, n.log) })
	n.background.Go(func() { n.noteOffered(ctx) })
	return nil
}

// startServices starts what the services do by themselves. It comes after the listeners,
// which some of it asks.
func (n *Node) startServices(ctx context.Context) {
	n.background.Go(func() { n.tell.Run(ctx) })
	n.background.Go(func() { n.feeds.Keep(ctx, n.log) })
	n.background.Go(func() { n.feeds.KeepHeld(ctx, n.log) })
	n.background.Go(func() { n.inbox.Keep(ctx) })
	n.background.Go(func() { n.expect.Keep(ctx) })
	n.background.Go(func() { n.retain.Keep(ctx) })
	n.background.Go(func() { n.audits.Keep(ctx) })
	n.background.Go(func() { n.folder.Watch(ctx) })
	n.background.Go(func() { n.startEvents(ctx) })
}

func (n *Node) buildListeners(ctx context.Context, signers []ssh.Signer) error {
	for _, s := range signers {
		n.hostKeys = append(n.hostKeys, describeHostKey(s.PublicKey()))
	}
	n.ssh = sshd.New(sshd.Options{HostKeys: signers, Authority: authority{n}, Handler: n.serveSFTP, Clock: n.clock,
		IDs: n.ids, Log: n.log, Banner: n.banner, Turned: n.turned, Proxies: config.Networks(n.cfg.Access.Proxies),
		Limits: sshLimits(n.cfg.Limits, n.memory), Used: n.used})
	n.revoked.end = n.ssh.End
	if err := n.revoked.start(); err != nil {
		return err
	}
	n.background.Go(func() { n.revoked.run(ctx) })
	n.background.Go(func() { paceCollector(ctx, n.ssh.Moved) })
	listeners, err := n.listen()
	if err != nil {
		return err
	}
	if err := n.openSocket(); err != nil {
		return err
	}
	if err := n.openWeb(); err != nil {
		return err
	}
	if err := n.openMetrics(); err != nil {
		return err
	}
	for _, d := range listeners {
		n.background.Go(func() {
			if err := n.ssh.Serve(d); err != nil {
				n.log.Error("a listener stopped", "address", d.Addr(), "err", err)
			}
		})
	}
	return nil
}

// listen opens the listeners: those of everybody, and those of a region, which
// hold the region's allow-list before log-in.
func (n *Node) listen() (listeners []sshd.Listener, err error) {
	open := func(addr string, d sshd.Listener) error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return busy(addr, err)
		}
		d.Listener = l
		n.listeners = append(n.listeners, l)
		listeners = append(listeners, d)
		return nil
	}
	for _, addr := range n.cfg.Listen {
		if err := open(addr, sshd.Listener{}); err != nil {
			return listeners, err
		}
	}
	for _, region := range slices.Sorted(maps.Keys(n.cfg.Regions)) {
		e, _ := n.cfg.EndpointOf(region)
		for _, addr := range n.cfg.Regions[region].Listen {
			if err := open(addr, sshd.Listener{Region: region, AllowIPs: config.Networks(e.AllowIPs)}); err != nil {
				return listeners, err
			}
		}
	}
	return listeners, nil
}

// busy explains why an address could not be listened on.
func busy(addr string, err error) error {
	const op = "node.listen"
	_, port, _ := net.SplitHostPort(addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.E(op, fault.Conflict, "Port %s is in use by another program (%s).", port, addr).
			WithHint("choose another port: --ssh-listen 127.0.0.1:3333")
	case errors.Is(err, fs.ErrPermission):
		return fault.E(op, fault.Denied, "Port %s needs more privileges (%s).", port, addr).
			WithHint("ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose another: --ssh-listen :2022")
	}
	return fault.E(op, fault.Invalid, "%s cannot be listened on: %v.", addr, err)
}

// Addresses are where SFTP is served.
func (n *Node) Addresses() []string {
	out := make([]string, len(n.listeners))
	for i, l := range n.listeners {
		out[i] = l.Addr().String()
	}
	return out
}

// HostKeys are the server's own keys.
func (n *Node) HostKeys() []model.HostKey { return n.hostKeys }

// server is what the deployment says of itself.
func (n *Node) server() model.Server {
	s := model.Server{Version: Version, Listen: n.Addresses(), Host: n.cfg.Endpoint.Host, Port: n.cfg.Endpoint.Port,
		Web: n.cfg.Web.URL, Help: n.cfg.Support.Help()}
	if s.Port == 0 && len(n.listeners) > 0 {
		_, port, _ := net.SplitHostPort(n.listeners[0].Addr().String())
		s.Port, _ = strconv.Atoi(port)
	}
	return s
}

// answersLast is how long answers under way may take at the end.
const answersLast = 5 * time.Second

// closeServer lets answers under way end, for a moment.
func (n *Node) closeServer(ctx context.Context, s *http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answersLast)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		_ = s.Close()
	}
}

// Close lets running transfers finish until ctx ends, then closes everything,
// the listeners first. It is safe on a node that did not start whole.
func (n *Node) Close(ctx context.Context) {
	if n.ssh != nil {
		n.ssh.Shutdown(ctx)
	}
	for _, l := range n.listeners {
		_ = l.Close() // those that were never served
	}
	for _, s := range []*http.Server{n.api, n.web, n.metrics} {
		if s != nil {
			n.closeServer(ctx, s)
		}
	}
	n.cancel()
	n.background.Wait()
	if n.Failure() == nil {
		n.noteStop(context.WithoutCancel(ctx))
	}
	if n.hooks != nil {
		n.hooks.Close()
	}
	if n.records != nil {
		n.records.Wait()
	}
	if n.desk != nil {
		n.desk.Close()
	}
	if n.tree != nil {
		n.tree.Close()
	}
	if n.blobs != nil {
		n.blobs.Close()
	}
	if n.store != nil {
		if err := n.store.Close(); err != nil {
			n.log.Error("the database could not be closed", "err", err)
		}
	}
	if n.lock != nil {
		_ = n.lock.Close()
	}
	if q, ok := n.log.Handler().(*quiet); ok {
		q.Flush()
	}
}
