package feed_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = 24 * time.Hour

var ctx = context.Background()

// world is the feeds' service over a real database and real files, with a clock
// that moves only a microsecond a look, and by pass.
type world struct {
	t        testing.TB
	store    *store.Store
	asked    testkit.Statements
	db       *sql.DB // a look at the tables themselves
	accounts *account.Service
	service  *feed.Service
	blobs    *disk.Store
	desk     *deposit.Desk
	ids      *exchange.IDs
	key      *proof.Key
	dir      string
	maxFile  int64
	types    map[string]feed.Type
	zone     *time.Location
	micros   atomic.Int64
}

func (w *world) clock() time.Time { return exchange.FromMicros(w.micros.Add(1)) }

func (w *world) pass(d time.Duration) { w.micros.Add(d.Microseconds()) }

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t}
	w.ids = exchange.NewIDs(w.clock, rand.Reader)
	w.store, w.db = testkit.OpenProbed(t, url, w.asked.Probe)
	w.accounts = account.New(w.store, w.clock, w.ids, account.Policy{Templates: map[string]account.Template{
		model.KindCustomer: {StartDir: "/", Root: exchange.Read | exchange.List}}})
	w.key = testkit.SigningKey(t)
	return w
}

// begin gives a story an empty world.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.t, w.dir, w.maxFile = t, t.TempDir(), 1<<20
	w.types, w.zone = nil, nil
	testkit.Empty(t, w.db, "deliveries", "publications", "subscriptions", "feed_sequences", "feeds", "drops", "digests",
		"outbox", "audit", "files", "versions", "blobs", "dirs", "mailboxes", "users", "accounts")
	w.micros.Store(time.Date(2026, 10, 31, 9, 0, 0, 0, time.UTC).UnixMicro())
	w.open()
	return w
}

// open makes the service on what is there, as a process would at its start.
func (w *world) open() {
	w.t.Helper()
	var err error
	w.blobs, err = disk.Open(w.dir, w.clock)
	testkit.Must(w.t, err)
	if w.desk != nil {
		w.desk.Close() // the process before looks for nothing any more
	}
	w.desk = deposit.New(w.store, slog.New(slog.DiscardHandler))
	w.service = feed.New(feed.Options{Store: w.store, Blobs: w.blobs, Desk: w.desk, Clock: w.clock, IDs: w.ids, Key: w.key,
		MaxFile: w.maxFile, KeepUploads: 7 * day, Types: w.types, Zone: w.zone})
	testkit.Must(w.t, w.service.Recover(slog.New(slog.DiscardHandler)))
}

type stories map[string]func(*testing.T, *world)

func TestFeeds(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		for _, part := range []stories{feedStories, publishStories, sequenceStories, fanOutStories, deliveryStories,
			shapeStories, heldStories, uploadStories, incomingStories} {
			for name, story := range part {
				t.Run(name, func(t *testing.T) { story(t, w.begin(t)) })
			}
		}
	})
}

// user makes an account with a user of its name; parent may be "".
func (w *world) user(name, parent string) model.User {
	w.t.Helper()
	_, err := w.accounts.AddAccount(ctx, "test", model.NewAccount{ID: name, Name: name, Parent: parent})
	testkit.Must(w.t, err)
	u, err := w.accounts.AddUser(ctx, "test", model.NewUser{Account: name})
	testkit.Must(w.t, err)
	return u
}

// feed makes a feed; change may say more of it.
func (w *world) feed(name string, change ...func(*model.NewFeed)) {
	w.t.Helper()
	f := model.NewFeed{Name: name, Kind: "data"}
	for _, c := range change {
		c(&f)
	}
	_, err := w.service.AddFeed(ctx, "test", f)
	testkit.Must(w.t, err)
}

func (w *world) subscribe(name string, users ...string) {
	w.t.Helper()
	for _, u := range users {
		_, err := w.service.Subscribe(ctx, "test", name, model.NewSubscription{User: u})
		testkit.Must(w.t, err)
	}
}

// to asks to publish text to one account; "all" is every subscriber.
func to(name, account, file, text string) feed.Publication {
	p := feed.Publication{Feed: name, Account: account, Name: file, Body: strings.NewReader(text), Size: -1, Via: "api"}
	if account == "all" {
		p.Account, p.All = "", true
	}
	return p
}

func (w *world) publish(name, account, file, text string) model.Publication {
	w.t.Helper()
	p, err := w.service.Publish(ctx, "test", to(name, account, file, text))
	testkit.Must(w.t, err)
	return p
}

// refused fails unless publishing is refused so; nothing may be left of it.
func (w *world) refused(p feed.Publication, kind fault.Kind, words string) {
	w.t.Helper()
	before := w.count("publications") + w.count("deliveries") + w.count("blobs")
	_, err := w.service.Publish(ctx, "test", p)
	testkit.WantKind(w.t, err, kind)
	if !strings.Contains(fault.PublicText(err), words) {
		w.t.Fatalf("the refusal is %q, want %q in it", fault.PublicText(err), words)
	}
	if after := w.count("publications") + w.count("deliveries") + w.count("blobs"); after != before {
		w.t.Fatal("something was stored of what was refused")
	}
}

// count counts a table's rows; where may follow it.
func (w *world) count(what string, args ...any) (n int) {
	w.t.Helper()
	testkit.Must(w.t, w.db.QueryRow("SELECT COUNT(*) FROM "+what, args...).Scan(&n))
	return n
}

// file reads what a path in a mailbox shows; false if it shows nothing.
func (w *world) file(u model.User, path string) (string, bool) {
	w.t.Helper()
	found, err := w.store.Read(ctx).Look(u.ID, store.SplitPath(path))
	testkit.Must(w.t, err)
	if found.File == nil {
		return "", false
	}
	return w.bytes(found.Content.Key), true
}

func (w *world) bytes(key string) string {
	w.t.Helper()
	b, err := w.blobs.Open(key, -1)
	testkit.Must(w.t, err)
	defer b.Close()
	text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil && !errors.Is(err, io.EOF) {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *world) wantFile(u model.User, path, text string) {
	w.t.Helper()
	if got, ok := w.file(u, path); !ok || got != text {
		w.t.Fatalf("%s of %s is %q (there: %v), want %q", path, u.Name, got, ok, text)
	}
}

func (w *world) wantNoFile(u model.User, path string) {
	w.t.Helper()
	if got, ok := w.file(u, path); ok {
		w.t.Fatalf("%s of %s is there: %q", path, u.Name, got)
	}
}

// deliveries lists a user's, the oldest first.
func (w *world) deliveries(user string) []model.Delivery {
	w.t.Helper()
	list, err := w.service.Deliveries(ctx, model.DeliveryFilter{User: user, Paging: model.Paging{Limit: 1000}})
	testkit.Must(w.t, err)
	return list
}

func (w *world) usage(u model.User) store.Usage {
	w.t.Helper()
	v, err := w.store.Read(ctx).Usage(u.ID)
	testkit.Must(w.t, err)
	return v
}

// events are what was emitted of a type.
func (w *world) events(kind string) (out []model.Event) {
	w.t.Helper()
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		all, err := tx.Outbox(time.UnixMicro(1<<62), 1000)
		out = nil
		for _, e := range all {
			if e.Type == kind {
				out = append(out, e)
			}
		}
		return err
	}))
	return out
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
