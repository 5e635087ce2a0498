package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// beginTries is how many connections a transaction tries to begin on.
const beginTries = 3

// How many transactions run at a time. Those of one user wait for the same mailbox row anyway, and
// each holds a connection meanwhile. The total is below the size of the pool, so that reads always
// find a connection.
const (
	atATime       = 16
	userAtATime   = 3
	serverAtATime = 8
)

// partyAtATime is how many transactions of a party run at a time.
func partyAtATime(party string) int {
	if party == "" {
		return serverAtATime
	}
	return userAtATime
}

// enterTime is how long a transaction waits for its turn. Running out of it does not mark the database
// as silent.
const enterTime = 8 * time.Second

func (s *Store) enter(party string) error {
	ctx, cancel := context.WithTimeout(context.Background(), enterTime)
	defer cancel()
	err := s.gateway.Enter(ctx, party)
	return fault.Wrap("store.Write", fault.Unavailable, err)
}

// writeParallel runs fn on PostgreSQL, and up to three times more after a deadlock or a serialization
// failure. All tries share one deadline, COMMIT included. A caller's context does not end a
// transaction.
func (s *Store) writeParallel(party string, fn func(*Tx) error) error {
	if s.again != nil { // commits of other transactions must not show between the two runs
		s.alone.Lock()
		defer s.alone.Unlock()
	}
	if err := s.enter(party); err != nil {
		return err
	}
	defer s.gateway.Leave(party)
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	for try := 0; ; try++ {
		err := s.onceParallel(ctx, fn)
		if ctx.Err() != nil {
			s.link.unheard()
		}
		if err == nil || try == 3 || !s.dialect.transient(err) || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) onceParallel(ctx context.Context, fn func(*Tx) error) error {
	if err := s.probed("BEGIN", false); err != nil {
		return s.wrap("Write", err)
	}
	conn, err := s.begin(ctx)
	if err != nil {
		return s.wrap("Write", err)
	}
	defer conn.Close()
	defer endAt(ctx, conn)()
	tx := &Tx{Q: Q{s: s, ctx: context.Background(), conn: conn, touched: &touched{}}}
	if err := tx.run(fn); err != nil {
		s.rollBack(conn)
		return err
	}
	if err := ctx.Err(); err != nil { // COMMIT was not sent
		s.rollBack(conn)
		return s.wrap("Write", err)
	}
	tag, err := s.commit(ctx, conn)
	s.advance(tx.touched)
	switch {
	case err == nil && tag == "COMMIT":
		return nil
	case err == nil: // ROLLBACK: a statement had failed, and fn went on
		return fault.Wrap("store.Write", fault.Internal, fmt.Errorf("COMMIT was answered with %s", tag))
	case refused(err):
		return s.wrap("Write", err)
	}
	return unheard(err)
}

func (s *Store) commit(ctx context.Context, conn *sql.Conn) (tag string, err error) {
	if err := s.probed("COMMIT", false); err != nil {
		s.rollBack(conn)
		return "", err
	}
	if tag, err = exec(ctx, conn, "commit"); err == nil {
		err = s.probed("COMMIT", true)
	}
	return tag, err
}

// endAt makes reads and writes of the connection fail at the deadline of ctx. With a context that can
// be cancelled, database/sql starts a goroutine for each query; this is one timer for all queries of a
// transaction. A connection that was ended in a transaction is not used again.
func endAt(ctx context.Context, conn *sql.Conn) (stop func()) {
	deadline, _ := ctx.Deadline()
	var timer *time.Timer
	_ = raw(conn, func(p *pgx.Conn) error {
		wire := p.PgConn().Conn()
		timer = time.AfterFunc(time.Until(deadline), func() { _ = wire.SetDeadline(time.Unix(1, 0)) })
		return nil
	})
	return func() {
		if timer != nil {
			timer.Stop()
		}
	}
}

// refused reports whether a COMMIT has certainly not taken effect. A server error of severity ERROR
// means a rollback. FATAL may follow a completed commit, since the server may end the session between
// the commit and its answer. An exception is 25P03: a session that ended because its transaction was
// idle had not begun to commit. Poolers report an unknown outcome with class 08 or code 40003.
func refused(err error) bool {
	if errors.Is(err, errNotSent) {
		return true
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) || strings.HasPrefix(e.Code, "08") || e.Code == "40003" {
		return false
	}
	return e.SeverityUnlocalized == "ERROR" || e.Code == "25P03"
}

// begin begins a transaction. With a lease, the same round trip checks that the lease is still ours
// and prevents a take-over until the transaction ends.
func (s *Store) begin(ctx context.Context) (*sql.Conn, error) {
	if s.lease != nil {
		if err := s.lease.check(); err != nil {
			return nil, err
		}
	}
	for try := 1; ; try++ {
		conn, err := s.write.Conn(ctx)
		if err != nil {
			return nil, err
		}
		ours, err := s.tryBegin(ctx, conn)
		if err == nil && !ours {
			s.rollBack(conn)
			err = s.lease.lose()
		}
		if err == nil {
			return conn, nil
		}
		closed := errors.Is(conn.Close(), sql.ErrConnDone) // exec found it dead
		if !closed || try == beginTries || ctx.Err() != nil || s.link.silent.Load() {
			return nil, err
		}
		s.link.doubts.Add(1) // other pooled connections may be dead, too
	}
}

// tryBegin begins on one connection, and reports whether the term is ours.
func (s *Store) tryBegin(ctx context.Context, conn *sql.Conn) (ours bool, err error) {
	ctx, end := s.link.bounded(ctx, readTime)
	defer func() { end(err) }()
	if s.lease == nil {
		_, err = exec(ctx, conn, "begin isolation level read committed") // the guard relies on it
		return true, err
	}
	var b pgx.Batch
	s.lease.begin(&b, &ours)
	err = raw(conn, func(p *pgx.Conn) error { return p.SendBatch(ctx, &b).Close() })
	return ours, err
}

// rollBack ends a transaction. Its error does not matter: if the connection is dead, the server ends
// the transaction, too.
func (s *Store) rollBack(conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, _ = exec(ctx, conn, "rollback")
}
