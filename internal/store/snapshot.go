package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// A snapshot is a SQLite file with every row of a database as it was at one moment, whichever of the two databases it
// was. So a backup of either restores into either.

// Snapshot copies the database into a new SQLite file. Writers go on meanwhile.
func (s *Store) Snapshot(ctx context.Context, file string) error {
	do := func() error { return vacuumInto(ctx, s.read, file) }
	if !s.dialect.single {
		do = func() error { return s.copyOut(ctx, file) }
	}
	return s.make("Snapshot", file, do)
}

// CopyFile copies the SQLite database of a data folder, of any release, into a new file.
func CopyFile(ctx context.Context, dir, file string) error {
	s := newStore()
	s.dialect = sqliteDialect
	db, err := openSQLite(sqliteFile(dir), 1)
	if err != nil {
		return s.wrap("CopyFile", err)
	}
	defer db.Close()
	return s.make("CopyFile", file, func() error { return vacuumInto(ctx, db, file) })
}

func vacuumInto(ctx context.Context, db *sql.DB, file string) error {
	_, err := db.ExecContext(ctx, `VACUUM INTO ?`, file)
	return err
}

// make makes a new file durable, or removes it if that failed. It fails as Exists if there is one.
func (s *Store) make(op, file string, do func() error) error {
	if _, err := os.Stat(file); err == nil {
		return fault.Wrap("store."+op, fault.Exists, os.ErrExist)
	}
	err := do()
	if err == nil {
		err = syncPrivate(file)
	}
	if err != nil {
		_ = os.Remove(file) // it may not exist
	}
	return s.wrap(op, err)
}

func syncPrivate(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Sync(), f.Close())
}

// notCopied are tables whose rows belong to a running server: the lease, and jobs, which are made anew from messages.
func notCopied(table string) bool {
	return table == "lease" || strings.HasPrefix(table, "goose_") || strings.HasPrefix(table, "river_") ||
		strings.HasPrefix(table, "sqlite_")
}

// column is a column of a table.
type column struct {
	name     string
	required bool // NOT NULL
}

