package tree_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// world is a tree over a real database and real files, with an inbox.
type world struct {
	*testkit.World
	inbox   *inbox.Service
	faulty  blob.Store // used in place of Blobs, if a test set it
	tree    *tree.Tree
	policy  tree.Policy
	served  chan exchange.Spans
	arrived func(tx *store.Tx, list []exchange.Arrival) error // used in place of the inbox's, if a test set it
}

// newWorld opens a world on the database at url; "" is SQLite.
func newWorld(t testing.TB, url string) *world {
	t.Helper()
	w := &world{World: testkit.NewWorld(t, url), served: make(chan exchange.Spans, 100),
		policy: tree.Policy{MaxFile: 1 << 40, ReadMemory: 1 << 20,
			Limits:  exchange.DefaultLimits{QuotaBytes: 1 << 40, QuotaFiles: 1 << 20},
			MaxCopy: 1 << 20, KeepPartial: 7 * testkit.Day}}
	w.Set(time.Now()) // partials have the times of the file system
	all, look := exchange.AllRights, exchange.Read|exchange.List
	w.Policy.Templates = map[model.UserKind]account.Template{
		model.KindCustomer: {StartDir: "/", Root: look, Dirs: []account.TemplateDir{
			{Path: "/upload", Rights: all}, {Path: "/download", Rights: look}, {Path: "/stage", Rights: all, Staging: true}}}}
	w.OpenAccounts()
	w.open()
	t.Cleanup(func() { w.tree.Close() })
	return w
}

// open starts a tree on the existing files and rows, as a new process does.
func (w *world) open() {
	w.Helper()
	w.OpenBlobs()
	w.inbox = inbox.New(inbox.Options{Store: w.Store, Blobs: w.Blobs, Clock: w.Clock, IDs: w.IDs})
	var driver blob.Store = w.Blobs
	if w.faulty != nil {
		driver = w.faulty
	}
	var err error
	w.tree, err = tree.New(tree.Options{Store: w.Store, Blobs: driver, Clock: w.Clock, IDs: w.IDs,
		Log: slog.New(slog.DiscardHandler), Policy: w.policy, Hooks: tree.Hooks{OnGone: w.inbox.Gone,
			OnCommit: func(tx *store.Tx, list []exchange.Arrival) error {
				if w.arrived != nil {
					return w.arrived(tx, list)
				}
				return w.inbox.Arrived(tx, list)
			}, OnRename: w.inbox.Renamed, Final: notPart,
			OnServed: func(_ *exchange.Login, _ string, s exchange.Spans) error { w.served <- s; return nil }}})
	w.Must(err)
}

// notPart is the Final hook in these tests: names that end in .part are temporary.
func notPart(_, full string) bool { return !strings.HasSuffix(full, ".part") }

// reopen closes the tree and starts it again, for example with another policy.
func (w *world) reopen() {
	w.Helper()
	w.tree.Close()
	w.open()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// login begins a session. The test must end it.
func (w *world) login(u model.User) *tree.Session {
	w.Helper()
	n, err := w.Store.Read(context.Background()).RevocationNumber()
	w.Must(err)
	return w.tree.Begin(exchange.Login{User: u, Fingerprint: "SHA256:test", Revocation: n}, nil)
}

const (
	create = exchange.FlagWrite | exchange.FlagCreate | exchange.FlagTruncate
	update = exchange.FlagRead | exchange.FlagWrite
)

func open(t testing.TB, s *tree.Session, path string, flags exchange.OpenFlags) *tree.Handle {
	t.Helper()
	h, err := s.Open(path, flags, 0)
	must(t, err)
	return h
}

// wait runs a call that reports its outcome through done, and returns the outcome.
func wait(fn func(done func(error))) error {
	outcome := make(chan error, 1)
	fn(func(err error) { outcome <- err })
	return <-outcome
}

func write(h *tree.Handle, text string, at int64) error {
	return wait(func(done func(error)) { h.WriteAt([]byte(text), at, done) })
}

func closeHandle(h *tree.Handle) error { return wait(h.Close) }

// put stores a file.
func put(t testing.TB, s *tree.Session, path, text string) {
	t.Helper()
	h := open(t, s, path, create)
	must(t, write(h, text, 0))
	must(t, closeHandle(h))
}

// get returns a file's content as a session sees it.
func get(t testing.TB, s *tree.Session, path string) string {
	t.Helper()
	h := open(t, s, path, exchange.FlagRead)
	defer func() { must(t, closeHandle(h)) }()
	must(t, h.Ready())
	var out []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := h.ReadAt(buf, int64(len(out)))
		if errors.Is(err, io.EOF) {
			return string(out)
		}
		must(t, err)
		out = append(out, buf[:n]...)
	}
}

