package hotfolder_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/hotfolder"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	settle = 10 * time.Second
	keep   = 7 * 24 * time.Hour
)

var ctx = context.Background()

// world is a folder beside a real feeds' service, with a clock that moves by pass.
type world struct {
	t       testing.TB
	store   *store.Store
	asked   testkit.Statements
	db      *sql.DB // a look at the tables themselves
	feeds   *feed.Service
	service *hotfolder.Service
	blobs   *blobs
	ids     *exchange.IDs
	key     *proof.Key
	dir     string
	kept    string // where blobs are
	floor   int64  // bytes that must stay free
	micros  atomic.Int64
	told    []string
}

// blobs are real ones; before each file is read, a test may act.
type blobs struct {
	*disk.Store
	reading func()
}

func (b *blobs) Free() (int64, error) {
	if b.reading != nil {
		b.reading()
	}
	return 1 << 40, nil
}

func (w *world) clock() time.Time { return exchange.FromMicros(w.micros.Load()) }

func (w *world) pass(d time.Duration) { w.micros.Add(d.Microseconds()) }

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t}
	w.ids = exchange.NewIDs(w.clock, rand.Reader)
	w.store, w.db = testkit.OpenProbed(t, url, w.asked.Probe)
	w.key = testkit.SigningKey(t)
	return w
}

// begin gives a story an empty world: the feed data, which acme and beta have.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.t, w.dir, w.floor, w.told = t, filepath.Join(t.TempDir(), "publish"), 0, nil
	testkit.Empty(t, w.db, "deliveries", "publications", "subscriptions", "feed_sequences", "feeds", "outbox", "audit",
		"files", "versions", "blobs", "dirs", "mailboxes", "users", "accounts")
	w.micros.Store(time.Now().UnixMicro()) // processed files have the disk's times
	w.kept = t.TempDir()
	d, err := disk.Open(w.kept, w.clock)
	testkit.Must(t, err)
	w.blobs = &blobs{Store: d}
	w.open()
	_, err = w.feeds.AddFeed(ctx, "test", model.NewFeed{Name: "data", Kind: "data", Types: []string{"csv", "pdf"}})
	testkit.Must(t, err)
	accounts := account.New(w.store, w.clock, w.ids,
		account.Policy{Templates: map[string]account.Template{model.KindCustomer: {StartDir: "/"}}})
	testkit.Customers(t, accounts, "acme", "beta")
	for _, name := range []string{"acme", "beta"} {
		_, err = w.feeds.Subscribe(ctx, "test", "data", model.NewSubscription{User: name})
		testkit.Must(t, err)
	}
	return w
}

// open makes the services on what is there, as a process would at its start.
func (w *world) open() {
	w.t.Helper()
	w.feeds = feed.New(feed.Options{Store: w.store, Blobs: w.blobs, Clock: w.clock, IDs: w.ids, Key: w.key,
		MaxFile: 1 << 20, FreeFloor: w.floor})
	var err error
	w.service, err = hotfolder.New(hotfolder.Options{Dir: w.dir, Feeds: w.feeds, Clock: w.clock,
		Log: slog.New(slog.DiscardHandler), Every: time.Second, Settle: settle, Keep: keep,
		Names: exchange.NameRules{Temporary: []string{"*.part"}, Ignored: []string{"Thumbs.db", "~$*"}},
		Tell:  func(_ context.Context, path, why string) error { w.told = append(w.told, path+": "+why); return nil }})
	testkit.Must(w.t, err)
}

type stories map[string]func(*testing.T, *world)

func TestHotFolder(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		for _, part := range []stories{pickStories, refuseStories, stopStories, kernelStories} {
			for name, story := range part {
				t.Run(name, func(t *testing.T) { story(t, w.begin(t)) })
			}
		}
	})
}

func (w *world) path(p string) string { return filepath.Join(w.dir, p) }

// put writes a file, as a program would at once.
func (w *world) put(p, text string) {
	w.t.Helper()
	testkit.Must(w.t, os.MkdirAll(filepath.Dir(w.path(p)), 0o750))
	testkit.Must(w.t, os.WriteFile(w.path(p), []byte(text), 0o640))
}

func (w *world) look() {
	w.t.Helper()
	testkit.Must(w.t, w.service.Look(ctx))
}

// settled looks, and looks again when what it saw has stood still.
func (w *world) settled() {
	w.t.Helper()
	w.look()
	w.pass(settle)
	w.look()
}

// want fails unless a file has this text.
func (w *world) want(p, text string) {
	w.t.Helper()
	b, err := os.ReadFile(w.path(p))
	if err != nil || string(b) != text {
		w.t.Fatalf("%s is %q, %v; want %q. There is:\n%s", p, b, err, text, w.listing())
	}
}

// wantIn fails unless a file has these words.
func (w *world) wantIn(p, words string) {
	w.t.Helper()
	b, err := os.ReadFile(w.path(p))
	if err != nil || !strings.Contains(string(b), words) {
		w.t.Fatalf("%s is %q, %v; want %q in it. There is:\n%s", p, b, err, words, w.listing())
	}
}

func (w *world) wantNone(p string) {
	w.t.Helper()
	if _, err := os.Lstat(w.path(p)); !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatalf("%s is there (%v):\n%s", p, err, w.listing())
	}
}

func (w *world) listing() string {
	var b strings.Builder
	_ = filepath.WalkDir(w.dir, func(p string, _ fs.DirEntry, _ error) error {
		b.WriteString(p + "\n")
		return nil
	})
	return b.String()
}

// published lists what users have, as "user name issue", the oldest first.
func (w *world) published() (out []string) {
	w.t.Helper()
	list, err := w.feeds.Deliveries(ctx, model.DeliveryFilter{Paging: model.Paging{Limit: 1000}})
	testkit.Must(w.t, err)
	for _, d := range list {
		out = append(out, d.User+" "+d.Name+" "+string('0'+rune(d.Issue)))
	}
	return out
}

func (w *world) wantPublished(want ...string) {
	w.t.Helper()
	if got := w.published(); strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.t.Fatalf("published is %q, want %q. There is:\n%s", got, want, w.listing())
	}
}
