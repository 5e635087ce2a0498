package connection_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = testkit.Day

var ctx = context.Background()

// world is the service on a real database, with users and keys.
type world struct {
	*testkit.World
	service *connection.Service
	policy  connection.Policy
	log     *testkit.Log
	made    atomic.Int64 // number of references made
	stop    func()
}

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// begin resets the world to an empty database, and starts the service.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	w.Policy.MaxKeys = 50
	w.Policy.Templates = map[model.UserKind]account.Template{
		model.KindCustomer: {StartDir: "/reports"}, model.KindVendor: {StartDir: "/upload"}}
	w.OpenAccounts()
	w.policy = connection.Policy{KeepFor: 395 * day, KeepFailed: 1000, KeepSeen: 1000,
		Bans: connection.BanPolicy{After: 20, Within: 10 * time.Minute, For: 15 * time.Minute,
			Never: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	w.log = &testkit.Log{}
	w.open()
	t.Cleanup(func() { w.stop() })
	return w
}

// open starts a service, after stopping the previous one.
func (w *world) open() {
	if w.stop != nil {
		w.stop()
	}
	w.service, w.stop = w.another()
}

// another starts a second service, like that of another node.
func (w *world) another() (*connection.Service, func()) {
	run, cancel := context.WithCancel(ctx)
	r := connection.New(run, connection.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs,
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Policy: w.policy})
	return r, func() { cancel(); r.Wait() }
}

type stories = testkit.Stories[*world]

func TestConnections(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		parts := []stories{recordStories, explainStories, renamedStories, activityStories, banStories, bannerStories,
			sinceStories, misledStories}
		if url != "" { // their bounds are in memory, so one database is enough
			parts = append(parts, crowdStories)
		}
		testkit.Tell(t, w, (*world).begin, parts...)
	})
}

// customer makes an account with its user, and a key for it.
func (w *world) customer(name string) (model.User, model.Key) {
	w.Helper()
	u := w.Customer(name)
	return u, w.Enrol(name).Key
}

// record makes the record of a connection. change may set more fields.
func (w *world) record(from, user, outcome string, change ...func(*connection.Record)) connection.Record {
	w.Pass(time.Microsecond) // no two come at the same time
	now := w.Clock()
	r := connection.Record{From: netip.MustParseAddr(from),
		Connection: model.Connection{Reference: fmt.Sprintf("ref-%06d", w.made.Add(1)), At: now, Address: from,
			User: user, Client: "SSH-2.0-x", Outcome: outcome, Methods: []string{"none", "publickey"}, EndedAt: &now}}
	for _, c := range change {
		c(&r)
	}
	return r
}

// failed notes a connection that did not log in, and returns its reference.
func (w *world) failed(from, user, outcome string, change ...func(*connection.Record)) string {
	r := w.record(from, user, outcome, change...)
	w.service.Note(r)
	return r.Reference
}

// login notes a log-in with a key, and returns its record.
func (w *world) login(from string, u model.User, k model.Key) connection.Record {
	r := w.record(from, u.Name, model.ReasonOK, func(r *connection.Record) {
		r.LoggedIn, r.EndedAt, r.Fingerprint, r.KeyID, r.UserID, r.Session = true, nil, k.Fingerprint, k.ID, u.ID, w.IDs.New()
	})
	w.service.Note(r)
	return r
}

// explain calls Explain, and fails on an error.
func (w *world) explain(about string) model.Explained {
	w.Helper()
	e, err := w.service.Explain(ctx, about)
	w.Must(err)
	return e
}
