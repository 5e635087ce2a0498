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

// OpenStore opens a store for one test: on SQLite or, if url is not "", on PostgreSQL. The *sql.DB
// gives direct access to its tables.
func OpenStore(t testing.TB, url string) (*store.Store, *sql.DB) {
	t.Helper()
	return openIn(t, t.TempDir(), url, nil)
}

// openIn is OpenStore with a folder for SQLite's database, and with a probe of the store's
// statements.
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

// OnBoth runs a test twice, in parallel: on SQLite, where url is "", and on a PostgreSQL database
// of its own.
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

// Write is store.Write without an audit row, for data that a test needs.
func Write(ctx context.Context, s *store.Store, fn func(tx *store.Tx) error) error {
	return s.Write(ctx, func(tx *store.Tx) error {
		tx.Unaudited("a test makes what it looks at")
		return fn(tx)
	})
}

// SigningKey makes a key that signs receipts, reports and checkpoints.
func SigningKey(t testing.TB) *proof.Key {
	t.Helper()
	private, public, err := proof.NewKey(rand.Reader, "files.example.com")
	Must(t, err)
	key, err := proof.ReadKey(private, public)
	Must(t, err)
	return key
}

// Must fails the test on an error, with its hint.
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
