package store

import (
	"database/sql"
	"embed"
	"errors"
	"net/url"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// dialect is what differs between the two databases.
type dialect struct {
	goose     goose.Dialect
	clustered string // suffix that clusters a table by its primary key
	lock      string // suffix that holds a row until the transaction ends
	bytes     string // suffix that makes a parameter bytes where its type cannot be inferred
	likeText  string // whether a text column is like a pattern, in any case of ASCII letters
	likeBytes string // the same of bytes
	single    bool   // one writer at a time: batch in batch.go
	conflict  func(error) bool
	transient func(error) bool
	untext    func(error) bool // whether the database refused a parameter that is not text; nil: it accepts any bytes
}

var sqliteDialect = dialect{
	goose:     goose.DialectSQLite3,
	clustered: "WITHOUT ROWID",
	likeText:  "%s LIKE %s",
	likeBytes: "CAST(%s AS TEXT) LIKE %s",
	single:    true,
	conflict: func(err error) bool {
		var e *sqlite.Error
		return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE ||
			e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
	},
	transient: func(error) bool { return false },
}

var postgresDialect = dialect{
	goose: goose.DialectPostgres,
	// Keys never change, so a held row does not have to block inserts that refer to it.
	lock:      "FOR NO KEY UPDATE",
	bytes:     "::bytea",
	likeText:  "%s ILIKE %s",
	likeBytes: "ENCODE(%s, 'escape') ILIKE %s",
	conflict: func(err error) bool {
		var e *pgconn.PgError
		return errors.As(err, &e) && e.Code == "23505"
	},
	untext: func(err error) bool { // character_not_in_repertoire
		var e *pgconn.PgError
		return errors.As(err, &e) && e.Code == "22021"
	},
	transient: func(err error) bool { // serialization failure, deadlock
		var e *pgconn.PgError
		return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
	},
}

// openSQLite opens one pool on the file. Transactions take the write lock at BEGIN, because upgrading
// a read lock later can fail at once (SQLITE_BUSY).
func openSQLite(file string, conns int) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"temp_store(MEMORY)", "cache_size(-8192)", "wal_autocheckpoint(8192)",
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, db.Ping()
}

// wrap gives a database error its kind: a taken key is Exists, a missing row NotFound, a full disk
// NoSpace. Everything else means that the store is Unavailable, since the statements themselves are
// tested.
func (s *Store) wrap(op string, err error) error {
	var e *fault.Error
	var lite *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return fault.Wrap("store."+op, fault.NotFound, err)
	case s.dialect.untext != nil && s.dialect.untext(err): // NUL or invalid UTF-8: no row can have such a name
		return fault.Wrap("store."+op, fault.NotFound, err)
	case s.dialect.conflict(err):
		return fault.Wrap("store."+op, fault.Exists, err)
	case errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_FULL:
		return fault.Wrap("store."+op, fault.NoSpace, err)
	}
	return fault.Wrap("store."+op, fault.Unavailable, err)
}
