package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store/walvfs"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Options say which database to open.
type Options struct {
	Dir    string  // folder of the SQLite file, unless URL is given
	URL    string  // postgres://…
	Holder *Holder // takes the lease of a PostgreSQL database; nil: no lease is taken, no transaction is fenced

	// Probe is for tests, and nil otherwise. It is called before each statement but ROLLBACK, and
	// again after the statement has run. An error that it returns becomes the statement's error. Tests
	// use it to cancel a context at any step, to refuse a statement, or to lose its answer.
	Probe func(statement string, ran bool) error

	// Again is for tests, and nil otherwise. With it every transaction's function runs twice: the
	// first run is undone, and the second counts. It is called with what both runs did; its error
	// fails the transaction.
	Again func(first, second Run) error
}

// Store is one open database.
type Store struct {
	dialect dialect
	read    *sql.DB
	write   *sql.DB
	jobs    *sql.DB // the job library's

	readStmts, writeStmts sync.Map    // SQLite: query text → *prepared
	conn                  *sql.Conn   // SQLite: the writing connection
	wal                   *walvfs.VFS // SQLite: writes its log; nil for stores that write little
	recalled              recalled    // SQLite: what the writing connection remembers

	epochs epochs

	queue   queue        // SQLite: functions waiting for conn
	gateway fair.Gateway // PostgreSQL: limits concurrent transactions

	link  link   // PostgreSQL: state of the network connection
	lease *lease // PostgreSQL: nil without a holder

	probe func(statement string, ran bool) error // Options.Probe
	again func(first, second Run) error          // Options.Again
	alone sync.Mutex                             // with again, on PostgreSQL: one transaction at a time
}

func newStore() *Store {
	s := &Store{gateway: fair.Gateway{All: atATime, Party: partyAtATime}}
	s.queue.idle = sync.NewCond(&s.queue.mu)
	s.queue.failed = map[string]time.Time{}
	return s
}

// Open opens the database and brings its schema up to date. With a holder, only this store writes into
// a PostgreSQL database until Close. While another holder is alive, Open fails as Conflict and changes
// nothing.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := newStore()
	open := s.openFile
	if o.URL != "" {
		open = s.openServer
	}
	if err := open(ctx, o); err != nil {
		return nil, fault.Wrap("store.Open", fault.Unavailable, errors.Join(err, s.Close()))
	}
	s.probe, s.again = o.Probe, o.Again
	return s, nil
}

// probed calls the probe, if a test gave one.
func (s *Store) probed(statement string, ran bool) error {
	if s.probe == nil {
		return nil
	}
	return s.probe(statement, ran)
}

// openFile opens the SQLite file of a data folder.
func (s *Store) openFile(ctx context.Context, o Options) (err error) {
	s.dialect = sqliteDialect
	file := sqliteFile(o.Dir)
	if s.wal, err = walvfs.New(); err != nil {
		return err
	}
	if s.write, err = openSQLite(file, 1, s.wal.Name()); err != nil {
		return err
	}
	if s.read, err = openSQLite(file, 4); err != nil {
		return err
	}
	if s.jobs, err = openSQLite(file, 1); err != nil {
		return err
	}
	if err = migrate(ctx, s.write, s.dialect); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	s.conn, err = s.write.Conn(context.Background())
	return err
}

// Inspect opens an existing database for reading. It changes nothing and does not migrate the schema,
// which must be that of this release.
func Inspect(ctx context.Context, o Options) (*Store, error) {
	s := newStore()
	err := s.openExisting(o)
	if err == nil {
		err = exactly(ctx, s.read, s.dialect)
	}
	if err != nil {
		return nil, fault.Wrap("store.Inspect", fault.Unavailable, errors.Join(err, s.Close()))
	}
	return s, nil
}

