package retention_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/csv"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = 24 * time.Hour

var ctx = context.Background()

// world is retention's service over a real database and blob store, with mailboxes
// to fill, and a clock that moves only a microsecond a look, and by to.
type world struct {
	t        testing.TB
	store    *store.Store
	asked    testkit.Statements
	root     string // of the blobs
	db       *sql.DB
	blobs    blob.Store
	ids      *exchange.IDs
	key      *proof.Key
	accounts *account.Service
	feeds    *feed.Service
	policy   retention.Policy
	service  *retention.Service
	micros   atomic.Int64

	mu      sync.Mutex
	letters []retention.Letter
	people  map[string][]string // account → addresses that its letters go to
}

func (w *world) clock() time.Time { return exchange.FromMicros(w.micros.Add(1)) }

// to sets the clock: "2026-01-05" is noon of that day.
func (w *world) to(date string) {
	w.t.Helper()
	at, err := time.Parse("2006-01-02 15:04", date+" 12:00"[:max(0, 16-len(date))])
	testkit.Must(w.t, err)
	w.micros.Store(exchange.Micros(at))
}

// tables are emptied for each story, those that refer to others first.
var tables = []string{"retention_items", "retention_notices", "retention_runs", "holds", "retention_policies",
	"settings", "leases", "messages", "outbox", "digests", "audit", "deliveries", "publications", "subscriptions",
	"feed_sequences", "drops", "files", "versions", "blobs",
	"feeds", "revocations", "notices", "contacts",
	"dirs", "mailboxes", "users", "accounts"}

// begin gives a story an empty world on 5 January 2026.
func (w *world) begin(t testing.TB) *world {
	w.t = t
	testkit.Empty(t, w.db, tables...)
	w.exec("UPDATE counters SET value = 0")
	w.to("2026-01-05")
	w.ids = exchange.NewIDs(w.clock, rand.Reader)
	w.people, w.letters = map[string][]string{}, nil
	w.policy = retention.Policy{Keep: "12mo", Day: 1, Hour: 3, Notice: 30 * day, Reminder: 7 * day, AfterClose: 60 * day,
		RequireNotice: true}
	w.accounts = account.New(w.store, w.clock, w.ids,
		account.Policy{MaxKeys: 5, KeyTypes: []string{"ed25519"}, Templates: map[string]account.Template{
			model.KindCustomer: {StartDir: "/"}, model.KindVendor: {StartDir: "/"}}})
	w.open()
	return w
}

// open makes the service, as a restart does.
func (w *world) open() {
	w.service = w.another("node")
	w.feeds = feed.New(feed.Options{Store: w.store, Blobs: w.blobs, Clock: w.clock, IDs: w.ids, Key: w.key,
		MaxFile: 1 << 20, Class: w.service.Class, KeepUploads: day})
}

// another is a service beside, as another node has one.
func (w *world) another(node string) *retention.Service {
	return retention.New(retention.Options{Store: w.store, Blobs: w.blobs, Clock: w.clock, IDs: w.ids,
		Log: slog.New(slog.DiscardHandler), Key: w.key, Policy: w.policy, Tell: w.tell, Node: node})
}

// tell writes a mail to each of an account's people, as sent at once.
func (w *world) tell(tx *store.Tx, l retention.Letter) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	undone := func(old retention.Letter) bool {
		return old.Kind == l.Kind && old.Account == l.Account && old.Text == l.Text
	}
	w.letters = append(slices.DeleteFunc(w.letters, undone), l) // a run may be undone, and done again
	for _, to := range w.people[l.Account] {
		m := model.Message{ID: w.ids.New(), Channel: model.ChannelMail, Target: to, Kind: l.Kind, Ref: l.Ref,
			CreatedAt: w.clock()}
		if err := tx.AddMessage(m); err != nil {
			return 0, err
		}
		if err := tx.Tried(m.ID, model.MessageSent, "", w.clock()); err != nil {
			return 0, err
		}
	}
	return len(w.people[l.Account]), nil
}

type stories map[string]func(*testing.T, *world)

func TestRetention(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newRetention(t, url)
		for _, part := range []stories{policyStories, planStories, runStories, holdStories, noticeStories, closeStories,
			crashStories} {
			for name, story := range part {
				t.Run(name, func(t *testing.T) { story(t, w.begin(t)) })
			}
		}
	})
}

// newRetention is a world without anything in it.
func newRetention(t *testing.T, url string) *world {
	w := &world{t: t}
	w.store, w.db = testkit.OpenProbed(t, url, w.asked.Probe)
	var err error
	w.root = t.TempDir()
	w.blobs, err = disk.Open(w.root, w.clock)
	testkit.Must(t, err)
	w.key = testkit.SigningKey(t)
	return w
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	_, err := w.db.Exec(query, args...)
	testkit.Must(w.t, err)
}

// count runs a query for one number.
func (w *world) count(query string, args ...any) (n int64) {
	w.t.Helper()
	testkit.Must(w.t, w.db.QueryRow(query, args...).Scan(&n))
	return n
}

// customer makes an account with its user and somebody who reads its mail.
func (w *world) customer(name string) model.User {
	w.t.Helper()
	_, err := w.accounts.AddAccount(ctx, "test", model.NewAccount{ID: name, Name: name})
	testkit.Must(w.t, err)
	u, err := w.accounts.AddUser(ctx, "test", model.NewUser{Account: name})
	testkit.Must(w.t, err)
	w.people[name] = []string{name + "@example.com"}
	return u
}

