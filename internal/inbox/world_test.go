package inbox_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const lease = 10 * time.Minute

var ctx = context.Background()

// world is the inbox over a real database and real files, with a clock that
// moves only a microsecond a look, and by pass.
type world struct {
	t       testing.TB
	store   *store.Store
	asked   testkit.Statements
	db      *sql.DB // a look at the tables themselves
	service *inbox.Service
	blobs   *disk.Store
	ids     *exchange.IDs
	key     *proof.Key
	boxes   *boxes
	scanner string
	after   string
	names   exchange.NameRules
	kept    time.Time
	micros  atomic.Int64
}

// boxes notes what the inbox asks to be done in mailboxes.
type boxes struct {
	busy     bool
	busyUser string // id
	refuses  string // user whose mailbox takes nothing
	err      error
	did      []string
}

func (b *boxes) Move(d model.Drop, folder string) error {
	b.did = append(b.did, "move "+d.Path+" to "+folder)
	return b.err
}

func (b *boxes) Write(d model.Drop, path, text string) error {
	b.did = append(b.did, "write "+path+"\n"+text)
	if d.User == b.refuses {
		return fault.E("test", fault.Quota, "Quota exceeded.")
	}
	return b.err
}

func (b *boxes) Busy(userID string) bool { return b.busy || userID == b.busyUser }

func (w *world) clock() time.Time { return exchange.FromMicros(w.micros.Add(1)) }

func (w *world) pass(d time.Duration) { w.micros.Add(d.Microseconds()) }

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t}
	w.ids = exchange.NewIDs(w.clock, rand.Reader)
	w.store, w.db = testkit.OpenProbed(t, url, w.asked.Probe)
	w.key = testkit.SigningKey(t)
	return w
}

// begin gives a story an empty world with the users acme and beta.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.t, w.boxes, w.scanner, w.after, w.kept = t, &boxes{}, "", inbox.AfterKeep, time.Time{}
	w.names = exchange.NameRules{Doubtful: []string{"tmp.*"}, Grace: time.Minute}
	testkit.Empty(t, w.db, "drops", "drop_names", "digests", "outbox", "audit", "versions", "blobs", "dirs", "mailboxes",
		"users", "accounts")
	w.micros.Store(time.Date(2026, 10, 31, 9, 0, 0, 0, time.UTC).UnixMicro())
	var err error
	w.blobs, err = disk.Open(t.TempDir(), w.clock)
	testkit.Must(t, err)
	accounts := account.New(w.store, w.clock, w.ids,
		account.Policy{Templates: map[string]account.Template{model.KindCustomer: {StartDir: "/"}}})
	testkit.Customers(t, accounts, "acme", "beta")
	w.open()
	return w
}

// open makes the service with the world's settings.
func (w *world) open() {
	w.service = inbox.New(inbox.Options{Store: w.store, Blobs: w.blobs, Clock: w.clock, IDs: w.ids,
		Log: slog.New(slog.DiscardHandler), Key: w.key, Mailbox: w.boxes, Lease: lease, Scanner: w.scanner,
		Names: func(string, string) exchange.NameRules { return w.names }, After: w.after,
		KeptUntil: func(context.Context, string) time.Time { return w.kept }})
}

type stories map[string]func(*testing.T, *world)

func TestInbox(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		for _, part := range []stories{claimStories, scannerStories, settleStories, afterStories, twinStories, nameStories} {
			for name, story := range part {
				t.Run(name, func(t *testing.T) { story(t, w.begin(t)) })
			}
		}
	})
}

// arrive commits an upload, and returns the drop's id.
func (w *world) arrive(user, path, text string) string {
	w.t.Helper()
	id := w.ids.New()
	sum := sha256.Sum256([]byte(text))
	b := store.Blob{ID: id, Key: blob.Key(user, id, "", w.clock()), Size: int64(len(text)), SHA256: sum[:]}
	stage, err := w.blobs.Stage(id)
	testkit.Must(w.t, err)
	_, err = stage.WriteAt([]byte(text), 0)
	testkit.Must(w.t, err)
	testkit.Must(w.t, stage.Commit(b.Key, b.Size))
	testkit.Must(w.t, stage.Close())
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		u, err := tx.User(user)
		if err != nil {
			return err
		}
		now := w.clock()
		if err := tx.AddBlob(b, 1, now); err != nil {
			return err
		}
		if err := tx.AddVersion(store.Version{ID: id, FileID: id, UserID: u.ID, BlobID: id, Actor: "user:" + user,
			StoredAt: now}); err != nil {
			return err
		}
		return w.service.Arrived(tx, []exchange.Arrival{w.arrival(u, id, path, b.Size, b.SHA256)})
	}))
	return id
}