// openExisting opens the reading pool of a database.
func (s *Store) openExisting(o Options) (err error) {
	if o.URL != "" {
		s.dialect = postgresDialect
		s.read, err = s.openPostgres(o.URL, 4)
		return err
	}
	s.dialect = sqliteDialect
	file := sqliteFile(o.Dir)
	if _, err = os.Stat(file); err != nil {
		return fault.E("store.Inspect", fault.NotFound, "There is no database in %s.", o.Dir)
	}
	s.read, err = openSQLite(file, 4)
	return err
}

// Beside opens an existing database for reading and for a few small changes, while a server may be using it. Its
// schema must be that of this release. It takes no lease, so its transactions are not fenced: what they write must not
// depend on who serves the database.
func Beside(ctx context.Context, o Options) (*Store, error) {
	s, err := Inspect(ctx, o)
	if err != nil || !s.dialect.single {
		if err == nil {
			s.write = s.read
		}
		return s, err
	}
	if s.write, err = openSQLite(sqliteFile(o.Dir), 1); err == nil {
		s.conn, err = s.write.Conn(context.Background())
	}
	if err != nil {
		return nil, fault.Wrap("store.Beside", fault.Unavailable, errors.Join(err, s.Close()))
	}
	return s, nil
}

// Close waits for the queued functions and closes the database.
func (s *Store) Close() error {
	s.queue.close()
	var errs []error
	if s.lease != nil {
		errs = append(errs, s.lease.close())
	}
	// database/sql does not close statements that were prepared on a sql.Conn, and SQLite keeps a
	// connection with open statements alive.
	for _, st := range s.writeStmts.Range {
		errs = append(errs, st.(*prepared).Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil && s.write != s.read {
		errs = append(errs, s.write.Close())
	}
	if s.jobs != nil {
		errs = append(errs, s.jobs.Close())
	}
	if s.wal != nil {
		s.wal.Close()
	}
	return errors.Join(errs...)
}

// Q runs queries, inside a transaction or outside.
type Q struct {
	s     *Store
	ctx   context.Context
	conn  *sql.Conn     // the transaction's connection; nil outside
	limit time.Duration // time limit of a statement; PostgreSQL, outside a transaction

	touched *touched // of the transaction; nil outside
}

// Tx is one function's part of a transaction: it reads and writes.
type Tx struct {
	Q
	held    []lock         // locks that this function holds, in the order of locks
	last    []func() error // run after the function has returned, before COMMIT
	changed string         // the first method that changed state; "": none did
	audited bool           // an audit row was written, or Unaudited was called
	did     *Run           // for Options.Again; nil otherwise
}

// Read returns a Q on the reading pool. On SQLite, a context that can be cancelled costs a goroutine
// per query, so hot paths pass context.Background. On PostgreSQL each statement also has the limit
// readTime, whatever the context.
func (s *Store) Read(ctx context.Context) *Q { return &Q{s: s, ctx: ctx, limit: readTime} }

// Patient returns a copy of q whose statements may take as long as the database server allows. It is
// for reports; nothing that a client waits for uses it.
func (q *Q) Patient() *Q {
	p := *q
	p.limit = patientTime
	return &p
}

// rows runs a query. end must be called with the outcome after the rows were read.
func (q *Q) rows(query string, args ...any) (rows *sql.Rows, end func(error), err error) {
	end = func(error) {}
	if err := q.s.probed(query, false); err != nil {
		return nil, end, err
	}
	args = storable(args)
	switch {
	case q.s.dialect.single:
		var st *prepared
		if st, err = q.stmt(query); err == nil {
			rows, err = st.QueryContext(q.ctx, args...)
		}
	case q.conn != nil:
		rows, err = q.conn.QueryContext(q.ctx, query, args...)
	default:
		var ctx context.Context
		ctx, end = q.s.link.bounded(q.ctx, q.limit)
		rows, err = q.s.read.QueryContext(ctx, query, args...)
	}
	if err == nil {
		if err = q.s.probed(query, true); err != nil {
			_ = rows.Close()
		}
	}
	return rows, end, err
}

// storable makes every string argument valid text. Bytes from clients are escaped where they come in,
// or kept as bytes; this is a last safeguard, so that a forgotten case does not fail a whole
// transaction. Queries and changes convert alike, so a query finds what a change stored.
func storable(args []any) []any {
	for i, a := range args {
		s, ok := a.(string)
		if !ok {
			continue
		}
		if t := valid.Storable(s); t != s {
			args = slices.Clone(args)
			args[i] = t
			return storable(args)
		}
	}
	return args
}

// scanOne runs a query and scans its first row; no row is NotFound.
func (q *Q) scanOne(op, query string, args []any, dest ...any) (err error) {
	rows, end, err := q.rows(query, args...)
	defer func() { end(err) }()
	if err != nil {
		return q.s.wrap(op, err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return q.s.wrap(op, err)
		}
		return q.s.wrap(op, sql.ErrNoRows)
	}
	if err := rows.Scan(dest...); err != nil {
		return q.s.wrap(op, err)
	}
	return q.s.wrap(op, rows.Close())
}

// collect runs a query and reads every row with scan.
func collect[T any](q *Q, op string, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	return collectUntil(q, op, scan, func(T) bool { return false }, query, args...)
}

// collectUntil is collect, and ends after the first row that is enough.
func collectUntil[T any](q *Q, op string, scan func(*sql.Rows) (T, error), enough func(T) bool, query string,
	args ...any) (out []T, err error) {
	rows, end, err := q.rows(query, args...)
	defer func() { end(err) }()
	if err != nil {
		return nil, q.s.wrap(op, err)
	}
	defer rows.Close()
	out = []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, q.s.wrap(op, err)
		}
		if out = append(out, v); enough(v) {
			break
		}
	}
	return out, q.s.wrap(op, rows.Err())
}

