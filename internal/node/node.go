// Package node builds and connects everything: the store, the blobs, the services and the servers.
// No other package does.
package node

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/acme"
	"github.com/sallyport-sftp/sallyport/internal/announce"
	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/endpoint"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/guide"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/hotfolder"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/memory"
	"github.com/sallyport-sftp/sallyport/internal/movein"
	"github.com/sallyport-sftp/sallyport/internal/naming"
	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/notify/mail"
	"github.com/sallyport-sftp/sallyport/internal/notify/webhook"
	"github.com/sallyport-sftp/sallyport/internal/onboard"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/overview"
	"github.com/sallyport-sftp/sallyport/internal/platform"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/quietlog"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/service"
	"github.com/sallyport-sftp/sallyport/internal/sshd"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/trace"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Options are the settings of a node.
type Options struct {
	Config config.Config
	Log    *slog.Logger
	Clock  exchange.Clock // nil: time.Now
	// NewSigningKey and NewHostKeys are the reasons to replace lost keys. With "", Start fails if
	// keys are lost.
	NewSigningKey, NewHostKeys string
	// Read reads the configuration again, for Reload. Nil: there is none to read. Reloaded is told what is in force
	// afterwards; may be nil.
	Read     func() (config.Config, error)
	Reloaded func(config.Config)
	// Sockets are those that the service manager opened; nil: none.
	Sockets   *service.Sockets
	Sandbox   string // in words: what confines this process
	AcceptLog string // why an audit log that does not extend its head is accepted; "": it is not

	Again func(first, second store.Run) error // for the store; only tests set it
}

// Node is one running server.
type Node struct {
	cfg   config.Config
	o     Options
	log   *slog.Logger
	clock exchange.Clock
	ids   *exchange.IDs

	dir        *datadir.Dir
	memory     int64 // memory available to this process, in bytes; 0: not known
	store      *store.Store
	files      *disk.Store  // stored files, on this machine's disk
	blobs      *small.Store // the same, and the small ones that the database has
	desk       *deposit.Desk
	accounts   *account.Service
	inbox      *inbox.Service
	naming     *naming.Service
	feeds      *feed.Service
	expect     *expect.Service
	retain     *retention.Service
	traces     *trace.Service
	audits     *audit.Service
	words      atomic.Pointer[mail.Writer]
	guides     *guide.Service
	tell       *notify.Service
	hooks      *webhook.Sender
	folder     *hotfolder.Service
	key        *proof.Key
	name       string // identifies this process to others that share the database
	tree       *tree.Tree
	readings   *platform.Readings
	records    *connection.Service
	links      *handover.Service
	announced  *announce.Service
	requests   *onboard.Service
	movedIn    *movein.Service
	offered    chan model.PendingKey // unknown keys, to be recorded
	operators  *operator.Service
	vault      *keys.Vault
	first      string       // link with which the first administrator joins; ""
	operations http.Handler // the API
	pagesOn    swapped      // the pages and the API over the network
	web        *http.Server
	plain      *http.Server // answers an authority's challenges in clear, and redirects
	// certificates are those that are ordered; nil if none are.
	certificates *acme.Certificates
	webAddr      string
	proxies      []netip.Prefix // whom the web listener believes whom a request comes from
	metrics      *http.Server
	overview     *overview.Service
	revoked      *account.Revocations
	processor    *fair.Share // divides processor time among users
	bandwidth    *fair.Bandwidth
	stopTraces   func() // nil: none are sent
	ssh          *sshd.Server
	api          *http.Server
	listeners    []net.Listener
	socket       net.Listener
	ring         *identity.Ring
	endpoints    *endpoint.Service
	// operator is what partners see of the operator, config the settings in force. A reload replaces them; cfg stays as
	// it was at the start.
	operator   atomic.Pointer[exchange.Operator]
	config     atomic.Pointer[config.Config]
	reloading  sync.Mutex
	probes     *exchange.Probes // log-ins of our own
	background sync.WaitGroup
	cancel     context.CancelFunc
}

