// Package connection keeps a compact record of every connection, and when
// each address last got in or failed. Records are observations: they are
// queued, never waited for, and dropped when there are too many, so that a
// flood of strangers costs a bounded amount.
package connection

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

const (
	queueLength = 4096
	batchLength = 256
	keepRecords = 200_000                  // rows
	keepFor     = 13 * 30 * 24 * time.Hour // defaults.md: 13 months
	pruneEvery  = time.Hour
)

// Record is one connection's end, or its log-in.
type Record struct {
	store.Connection
	From     netip.Addr
	KeyID    string
	LoggedIn bool
}

// Room keeps the records.
type Room struct {
	store *store.Store
	clock exchange.Clock
	log   *slog.Logger

	queue   chan Record
	dropped atomic.Int64
	done    sync.WaitGroup

	mu     sync.Mutex
	recent map[netip.Addr]seen // not yet in the database
}

type seen struct{ ok, failed time.Time }

// New starts the room; it ends with ctx, and Wait waits for that.
func New(ctx context.Context, s *store.Store, clock exchange.Clock, log *slog.Logger) *Room {
	r := &Room{store: s, clock: clock, log: log, queue: make(chan Record, queueLength), recent: map[netip.Addr]seen{}}
	r.done.Go(func() { r.run(ctx) })
	return r
}

// Wait returns when everything queued is written.
func (r *Room) Wait() { r.done.Wait() }

// Note queues a record.
func (r *Room) Note(c Record) {
	r.mu.Lock()
	if len(r.recent) < queueLength {
		at, s := exchange.FromMicros(c.At), r.recent[c.From]
		if c.LoggedIn {
			s.ok = at
		} else {
			s.failed = at
		}
		r.recent[c.From] = s
	}
	r.mu.Unlock()
	select {
	case r.queue <- c:
	default:
		r.dropped.Add(1)
	}
}

// History is when somebody last got in from an address, and last failed to.
func (r *Room) History(from netip.Addr) (ok, failed time.Time) {
	r.mu.Lock()
	s := r.recent[from]
	r.mu.Unlock()
	a, err := r.store.Read(context.Background()).Address(from.String())
	if err != nil {
		return s.ok, s.failed
	}
	if t := exchange.FromMicros(a.LastOK); a.LastOK > 0 && t.After(s.ok) {
		s.ok = t
	}
	if t := exchange.FromMicros(a.LastFailed); a.LastFailed > 0 && t.After(s.failed) {
		s.failed = t
	}
	return s.ok, s.failed
}

func (r *Room) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var pruned time.Time
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		for r.flush() {
		}
		if ctx.Err() != nil {
			return
		}
		if now := r.clock(); now.Sub(pruned) > pruneEvery {
			pruned = now
			r.prune(now)
		}
		if n := r.dropped.Swap(0); n > 0 {
			r.log.Warn("connection records were dropped", "count", n)
		}
	}
}

// flush writes one batch, and reports whether there may be more.
func (r *Room) flush() bool {
	var batch []Record
	for len(batch) < batchLength {
		select {
		case c := <-r.queue:
			batch = append(batch, c)
			continue
		default:
		}
		break
	}
	if len(batch) == 0 {
		return false
	}
	r.mu.Lock()
	recent := r.recent
	r.recent = map[netip.Addr]seen{}
	r.mu.Unlock()
	err := r.store.Write(context.Background(), func(tx *store.Tx) error { return write(tx, batch, recent) })
	if err != nil {
		r.log.Error("connection records could not be written", "count", len(batch), "err", err)
	}
	return len(batch) == batchLength
}

func write(tx *store.Tx, batch []Record, recent map[netip.Addr]seen) error {
	used := map[string]int64{}
	for _, c := range batch {
		if err := tx.AddConnection(c.Connection); err != nil {
			return err
		}
		if c.LoggedIn && c.KeyID != "" {
			used[c.KeyID] = c.At
		}
	}
	for key, at := range used {
		if err := tx.KeyUsed(key, exchange.FromMicros(at)); err != nil {
			return err
		}
	}
	for addr, s := range recent {
		a := store.Address{Address: addr.String()}
		if !s.ok.IsZero() {
			a.LastOK = exchange.Micros(s.ok)
		}
		if !s.failed.IsZero() {
			a.LastFailed = exchange.Micros(s.failed)
		}
		if err := tx.SeenAddress(a); err != nil {
			return err
		}
	}
	return nil
}

func (r *Room) prune(now time.Time) {
	before := exchange.Micros(now.Add(-keepFor))
	err := r.store.Write(context.Background(), func(tx *store.Tx) error {
		if err := tx.PruneConnections(before, keepRecords); err != nil {
			return err
		}
		return tx.PruneAddresses(before)
	})
	if err != nil {
		r.log.Error("old connection records could not be removed", "err", err)
	}
}
