package testkit

import (
	"context"
	"crypto/rand"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// OpenStore opens a store of a test's own, on SQLite or, with a url, on
// PostgreSQL, and beside it the database, for a look at the tables themselves.
func OpenStore(t testing.TB, url string) (*store.Store, *sql.DB) {
	t.Helper()
	return openIn(t, t.TempDir(), url, nil)
}

// openIn is OpenStore for a folder, where SQLite's database is, with a probe of the
// store's statements.
func openIn(t testing.TB, dir, url string, probe func(statement string, ran bool) error) (*store.Store, *sql.DB) {
	t.Helper()
	if url == "" {
		EmptyDatabase(t, dir)
	}
	s, err := store.Open(context.Background(), store.Options{Dir: dir, URL: url, Probe: probe, Again: again()})
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

// OnBoth runs a test beside itself on SQLite, for which url is "", and on a
// PostgreSQL database of its own.
func OnBoth(t *testing.T, run func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		run(t, "")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		run(t, Postgres(t).Database(t))
	})
}

// Write is the store's Write without an audit row: tests make what they look at.
func Write(ctx context.Context, s *store.Store, fn func(tx *store.Tx) error) error {
	return s.Write(ctx, func(tx *store.Tx) error {
		tx.Unaudited("a test makes what it looks at")
		return fn(tx)
	})
}

// SigningKey is a deployment's key for receipts, reports and checkpoints.
func SigningKey(t testing.TB) *proof.Key {
	t.Helper()
	private, public, err := proof.NewKey(rand.Reader, "files.example.com")
	Must(t, err)
	key, err := proof.ReadKey(private, public)
	Must(t, err)
	return key
}

// Must fails the test on an error, with the hint for operators.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v (hint: %s)", err, fault.HintIn(err))
	}
}

// WantKind fails unless err is of a kind.
func WantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("the error is %v, want %v", err, kind)
	}
}
