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
	leaseTime   = 10 * time.Second // without a renewal
	renewEvery  = 2 * time.Second
	renewTime   = 3 * time.Second // for the answer
	lookEvery   = 250 * time.Millisecond
	releaseTime = 2 * time.Second
	takeOver    = 45 * time.Second // for the transactions of the holder before to end; the server ends idle ones
)

// ErrLeaseLost is in the chain of an error when another process holds the
// database's lease. This one will never write again.
var ErrLeaseLost = errors.New("another process has taken the lease over")

// Holder is who wants the lease.
type Holder struct {
	Name string // what others are told

	// Lock names a lock that the process holds for as long as it lives, the same
	// after a restart and different for everybody else: a holder with the same
	// lock is dead, and its lease is taken over at once. Empty if there is none.
	Lock string

	Log *slog.Logger
}

// lease is the right to be the only one who writes into a database.
type lease struct {
	who   Holder
	db    *sql.DB // one connection, which no transaction can keep busy
	link  *link
	term  int64
	start time.Time    // of the process's own, monotonic time
	until atomic.Int64 // since start: when the lease ends unless it is renewed

	lost     chan struct{} // closed once it is another's
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

// found is the lease as it stands.
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

// free reports whether the lease can be taken: nobody's, expired, or that of a
// process whose lock we have.
func (l *lease) free(f found) bool {
	return f.left <= 0 || f.holder == "" || l.who.Lock != "" && f.lock == l.who.Lock
}

// acquire takes the lease and begins to renew it. While another has it, it
// waits until that one renews it, and fails; or until it has expired.
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
		if !l.free(now) && (now.term != first.term || now.expires != first.expires) { // it lives
			return fault.E("store.Open", fault.Conflict, "Another sallyport serves this database: %s, since %s.",
				now.holder, fromMicros(now.since).Format("2006-01-02 15:04:05 MST")).
				WithHint("stop that one first; one server at a time uses a database")
		}
	}
}

// take makes the lease ours under the next term, unless somebody was faster.
// It waits for every transaction of the terms before: what the database says
// from then on is final.
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

// begin puts together what begins a transaction, in one round trip of prepared
// statements, and says whether the term is ours. The last statement sees what a
// take-over wrote that the one before had to wait for.
func (l *lease) begin(b *pgx.Batch, ours *bool) {
	b.Queue(`begin isolation level read committed`)
	b.Queue(`select pg_advisory_xact_lock_shared($1)`, int64(fenceLock))
	b.Queue(`select exists (select from lease where term = $1)`, l.term).
		QueryRow(func(r pgx.Row) error { return r.Scan(ours) })
}

// join does for a transaction of the job library's pool what begin does.
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

// check fails when a transaction cannot be ours. While nothing answers, the
// lease may be another's by now, for all that is known here.
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

// lose notes that the lease is another's, and returns the error for it.
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

// renew extends the lease. One that has expired is renewed as well, if nobody
// has taken it: the database was away.
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
	l.link.heard() // it had more time than the others have in a silence
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
