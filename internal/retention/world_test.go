package retention_test

import (
	"context"
	"encoding/csv"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = testkit.Day

var ctx = context.Background()

// world is the retention service on a real database and blob store, with mailboxes.
type world struct {
	*testkit.World
	feeds   *feed.Service
	policy  retention.Policy
	service *retention.Service

	mu      sync.Mutex
	letters []retention.Letter
	people  map[string][]string // account → addresses of its letters
}

// to sets the clock: "2026-01-05" is noon of that day.
func (w *world) to(date string) {
	w.Helper()
	at, err := time.Parse("2006-01-02 15:04", date+" 12:00"[:max(0, 16-len(date))])
	w.Must(err)
	w.Set(at)
}

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// begin starts a story with an empty world on 5 January 2026.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	w.to("2026-01-05")
	w.people, w.letters = map[string][]string{}, nil
	w.policy = retention.Policy{Keep: "12mo", Day: 1, Hour: 3, Notice: 30 * day, Reminder: 7 * day, AfterClose: 60 * day,
		RequireNotice: true}
	w.OpenBlobs()
	w.open()
	return w
}

// open creates the service, as a restart does.
func (w *world) open() {
	w.service = w.another("node")
	w.feeds = feed.New(feed.Options{Store: w.Store, Blobs: w.Blobs, Clock: w.Clock, IDs: w.IDs, Key: w.Key,
		Bounds: feed.Bounds{MaxFile: 1 << 20, KeepUploads: day}, Class: w.service.Class, Changed: w.service.Forget})
}

// another returns a second service, as on another node.
func (w *world) another(node string) *retention.Service {
	return retention.New(retention.Options{Store: w.Store, Blobs: w.Blobs, Clock: w.Clock, IDs: w.IDs,
		Log: slog.New(slog.DiscardHandler), Key: w.Key, Policy: w.policy, Tell: w.tell, Node: node})
}

// tell records a mail to each of an account's people as sent.
func (w *world) tell(tx *store.Tx, l retention.Letter) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	undone := func(old retention.Letter) bool {
		return old.Kind == l.Kind && old.Account == l.Account && old.Text == l.Text
	}
	w.letters = append(slices.DeleteFunc(w.letters, undone), l) // a rolled-back transaction may run again
	for _, to := range w.people[l.Account] {
		m := model.Message{ID: w.IDs.New(), Channel: model.ChannelMail, Target: to, Kind: l.Kind, Ref: l.Ref,
			CreatedAt: w.Clock()}
		if err := tx.AddMessage(m); err != nil {
			return 0, err
		}
		if err := tx.Tried(m.ID, model.MessageSent, "", w.Clock()); err != nil {
			return 0, err
		}
	}
	return len(w.people[l.Account]), nil
}

type stories = testkit.Stories[*world]

func TestRetention(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, newWorld(t, url), (*world).begin, policyStories, planStories, runStories, holdStories,
			noticeStories, closeStories, reopenStories, crashStories, forecastStories)
	})
}

// customer creates an account with a user and a mail recipient.
func (w *world) customer(name string) model.User {
	w.Helper()
	w.people[name] = []string{name + "@example.com"}
	return w.Customer(name)
}

// put stores a file in a mailbox now, as a commit does. An existing file of that name becomes
// an old version.
func (w *world) put(u model.User, full, text string) (version string) {
	w.Helper()
	b, now := w.AddBlob(u.ID, path.Base(full), text), w.Clock()
	version = w.IDs.New()
	w.Write(func(tx *store.Tx) error {
		rows, err := mailbox.Lock(tx, u.ID)
		if err != nil {
			return err
		}
		dir, err := rows.MakeDirs(mailbox.NewDirs{Path: path.Dir(full), IDs: w.IDs, At: now})
		if err != nil {
			return err
		}
		found, err := tx.Look(u.ID, store.SplitPath(full))
		if err != nil {
			return err
		}
		f := store.File{DirID: dir, Name: path.Base(full), FileID: w.IDs.New(), VersionID: version, Size: b.Size,
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
	})
	return version
}

// step does everything that is due.
func (w *world) step() { w.Helper(); w.Must(w.service.Step(ctx)) }

// on sets the date and does everything that is due.
func (w *world) on(date string) { w.Helper(); w.to(date); w.step() }

// runs lists runs, newest first.
func (w *world) runs() []model.RetentionRun {
	w.Helper()
	list, err := w.service.Runs(ctx, model.EveryFilter{Paging: model.Paging{Limit: 100}})
	w.Must(err)
	return list
}

// one returns the only run.
func (w *world) one() model.RetentionRun {
	w.Helper()
	list := w.runs()
	if len(list) != 1 {
		w.Fatalf("there are %d runs: %+v", len(list), list)
	}
	r, err := w.service.Run(ctx, list[0].ID)
	w.Must(err)
	return r
}

// outcomes returns the outcome of each of a run's files with the reason, by path.
func (w *world) outcomes(run string) map[string]string {
	w.Helper()
	var b strings.Builder
	w.Must(w.service.List(ctx, &b, run))
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	w.Must(err)
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
	w.Helper()
	if got := w.outcomes(run); !maps.Equal(got, want) {
		w.Fatalf("the run did %v, want %v", got, want)
	}
}

// has reports whether a name exists.
func (w *world) has(u model.User, full string) bool {
	w.Helper()
	found, err := w.Store.Read(ctx).Look(u.ID, store.SplitPath(full))
	return err == nil && found.File != nil
}

// sound fails unless rows and bytes are consistent.
func (w *world) sound() {
	w.Helper()
	if err := testkit.Books(w.DB, w.Blobs); err != nil {
		w.Error(err)
	}
}
