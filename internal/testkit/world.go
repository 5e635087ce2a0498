package testkit

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Day is one of 24 hours.
const Day = 24 * time.Hour

// World is what the tests of a service stand on: a real database, a clock that
// they move, ids, and accounts. A package's own world embeds it and adds the
// service. It is a testing.TB: that of the story that is told.
type World struct {
	testing.TB
	Dir      string // of the database, if it is SQLite's
	Root     string // of the story's blobs
	Store    *store.Store
	Asked    Statements // the store's
	DB       *sql.DB    // a look at the tables themselves
	IDs      *exchange.IDs
	Key      *proof.Key // that signs receipts, reports and checkpoints
	Policy   account.Policy
	Accounts *account.Service
	Blobs    *disk.Store // nil until OpenBlobs

	micros atomic.Int64
}

// NewWorld opens a database for many stories, or for one. url "" is SQLite.
func NewWorld(t testing.TB, url string) *World {
	t.Helper()
	w := &World{TB: t, Dir: t.TempDir(), Root: t.TempDir(), Key: SigningKey(t)}
	w.Store, w.DB = openIn(t, w.Dir, url, w.Asked.Probe)
	w.Set(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
	w.IDs = exchange.NewIDs(w.Clock, rand.Reader)
	w.Policy = accountPolicy()
	w.OpenAccounts()
	return w
}

// Begin gives a story a world in which nothing has happened yet: on Monday, 5
// January 2026, 9:00 UTC, without a row.
func (w *World) Begin(t testing.TB) {
	t.Helper()
	w.TB, w.Root, w.Blobs = t, t.TempDir(), nil
	w.Empty()
	w.Set(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
	w.IDs = exchange.NewIDs(w.Clock, rand.Reader)
	w.Policy = accountPolicy()
	w.OpenAccounts()
}

// Stories are tests by what they say. W is a package's world.
type Stories[W any] map[string]func(t *testing.T, w W)

// Tell runs stories, each in the world that begin makes a fresh one.
func Tell[W any](t *testing.T, w W, begin func(w W, t testing.TB) W, parts ...Stories[W]) {
	for _, part := range parts {
		for name, story := range part {
			t.Run(name, func(t *testing.T) { story(t, begin(w, t)) })
		}
	}
}

// Clock tells the world's time, which stands still until it is moved.
func (w *World) Clock() time.Time { return time.UnixMicro(w.micros.Load()).UTC() }

// Pass moves the clock on.
func (w *World) Pass(d time.Duration) { w.micros.Add(d.Microseconds()) }

// Set sets the clock.
func (w *World) Set(at time.Time) { w.micros.Store(at.UnixMicro()) }

// Empty deletes all rows but those that a new database has.
func (w *World) Empty() {
	w.Helper()
	tables := w.filled()
	tx, err := w.DB.Begin()
	w.Must(err)
	run := func(statement string) {
		_, err := tx.Exec(statement)
		w.Must(err)
	}
	if !w.Store.Single() { // rows refer to each other, which SQLite's second connection does not look at
		run("SET LOCAL session_replication_role = replica")
	}
	for _, table := range tables {
		if table == "counters" {
			run("UPDATE counters SET value = 0")
			continue
		}
		run("DELETE FROM " + table)
	}
	w.Must(tx.Commit())
}

// filled are the tables of the schema that have rows.
func (w *World) filled() []string {
	w.Helper()
	list := `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
	if w.Store.Single() {
		list = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	}
	var asks []string
	for _, table := range w.Texts(list) {
		if table == "lease" || strings.HasPrefix(table, "goose_") || strings.HasPrefix(table, "river_") {
			continue // these are not what a story leaves
		}
		asks = append(asks, fmt.Sprintf("SELECT '%s' WHERE EXISTS (SELECT 1 FROM %s)", table, table))
	}
	return w.Texts(strings.Join(asks, " UNION ALL "))
}
