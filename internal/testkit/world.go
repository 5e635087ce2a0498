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
	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// SmallText is the size up to which a World's texts are in the database. Stories write texts of both
// kinds, and files grow and shrink across it.
const SmallText = 8

// Day is 24 hours.
const Day = 24 * time.Hour

// World is the environment of a service's tests: a real database, a clock that tests set, ids, and
// accounts. A package's own world embeds it and adds the service. Its testing.TB is the current
// story's.
type World struct {
	testing.TB
	Dir      string // folder of the database, if it is SQLite
	Root     string // folder of the current story's blobs
	Store    *store.Store
	Asked    Statements // the store's statements
	DB       *sql.DB    // direct access to the tables
	IDs      *exchange.IDs
	Key      *proof.Key // signs receipts, reports and checkpoints
	Policy   account.Policy
	Accounts *account.Service
	Disk     *disk.Store  // nil until OpenBlobs
	Blobs    *small.Store // over Disk: texts of up to SmallText bytes are in the database

	micros atomic.Int64
}

// NewWorld opens a database, for one story or many. url "" means SQLite.
func NewWorld(t testing.TB, url string) *World {
	t.Helper()
	w := &World{TB: t, Dir: t.TempDir(), Root: t.TempDir(), Key: SigningKey(t)}
	w.Store, w.DB = openIn(t, w.Dir, url, w.Asked.Probe)
	w.reset()
	return w
}

// Begin resets the world for a story: the database is empty, and it is Monday, 5 January 2026, 9:00
// UTC.
func (w *World) Begin(t testing.TB) {
	t.Helper()
	w.TB, w.Root, w.Disk, w.Blobs = t, t.TempDir(), nil, nil
	w.Empty()
	w.reset()
}

// reset sets the clock, ids and accounts to what each story begins with.
func (w *World) reset() {
	w.Set(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
	w.IDs = exchange.NewIDs(w.Clock, rand.Reader)
	w.Policy = accountPolicy()
	w.OpenAccounts()
}

// Stories are tests by name. W is a package's world.
type Stories[W any] map[string]func(t *testing.T, w W)

// Tell runs stories as subtests. Before each, begin resets the world.
func Tell[W any](t *testing.T, w W, begin func(w W, t testing.TB) W, parts ...Stories[W]) {
	for _, part := range parts {
		for name, story := range part {
			t.Run(name, func(t *testing.T) { story(t, begin(w, t)) })
		}
	}
}

// Clock returns the world's time, which only Pass and Set change.
func (w *World) Clock() time.Time { return time.UnixMicro(w.micros.Load()).UTC() }

// Pass moves the clock on.
func (w *World) Pass(d time.Duration) { w.micros.Add(d.Microseconds()) }

// Set sets the clock.
func (w *World) Set(at time.Time) { w.micros.Store(at.UnixMicro()) }

// Empty resets the tables to those of a new database.
func (w *World) Empty() {
	w.Helper()
	tables := w.filled()
	tx, err := w.DB.Begin()
	w.Must(err)
	run := func(statement string) {
		_, err := tx.Exec(statement)
		w.Must(err)
	}
	if !w.Store.Single() { // do not check references; SQLite does not check them on this connection
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

// filled returns the tables that have rows, except those that no story writes.
func (w *World) filled() []string {
	w.Helper()
	list := `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
	if w.Store.Single() {
		list = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	}
	var asks []string
	for _, table := range w.Texts(list) {
		if table == "lease" || strings.HasPrefix(table, "goose_") || strings.HasPrefix(table, "river_") {
			continue // not written by stories
		}
		asks = append(asks, fmt.Sprintf("SELECT '%s' WHERE EXISTS (SELECT 1 FROM %s)", table, table))
	}
	return w.Texts(strings.Join(asks, " UNION ALL "))
}
