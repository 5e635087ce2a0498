// Package connection keeps a compact record of every connection, what was read
// and listed with which key, who is banned, and says in words why somebody
// could not log in.
//
// Records are observations: they are queued, never waited for, and dropped
// when there are too many, so that a flood of strangers costs a bounded amount.
// connection.go is the queue, ban.go who is kept out, explain.go and reasons.go
// the words, activity.go the key activity report.
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
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	queueLength = 4096
	batchLength = 256
	writeEvery  = time.Second
	pruneEvery  = time.Hour
	pruneAfter  = 10_000 // records: a flood must not wait for the hour
	// Failed connections that are recorded a second, and at once; of more it is
	// only known how many there were.
	failedRate, failedBurst = 30, 2000
	rotationGrace           = 24 * time.Hour // defaults.md: new key's first log-in + 24 h
)

// Policy is what the operator configured.
type Policy struct {
	KeepFor    time.Duration // records of connections and activity
	KeepFailed int64         // rows of connections that did not log in
	KeepSeen   int64         // rows of what was read and listed
	Bans       BanPolicy
	Limits     exchange.DefaultLimits // on users' mailboxes
	// EndpointIPs are the networks of each region's server address; "" is
	// every other's.
	EndpointIPs map[string][]string
}

// Options are what the service needs.
type Options struct {
	Store  *store.Store
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Log    *slog.Logger
	Policy Policy
}

// Record is what a connection leaves: once when its log-in failed, or when it
// logged in and again when it ended.
type Record struct {
	model.Connection
	From netip.Addr
}

// Service keeps the records.
type Service struct {
	o     Options
	queue chan Record
	limit *rate.Limiter
	guard *guard

	dropped atomic.Int64 // records
	lost    atomic.Int64 // observations, and records of log-ins
	done    sync.WaitGroup

	writing sync.Mutex // held while a batch is on its way, so that a report can wait for it
	unsaved []Record   // the batch that could not be written; guarded by writing
	failing bool       // and it was not the first try

	mu     sync.Mutex
	recent map[netip.Addr]seen // not yet in the database
	flying map[netip.Addr]seen // on its way there
	seen   map[sight]*store.Observation
}

type seen struct{ ok, failed time.Time }

// merge takes the later times of both.
func (s seen) merge(o seen) seen {
	if o.ok.After(s.ok) {
		s.ok = o.ok
	}
	if o.failed.After(s.failed) {
		s.failed = o.failed
	}
	return s
}

// New starts the service; it ends with ctx, and Wait waits for that.
func New(ctx context.Context, o Options) *Service {
	r := &Service{o: o, queue: make(chan Record, queueLength), limit: rate.NewLimiter(failedRate, failedBurst),
		guard: newGuard(o.Store, o.Policy.Bans), recent: map[netip.Addr]seen{}, seen: map[sight]*store.Observation{}}
	r.guard.load(o.Clock(), o.Log)
	r.done.Go(func() { r.run(ctx) })
	return r
}

// Wait returns when everything queued is written.
func (r *Service) Wait() { r.done.Wait() }

// Note queues a record.
func (r *Service) Note(c Record) {
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

// remember keeps an outcome for those who ask before it is in the database.
func (r *Service) remember(c Record) {
	at := c.At
	// Whoever breaks off before the log-in has failed at nothing: a monitor, or
	// somebody who compares a fingerprint.
	brokeOff := c.Outcome == model.ReasonProtocol && strings.HasPrefix(c.Client, "SSH-")
	if !c.LoggedIn && !brokeOff {
		r.guard.failed(c.From, c.Outcome, r.o.Clock())
	}
	if !c.LoggedIn && len(c.Methods) == 0 {
		return // a port check, or a host key that was not trusted yet: no reason to speak up
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.recent) >= queueLength {
		return
	}
	s := r.recent[c.From]
	if c.LoggedIn {
		s.ok = at
	} else {
		s.failed = at
	}
	r.recent[c.From] = s
}

// History is when somebody last got in from an address, and last failed to.
func (r *Service) History(from netip.Addr) (ok, failed time.Time) {
	r.mu.Lock()
	s := r.flying[from].merge(r.recent[from])
	r.mu.Unlock()
	a, err := r.o.Store.Read(context.Background()).Address(from.String())
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
	// Other nodes should know of a ban soon.
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
	r.writeAll() // what is queued by now
}

// writeAll writes what waits, and returns how many records that was.
func (r *Service) writeAll() (records int) {
	for more := true; more; {
		var n int
		n, more = r.flush()
		records += n
	}
	r.flushSeen()
	r.guard.sync(r.o.Clock(), r.o.Log)
	return records
}

// flush writes one batch, and reports how many records and whether there may
// be more.
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
	r.recent, r.flying = map[netip.Addr]seen{}, recent
	r.mu.Unlock()
	if len(batch)+len(recent) == 0 {
		return 0, false
	}
	err := r.o.Store.Write(context.Background(), func(tx *store.Tx) error { return write(tx, batch, recent) })
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

// retain holds on to a batch until the database can be written again. What is
// refused while the database answers is looked at one by one, so that a single
// record can't stop all others.
func (r *Service) retain(batch []Record, recent map[netip.Addr]seen, err error) {
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

func write(tx *store.Tx, batch []Record, recent map[netip.Addr]seen) error {
	used := map[string]store.KeyUse{}
	for _, c := range batch {
		add := tx.AddConnection
		if c.LoggedIn && c.EndedAt != nil {
			add = tx.EndConnection
		} else if c.LoggedIn && c.KeyID != "" {
			used[c.KeyID] = store.KeyUse{KeyID: c.KeyID, Address: c.Address, Client: c.Client, At: c.At}
		}
		if err := add(c.Connection); err != nil {
			return err
		}
	}
	if err := tx.KeysUsed(slices.Collect(maps.Values(used)), rotationGrace); err != nil {
		return err
	}
	for addr, s := range recent {
		if err := tx.SeenAddress(store.Address{Address: addr.String(), LastOK: s.ok, LastFailed: s.failed}); err != nil {
			return err
		}
	}
	return nil
}

// prune removes what is old, and of what comes in floods all but the newest:
// a little at a time, so that no commit waits long behind it.
func (r *Service) prune(now time.Time) {
	before := now.Add(-r.o.Policy.KeepFor)
	ctx := context.Background()
	for _, old := range []func(tx *store.Tx) (int64, error){
		func(tx *store.Tx) (int64, error) { return tx.PruneConnections(before) },
		func(tx *store.Tx) (int64, error) { return tx.PruneAddresses(before) },
		func(tx *store.Tx) (int64, error) { return tx.PruneBans(before) },
	} {
		r.repeat(old)
	}
	q := r.o.Store.Read(ctx)
	if edge, err := q.FailedEdge(r.o.Policy.KeepFailed); err == nil && !edge.IsZero() {
		r.repeat(func(tx *store.Tx) (int64, error) { return tx.PruneFailed(edge) })
	}
	if edge, err := q.StrangerEdge(r.o.Policy.KeepFailed); err == nil && !edge.IsZero() {
		r.repeat(func(tx *store.Tx) (int64, error) { return tx.PruneStrangers(edge) })
	}
	edge, err := q.ObservationEdge(r.o.Policy.KeepSeen)
	if err == nil {
		edge = max(edge, exchange.FirstID(before))
		r.repeat(func(tx *store.Tx) (int64, error) { return tx.PruneObservations(edge) })
	}
}

// repeat removes until nothing is left to remove.
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
