package expect_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/expect"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

// world is the service on a real database.
type world struct {
	*testkit.World
	service *expect.Service
	zone    *time.Location
}

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// begin starts a story with the user acme and the feed data, at 12:00 on Friday 30 October 2026
// in Sydney.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	var err error
	w.zone, err = time.LoadLocation("Australia/Sydney")
	testkit.Must(t, err)
	w.at("2026-10-30 12:00")
	w.service = w.open(expect.Policy{})
	w.Customers("acme", "beta")
	w.Write(func(tx *store.Tx) error {
		return tx.AddFeed(model.Feed{Name: "data", Kind: "data", Types: []string{}, Recipients: []string{},
			CreatedAt: w.Clock()})
	})
	w.Exec("DELETE FROM outbox")
	return w
}

// open makes the service with a policy.
func (w *world) open(p expect.Policy) *expect.Service {
	return expect.New(expect.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs, Log: slog.New(slog.DiscardHandler),
		Count: w.count, Policy: p})
}

// at moves the clock to a time in the world's zone.
func (w *world) at(local string) {
	w.Helper()
	t, err := time.ParseInLocation("2006-01-02 15:04", local, w.zone)
	w.Must(err)
	w.Set(t)
}

type stories = testkit.Stories[*world]

func TestExpectations(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, newWorld(t, url), (*world).begin, addStories, judgeStories, oddStories)
	})
}

// expects adds an expectation of acme's cdr-*.csv by six in the morning, Sydney time; change
// may set other fields.
func (w *world) expects(change ...func(*model.NewExpectation)) model.Expectation {
	w.Helper()
	e := model.NewExpectation{Name: "cdr", User: "acme", Glob: "cdr-*.csv", Days: "daily", Clock: "06:00",
		Zone: "Australia/Sydney"}
	for _, c := range change {
		c(&e)
	}
	out, err := w.service.Add(ctx, "test", e)
	w.Must(err)
	return out
}

// comes records an upload of a user at a time.
func (w *world) comes(user, name, local string) {
	w.Helper()
	w.at(local)
	w.comesNow(user, name)
}

// count returns the number of lines of a version: its size divided by ten.
func (w *world) count(version string) (n int64, err error) {
	if err = w.DB.QueryRow("SELECT size / 10 FROM drops WHERE id = $1", version).Scan(&n); err != nil {
		err = fault.Wrap("test", fault.NotFound, err)
	}
	return n, err
}

func (w *world) comesNow(user, name string) { w.comesLarge(user, name, 100) }

func (w *world) comesLarge(user, name string, size int64) {
	w.Helper()
	w.Write(func(tx *store.Tx) error {
		u, err := tx.User(user)
		if err != nil {
			return err
		}
		return tx.AddDrops([]store.NewDrop{{VersionID: w.IDs.New(), UserID: u.ID, Path: "/upload/" + name, Size: size,
			SHA256: []byte{}, ReceivedAt: w.Clock()}})
	})
}

// published records a file in the feed data at a time.
func (w *world) published(account, name, local string) {
	w.Helper()
	w.at(local)
	w.Write(func(tx *store.Tx) error {
		return tx.AddPublication(store.NewPublication{ID: w.IDs.New(), Feed: "data", Account: account, Name: name,
			SHA256: []byte{}, Actor: "test", At: w.Clock()})
	})
}

// judge judges at a time, and fails unless the expectation then has this state.
func (w *world) judge(local string, state model.ExpectState) model.Expectation {
	w.Helper()
	w.at(local)
	w.Must(w.service.Judge(ctx))
	return w.wantState(local, state)
}

func (w *world) wantState(when string, state model.ExpectState) model.Expectation {
	w.Helper()
	list, err := w.service.List(ctx, model.EveryFilter{})
	w.Must(err)
	if len(list) != 1 || list[0].State != state {
		w.Fatalf("at %s: %+v, want %s", when, list, state)
	}
	return list[0]
}

// wantEvents fails unless so many events of missed and of late files were emitted so far.
func (w *world) wantEvents(missed, met int) []model.Event {
	w.Helper()
	all := w.Events()
	n := map[string]int{}
	for _, e := range all {
		n[e.Type]++
	}
	if n[model.EventMissed] != missed || n[model.EventMet] != met {
		text := ""
		for _, e := range all {
			text += fmt.Sprintln(e.Type, e.Field("text"))
		}
		w.Fatalf("%d missed and %d met late, want %d and %d:\n%s", n[model.EventMissed], n[model.EventMet], missed, met,
			text)
	}
	return all
}
