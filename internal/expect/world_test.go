package expect_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

// world is the service over a real database, with a clock that stands still.
type world struct {
	t       testing.TB
	store   *store.Store
	db      *sql.DB // a look at the tables themselves
	service *expect.Service
	ids     *exchange.IDs
	micros  atomic.Int64
	zone    *time.Location
}

func (w *world) clock() time.Time { return exchange.FromMicros(w.micros.Load()) }

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t}
	w.ids = exchange.NewIDs(w.clock, rand.Reader)
	w.store, w.db = testkit.OpenStore(t, url)
	w.service = expect.New(w.store, w.clock, w.ids, slog.New(slog.DiscardHandler), w.count)
	return w
}

// begin gives a story an empty world: the user acme, the feed data, and Friday
// 30 October 2026, 12:00 in Sydney.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.t = t
	testkit.Empty(t, w.db, "expectations", "drops", "publications", "feeds", "outbox", "audit", "dirs", "mailboxes",
		"users", "accounts")
	w.ids = exchange.NewIDs(w.clock, rand.Reader)
	var err error
	w.zone, err = time.LoadLocation("Australia/Sydney")
	testkit.Must(t, err)
	w.at("2026-10-30 12:00")
	w.service = expect.New(w.store, w.clock, w.ids, slog.New(slog.DiscardHandler), w.count)
	accounts := account.New(w.store, w.clock, w.ids,
		account.Policy{Templates: map[string]account.Template{model.KindCustomer: {StartDir: "/"}}})
	testkit.Customers(t, accounts, "acme", "beta")
	testkit.Must(t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		return tx.AddFeed(model.Feed{Name: "data", Kind: "data", Types: []string{}, Recipients: []string{},
			CreatedAt: w.clock()})
	}))
	_, err = w.db.Exec("DELETE FROM outbox")
	testkit.Must(t, err)
	return w
}

// at moves the clock to a time in the world's zone.
func (w *world) at(local string) {
	w.t.Helper()
	t, err := time.ParseInLocation("2006-01-02 15:04", local, w.zone)
	testkit.Must(w.t, err)
	w.micros.Store(t.UnixMicro())
}

type stories map[string]func(*testing.T, *world)

func TestExpectations(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		for _, part := range []stories{addStories, judgeStories} {
			for name, story := range part {
				t.Run(name, func(t *testing.T) { story(t, w.begin(t)) })
			}
		}
	})
}

// expects acme's cdr-*.csv by six in the morning, Sydney time; change may say
// otherwise.
func (w *world) expects(change ...func(*model.NewExpectation)) model.Expectation {
	w.t.Helper()
	e := model.NewExpectation{Name: "cdr", User: "acme", Glob: "cdr-*.csv", Days: "daily", Clock: "06:00",
		Zone: "Australia/Sydney"}
	for _, c := range change {
		c(&e)
	}
	out, err := w.service.Add(ctx, "test", e)
	testkit.Must(w.t, err)
	return out
}

// comes is an upload of a user at a time.
func (w *world) comes(user, name, local string) {
	w.t.Helper()
	w.at(local)
	w.comesNow(user, name)
}

// count is how many lines a version has: as many as its size, divided by ten.
func (w *world) count(version string) (n int64, err error) {
	if err = w.db.QueryRow("SELECT size / 10 FROM drops WHERE id = $1", version).Scan(&n); err != nil {
		err = fault.Wrap("test", fault.NotFound, err)
	}
	return n, err
}

func (w *world) comesNow(user, name string) { w.comesLarge(user, name, 100) }

func (w *world) comesLarge(user, name string, size int64) {
	w.t.Helper()
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		u, err := tx.User(user)
		if err != nil {
			return err
		}
		return tx.AddDrops([]store.NewDrop{{VersionID: w.ids.New(), UserID: u.ID, Path: "/upload/" + name, Size: size,
			SHA256: []byte{}, ReceivedAt: w.clock()}})
	}))
}

// published is a file in the feed data at a time.
func (w *world) published(account, name, local string) {
	w.t.Helper()
	w.at(local)
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		return tx.AddPublication(store.NewPublication{ID: w.ids.New(), Feed: "data", Account: account, Name: name,
			SHA256: []byte{}, Actor: "test", At: w.clock()})
	}))
}

// judge looks at a time, and fails unless the expectation then stands so.
func (w *world) judge(local, state string) model.Expectation {
	w.t.Helper()
	w.at(local)
	testkit.Must(w.t, w.service.Judge(ctx))
	return w.wantState(local, state)
}

func (w *world) wantState(when, state string) model.Expectation {
	w.t.Helper()
	list, err := w.service.List(ctx, model.EveryFilter{})
	testkit.Must(w.t, err)
	if len(list) != 1 || list[0].State != state {
		w.t.Fatalf("at %s: %+v, want %s", when, list, state)
	}
	return list[0]
}

// wantEvents fails unless so many were missed, and met late, so far.
func (w *world) wantEvents(missed, met int) []model.Event {
	w.t.Helper()
	var all []model.Event
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) (err error) {
		all, err = tx.Outbox(time.UnixMicro(1<<62), 1000)
		return err
	}))
	n := map[string]int{}
	for _, e := range all {
		n[e.Type]++
	}
	if n[model.EventMissed] != missed || n[model.EventMet] != met {
		text := ""
		for _, e := range all {
			text += fmt.Sprintln(e.Type, e.Field("text"))
		}
		w.t.Fatalf("%d missed and %d met late, want %d and %d:\n%s", n[model.EventMissed], n[model.EventMet], missed, met,
			text)
	}
	return all
}
