package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// How long to wait for PostgreSQL. A log-in runs three queries, and two more for each further key, and
// must be answered within 10 s. CLOSE, which is a transaction and a look at its outcome, must be
// answered within 30 s.
const (
	dialTime    = 5 * time.Second
	pingTime    = time.Second      // for a ping of a connection that was idle
	cutTime     = 5 * time.Second  // after which the kernel closes a connection with unacknowledged packets
	readTime    = 5 * time.Second  // of a statement outside a transaction
	quickTime   = time.Second      // the same, while the database is known to be silent
	patientTime = 35 * time.Second // of a report's statement: past the server's own limit
	writeTime   = 20 * time.Second // of a transaction with its COMMIT and all its tries
)

// Timeouts that the server applies, unless the URL sets others.
const (
	statementTimeout = 30 * time.Second // no session waits for ever on a lock
	idleTimeout      = 20 * time.Second // a client that vanished in a transaction holds locks no longer
)

// link is the state of the network connection to the server. A cut without a TCP reset shows only as
// missing answers.
type link struct {
	silent atomic.Bool  // a deadline has passed, and nothing has answered since
	doubts atomic.Int64 // grows when pooled connections may be dead; those checked at an older value are pinged before use
}

// bounded limits a statement's context to limit, or to quickTime while the server is silent. end must
// be called with the statement's outcome.
func (l *link) bounded(ctx context.Context, limit time.Duration) (bounded context.Context, end func(error)) {
	if l.silent.Load() {
		limit = min(limit, quickTime)
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	return bounded, func(err error) {
		switch {
		case err == nil:
			l.heard()
		case bounded.Err() != nil && ctx.Err() == nil: // the limit has passed, not the caller's time
			l.unheard()
		}
		cancel()
	}
}

func (l *link) heard() {
	if l.silent.Load() {
		l.silent.Store(false)
	}
}

func (l *link) unheard() {
	l.silent.Store(true)
	l.doubts.Add(1)
}

// seen is what a connection remembers of its last use.
type seen struct {
	at     time.Time
	doubts int64
}

const seenKey = "sallyport.seen"

// fresh decides whether a pooled connection is used again. A connection that was idle for a second, or
// that may have been cut, must answer a ping first.
func (l *link) fresh(ctx context.Context, c *pgx.Conn) error {
	now, doubts := time.Now(), l.doubts.Load()
	data := c.PgConn().CustomData()
	last, _ := data[seenKey].(seen)
	if last.doubts != doubts && l.silent.Load() {
		return driver.ErrBadConn
	}
	if last.doubts != doubts || now.Sub(last.at) > time.Second {
		ctx, cancel := context.WithTimeout(ctx, pingTime)
		defer cancel()
		if err := c.Ping(ctx); err != nil {
			return driver.ErrBadConn
		}
	}
	data[seenKey] = seen{at: now, doubts: doubts}
	return nil
}

// openServer opens a PostgreSQL database.
func (s *Store) openServer(ctx context.Context, o Options) (err error) {
	s.dialect = postgresDialect
	if s.read, err = s.openPostgres(o.URL, 24); err != nil {
		return err
	}
	s.write = s.read
	if s.jobs, err = s.openPostgres(o.URL, 4); err != nil {
		return err
	}
	if o.Holder != nil {
		s.lease = newLease(*o.Holder, &s.link)
		if s.lease.db, err = s.openPostgres(o.URL, 1); err != nil {
			return err
		}
	}
	return s.prepare(ctx)
}

// openPostgres opens a pool.
func (s *Store) openPostgres(dsn string, conns int) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the database URL cannot be read") // err would show its password
	}
	for name, limit := range map[string]time.Duration{"statement_timeout": statementTimeout,
		"idle_in_transaction_session_timeout": idleTimeout} {
		if _, ok := cfg.RuntimeParams[name]; !ok {
			cfg.RuntimeParams[name] = strconv.FormatInt(limit.Milliseconds(), 10)
		}
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = dialTime
	}
	cfg.DialFunc = (&net.Dialer{Timeout: cfg.ConnectTimeout, Control: noticeCuts,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: time.Second, Count: 3}}).
		DialContext
	db := stdlib.OpenDB(*cfg,
		stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false }), // fresh does
		stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
			c.PgConn().CustomData()[seenKey] = seen{at: time.Now(), doubts: s.link.doubts.Load()}
			return nil
		}),
		stdlib.OptionResetSession(s.link.fresh))
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, db.Ping()
}

// errNotSent means that a connection was closed before a statement was sent. The driver's SafeToRetry
// cannot tell: it is also true if the connection breaks while it waits for the answer (pgx 5.12).
var errNotSent = errors.New("the connection was closed before the statement was sent")

// raw calls fn with the driver's connection, for operations that database/sql does not have. If the
// connection is closed, it returns errNotSent without calling fn.
func raw(conn *sql.Conn, fn func(*pgx.Conn) error) error {
	err := errNotSent
	_ = conn.Raw(func(c any) error { // its error only says that the connection is closed; err is the outcome
		p := c.(*stdlib.Conn).Conn()
		if !p.IsClosed() {
			err = fn(p)
		}
		if p.IsClosed() {
			return driver.ErrBadConn // so that the pool drops it
		}
		return nil
	})
	return err
}

// exec runs statements without arguments in one round trip, and returns the command tag of the last
// one.
func exec(ctx context.Context, conn *sql.Conn, text string) (tag string, err error) {
	err = raw(conn, func(p *pgx.Conn) error {
		t, err := p.Exec(ctx, text)
		tag = t.String()
		return err
	})
	return tag, err
}