func (w *world) arrival(u model.User, id, path string, size int64, sum []byte) exchange.Arrival {
	return exchange.Arrival{Login: &exchange.Login{User: u, Fingerprint: "SHA256:key", Address: "203.0.113.7"}, Path: path,
		VersionID: id, Size: size, SHA256: sum, At: w.clock()}
}

// rename gives an upload another name.
func (w *world) rename(id, path string) {
	w.t.Helper()
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		d, err := tx.Drop(id)
		if err != nil {
			return err
		}
		u, err := tx.User(d.User)
		if err != nil {
			return err
		}
		sum, err := hex.DecodeString(d.SHA256)
		if err != nil {
			return err
		}
		return w.service.Renamed(tx, false, w.arrival(u, id, path, d.Size, sum))
	}))
}

// gone tells that a name no longer shows a version; replaced: by a newer one.
func (w *world) gone(id string, replaced bool) (held bool) {
	w.t.Helper()
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) (err error) {
		held, err = w.service.Gone(tx, id, replaced)
		return err
	}))
	return held
}

// claim claims up to n drops.
func (w *world) claim(consumer string, n int) []model.Drop {
	w.t.Helper()
	list, err := w.service.Claim(ctx, "test", model.NewClaim{Consumer: consumer, Limit: n})
	testkit.Must(w.t, err)
	return list
}

// claimOne claims the one drop that is there.
func (w *world) claimOne(consumer string) model.Drop {
	w.t.Helper()
	list := w.claim(consumer, 10)
	if len(list) != 1 {
		w.t.Fatalf("%s got %d drops, want one", consumer, len(list))
	}
	return list[0]
}

func (w *world) wantState(id, state string) model.Drop {
	w.t.Helper()
	d, err := w.service.Show(ctx, id)
	testkit.Must(w.t, err)
	if d.State != state {
		w.t.Fatalf("the drop is %s, want %s", d.State, state)
	}
	return d
}

// fetch reads a drop.
func (w *world) fetch(id, claim string) (string, error) {
	w.t.Helper()
	_, b, err := w.service.Open(ctx, id, claim)
	if err != nil {
		return "", err
	}
	defer b.Close()
	text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	return string(text), err
}

func (w *world) follow() {
	w.t.Helper()
	testkit.Must(w.t, w.service.After(ctx))
}

// keepsFor runs Keep while fn runs.
func (w *world) keepsFor(fn func()) {
	running, stop := withCancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.service.Keep(running)
	}()
	fn()
	stop()
	<-done
}

func (w *world) wantDid(want ...string) {
	w.t.Helper()
	if !slices.Equal(w.boxes.did, want) {
		w.t.Fatalf("in mailboxes was done %q, want %q", w.boxes.did, want)
	}
}

// audited counts audit rows of an action.
func (w *world) audited(action string) (n int) {
	w.t.Helper()
	testkit.Must(w.t, w.db.QueryRow("SELECT COUNT(*) FROM audit WHERE action = '"+action+"'").Scan(&n))
	return n
}

// emitted are the data of events of a type.
func (w *world) emitted(kind string) (out []string) {
	w.t.Helper()
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		all, err := tx.Outbox(time.UnixMicro(1<<62), 1000)
		out = nil
		for _, e := range all {
			if e.Type == kind {
				out = append(out, fmt.Sprint(e.Account, " ", e.User, " ", e.Fields()))
			}
		}
		return err
	}))
	return out
}

// digests are the lines that wait for the technical contacts.
func (w *world) digests() (out []string) {
	w.t.Helper()
	rows, err := w.db.Query("SELECT detail FROM digests ORDER BY id")
	testkit.Must(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		testkit.Must(w.t, rows.Scan(&s))
		out = append(out, s)
	}
	testkit.Must(w.t, rows.Err())
	return out
}

// waiting is what a consumer sees of a user.
func (w *world) waiting(user, consumer string) ([]model.Drop, error) {
	w.t.Helper()
	u, err := w.store.Read(ctx).User(user)
	testkit.Must(w.t, err)
	return w.service.Waiting(ctx, u.ID, consumer, "", model.Paging{})
}
