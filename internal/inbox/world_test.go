package inbox_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const lease = 10 * time.Minute

var ctx = context.Background()

// world is the inbox on a real database and real files.
type world struct {
	*testkit.World
	service *inbox.Service
	boxes   *boxes
	scanner string
	after   string
	names   exchange.NameRules
	kept    time.Time
	odd     func(*store.Q, exchange.Received) (exchange.Odd, error)
}

// boxes records what the inbox does in mailboxes.
type boxes struct {
	busy     bool
	busyUser string // id
	refuses  string // user whose mailbox refuses changes
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

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// begin starts a story on 31 October 2026 with the users acme and beta.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	w.Set(time.Date(2026, 10, 31, 9, 0, 0, 0, time.UTC))
	w.boxes, w.scanner, w.after, w.kept, w.odd = &boxes{}, "", inbox.AfterKeep, time.Time{}, nil
	w.names = exchange.NameRules{Doubtful: []string{"tmp.*"}, Grace: time.Minute}
	w.OpenBlobs()
	w.Customers("acme", "beta")
	w.open()
	return w
}

// open creates the service with the world's settings.
func (w *world) open() {
	w.service = inbox.New(inbox.Options{Store: w.Store, Blobs: w.Blobs, Clock: w.Clock, IDs: w.IDs,
		Log: slog.New(slog.DiscardHandler), Key: w.Key, Mailbox: w.boxes, Lease: lease, Scanner: w.scanner,
		Odd:   w.odd,
		Names: func(string, string) exchange.NameRules { return w.names }, After: w.after,
		KeptUntil: func(context.Context, string) time.Time { return w.kept }})
}

type stories = testkit.Stories[*world]

func TestInbox(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, newWorld(t, url), (*world).begin, claimStories, scannerStories, settleStories, afterStories,
			twinStories, nameStories, listStories, oddStories)
	})
}

// arrive commits an upload, and returns the drop's id.
func (w *world) arrive(user, path, text string) string {
	w.Helper()
	return w.arriveAs(w.AddBlob(user, "", text), user, path)
}

// arriveAs commits an upload whose bytes, and whose id, were made before.
func (w *world) arriveAs(b store.Blob, user, path string) string {
	w.Helper()
	w.Write(func(tx *store.Tx) error {
		u, err := tx.User(user)
		if err != nil {
			return err
		}
		now := w.Clock()
		if err := tx.AddBlob(b, 1, now); err != nil {
			return err
		}
		if err := tx.AddVersion(store.Version{ID: b.ID, FileID: b.ID, UserID: u.ID, BlobID: b.ID, Actor: "user:" + user,
			StoredAt: now}); err != nil {
			return err
		}
		return w.service.Arrived(tx, []exchange.Arrival{w.arrival(u, b.ID, path, b.Size, b.SHA256)})
	})
	return b.ID
}

func (w *world) arrival(u model.User, id, path string, size int64, sum []byte) exchange.Arrival {
	return exchange.Arrival{Login: &exchange.Login{User: u, Fingerprint: "SHA256:key", Address: "203.0.113.7"}, Path: path,
		VersionID: id, Size: size, SHA256: sum, At: w.Clock()}
}

// rename gives an upload another name.
func (w *world) rename(id, path string) {
	w.Helper()
	w.Write(func(tx *store.Tx) error {
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
	})
}

// gone reports that a name no longer shows a version. replaced: a newer version took its place.
func (w *world) gone(id string, replaced bool) (held bool) {
	w.Helper()
	w.Write(func(tx *store.Tx) (err error) {
		held, err = w.service.Gone(tx, id, replaced)
		return err
	})
	return held
}

// claim claims up to n drops.
func (w *world) claim(consumer string, n int) []model.Drop {
	w.Helper()
	list, err := w.service.Claim(ctx, "test", model.NewClaim{Consumer: consumer, Limit: n})
	w.Must(err)
	return list
}

// claimOne claims the only drop.
func (w *world) claimOne(consumer string) model.Drop {
	w.Helper()
	list := w.claim(consumer, 10)
	if len(list) != 1 {
		w.Fatalf("%s got %d drops, want one", consumer, len(list))
	}
	return list[0]
}

func (w *world) wantState(id string, state model.DropState) model.Drop {
	w.Helper()
	d, err := w.service.Show(ctx, id)
	w.Must(err)
	if d.State != state {
		w.Fatalf("the drop is %s, want %s", d.State, state)
	}
	return d
}

// fetch reads a drop.
func (w *world) fetch(id, claim string) (string, error) {
	w.Helper()
	_, b, err := w.service.Open(ctx, id, claim)
	if err != nil {
		return "", err
	}
	defer b.Close()
	text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	return string(text), err
}

func (w *world) follow() {
	w.Helper()
	w.Must(w.service.After(ctx))
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
	w.Helper()
	if !slices.Equal(w.boxes.did, want) {
		w.Fatalf("in mailboxes was done %q, want %q", w.boxes.did, want)
	}
}

// emitted returns the data of the events of a type.
func (w *world) emitted(kind string) (out []string) {
	w.Helper()
	for _, e := range w.Events(kind) {
		out = append(out, fmt.Sprint(e.Account, " ", e.User, " ", e.Fields()))
	}
	return out
}

// digests returns the digest lines that wait for the technical contacts.
func (w *world) digests() []string {
	w.Helper()
	return w.Texts("SELECT detail FROM digests ORDER BY id")
}

// waiting returns the drops of a user that a consumer sees.
func (w *world) waiting(user, consumer string) ([]model.Drop, error) {
	w.Helper()
	u, err := w.Store.Read(ctx).User(user)
	w.Must(err)
	return w.service.Waiting(ctx, u.ID, consumer, "", model.Paging{})
}