// names returns the names in a directory.
func names(t testing.TB, s *tree.Session, path string) (out []string) {
	t.Helper()
	l, err := s.OpenDir(path)
	must(t, err)
	for {
		page, err := l.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		must(t, err)
		for _, f := range page {
			if f.Name != "." && f.Name != ".." {
				out = append(out, f.Name)
			}
		}
	}
}

// wantKind fails unless err is of a kind.
func wantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("the error is %v, want %v", err, kind)
	}
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// current checks the text, size and recorded hash of the file that a name shows.
func (w *world) current(u model.User, path, text string) {
	w.Helper()
	s := w.login(u)
	defer s.End()
	if got := get(w, s, path); got != text {
		w.Fatalf("%s has %d bytes %.40q, want %d %.40q", path, len(got), got, len(text), text)
	}
	all, err := s.Versions(path, model.Paging{})
	w.Must(err)
	for _, v := range all {
		if v.Current && (v.SHA256 != hash(text) || v.Size != int64(len(text))) {
			w.Fatalf("%s: recorded %d bytes %s, want %d %s", path, v.Size, v.SHA256, len(text), hash(text))
		}
		w.lies(u, v)
	}
}

// lies checks that the file of a version has the size in its row, and is read-only.
func (w *world) lies(u model.User, v model.Version) {
	w.Helper()
	found, err := filepath.Glob(filepath.Join(w.Root, u.ID, "*", "*", v.ID+"*"))
	w.Must(err)
	if v.Size <= testkit.SmallText && len(found) == 0 {
		var n int64
		w.Must(w.DB.QueryRow(`SELECT LENGTH(o.bytes) FROM blobs b JOIN bodies o ON o.id = b.body WHERE b.id = $1`, v.ID).
			Scan(&n))
		if n != v.Size {
			w.Fatalf("version %s has %d bytes in the database, not %d", v.ID, n, v.Size)
		}
		return
	}
	if len(found) != 1 {
		w.Fatalf("version %s lies at %v", v.ID, found)
	}
	info, err := os.Stat(found[0])
	w.Must(err)
	if info.Size() != v.Size || info.Mode().Perm() != 0o400 {
		w.Fatalf("%s has %d bytes and mode %v, its row says %d", found[0], info.Size(), info.Mode(), v.Size)
	}
}

// crash simulates kill -9 and starts a new tree. Written bytes remain, because the kernel
// has them.
func (w *world) crash() {
	w.Helper()
	dead := w.tree
	w.Cleanup(dead.Close)
	w.open()
}

func (w *world) drops() []model.Drop {
	w.Helper()
	d, err := w.inbox.List(context.Background(), model.DropFilter{Paging: model.Paging{Limit: 1000}})
	w.Must(err)
	return d
}

// onBoth runs stories on both databases.
func onBoth(t *testing.T, stories map[string]func(*testing.T, *world)) {
	pg := testkit.Postgres(t)
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			t.Run("sqlite", func(t *testing.T) { story(t, newWorld(t, "")) })
			t.Run("postgres", func(t *testing.T) { story(t, newWorld(t, pg.Database(t))) })
		})
	}
}
