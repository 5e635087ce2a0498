// Package connection records every connection and what was read and listed with which key. It bans
// addresses, and explains why a log-in failed.
//
// Records are observations: they are queued without waiting, and dropped when there are too many,
// so that a flood of strangers has a bounded cost. connection.go has the queue, ban.go the bans,
// explain.go and reasons.go the explanations, activity.go the key activity report.
package connection

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	queueLength = 4096
	batchLength = 256
	writeEvery  = time.Second
	pruneEvery  = time.Hour
	pruneAfter  = 10_000 // records written; in a flood, pruning does not wait for pruneEvery
	// Failed connections that are recorded per second, and in a burst. Of the others only the
	// number is logged.
	failedRate, failedBurst = 30, 2000
	rotationGrace           = 24 * time.Hour // defaults.md: new key's first log-in + 24 h
)

// Policy is what the operator configured.
type Policy struct {
	KeepFor    time.Duration // records of connections and activity
	KeepFailed int64         // most records of connections that did not log in
	KeepSeen   int64         // most records of what was read and listed
	Bans       BanPolicy
	// CloseAccess says what the users of a closed account may do until its files are removed.
	CloseAccess string
	Limits      exchange.DefaultLimits // defaults of the limits on users' mailboxes
	// EndpointIPs are the networks allowed at each region's server address. "" is for regions that
	// are not listed.
	EndpointIPs map[string][]string
}

// Options are the dependencies and settings of the service.
type Options struct {
	Store  *store.Store
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Log    *slog.Logger
	Policy Policy
	Zone   *time.Location // the operator's; nil: UTC
}

// Record is the record of a connection. A failed log-in is noted once; a successful one when it has
// logged in, and again when the connection ends.
type Record struct {
	model.Connection
	From netip.Addr
}

// Service records connections.
type Service struct {
	o      Options
	policy atomic.Pointer[Policy] // in force
	queue  chan Record
	limit  *rate.Limiter
	guard  *guard

	dropped atomic.Int64 // records dropped since the last log line
	lost    atomic.Int64 // observations, and records of log-ins
	done    sync.WaitGroup

	writing sync.Mutex // held while a batch is written, so that a report can wait for it
	unsaved []Record   // a batch that could not be written; guarded by writing
	failing bool       // a write of unsaved has failed; guarded by writing

	mu     sync.Mutex
	recent map[netip.Prefix]seen // last times by address, or IPv6 network, not yet in the database
	flying map[netip.Prefix]seen // those that are being written
	seen   map[sight]*store.Observation

	counted counting

	refusals map[upload]*refusal // of uploads, until nothing is added to them
}

type seen struct{ ok, failed time.Time }

// merge returns the later times of both.
func (s seen) merge(o seen) seen {
	if o.ok.After(s.ok) {
		s.ok = o.ok
	}
	if o.failed.After(s.failed) {
		s.failed = o.failed
	}
	return s
}

// New starts the service. It stops when ctx ends; Wait waits for that.
func New(ctx context.Context, o Options) *Service {
	r := &Service{o: o, queue: make(chan Record, queueLength), limit: rate.NewLimiter(failedRate, failedBurst),
		guard: newGuard(o.Store, o.Policy.Bans), recent: map[netip.Prefix]seen{}, seen: map[sight]*store.Observation{},
		refusals: map[upload]*refusal{}}
	r.policy.Store(&o.Policy)
	r.guard.load(o.Clock(), o.Log)
	r.done.Go(func() { r.run(ctx) })
	return r
}

// Replace puts another policy in force, from now on. Bans that were made stay.
func (r *Service) Replace(p Policy) {
	r.policy.Store(&p)
	r.guard.replace(p.Bans)
}

// Wait returns when the service has stopped and everything queued is written.
func (r *Service) Wait() { r.done.Wait() }

