package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// How the lease is kept (docs/decisions/0014-lease.md).
const (
	leaseTime   = 10 * time.Second // after which a lease that was not renewed expires
	renewEvery  = 2 * time.Second
	renewTime   = 3 * time.Second // for the database's answer
	lookEvery   = 250 * time.Millisecond
	releaseTime = 2 * time.Second
	takeOver    = 45 * time.Second // limit on waiting for the last holder's transactions; the server ends idle ones
)

// ErrLeaseLost is in the chain of an error when another process holds the database's lease. This
// process never writes again.
var ErrLeaseLost = errors.New("another process has taken the lease over")

// Holder identifies the process that takes the lease.
type Holder struct {
	Name string // shown to other processes

	// Lock names a lock that the process holds while it lives. The name is the same after a restart,
	// and no other server has it. So a holder with the same name is dead, and its lease is taken over
	// at once. Empty if there is no such lock.
	Lock string

	Log *slog.Logger
}

// lease is the exclusive right to write into a database.
type lease struct {
	who   Holder
	db    *sql.DB // a connection of its own, so that transactions cannot keep it busy
	link  *link
	term  int64
	start time.Time    // origin of until; its monotonic reading is used
	until atomic.Int64 // when the lease ends unless it is renewed, as a time.Duration since start

	lost     chan struct{} // closed once another process has the lease
	losing   sync.Once
	stop     chan struct{}
	stopping sync.Once
	renewals sync.WaitGroup
}

func newLease(h Holder, l *link) *lease {
	return &lease{who: h, link: l, start: time.Now(), lost: make(chan struct{}), stop: make(chan struct{})}
}

// Lost is closed when another process has taken the lease over. It is nil for a
// store without a holder.
func (s *Store) Lost() <-chan struct{} {
	if s.lease == nil {
		return nil
	}
	return s.lease.lost
}

const microsNow = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`

// found is the lease's row. left is the time until it expires.
type found struct {
	term                 int64
	holder, lock         string
	since, expires, left int64 // µs
}

func (l *lease) look(ctx context.Context) (f found, err error) {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	err = l.db.QueryRowContext(ctx, `SELECT term, holder, lock, since, expires_at, expires_at - `+microsNow+` FROM lease`).
		Scan(&f.term, &f.holder, &f.lock, &f.since, &f.expires, &f.left)
	return f, err
}

// free reports whether the lease can be taken: it has no holder, has expired, or its holder has our
// lock name and so is dead.
func (l *lease) free(f found) bool {
	return f.left <= 0 || f.holder == "" || l.who.Lock != "" && f.lock == l.who.Lock
}

// acquire takes the lease and starts to renew it. While another process holds it, acquire waits. If
// that process renews the lease, acquire fails as Conflict; if the lease expires, acquire takes it.
func (l *lease) acquire(ctx context.Context) error {
	first, err := l.look(ctx)
	if err != nil {
		return err
	}
	if !l.free(first) {
		l.who.Log.Warn("another sallyport holds the lease of the database; waiting to see whether it lives", "holder",
			first.holder)
	}
	for now := first; ; {
		if l.free(now) {
			if taken, err := l.take(ctx, now); err != nil || taken {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
		if now, err = l.look(ctx); err != nil {
			return err
		}
		if !l.free(now) && (now.term != first.term || now.expires != first.expires) { // the holder lives
			return fault.E("store.Open", fault.Conflict, "Another sallyport serves this database: %s, since %s.",
				now.holder, fromMicros(now.since).Format("2006-01-02 15:04:05 MST")).
				WithHint("stop that one first; one server at a time uses a database")
		}
	}
}

// take takes the lease under the next term; it returns false if another process was faster. It waits
// for every transaction of earlier terms, so none of them commits afterwards.
func (l *lease) take(ctx context.Context, f found) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, takeOver)
	defer cancel()
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	begin := fmt.Sprintf(
		`begin isolation level read committed; set local statement_timeout = %d; select pg_advisory_xact_lock(%d)`,
		takeOver.Milliseconds(), fenceLock)
	if _, err := exec(ctx, conn, begin); err != nil {
		return false, fmt.Errorf("wait for the transactions of %s to end: %w", f.holder, err)
	}
	sent := time.Now()
	var term int64
	err = conn.QueryRowContext(ctx, `UPDATE lease SET term = term + 1, holder = $1, lock = $2, since = `+microsNow+
		`, expires_at = `+microsNow+` + $3
		WHERE term = $4 AND expires_at = $5 RETURNING term`, l.who.Name, l.who.Lock, leaseTime.Microseconds(), f.term,
		f.expires).Scan(&term)
	if errors.Is(err, sql.ErrNoRows) {
		_, err := exec(ctx, conn, "rollback")
		return false, err
	}
	if err != nil {
		return false, err
	}
	if _, err := exec(ctx, conn, "commit"); err != nil {
		return false, err
	}
	l.term = term
	l.until.Store(int64(sent.Sub(l.start) + leaseTime))
	l.renewals.Go(l.renewUntilLost)
	return true, nil
}

// begin queues the statements that begin a transaction, for one round trip, and sets ours to whether
// the term is still ours. The last statement starts after the lock was granted, so it sees a take-over
// that the lock waited for.
func (l *lease) begin(b *pgx.Batch, ours *bool) {
	b.Queue(`begin isolation level read committed`)
	b.Queue(`select pg_advisory_xact_lock_shared($1)`, int64(fenceLock))
	b.Queue(`select exists (select from lease where term = $1)`, l.term).
		QueryRow(func(r pgx.Row) error { return r.Scan(ours) })
}

// join fences a transaction of the job library's pool, as begin does for those of Write.
func (l *lease) join(ctx context.Context, tx *sql.Tx) error {
	if err := l.check(); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`select pg_advisory_xact_lock_shared(%d)`, fenceLock)); err != nil {
		return err
	}
	ours := false
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM lease WHERE term = $1)`, l.term).
		Scan(&ours); err != nil {
		return err
	}
	if !ours {
		return l.lose()
	}
	return nil
}