// Start builds a node and opens its listeners. No other process can use the data folder until
// Close.
func Start(o Options) (n *Node, err error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	n = &Node{readings: platform.NewReadings(), probes: exchange.NewProbes(),
		processor: fair.NewShare(new(fair.Processor).Short), bandwidth: fair.NewBandwidth(),
		offered: make(chan model.PendingKey, 64), o: o, cfg: o.Config, log: slog.New(quietlog.New(o.Log.Handler())),
		clock: o.Clock, ids: exchange.NewIDs(o.Clock, rand.Reader)}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	defer func() {
		if err != nil {
			n.Close(ctx)
		}
	}()
	n.memory = memory.Limit()
	n.config.Store(&o.Config)
	shown, err := n.cfg.Operator.Read()
	if err != nil {
		return n, err
	}
	n.operator.Store(&shown)
	if n.dir, err = datadir.Claim(n.cfg.Data, n.log); err != nil {
		return n, err
	}
	for _, reason := range []string{o.NewSigningKey, o.NewHostKeys, o.AcceptLog} {
		if reason != "" {
			if err := valid.CheckLabel("reason", reason); err != nil {
				return n, err
			}
		}
	}
	if err := n.beforeUpgrade(ctx); err != nil {
		return n, err
	}
	n.name = n.dir.NodeName(n.ids)
	holder := store.Holder{Name: n.name + " (" + n.cfg.Data + ")", Lock: n.dir.LockIdentity(), Log: n.log}
	if n.store, err = store.Open(ctx,
		store.Options{Dir: n.cfg.Data, URL: n.cfg.Database.URL, Holder: &holder, Again: o.Again}); err != nil {
		return n, err
	}
	n.background.Go(func() { n.watchLease(ctx) })
	keeper := identity.Keeper{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log, Data: n.cfg.Data,
		Host: n.cfg.Endpoint.Host, Node: n.name, NewSigningKey: o.NewSigningKey, NewHostKeys: o.NewHostKeys}
	if n.ring, err = keeper.OpenRing(ctx); err != nil {
		return n, fault.Wrap("node.Start", fault.Invalid, err)
	}
	if n.key, err = keeper.SigningKey(ctx); err != nil {
		return n, err
	}
	if err := n.traceWork(ctx); err != nil {
		return n, err
	}
	if err := n.buildServices(ctx); err != nil {
		return n, err
	}
	if err := n.buildListeners(ctx); err != nil {
		return n, err
	}
	if o.AcceptLog != "" {
		if err := n.audits.Accept(ctx, o.AcceptLog); err != nil {
			return n, err
		}
	}
	if err := n.audits.Started(ctx, n.name, exchange.Version, n.cfg.Redacted(), config.Difference); err != nil {
		return n, err
	}
	n.startServices(ctx)
	n.log.Info("sallyport is up", "version", exchange.Version, "sftp", n.Addresses(), "data", n.cfg.Data)
	return n, nil
}

func (n *Node) buildServices(ctx context.Context) (err error) {
	if n.files, err = disk.Open(filepath.Join(n.cfg.Data, "blobs"), n.clock); err != nil {
		return err
	}
	n.blobs = small.New(small.Options{Large: n.files, Rows: n.store, Clock: n.clock, Log: n.log,
		Policy: smallPolicy(&n.cfg)})
	n.desk = deposit.New(n.store, n.log)
	policy, err := accountPolicy(&n.cfg)
	if err != nil {
		return err
	}
	n.links = handover.New(n.store, n.clock, n.ids)
	if n.vault, err = identity.OpenVault(n.cfg.Data); err != nil {
		return err
	}
	n.operators = operator.New(operator.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Vault: n.vault, Log: n.log,
		URL: n.pages(), Name: n.branding().Name, Policy: operatorPolicy(&n.cfg)})
	n.accounts = account.New(n.store, n.clock, n.ids, policy)
	if err := n.buildExchange(ctx); err != nil {
		return err
	}
	n.records = connection.New(ctx, connection.Options{Store: n.store, Clock: n.clock, IDs: n.ids, Log: n.log,
		Policy: recordPolicy(&n.cfg, policy.EndpointIPs), Zone: n.cfg.Zones().Own})
	if n.revoked, err = n.accounts.WatchRevocations(n.log); err != nil {
		return err
	}
	n.tree, err = tree.New(tree.Options{Store: n.store, Blobs: n.blobs, Desk: n.desk, Clock: n.clock, IDs: n.ids,
		Log: n.log, Policy: treePolicy(&n.cfg), Used: n.used,
		Hooks: tree.Hooks{OnCommit: n.inbox.Arrived, OnRename: n.inbox.Renamed, Final: n.final, OnMove: n.moved,
			OnGone: n.gone, Class: n.retain.Class, OnServed: n.feeds.Served, OnSeen: n.seen,
			MayWrite: n.revoked.MayWrite}})
	if err != nil {
		return err
	}
	n.movedIn = n.buildMoveIn()
	n.background.Go(func() { n.movedIn.Keep(ctx) })
	sweeper := retention.NewSweeper(n.store, n.blobs, n.clock, n.log)
	sweeper.YieldTo(n.holdBlobs)
	n.background.Go(func() { sweeper.Run(ctx) })
	n.background.Go(func() { n.blobs.Keep(ctx) })
	n.background.Go(func() { n.accounts.Keep(ctx, n.log) })
	n.background.Go(func() { n.links.Keep(ctx, n.log) })
	n.background.Go(func() { n.noteOffered(ctx) })
	return nil
}