// Note queues a record, or drops it if there are too many. It does not wait.
func (r *Service) Note(c Record) {
	r.counted.add(c)
	if c.EndedAt == nil || !c.LoggedIn {
		r.remember(c)
	}
	if !c.LoggedIn && !r.limit.Allow() {
		r.dropped.Add(1)
		return
	}
	select {
	case r.queue <- c:
	default:
		r.dropped.Add(1)
		if c.LoggedIn {
			r.lost.Add(1)
		}
	}
}

// remember counts a failure for bans, and keeps an outcome for History until it is in the database.
func (r *Service) remember(c Record) {
	at := c.At
	// Breaking off before the log-in is no failure: it is a monitor, or somebody who compares a
	// fingerprint.
	brokeOff := c.Outcome == model.ReasonProtocol && strings.HasPrefix(c.Client, "SSH-")
	if !c.LoggedIn && !brokeOff {
		r.guard.failed(c.From, c.Outcome, r.o.Clock())
	}
	if !c.LoggedIn && len(c.Methods) == 0 {
		return // A port check, or a client that did not trust the host key yet, shall not show in History.
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.recent) >= queueLength {
		return
	}
	of := valid.Subscriber(c.From)
	s := r.recent[of]
	if c.LoggedIn {
		s.ok = at
	} else {
		s.failed = at
	}
	r.recent[of] = s
}

// History returns when a log-in from an address, or from its IPv6 network, last succeeded, and last failed; zero if
// never.
func (r *Service) History(from netip.Addr) (ok, failed time.Time) {
	of := valid.Subscriber(from)
	r.mu.Lock()
	s := r.flying[of].merge(r.recent[of])
	r.mu.Unlock()
	a, err := r.o.Store.Read(context.Background()).Address(unitName(of))
	if err != nil {
		return s.ok, s.failed
	}
	if a.LastOK.After(s.ok) {
		s.ok = a.LastOK
	}
	if a.LastFailed.After(s.failed) {
		s.failed = a.LastFailed
	}
	return s.ok, s.failed
}

func (r *Service) run(ctx context.Context) {
	var pruned time.Time
	written := 0
	// A new ban is written at once, so that other nodes learn of it soon.
	exchange.Task{Every: writeEvery, Later: true, Soon: r.guard.made, Do: func(context.Context) error {
		written += r.writeAll()
		if now := r.o.Clock(); now.Sub(pruned) > pruneEvery || written > pruneAfter {
			pruned, written = now, 0
			r.prune(now)
		}
		if n := r.dropped.Swap(0); n > 0 {
			r.o.Log.Warn("connection records were dropped", "count", n)
		}
		return nil
	}}.Run(ctx)
	r.writeAll() // what is still queued
}

// writeAll writes everything that is queued, and returns the number of records.
func (r *Service) writeAll() (records int) {
	for more := true; more; {
		var n int
		n, more = r.flush()
		records += n
	}
	r.flushSeen()
	r.flushRefusals()
	r.guard.sync(r.o.Clock(), r.o.Log)
	return records
}

// flush writes one batch. It returns the number of records written, and whether there may be more.
func (r *Service) flush() (n int, more bool) {
	r.writing.Lock()
	defer r.writing.Unlock()
	batch := r.unsaved
	for len(batch) < batchLength {
		select {
		case c := <-r.queue:
			batch = append(batch, c)
			continue
		default:
		}
		break
	}
	r.mu.Lock()
	recent := r.recent
	r.recent, r.flying = map[netip.Prefix]seen{}, recent
	r.mu.Unlock()
	if len(batch)+len(recent) == 0 {
		return 0, false
	}
	err := r.o.Store.WriteFor(context.Background(), store.Behind, func(tx *store.Tx) error {
		return write(tx, batch, recent)
	})
	defer func() {
		r.mu.Lock()
		r.flying = nil
		r.mu.Unlock()
	}()
	if err == nil {
		r.unsaved, r.failing = nil, false
		return len(batch), len(batch) == batchLength
	}
	r.retain(batch, recent, err)
	return 0, false
}