// check fails if the lease is lost or may have expired. Without a renewal in time, another process may
// have taken it.
func (l *lease) check() error {
	select {
	case <-l.lost:
		return l.lose()
	default:
	}
	if time.Since(l.start) < time.Duration(l.until.Load()) {
		return nil
	}
	return fault.E("store.Write", fault.Unavailable, "The server cannot store anything now; please try again.").
		WithHint("the lease of the database could not be renewed; see the log")
}

// lose records that another process has the lease, and returns the error for it.
func (l *lease) lose() error {
	l.losing.Do(func() { close(l.lost) })
	return fault.Wrap("store.Write", fault.Unavailable, ErrLeaseLost)
}

// renewUntilLost renews the lease until it is lost or given back.
func (l *lease) renewUntilLost() {
	for failing := false; ; {
		wait := renewEvery
		if failing {
			wait /= 4
		}
		select {
		case <-l.stop:
			return
		case <-l.lost:
			return
		case <-time.After(wait):
		}
		err := l.renew()
		if err != nil && !failing {
			l.who.Log.Error("the lease of the database could not be renewed", "err", err)
		}
		failing = err != nil
	}
}

// renew extends the lease. An expired lease (the database was unreachable) is renewed as well, unless
// another process has taken it.
func (l *lease) renew() error {
	ctx, cancel := context.WithTimeout(context.Background(), renewTime)
	defer cancel()
	sent := time.Now()
	res, err := l.db.ExecContext(ctx, `UPDATE lease SET expires_at = `+microsNow+` + $2 WHERE term = $1`, l.term,
		leaseTime.Microseconds())
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	switch {
	case err != nil:
		return err
	case n == 0:
		return l.lose()
	}
	l.until.Store(int64(sent.Sub(l.start) + leaseTime))
	l.link.heard() // renewTime is longer than quickTime, so it may succeed before other statements do
	return nil
}

// close gives the lease back, after the last transaction. If that fails, it
// expires by itself.
func (l *lease) close() error {
	l.stopping.Do(func() { close(l.stop) })
	l.renewals.Wait()
	if l.db == nil {
		return nil
	}
	if l.term > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
		defer cancel()
		if _, err := l.db.ExecContext(ctx, `UPDATE lease SET holder = '', lock = '', expires_at = 0 WHERE term = $1`,
			l.term); err != nil {
			l.who.Log.Warn("the lease of the database could not be given back; it expires by itself", "err", err)
		}
	}
	return l.db.Close()
}