// put stores a file in a mailbox now, as a commit does; one of that name that
// is there becomes an old version.
func (w *world) put(u model.User, full, text string) (version string) {
	w.t.Helper()
	b := store.Blob{ID: w.ids.New(), Size: int64(len(text))}
	now := w.clock()
	b.Key = blob.Key(u.ID, b.ID, path.Base(full), now)
	sum := sha256.Sum256([]byte(text))
	b.SHA256 = sum[:]
	stage, err := w.blobs.Stage(b.ID)
	testkit.Must(w.t, err)
	_, err = stage.WriteAt([]byte(text), 0)
	testkit.Must(w.t, err)
	testkit.Must(w.t, stage.Commit(b.Key, b.Size))
	testkit.Must(w.t, stage.Close())
	version = w.ids.New()
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		rows, err := mailbox.Lock(tx, u.ID)
		if err != nil {
			return err
		}
		dir, err := rows.MakeDirs(mailbox.NewDirs{Path: path.Dir(full), IDs: w.ids, At: now})
		if err != nil {
			return err
		}
		found, err := tx.Look(u.ID, store.SplitPath(full))
		if err != nil {
			return err
		}
		f := store.File{DirID: dir, Name: path.Base(full), FileID: w.ids.New(), VersionID: version, Size: b.Size,
			Mtime: now}
		grown, files := b.Size, int64(1)
		if found.File != nil {
			f.FileID, grown, files = found.File.FileID, b.Size-found.File.Size, 0
		}
		if err := tx.AddBlob(b, 1, now); err != nil {
			return err
		}
		v := store.Version{ID: version, FileID: f.FileID, UserID: u.ID, BlobID: b.ID, Actor: "test",
			StoredAt: now, Class: w.service.Class(u.ID, full, "")}
		if err := tx.AddVersion(v); err != nil {
			return err
		}
		if err := tx.PutFile(f); err != nil {
			return err
		}
		return tx.Use(u.ID, store.Counts{Bytes: grown, Files: files},
			model.StorageLimits{QuotaBytes: 1 << 40, QuotaFiles: 1 << 40})
	}))
	return version
}

// step does what is due.
func (w *world) step() { w.t.Helper(); testkit.Must(w.t, w.service.Step(ctx)) }

// on goes to a date and does what is due.
func (w *world) on(date string) { w.t.Helper(); w.to(date); w.step() }

// runs lists runs, the newest first.
func (w *world) runs() []model.RetentionRun {
	w.t.Helper()
	list, err := w.service.Runs(ctx, model.EveryFilter{Paging: model.Paging{Limit: 100}})
	testkit.Must(w.t, err)
	return list
}

// one is the only run there is.
func (w *world) one() model.RetentionRun {
	w.t.Helper()
	list := w.runs()
	if len(list) != 1 {
		w.t.Fatalf("there are %d runs: %+v", len(list), list)
	}
	r, err := w.service.Run(ctx, list[0].ID)
	testkit.Must(w.t, err)
	return r
}

// outcomes are what became of a run's files, by path, with the reason.
func (w *world) outcomes(run string) map[string]string {
	w.t.Helper()
	var b strings.Builder
	testkit.Must(w.t, w.service.List(ctx, &b, run))
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	testkit.Must(w.t, err)
	out := map[string]string{}
	for _, r := range rows[1:] {
		key := r[1] + ":" + r[2]
		for out[key] != "" {
			key += "+"
		}
		out[key] = r[8]
	}
	return out
}

func (w *world) wantOutcomes(run string, want map[string]string) {
	w.t.Helper()
	if got := w.outcomes(run); !maps.Equal(got, want) {
		w.t.Fatalf("the run did %v, want %v", got, want)
	}
}

// has reports whether a name is there.
func (w *world) has(u model.User, full string) bool {
	w.t.Helper()
	found, err := w.store.Read(ctx).Look(u.ID, store.SplitPath(full))
	return err == nil && found.File != nil
}

// sound fails unless use of quotas and references of blobs are what they
// should be.
func (w *world) sound() {
	w.t.Helper()
	if n := w.count(`SELECT COUNT(*) FROM mailboxes m
		WHERE used_files <> (SELECT COUNT(*) FROM files f JOIN versions v ON v.id = f.version_id WHERE v.user_id = m.user_id)
		OR used_bytes <> (SELECT COALESCE(SUM(f.size), 0) FROM files f JOIN versions v ON v.id = f.version_id
		WHERE v.user_id = m.user_id)`); n > 0 {
		w.t.Errorf("%d mailboxes count their use wrongly", n)
	}
	if n := w.count(`SELECT COUNT(*) FROM blobs b WHERE state = 'live'
		AND refs <> (SELECT COUNT(*) FROM versions v WHERE v.blob_id = b.id)
		AND NOT EXISTS (SELECT 1 FROM retention_runs r WHERE r.list_key = b.key)`); n > 0 {
		w.t.Errorf("%d blobs count their references wrongly", n)
	}
	if n := w.count(
		`SELECT COUNT(*) FROM files f WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE v.id = f.version_id)`); n > 0 {
		w.t.Errorf("%d names show nothing", n)
	}
}
