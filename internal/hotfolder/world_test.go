package hotfolder_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/hotfolder"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	settle = 10 * time.Second
	keep   = 7 * 24 * time.Hour
)

var ctx = context.Background()

// world is a folder with a real feed service.
type world struct {
	*testkit.World
	feeds   *feed.Service
	service *hotfolder.Service
	blobs   *blobs
	dir     string
	floor   int64 // bytes that must stay free
	told    []string
}

// blobs is a real blob store that calls a function of the test before each file is read.
type blobs struct {
	blob.Store
	reading func()
}

func (b *blobs) Free() (int64, error) {
	if b.reading != nil {
		b.reading()
	}
	return 1 << 40, nil
}

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// begin starts a story with an empty world: the feed data, which acme and beta have.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	w.Set(time.Now()) // the times of processed files are system times
	w.dir, w.floor, w.told = filepath.Join(t.TempDir(), "publish"), 0, nil
	w.OpenBlobs()
	w.blobs = &blobs{Store: w.Blobs}
	w.open()
	_, err := w.feeds.AddFeed(ctx, "test", model.NewFeed{Name: "data", Kind: "data", Types: []string{"csv", "pdf"}})
	testkit.Must(t, err)
	w.Customers("acme", "beta")
	for _, name := range []string{"acme", "beta"} {
		_, err = w.feeds.Subscribe(ctx, "test", "data", model.NewSubscription{User: name})
		testkit.Must(t, err)
	}
	return w
}

// open creates the services on the existing state, as a process does at its start.
func (w *world) open() {
	w.Helper()
	w.feeds = feed.New(feed.Options{Store: w.Store, Blobs: w.blobs, Clock: w.Clock, IDs: w.IDs, Key: w.Key,
		Bounds: feed.Bounds{MaxFile: 1 << 20, FreeFloor: w.floor}})
	var err error
	w.service, err = hotfolder.New(hotfolder.Options{Dir: w.dir, Feeds: w.feeds, Clock: w.Clock,
		Log: slog.New(slog.DiscardHandler), Every: time.Second, Settle: settle, Keep: keep,
		Names: exchange.NameRules{Temporary: []string{"*.part"}, Ignored: []string{"Thumbs.db", "~$*"}},
		Tell:  func(_ context.Context, path, why string) error { w.told = append(w.told, path+": "+why); return nil }})
	w.Must(err)
}

type stories = testkit.Stories[*world]

func TestHotFolder(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, newWorld(t, url), (*world).begin, pickStories, refuseStories, stopStories, kernelStories)
	})
}

func (w *world) path(p string) string { return filepath.Join(w.dir, p) }

// put writes and closes a file.
func (w *world) put(p, text string) {
	w.Helper()
	w.Must(os.MkdirAll(filepath.Dir(w.path(p)), 0o750))
	w.Must(os.WriteFile(w.path(p), []byte(text), 0o640))
}

func (w *world) look() {
	w.Helper()
	w.Must(w.service.Look(ctx))
}

// settled looks, and looks again when unchanged files are ready.
func (w *world) settled() {
	w.Helper()
	w.look()
	w.Pass(settle)
	w.look()
}

// want fails unless a file has this text.
func (w *world) want(p, text string) {
	w.Helper()
	b, err := os.ReadFile(w.path(p))
	if err != nil || string(b) != text {
		w.Fatalf("%s is %q, %v; want %q. There is:\n%s", p, b, err, text, w.listing())
	}
}

// wantIn fails unless a file contains these words.
func (w *world) wantIn(p, words string) {
	w.Helper()
	b, err := os.ReadFile(w.path(p))
	if err != nil || !strings.Contains(string(b), words) {
		w.Fatalf("%s is %q, %v; want %q in it. There is:\n%s", p, b, err, words, w.listing())
	}
}

func (w *world) wantNone(p string) {
	w.Helper()
	if _, err := os.Lstat(w.path(p)); !errors.Is(err, fs.ErrNotExist) {
		w.Fatalf("%s is there (%v):\n%s", p, err, w.listing())
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

// published lists what users have, as "user name issue", oldest first.
func (w *world) published() (out []string) {
	w.Helper()
	list, err := w.feeds.Deliveries(ctx, model.DeliveryFilter{Paging: model.Paging{Limit: 1000}})
	w.Must(err)
	for _, d := range list {
		out = append(out, d.User+" "+d.Name+" "+string('0'+rune(d.Issue)))
	}
	return out
}

func (w *world) wantPublished(want ...string) {
	w.Helper()
	if got := w.published(); strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.Fatalf("published is %q, want %q. There is:\n%s", got, want, w.listing())
	}
}
