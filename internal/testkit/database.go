package testkit

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// OpenStore opens a store of a test's own, on SQLite or, with a url, on
// PostgreSQL, and beside it the database, for a look at the tables themselves.
func OpenStore(t testing.TB, url string) (*store.Store, *sql.DB) {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(context.Background(), store.Options{Dir: dir, URL: url})
	Must(t, err)
	driver, source := "sqlite", "file:"+filepath.Join(dir, "sallyport.db")+"?_pragma=busy_timeout(5000)"
	if url != "" {
		driver, source = "pgx", url
	}
	db, err := sql.Open(driver, source)
	Must(t, err)
	t.Cleanup(func() {
		Must(t, db.Close())
		Must(t, s.Close())
	})
	return s, db
}

// Must fails the test on an error, with the hint for operators.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v (hint: %s)", err, exchange.HintIn(err))
	}
}

// WantKind fails unless err is of a kind.
func WantKind(t testing.TB, err error, kind exchange.Kind) {
	t.Helper()
	if !exchange.Is(err, kind) {
		t.Fatalf("the error is %v, want %v", err, kind)
	}
}
