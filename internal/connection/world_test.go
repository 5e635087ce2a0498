package connection_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = 24 * time.Hour

var ctx = context.Background()

// world is the records' service over a real database, with users and keys.
type world struct {
	t        testing.TB
	store    *store.Store
	db       *sql.DB // a look at the tables themselves
	ids      *exchange.IDs
	accounts *account.Service
	service  *connection.Service
	policy   connection.Policy
	log      *testkit.Log
	later    atomic.Int64 // added to the real time
	made     atomic.Int64 // references
	stop     func()
}

func (w *world) clock() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }

func (w *world) pass(d time.Duration) { w.later.Add(int64(d)) }

// newWorld opens a database for many stories. url "" is SQLite.
func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t}
	w.store, w.db = testkit.OpenStore(t, url)
	return w
}

// begin gives a story an empty database and a running service.
func (w *world) begin(t testing.TB) *world {
	w.t = t
	tx, err := w.db.Begin()
	testkit.Must(t, err)
	for _, table := range []string{"audit", "revocations", "burned_keys", "pending_keys", "notices", "links", "contacts",
		"keys", "dirs", "mailboxes", "users", "accounts", "vendors", "connections", "addresses", "bans", "activity"} {
		_, err := tx.Exec("DELETE FROM " + table)
		testkit.Must(t, err)
	}
	_, err = tx.Exec(`UPDATE counters SET value = 0`)
	testkit.Must(t, err)
	testkit.Must(t, tx.Commit())
	w.policy = connection.Policy{KeepFor: 395 * day, KeepFailed: 1000, KeepSeen: 1000,
		Bans: connection.BanPolicy{After: 20, Within: 10 * time.Minute, For: 15 * time.Minute,
			Never: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	w.later.Store(0)
	w.ids = exchange.NewIDs(w.clock, rand.Reader)
	w.accounts = account.New(w.store, w.clock, w.ids,
		account.Policy{MaxKeys: 50, KeyTypes: []string{"ed25519"}, Overlap: 14 * day, Templates: map[string]account.Template{
			model.KindCustomer: {StartDir: "/reports"}, model.KindVendor: {StartDir: "/upload"}}})
	w.log = &testkit.Log{}
	w.open()
	t.Cleanup(func() { w.stop() })
	return w
}

// open starts a service; the one before is stopped.
func (w *world) open() {
	if w.stop != nil {
		w.stop()
	}
	w.service, w.stop = w.another()
}

// another starts a service beside, as another node has one.
func (w *world) another() (*connection.Service, func()) {
	run, cancel := context.WithCancel(ctx)
	r := connection.New(run, connection.Options{Store: w.store, Clock: w.clock, IDs: w.ids,
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Policy: w.policy})
	return r, func() { cancel(); r.Wait() }
}

type stories map[string]func(*testing.T, *world)

func TestConnections(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		parts := []stories{recordStories, explainStories, activityStories, banStories}
		if url != "" { // their bounds are in memory: one database will do
			parts = append(parts, crowdStories)
		}
		for _, part := range parts {
			for name, story := range part {
				t.Run(name, func(t *testing.T) { story(t, w.begin(t)) })
			}
		}
	})
}

// customer makes an account with its user, and a key for it.
func (w *world) customer(name string) (model.User, model.Key) {
	w.t.Helper()
	_, err := w.accounts.AddAccount(ctx, "test", model.NewAccount{ID: name, Name: name})
	testkit.Must(w.t, err)
	_, err = w.accounts.AddUser(ctx, "test", model.NewUser{Account: name})
	testkit.Must(w.t, err)
	u, err := w.accounts.User(ctx, name)
	testkit.Must(w.t, err)
	return u, w.enrolled(name)
}

// vendorUser makes a vendor's user for an account.
func (w *world) vendorUser(acct, vendor string) {
	w.t.Helper()
	if _, err := w.accounts.AddAccount(ctx, "test", model.NewAccount{ID: acct, Name: acct}); !fault.Is(err, fault.Exists) {
		testkit.Must(w.t, err)
	}
	if _, err := w.accounts.AddVendor(ctx, "test", model.NewVendor{Short: vendor, Name: vendor}); !fault.Is(err,
		fault.Exists) {
		testkit.Must(w.t, err)
	}
	_, err := w.accounts.AddUser(ctx, "test", model.NewUser{Account: acct, Vendor: vendor})
	testkit.Must(w.t, err)
}

// enrolled gives a user a new key; change may say more.
func (w *world) enrolled(user string, change ...func(*model.NewKey)) model.Key {
	w.t.Helper()
	n := model.NewKey{Text: publicLine(w.t)}
	for _, c := range change {
		c(&n)
	}
	added, err := w.accounts.AddKeys(ctx, "test", user, n)
	testkit.Must(w.t, err)
	return added[0]
}

func publicLine(t testing.TB) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	testkit.Must(t, err)
	k, err := ssh.NewPublicKey(public)
	testkit.Must(t, err)
	return string(ssh.MarshalAuthorizedKey(k))
}

// record is a connection from an address, with what a story says of it.
func (w *world) record(from, user, outcome string, change ...func(*connection.Record)) connection.Record {
	now := w.clock()
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
		r.LoggedIn, r.EndedAt, r.Fingerprint, r.KeyID, r.UserID, r.Session = true, nil, k.Fingerprint, k.ID, u.ID, w.ids.New()
	})
	w.service.Note(r)
	return r
}

// count runs a query for one number.
func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	testkit.Must(w.t, w.db.QueryRow(query, args...).Scan(&n))
	return n
}

// explain asks, and fails on an error.
func (w *world) explain(about string) model.Explained {
	w.t.Helper()
	e, err := w.service.Explain(ctx, about)
	testkit.Must(w.t, err)
	return e
}
