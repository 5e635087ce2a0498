package account_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/pem"
	"maps"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/handover"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = 24 * time.Hour

var ctx = context.Background()

// world is the accounts' service over a real database, with a clock that moves
// only a microsecond a look, and by pass.
type world struct {
	t       testing.TB
	store   *store.Store
	db      *sql.DB // a look at the tables themselves
	service *account.Service
	links   *handover.Service
	ids     *exchange.IDs
	policy  account.Policy
	micros  atomic.Int64
}

func (w *world) clock() time.Time { return exchange.FromMicros(w.micros.Add(1)) }

func (w *world) pass(d time.Duration) { w.micros.Add(d.Microseconds()) }

// newWorld opens a database for many stories. url "" is SQLite.
func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t}
	w.ids = exchange.NewIDs(w.clock, rand.Reader)
	w.store, w.db = testkit.OpenStore(t, url)
	w.links = handover.New(w.store, w.clock, w.ids)
	return w
}

// begin gives a story an empty world.
func (w *world) begin(t testing.TB) *world {
	w.t = t
	w.empty("audit", "revocations")
	w.clear()
	_, err := w.db.Exec(`UPDATE counters SET value = 0`)
	testkit.Must(t, err)
	w.policy = account.Policy{MaxKeys: 5, KeyTypes: []string{"ed25519", "ecdsa", "rsa"}, MinRSA: 2048, MaxRSA: 8192,
		Overlap: 14 * day, Help: "help@example.com", Regions: map[string]string{"au": "help@example.com.au"},
		Templates: map[string]account.Template{model.KindCustomer: {StartDir: "/"}, model.KindVendor: {StartDir: "/"}}}
	w.micros.Store(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC).UnixMicro())
	w.open()
	return w
}

// clear forgets everybody and everything but what was noted of them.
func (w *world) clear() {
	w.t.Helper()
	w.empty("burned_keys", "pending_keys", "notices", "links", "contacts", "keys", "dirs", "mailboxes", "users",
		"accounts", "vendors")
}

func (w *world) empty(tables ...string) {
	w.t.Helper()
	testkit.Empty(w.t, w.db, tables...)
}

// open makes the service with the world's policy.
func (w *world) open() { w.service = account.New(w.store, w.clock, w.ids, w.policy) }

type stories map[string]func(*testing.T, *world)

func TestAccounts(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		for _, part := range []stories{accountStories, contactStories, enrolStories, rotateStories, freezeStories,
			burnStories, pendingStories, keeperStories, loginStories, auditStories} {
			for name, story := range part {
				t.Run(name, func(t *testing.T) { story(t, w.begin(t)) })
			}
		}
	})
}

// customer makes an account with its user.
func (w *world) customer(name string) model.User {
	w.t.Helper()
	_, err := w.service.AddAccount(ctx, "test", model.NewAccount{ID: name, Name: name})
	testkit.Must(w.t, err)
	u, err := w.service.AddUser(ctx, "test", model.NewUser{Account: name})
	testkit.Must(w.t, err)
	return u
}

// carrier makes a vendor with a user for each account.
func (w *world) carrier(short string, accounts ...string) (out []model.User) {
	w.t.Helper()
	_, err := w.service.AddVendor(ctx, "test", model.NewVendor{Short: short, Name: short})
	testkit.Must(w.t, err)
	for _, a := range accounts {
		if _, err := w.service.Account(ctx, a); err != nil {
			_, err = w.service.AddAccount(ctx, "test", model.NewAccount{ID: a, Name: a})
			testkit.Must(w.t, err)
		}
		u, err := w.service.AddUser(ctx, "test", model.NewUser{Account: a, Vendor: short})
		testkit.Must(w.t, err)
		out = append(out, u)
	}
	return out
}

// person makes a contact of an account.
func (w *world) person(of, email string, roles ...string) model.Contact {
	w.t.Helper()
	c, err := w.service.AddContact(ctx, "test", model.NewContact{Account: of, Name: "Jo Hill", Email: email, Roles: roles})
	testkit.Must(w.t, err)
	return c
}

// pair is a key as its owner has it.
type pair struct {
	private ed25519.PrivateKey
	line    string // the public half
	print   string // its fingerprint
}

func newPair(t testing.TB) pair {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	testkit.Must(t, err)
	k, err := ssh.NewPublicKey(public)
	testkit.Must(t, err)
	return pair{private, string(ssh.MarshalAuthorizedKey(k)), ssh.FingerprintSHA256(k)}
}

// file is the private half as ssh-keygen writes it; with a passphrase, as an
// old PuTTYgen does, which takes least time.
func (p pair) file(t testing.TB, passphrase string) []byte {
	t.Helper()
	if passphrase != "" {
		ppk, err := keys.MarshalPPK(p.private, "laptop", passphrase, 2)
		testkit.Must(t, err)
		return ppk
	}
	block, err := ssh.MarshalPrivateKey(p.private, "laptop")
	testkit.Must(t, err)
	return pem.EncodeToMemory(block)
}

// add asks to enrol keys; change may say more.
func (w *world) add(user, text string, change ...func(*model.NewKey)) ([]model.Key, error) {
	n := model.NewKey{Text: text}
	for _, c := range change {
		c(&n)
	}
	return w.service.AddKeys(ctx, "test", user, n)
}

// enrolled gives a user a new key.
func (w *world) enrolled(user string) pair {
	w.t.Helper()
	p := newPair(w.t)
	_, err := w.add(user, p.line)
	testkit.Must(w.t, err)
	return p
}

// reason says how a log-in from a quiet address would go.
func (w *world) reason(user, fingerprint string) string {
	w.t.Helper()
	_, reason, err := w.service.Check(ctx, user, fingerprint, netip.MustParseAddr("203.0.113.7"))
	testkit.Must(w.t, err)
	return reason
}

// wantReason fails unless a log-in would go so.
func (w *world) wantReason(user string, p pair, reason string) {
	w.t.Helper()
	if got := w.reason(user, p.print); got != reason {
		w.t.Fatalf("a log-in of %s: %s, want %s", user, got, reason)
	}
}

// states are a user's keys' states, by fingerprint.
func (w *world) states(user string) map[string]string {
	w.t.Helper()
	list, err := w.service.Keys(ctx, user)
	testkit.Must(w.t, err)
	out := map[string]string{}
	for _, k := range list {
		out[k.Fingerprint] = k.State
	}
	return out
}

func (w *world) wantStates(user string, want map[string]string) {
	w.t.Helper()
	if got := w.states(user); !maps.Equal(got, want) {
		w.t.Fatalf("the keys of %s are %v, want %v", user, got, want)
	}
}

// notices counts what people should be told, by kind.
func (w *world) notices() map[string]int {
	w.t.Helper()
	list, err := w.service.Notices(ctx, model.NoticeFilter{All: true})
	testkit.Must(w.t, err)
	out := map[string]int{}
	for _, n := range list {
		out[n.Kind]++
	}
	return out
}

// revocations are the reasons of what was revoked, for a user's key.
func (w *world) revocations(u model.User, p pair) (out []string) {
	w.t.Helper()
	list, err := w.store.Read(ctx).RevocationsAfter(0)
	testkit.Must(w.t, err)
	for _, r := range list {
		if r.UserID == u.ID && r.Fingerprint == p.print {
			out = append(out, r.Reason)
		}
	}
	return out
}

func ptr[T any](v T) *T { return &v }
