package handover_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

// world is the links' service over a real database, with two users and their
// people, and a clock that stands until it is moved.
type world struct {
	t        testing.TB
	store    *store.Store
	asked    testkit.Statements
	db       *sql.DB // a look at the tables themselves
	accounts *account.Service
	service  *handover.Service
	micros   atomic.Int64
	made     int
	jo, ann  model.Contact // of acme, verified
}

func (w *world) clock() time.Time { return exchange.FromMicros(w.micros.Load()) }

func (w *world) pass(d time.Duration) { w.micros.Add(d.Microseconds()) }

// newWorld opens a database for many stories. url "" is SQLite.
func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t}
	ids := exchange.NewIDs(w.clock, rand.Reader)
	w.store, w.db = testkit.OpenProbed(t, url, w.asked.Probe)
	w.accounts = account.New(w.store, w.clock, ids, account.Policy{MaxKeys: 5, KeyTypes: []string{"ed25519"},
		Templates: map[string]account.Template{model.KindCustomer: {StartDir: "/"}}})
	w.service = handover.New(w.store, w.clock, ids)
	return w
}

// begin gives a story a world without links.
func (w *world) begin(t testing.TB) *world {
	w.t = t
	testkit.Empty(t, w.db, "audit", "links", "contacts", "dirs", "mailboxes", "users", "accounts")
	w.micros.Store(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC).UnixMicro())
	testkit.Customers(t, w.accounts, "acme", "globex")
	w.jo, w.ann = w.person("acme", "jo@acme.example"), w.person("acme", "ann@acme.example")
	return w
}

// person makes a contact with a verified address.
func (w *world) person(of, email string) model.Contact {
	w.t.Helper()
	c, err := w.accounts.AddContact(ctx, "test", model.NewContact{Account: of, Name: "Jo Hill", Email: email})
	testkit.Must(w.t, err)
	word := "called back"
	c, err = w.accounts.SetContact(ctx, "test", c.ID, model.EditContact{Verified: &word})
	testkit.Must(w.t, err)
	return c
}

// print is the fingerprint of a key that a test gives a name.
func print(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// link is what its maker knows of one.
type link struct {
	model.Link
	token []byte
}

// ask asks for a link; change may say more.
func (w *world) ask(kind string, to string, change ...func(*model.NewLink)) (link, error) {
	w.made++
	token := sha256.Sum256(fmt.Append(nil, w.made))
	n := model.NewLink{Kind: kind, User: "acme", Contact: to, Fingerprint: print("new"), Token: token[:],
		Sealed: []byte("sealed " + kind)}
	if kind == model.LinkVerify {
		n.User, n.Fingerprint, n.Sealed = "", "", nil
	}
	for _, c := range change {
		c(&n)
	}
	l, err := w.service.Make(ctx, "test", n)
	return link{l, n.Token}, err
}

func (w *world) make(kind string, to model.Contact) link {
	w.t.Helper()
	l, err := w.ask(kind, to.ID)
	testkit.Must(w.t, err)
	return l
}

// open opens a link and returns what it held.
func (w *world) open(l link) (held []byte, err error) {
	err = w.service.Open(ctx, l.token, "203.0.113.7", func(_ model.Link, sealed []byte) error {
		held = bytes.Clone(sealed)
		return nil
	})
	return held, err
}

// wantGone fails unless a link is as if it had never been.
func (w *world) wantGone(l link) {
	w.t.Helper()
	_, err := w.service.Waiting(ctx, l.token)
	_, never := w.service.Waiting(ctx, bytes.Repeat([]byte{9}, 32))
	if !fault.Is(err, fault.NotFound) || fault.PublicText(err) != fault.PublicText(never) {
		w.t.Fatalf("looking at it: %v, want %v", err, never)
	}
	held, err := w.open(l)
	if !fault.Is(err, fault.NotFound) || fault.PublicText(err) != fault.PublicText(never) || held != nil {
		w.t.Fatalf("opening it: %q, %v", held, err)
	}
}

// row is what the database has of a link.
func (w *world) row(l link) (state string, sealed []byte) {
	w.t.Helper()
	testkit.Must(w.t, w.db.QueryRow("SELECT state, sealed FROM links WHERE id = $1", l.ID).Scan(&state, &sealed))
	return state, sealed
}

func (w *world) wantRow(l link, state, sealed string) {
	w.t.Helper()
	if s, b := w.row(l); s != state || string(b) != sealed {
		w.t.Fatalf("the row is %s with %q, want %s with %q", s, b, state, sealed)
	}
}

// audits counts audit rows of an action, and names their actors.
func (w *world) audits(action string) (actors []string) {
	w.t.Helper()
	rows, err := w.db.Query("SELECT actor FROM audit WHERE action = $1 ORDER BY id", action)
	testkit.Must(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var a string
		testkit.Must(w.t, rows.Scan(&a))
		actors = append(actors, a)
	}
	testkit.Must(w.t, rows.Err())
	return actors
}