// exec runs a statement that changes state and returns how many rows it changed. The transaction's
// function must write an audit row as well (change.go).
func (tx *Tx) exec(op, query string, args ...any) (int64, error) {
	n, err := tx.book(op, query, args...)
	if n > 0 && tx.changed == "" {
		tx.changed = op
	}
	return n, err
}

// book runs a bookkeeping statement, which changes no state: counters, marks, times, leases, queues,
// references. It needs no audit row.
func (tx *Tx) book(op, query string, args ...any) (int64, error) {
	if err := tx.s.probed(query, false); err != nil {
		return 0, tx.s.wrap(op, err)
	}
	if tx.did != nil {
		tx.did.Statements = append(tx.did.Statements, query)
	}
	n, err := tx.execute(query, args...)
	if err == nil {
		err = tx.s.probed(query, true)
	}
	return n, tx.s.wrap(op, err)
}

func (tx *Tx) execute(query string, args ...any) (int64, error) {
	var res sql.Result
	var err error
	args = storable(args)
	if tx.s.dialect.single {
		var st *prepared
		if st, err = tx.stmt(query); err == nil {
			res, err = st.ExecContext(tx.ctx, args...)
		}
	} else {
		res, err = tx.conn.ExecContext(tx.ctx, query, args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// execOne is exec of a statement for one row; no row is NotFound.
func (tx *Tx) execOne(op, query string, args ...any) error {
	n, err := tx.exec(op, query, args...)
	return tx.found(op, n, err)
}

// bookOne is book of a statement for one row; no row is NotFound.
func (tx *Tx) bookOne(op, query string, args ...any) error {
	n, err := tx.book(op, query, args...)
	return tx.found(op, n, err)
}

func (tx *Tx) found(op string, n int64, err error) error {
	if err == nil && n == 0 {
		err = tx.s.wrap(op, sql.ErrNoRows)
	}
	return err
}

// null turns a zero value into SQL NULL.
func null[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) (err error) {
	if !s.dialect.single {
		var end func(error)
		ctx, end = s.link.bounded(ctx, readTime)
		defer func() { end(err) }()
	}
	return s.wrap("Ping", s.read.PingContext(ctx))
}