// listed returns the names of columns, for a statement.
func listed(columns []column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// tablesOf lists the tables of a SQLite file that a copy has, with their columns.
func tablesOf(ctx context.Context, db *sql.DB) (names []string, columns map[string][]column, err error) {
	rows, err := db.QueryContext(ctx, `SELECT t.name, c.name, c."notnull"
		FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY t.name, c.cid`)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	columns = map[string][]column{}
	for rows.Next() {
		var table string
		var c column
		if err := rows.Scan(&table, &c.name, &c.required); err != nil {
			return nil, nil, err
		}
		if notCopied(table) {
			continue
		}
		if len(columns[table]) == 0 {
			names = append(names, table)
		}
		columns[table] = append(columns[table], c)
	}
	return names, columns, rows.Err()
}

// openUnsafe opens a SQLite file that only this process uses, without the cost of durability.
func openUnsafe(file string) (*sql.DB, error) {
	q := url.Values{"_pragma": {"journal_mode(DELETE)", "synchronous(OFF)", "foreign_keys(0)", "cache_size(-32768)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, db.Ping()
}

// copyOut copies a PostgreSQL database into a SQLite file, in one transaction that sees one moment.
func (s *Store) copyOut(ctx context.Context, file string) error {
	to, err := openUnsafe(file)
	if err != nil {
		return err
	}
	defer to.Close()
	if err := migrate(ctx, to, sqliteDialect); err != nil {
		return err
	}
	tables, columns, err := tablesOf(ctx, to)
	if err != nil {
		return err
	}
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	from, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = from.Rollback() }() // it only read
	if _, err := from.ExecContext(ctx, unlimited); err != nil {
		return err
	}
	out, err := to.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = out.Rollback() }() // after Commit it does nothing
	for _, t := range tables {
		if err := copyTable(ctx, from, out, t, columns[t]); err != nil {
			return fmt.Errorf("table %s: %w", t, err)
		}
	}
	return errors.Join(out.Commit(), to.Close())
}

// unlimited lets one long transaction take its time.
const unlimited = `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`

// copyTable copies a table's rows, in place of those that migrations wrote.
func copyTable(ctx context.Context, from, to *sql.Tx, table string, columns []column) error {
	if _, err := to.ExecContext(ctx, "DELETE FROM "+table); err != nil {
		return err
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	list := listed(columns)
	insert, err := to.PrepareContext(ctx, "INSERT INTO "+table+" ("+list+") VALUES ("+marks+")")
	if err != nil {
		return err
	}
	defer insert.Close()
	rows, err := from.QueryContext(ctx, "SELECT "+list+" FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		values, err := scanAny(rows, columns)
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanAny reads a row as the driver has it: int64, string, []byte or nil. SQLite's driver reads no bytes as nil; where
// there can be no NULL, they are no bytes again.
func scanAny(rows *sql.Rows, columns []column) ([]any, error) {
	values, at := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		at[i] = &values[i]
	}
	err := rows.Scan(at...)
	for i, c := range columns {
		if b, bytes := values[i].([]byte); c.required && (values[i] == nil || bytes && b == nil) {
			values[i] = []byte{}
		}
	}
	return values, err
}

// Snapshot is an opened snapshot.
type Snapshot struct {
	db *sql.DB
	s  *Store
}

// OpenSnapshot opens a snapshot for reading. It fails as Conflict if it is of a newer release, and as Invalid if it is
// damaged.
func OpenSnapshot(ctx context.Context, file string) (*Snapshot, error) {
	const op = "store.OpenSnapshot"
	if _, err := os.Stat(file); err != nil {
		return nil, fault.Wrap(op, fault.NotFound, err)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?mode=ro&immutable=1")
	if err != nil {
		return nil, fault.Wrap(op, fault.Invalid, err)
	}
	db.SetMaxOpenConns(1)
	s := newStore()
	s.dialect, s.read = sqliteDialect, db
	have, err := notNewer(ctx, db, sqliteDialect)
	if err == nil && have == 0 {
		err = errors.New("it has no schema")
	}
	if err != nil {
		_ = db.Close()
		if fault.Is(err, fault.Conflict) {
			return nil, err
		}
		return nil, fault.E(op, fault.Invalid, "The snapshot of the database is damaged: %v.", err)
	}
	return &Snapshot{db, s}, nil
}

// Close closes it.
func (n *Snapshot) Close() error { return n.db.Close() }

// Check reads the whole file, and says what is wrong with it; "" if nothing is.
func (n *Snapshot) Check(ctx context.Context) (says string, err error) {
	err = n.db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&says)
	if says == "ok" {
		says = ""
	}
	return says, err
}

// Schema returns the number of its newest migration.
func (n *Snapshot) Schema(ctx context.Context) (int64, error) {
	return schemaOf(ctx, n.db, sqliteDialect)
}

// LiveBlobs lists up to limit blobs that something refers to, with ids after one, in their order.
func (n *Snapshot) LiveBlobs(ctx context.Context, after string, limit int) ([]Blob, error) {
	return n.s.Read(ctx).LiveBlobs(after, limit)
}

// Body returns the bytes of a blob that the database has.
func (n *Snapshot) Body(ctx context.Context, id string) ([]byte, error) {
	return n.s.Read(ctx).Body(id)
}

// LiveBlob finds one.
func (n *Snapshot) LiveBlob(ctx context.Context, id string) (b Blob, err error) {
	b.ID = id
	err = n.s.Read(ctx).scanOne("LiveBlob", `SELECT key, size, sha256 FROM blobs WHERE id = $1 AND state = 'live'`,
		[]any{id}, &b.Key, &b.Size, &b.SHA256)
	return b, err
}

// CountLive returns the number of blobs that something refers to, and their bytes.
func (n *Snapshot) CountLive(ctx context.Context) (count, bytes int64, err error) {
	return n.s.Read(ctx).CountLive()
}

// LogSize returns how many rows of the audit log were sealed.
func (n *Snapshot) LogSize(ctx context.Context) (rows int64, err error) {
	return n.s.Read(ctx).Counter("audit.sealed")
}

// LastRow returns the time of the newest audit row; the Unix epoch if there is none.
func (n *Snapshot) LastRow(ctx context.Context) (at time.Time, err error) {
	err = n.s.Read(ctx).scanOne("LastRow", `SELECT COALESCE(MAX(at), 0) FROM audit`, nil, stamp{&at})
	return at, err
}

// filledByMigrations reports whether a new database has rows in a table.
func filledByMigrations(table string) bool {
	return slices.Contains([]string{"counters", "lease"}, table)
}