// startServices starts the services' background tasks. It comes after the listeners, which some
// tasks use.
func (n *Node) startServices(ctx context.Context) {
	n.background.Go(func() { n.tell.Run(ctx) })
	n.background.Go(func() { n.feeds.Keep(ctx, n.log) })
	n.background.Go(func() { n.feeds.KeepHeld(ctx, n.log) })
	n.background.Go(func() { n.inbox.Keep(ctx) })
	n.background.Go(func() { n.expect.Keep(ctx) })
	n.background.Go(func() { n.retain.Keep(ctx) })
	n.background.Go(func() { n.audits.Keep(ctx) })
	n.background.Go(func() { n.folder.Watch(ctx) })
	n.background.Go(func() { n.makeEvents(ctx) })
	n.background.Go(func() { n.overview.Watch(ctx, n.log) })
	n.background.Go(func() { n.announced.Keep(ctx) })
	n.background.Go(func() { n.requests.Keep(ctx) })
	n.background.Go(func() { n.operators.Keep(ctx) })
	n.background.Go(func() { n.ring.Keep(ctx) })
	n.background.Go(func() { n.endpoints.Keep(ctx) })
	n.background.Go(func() { n.accounts.KeepInactive(ctx, n.log, n.ssh.HasSession) })
}

func (n *Node) buildListeners(ctx context.Context) error {
	n.bandwidth.Set(rates(n.cfg.Limits))
	n.ssh = sshd.New(sshd.Options{HostKeys: func() sshd.HostKeys { return sshd.HostKeys(n.ring.Keys()) },
		Learnt: n.ring.Learnt, Authority: authority{n}, Handler: n.serveSFTP, Clock: n.clock,
		IDs: n.ids, Log: n.log, Banner: func(region,
			reference string) string {
			return n.announced.Public(region) + n.words.Load().Banner(n.helpAt(region), reference)
		}, Greeting: n.announced.Greeting,
		Turned: func(region, reference string, until time.Time) string {
			return n.words.Load().Banned(n.helpAt(region), reference, until)
		}, Proxies: config.Networks(n.cfg.Access.Proxies),
		Limits: sshLimits(n.cfg.Limits, n.memory), Used: n.used, RateLimit: n.rateLimit})
	n.inbox.Join(inbox.Mailboxes{Store: n.store, Tree: n.tree, Log: n.log, Live: n.ssh.HasSession})
	n.background.Go(func() { n.revoked.Run(ctx, n.ssh.End) })
	n.background.Go(func() { memory.Pace(ctx, n.ssh.Moved) })
	listeners, err := n.listen()
	if err != nil {
		return err
	}
	if err := n.openSocket(); err != nil {
		return err
	}
	if err := n.openWeb(ctx); err != nil {
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

// Addresses returns the addresses on which SFTP is served.
func (n *Node) Addresses() []string {
	out := make([]string, len(n.listeners))
	for i, l := range n.listeners {
		out[i] = l.Addr().String()
	}
	return out
}

// HostKeys returns the server's host keys.
func (n *Node) HostKeys() []model.HostKey { return n.ring.List() }

// answersLast is how long HTTP requests in progress may take after Close was called.
const answersLast = 5 * time.Second

// closeServer shuts an HTTP server down. It waits at most answersLast for requests in progress.
func (n *Node) closeServer(ctx context.Context, s *http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answersLast)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		_ = s.Close()
	}
}

// Close stops accepting connections, waits for running transfers until ctx ends, and then closes
// everything. It also works on a node whose start failed half-way.
func (n *Node) Close(ctx context.Context) {
	if n.ssh != nil {
		n.ssh.Shutdown(ctx)
	}
	for _, l := range n.listeners {
		_ = l.Close() // some may never have been served
	}
	for _, s := range []*http.Server{n.api, n.web, n.plain, n.metrics} {
		if s != nil {
			n.closeServer(ctx, s)
		}
	}
	n.cancel()
	if n.certificates != nil {
		n.certificates.Close()
	}
	n.background.Wait()
	if n.Failure() == nil && n.audits != nil {
		if err := n.audits.Stopped(context.WithoutCancel(ctx), n.name, exchange.Version); err != nil {
			n.log.Error("the stop could not be written down", "err", err)
		}
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
	if n.files != nil {
		n.files.Close()
	}
	if n.stopTraces != nil {
		n.stopTraces()
	}
	if n.store != nil {
		if err := n.store.Close(); err != nil {
			n.log.Error("the database could not be closed", "err", err)
		}
	}
	if n.dir != nil {
		n.dir.Close()
	}
	if q, ok := n.log.Handler().(*quietlog.Handler); ok {
		q.Flush()
	}
}
