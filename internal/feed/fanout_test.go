package feed_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const crowd = 450 // more than two batches

var fanOutStories = stories{
	"a crowd is served in batches": func(t *testing.T, w *world) {
		users := w.crowd()
		p := w.publish("data", "all", "a.csv", "12345")
		if p.Deliveries != crowd {
			t.Fatalf("%d mailboxes got it", p.Deliveries)
		}
		w.wantOneEach(users)
		if e := w.Events(model.EventPublished); len(e) != 1 || e[0].Field("deliveries") != float64(crowd) {
			t.Fatalf("the events are %+v", e)
		}
	},
	"what a stop left unplaced is placed at the next start": func(t *testing.T, w *world) {
		users := w.crowd()
		p := w.interrupted(users)
		w.open()
		testkit.Must(t, w.service.Resume(ctx, slog.New(slog.DiscardHandler)))
		w.wantOneEach(users)
		if n := w.Count("publications WHERE placed_up_to IS NOT NULL"); n != 0 {
			t.Fatalf("%d are unplaced", n)
		}
		testkit.Must(t, w.service.Resume(ctx, slog.New(slog.DiscardHandler))) // nothing is left to do
		w.wantOneEach(users)
		if e := w.Events(model.EventPublished); len(e) != 1 || e[0].Field("publication") != p.ID {
			t.Fatalf("the events are %+v", e)
		}
	},
	"whoever asks again for what a stop left unplaced finishes it": func(t *testing.T, w *world) {
		users := w.crowd()
		p := w.interrupted(users)
		again := to("data", "all", "a.csv", "12345")
		again.IdempotencyKey = "run-7"
		out, err := w.service.Publish(ctx, "test", again)
		testkit.Must(t, err)
		if out.ID != p.ID || !out.Repeated {
			t.Fatalf("asked again: %+v", out)
		}
		w.wantOneEach(users)
	},
	"whoever subscribes before a fan-out goes on gets it once": func(t *testing.T, w *world) {
		users := w.crowd()
		w.interrupted(users)
		late := w.Customer("late")
		w.subscribe("data", "late")
		testkit.Must(t, w.service.Resume(ctx, slog.New(slog.DiscardHandler)))
		w.wantOneEach(append(users, late))
	},
	"filling in before a fan-out goes on keeps nobody waiting": func(t *testing.T, w *world) {
		users := w.crowd()
		w.interrupted(users)
		late := w.Customer("late")
		_, err := w.service.Subscribe(ctx, "test", "data", model.NewSubscription{User: "late", Days: 1})
		testkit.Must(t, err)
		testkit.Must(t, w.service.Resume(ctx, slog.New(slog.DiscardHandler)))
		w.wantOneEach(append(users, late))
	},
}

// crowd creates an account of many users who all have the feed "data".
func (w *world) crowd() (users []model.User) {
	w.Helper()
	w.Customer("crowd")
	w.feed("data")
	w.Write(func(tx *store.Tx) error {
		users = nil
		for i := range crowd {
			u := model.User{ID: w.IDs.New(), Name: fmt.Sprintf("crowd-%03d", i), Kind: model.KindCustomer, Account: "crowd",
				Enabled: true, StartDir: "/", CreatedAt: w.Clock()}
			if err := tx.AddUser(u, exchange.Read|exchange.List); err != nil {
				return err
			}
			s := model.Subscription{ID: w.IDs.New(), Feed: "data", User: u.Name, Types: []string{}, Dir: "/download/data",
				CreatedAt: w.Clock()}
			if err := tx.AddSubscription(u.ID, s); err != nil {
				return err
			}
			users = append(users, u)
		}
		return nil
	})
	return users
}

// interrupted leaves a publication in the state of a server stop after the first batch: the
// bytes and 200 mailboxes are there, and the row holds the progress.
func (w *world) interrupted(users []model.User) model.Publication {
	w.Helper()
	const placed = 200
	p := to("data", "all", "a.csv", "12345")
	p.IdempotencyKey = "run-7"
	out, err := w.service.Publish(ctx, "test", p)
	w.Must(err)
	last := users[placed-1].ID
	later := "(SELECT user_id FROM deliveries WHERE user_id > '" + last + "')"
	for _, q := range []string{
		"DELETE FROM files WHERE dir_id IN (SELECT id FROM dirs WHERE user_id IN " + later + ")",
		"UPDATE mailboxes SET used_bytes = 0, used_files = 0 WHERE user_id IN " + later,
		"DELETE FROM versions WHERE user_id IN " + later,
		"DELETE FROM deliveries WHERE user_id > '" + last + "'",
		fmt.Sprintf("UPDATE blobs SET refs = %d", placed+1), // one is the publication's own
		"UPDATE publications SET placed_up_to = '" + last + "'",
		"DELETE FROM outbox",
	} {
		_, err := w.DB.Exec(q)
		w.Must(err)
	}
	if n := w.Count("deliveries"); n != placed {
		w.Fatalf("%d mailboxes have it before the stop", n)
	}
	return out
}

// wantOneEach fails unless each mailbox has the file, from one delivery.
func (w *world) wantOneEach(users []model.User) {
	w.Helper()
	if n := w.Count("deliveries"); n != len(users) {
		w.Fatalf("%d deliveries for %d mailboxes", n, len(users))
	}
	if n := w.Count("(SELECT user_id FROM deliveries GROUP BY user_id HAVING COUNT(*) = 1) d"); n != len(users) {
		w.Fatalf("%d mailboxes of %d have one delivery", n, len(users))
	}
	if n := w.Count("mailboxes WHERE used_bytes = 5 AND used_files = 1"); n != len(users) {
		w.Fatalf("%d mailboxes of %d count one file of 5 bytes", n, len(users))
	}
	for _, u := range []model.User{users[0], users[199], users[200], users[len(users)-1]} {
		w.wantFile(u, "/download/data/a.csv", "12345")
	}
	w.wantRefs()
}

// wantRefs fails unless each blob has as many references as versions, plus one while it is
// being placed.
func (w *world) wantRefs() {
	w.Helper()
	if n := w.Count(`blobs b WHERE refs <> (SELECT COUNT(*) FROM versions v WHERE v.blob_id = b.id)
		+ (SELECT COUNT(*) FROM publications p WHERE p.id = b.id AND p.placed_up_to IS NOT NULL)`); n != 0 {
		w.Fatalf("%d blobs count their references wrongly", n)
	}
}

// wantNoStages fails if any stage is left.
func (w *world) wantNoStages() {
	w.Helper()
	left, err := w.Blobs.Leftovers()
	w.Must(err)
	if len(left) > 0 {
		var ids []string
		for _, l := range left {
			ids = append(ids, l.ID)
		}
		w.Fatalf("stages were left: %s", strings.Join(ids, ", "))
	}
}
