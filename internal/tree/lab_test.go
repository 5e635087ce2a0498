package tree_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// opHook stands for the hooks, the functions of other services that a transaction calls.
const opHook blobtest.Op = "hook"

// hit is an injected fault that happened.
type hit struct {
	op   blobtest.Op
	late bool
}

// lab is one user's tree with injected disk and transaction faults, a clock that only the
// test moves, and simulated process crashes.
type lab struct {
	t    *testing.T
	url  string // of the database; "" is SQLite
	dir  string
	root string  // blob directory of the current check
	db   *sql.DB // for direct queries
	user model.User
	dirs map[string]string // id of a directory → its path at first

	// The current process.
	store *store.Store
	small *small.Store
	blobs *blobtest.Faulty // over small
	desk  *deposit.Desk
	tree  *tree.Tree

	checks int
	begun  time.Time
	passed time.Duration
	ages   map[string]time.Duration // blob key → passed when its file was first seen

	mu        sync.Mutex
	quiet     bool // no faults are injected
	armed     map[blobtest.Op]blobtest.Fault
	refusal   error // the error of the next hook
	hits      []hit
	undead    []string // stages that could not be discarded
	unsettled bool     // a stage could not be settled
}

func newLab(t *testing.T, url string) *lab {
	t.Helper()
	if url != "" {
		url += "?connect_timeout=60" // the test reconnects often, and a busy machine's database may be slow to answer
	}
	l := &lab{t: t, url: url, dir: t.TempDir(), begun: time.Now(), armed: map[blobtest.Op]blobtest.Fault{}}
	driver, source := "sqlite", "file:"+filepath.Join(l.dir, "sallyport.db")+"?_pragma=busy_timeout(5000)"
	if url != "" {
		driver, source = "pgx", url
	}
	var err error
	l.db, err = sql.Open(driver, source)
	must(t, err)
	l.openStore()
	all, look := exchange.AllRights, exchange.Read|exchange.List
	accounts := account.New(l.store, l.clock, exchange.NewIDs(l.clock, rand.Reader),
		account.Policy{MaxKeys: 5, Templates: map[model.UserKind]account.Template{
			model.KindCustomer: {StartDir: "/", Root: look, Dirs: []account.TemplateDir{
				{Path: "/upload", Rights: all}, {Path: "/stage", Rights: all, Staging: true}}}}})
	ctx := context.Background()
	_, err = accounts.AddAccount(ctx, "test", model.NewAccount{ID: "acme", Name: "acme"})
	must(t, err)
	_, err = accounts.AddUser(ctx, "test", model.NewUser{Account: "acme"})
	must(t, err)
	l.user, err = accounts.User(ctx, "acme")
	must(t, err)
	must(t, l.store.Close())
	t.Cleanup(func() { must(t, l.db.Close()) })
	return l
}

func (l *lab) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun.Add(l.passed)
}

func (l *lab) openStore() {
	l.t.Helper()
	s, err := store.Open(context.Background(), store.Options{Dir: l.dir, URL: l.url})
	must(l.t, err)
	l.store = s
}

// begin empties the mailbox and starts a new process.
func (l *lab) begin() {
	l.t.Helper()
	l.checks++
	l.root = filepath.Join(l.dir, fmt.Sprintf("blobs-%d", l.checks))
	l.ages = map[string]time.Duration{}
	for _, query := range []string{"DELETE FROM drops", "DELETE FROM files", "DELETE FROM versions", "DELETE FROM blobs",
		"DELETE FROM bodies",
		"DELETE FROM outbox", "DELETE FROM dirs WHERE fixed = 0",
		"UPDATE mailboxes SET used_bytes = 0, used_files = 0, kept_bytes = 0, kept_contents = 0, dirs = 0"} {
		_, err := l.db.Exec(query)
		must(l.t, err)
	}
	l.reset()
	must(l.t, l.start())
	s := l.login("")
	must(l.t, s.Mkdir("/upload/d"))
	s.End()
	l.dirs = map[string]string{}
	for _, dir := range []string{"/upload", "/upload/d", "/stage"} {
		found, err := l.store.Read(context.Background()).Walk(l.user.ID, store.SplitPath(dir))
		must(l.t, err)
		l.dirs[found[len(found)-1].ID] = dir
	}
}

// reset clears all planned and recorded faults.
func (l *lab) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed, l.refusal, l.hits, l.undead, l.unsettled = map[blobtest.Op]blobtest.Fault{}, nil, nil, nil, false
}