// retain keeps a batch that could not be written, to be tried again. If the second try fails, too,
// although the database answers, it writes the records one by one and drops those that fail, so
// that a single record cannot block all others.
func (r *Service) retain(batch []Record, recent map[netip.Prefix]seen, err error) {
	if !r.failing {
		r.o.Log.Error("connection records could not be written; they are kept", "count", len(batch), "err", err)
	}
	ctx := context.Background()
	if again := r.failing; again && r.o.Store.Ping(ctx) == nil {
		for _, c := range batch {
			if err := r.o.Store.Write(ctx, func(tx *store.Tx) error { return write(tx, []Record{c}, nil) }); err != nil {
				r.o.Log.Error("a connection record could not be written", "reference", c.Reference, "err", err)
				r.lost.Add(1)
			}
		}
		batch = nil
	}
	r.unsaved, r.failing = batch, len(batch) > 0
	r.mu.Lock()
	defer r.mu.Unlock()
	for from, old := range recent {
		r.recent[from] = old.merge(r.recent[from])
	}
}

func write(tx *store.Tx, batch []Record, recent map[netip.Prefix]seen) error {
	used := map[string]store.KeyUse{}
	number, err := tx.NumberConnectionEvents(len(batch))
	if err != nil {
		return err
	}
	for i, c := range batch {
		add := tx.AddConnection
		if c.LoggedIn && c.EndedAt != nil {
			add = tx.EndConnection
		} else if c.LoggedIn && c.KeyID != "" {
			used[c.KeyID] = store.KeyUse{KeyID: c.KeyID, Address: c.Address, Client: c.Client, At: c.At}
		}
		if err := add(c.Connection, number+int64(i)); err != nil {
			return err
		}
	}
	if err := tx.KeysUsed(slices.Collect(maps.Values(used)), rotationGrace); err != nil {
		return err
	}
	for addr, s := range recent {
		if err := tx.SeenAddress(store.Address{Address: unitName(addr), LastOK: s.ok, LastFailed: s.failed}); err != nil {
			return err
		}
	}
	return nil
}

// prune removes records that are too old, and the oldest of those that exceed their limits. It
// works in small transactions, so that no other commit waits long.
func (r *Service) prune(now time.Time) {
	before := now.Add(-r.policy.Load().KeepFor)
	ctx := context.Background()
	for _, old := range []func(tx *store.Tx) (int64, error){
		func(tx *store.Tx) (int64, error) { return tx.PruneConnections(before) },
		func(tx *store.Tx) (int64, error) { return tx.PruneAddresses(before) },
		func(tx *store.Tx) (int64, error) { return tx.PruneBans(before) },
	} {
		r.repeat(old)
	}
	q := r.o.Store.Read(ctx)
	if edge, err := q.FailedEdge(r.policy.Load().KeepFailed); err == nil && !edge.IsZero() {
		r.repeat(func(tx *store.Tx) (int64, error) { return tx.PruneFailed(edge) })
	}
	if edge, err := q.StrangerEdge(r.policy.Load().KeepFailed); err == nil && !edge.IsZero() {
		r.repeat(func(tx *store.Tx) (int64, error) { return tx.PruneStrangers(edge) })
	}
	edge, err := q.ObservationEdge(r.policy.Load().KeepSeen)
	if err == nil {
		edge = max(edge, exchange.FirstID(before))
		r.repeat(func(tx *store.Tx) (int64, error) { return tx.PruneObservations(edge) })
	}
	edge, err = q.RefusedUploadEdge(r.policy.Load().KeepFailed)
	if err == nil {
		edge = max(edge, exchange.FirstID(before))
		r.repeat(func(tx *store.Tx) (int64, error) { return tx.PruneRefusedUploads(edge) })
	}
}

// repeat calls remove until nothing is left to remove, or it fails.
func (r *Service) repeat(remove func(tx *store.Tx) (int64, error)) {
	for {
		n, err := store.Change(context.Background(), r.o.Store, remove)
		if err != nil {
			r.o.Log.Error("old connection records could not be removed", "err", err)
		}
		if err != nil || n == 0 {
			return
		}
	}
}