// start starts a process on the existing files and rows.
func (l *lab) start() error {
	l.t.Helper()
	l.openStore()
	d, err := disk.Open(l.root, l.clock)
	must(l.t, err)
	bound := []int64{0, 10, 32 << 10}[l.checks%3] // every third check has no small files, and one few that are not
	l.small = small.New(small.Options{Large: d, Rows: l.store, Clock: l.clock, Log: slog.New(slog.DiscardHandler),
		Policy: small.Policy{Bound: bound, Memory: 1 << 20, Stay: time.Millisecond}})
	l.blobs = blobtest.NewFaulty(l.small, l.plan)
	log, ids := slog.New(slog.DiscardHandler), exchange.NewIDs(l.clock, rand.Reader)
	l.desk = deposit.New(l.store, log)
	box := inbox.New(inbox.Options{Store: l.store, Blobs: l.blobs, Clock: l.clock, IDs: ids})
	l.tree, err = tree.New(tree.Options{Store: l.store, Blobs: l.blobs, Desk: l.desk, Clock: l.clock, IDs: ids, Log: log,
		Policy: tree.Policy{MaxFile: 1 << 40, Limits: exchange.DefaultLimits{QuotaBytes: 1 << 40, QuotaFiles: 1 << 20},
			MaxCopy: 1 << 20, KeepPartial: 7 * 24 * time.Hour, ReadMemory: 1 << 20},
		Hooks: tree.Hooks{
			OnGone: func(tx *store.Tx, version string, replaced bool) (bool, error) {
				if err := l.refused(); err != nil {
					return false, err
				}
				return box.Gone(tx, version, replaced)
			},
			OnCommit: func(tx *store.Tx, list []exchange.Arrival) error {
				if err := l.refused(); err != nil {
					return err
				}
				return box.Arrived(tx, list)
			},
			OnRename: func(tx *store.Tx, first bool, a exchange.Arrival) error {
				if err := l.refused(); err != nil {
					return err
				}
				return box.Renamed(tx, first, a)
			},
			Final: notPart}})
	if err != nil {
		l.desk.Close()
		return errors.Join(err, l.store.Close())
	}
	l.tree.StopJanitor()
	return nil
}

// login begins a session of the operator, or of the user if operator is "".
func (l *lab) login(operator string) *tree.Session { return l.loginWaiting(operator, nil) }

func (l *lab) loginWaiting(operator string, beforeWait func()) *tree.Session {
	l.t.Helper()
	n, err := l.store.Read(context.Background()).RevocationNumber()
	must(l.t, err)
	return l.tree.Begin(exchange.Login{User: l.user, Fingerprint: "SHA256:test", Revocation: n, Operator: operator},
		beforeWait)
}

// plan returns the armed fault of an operation, if any, and disarms it.
func (l *lab) plan(op blobtest.Op, id string) blobtest.Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.armed[op]
	if !ok || l.quiet {
		return blobtest.Fault{}
	}
	delete(l.armed, op)
	if f.Fail || f.Late {
		l.hits = append(l.hits, hit{op, f.Late})
		switch {
		case op == blobtest.OpDiscard && !f.Late:
			l.undead = append(l.undead, id)
		case op == blobtest.OpSettle && !f.Late:
			l.unsettled = true
		}
	}
	return f
}

// refuse makes the next transaction that calls a hook fail.
func (l *lab) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal = err
}

func (l *lab) refused() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet {
		return nil
	}
	err := l.refusal
	if l.refusal = nil; err != nil {
		l.hits = append(l.hits, hit{op: opHook})
	}
	return err
}

func (l *lab) arm(op blobtest.Op, f blobtest.Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed[op] = f
}

func (l *lab) disarm(op blobtest.Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.armed, op)
}

// met returns the faults that happened since the last call.
func (l *lab) met() []hit {
	l.tree.WaitForSyncs()
	l.mu.Lock()
	defer l.mu.Unlock()
	hits := l.hits
	l.hits = nil
	return hits
}

// looking runs fn without injected faults.
func (l *lab) looking(fn func()) {
	l.mu.Lock()
	l.quiet = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.quiet = false
		l.mu.Unlock()
	}()
	fn()
}

// die simulates kill -9: the process changes no more files and rows.
func (l *lab) die() {
	l.blobs.Kill()
	_ = l.store.Close() // a transaction under way is completed first
}

// bury cleans up after a dead process. Its sessions must have ended.
func (l *lab) bury() {
	l.desk.Close()
	l.tree.Close()
	for _, id := range l.undead { // as an operator would by hand
		_ = os.Remove(filepath.Join(l.root, "staging", id))
	}
	l.reset()
}

// pass advances the clock.
func (l *lab) pass(d time.Duration) {
	if d >= time.Hour {
		for _, key := range l.keys() {
			if _, seen := l.ages[key]; !seen {
				l.ages[key] = l.passed
			}
		}
	}
	l.mu.Lock()
	l.passed += d
	l.mu.Unlock()
}

// stored reads a blob from where it is, without the product.
func (l *lab) stored(key string) (b []byte, isFile bool, err error) {
	b, err = os.ReadFile(filepath.Join(l.root, key))
	if !errors.Is(err, fs.ErrNotExist) {
		return b, true, err
	}
	err = l.db.QueryRow(`SELECT o.bytes FROM blobs b JOIN bodies o ON o.id = b.body WHERE b.key = $1`, key).Scan(&b)
	return b, false, err
}

// keys lists the keys of the stored blobs' files.
func (l *lab) keys() (keys []string) {
	must(l.t, filepath.WalkDir(l.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if err == nil && e.Name() == "staging" {
				return fs.SkipDir
			}
			return err
		}
		key, err := filepath.Rel(l.root, path)
		keys = append(keys, key)
		return err
	}))
	return keys
}

// aged is a blob store that reports the age of files by the lab's clock.
type aged struct {
	blob.Store
	l *lab
}

func (a aged) Walk(fn func(key string, size int64, modified time.Time) error) error {
	return a.Store.Walk(func(key string, size int64, _ time.Time) error {
		at, seen := a.l.ages[key]
		if !seen {
			at = a.l.passed
		}
		return fn(key, size, a.l.begun.Add(at))
	})
}

func (l *lab) sweep() error {
	s := retention.NewSweeper(l.store, aged{l.blobs, l}, l.clock, slog.New(slog.DiscardHandler))
	_, err := s.Sweep(context.Background())
	return err
}
