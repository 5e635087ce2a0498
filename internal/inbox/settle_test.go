package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func withCancel() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }

var settleStories = stories{
	"a drop that nobody has is acked without a claim": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		_, err := w.service.Ack(ctx, "token:jo", id, "guessed")
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Ack(ctx, "token:jo", id, "")
		testkit.Must(t, err)
		if d := w.wantState(id, model.DropAcked); d.Consumer != "token:jo" || d.SettledAt == nil {
			t.Fatalf("accepted: %+v", d)
		}
		_, err = w.service.Ack(ctx, "token:jo", id, "")
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.service.Reject(ctx, "token:jo", id, "", "bad", "")
		testkit.WantKind(t, err, fault.Conflict)
		if n := len(w.Audited("drop.ack")); n != 1 {
			t.Fatalf("%d audit rows", n)
		}
	},
	"a drop that somebody has is not acked without the claim": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		w.claimOne("one")
		_, err := w.service.Ack(ctx, "test", id, "")
		testkit.WantKind(t, err, fault.Conflict)
		if text := fault.PublicText(err); !strings.Contains(text, "claimed by one until") {
			t.Fatalf("the refusal is %q", text)
		}
		_, err = w.service.Ack(ctx, "test", "none", "")
		testkit.WantKind(t, err, fault.NotFound)
	},
	"a refusal is told in the mailbox, by mail and to programs": func(t *testing.T, w *world) {
		w.kept = time.Date(2027, 10, 31, 0, 0, 0, 0, time.UTC)
		id := w.arrive("acme", "/upload/cdr/a.csv", "12345")
		d := w.claimOne("rating")
		_, err := w.service.Reject(ctx, "test", id, d.Claim, " ", "")
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.service.Reject(ctx, "test", id, d.Claim, "a\nb", "")
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.service.Reject(ctx, "test", id, d.Claim, "line 3 has no number", "")
		testkit.Must(t, err)
		if got := w.wantState(id, model.DropRejected); got.Reason != "line 3 has no number" ||
			got.Advice != "correct the file" || got.Consumer != "rating" {
			t.Fatalf("refused: %+v", got)
		}
		w.wantDid()
		zone := "Asia/Kolkata" // its notes were in UTC, its mails in its own zone
		_, err = w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{TimeZone: &zone})
		testkit.Must(t, err)
		w.follow()
		w.wantDid("write /upload/refused/a.csv.txt\nWe received a.csv (5 bytes, 2026-10-31 14:30 IST) complete, but could " +
			"not use it.\r\n\r\n" +
			"Reason: line 3 has no number\r\n\r\nWhat to do: correct the file, then upload it again; the same name or a new " +
			"one will do.\r\n\r\n" +
			"Your file is kept until 2027-10-31.\r\n")
		w.follow() // the note is written once
		if len(w.boxes.did) != 1 {
			t.Fatalf("told %d times", len(w.boxes.did))
		}
		e := w.emitted(model.EventRejected)
		if len(e) != 1 || !strings.Contains(e[0], "acme acme") || !strings.Contains(e[0], "reason:line 3 has no number") ||
			!strings.Contains(e[0], "drop:"+id) {
			t.Fatalf("the events are %q", e)
		}
		if g := w.digests(); len(g) != 1 || !strings.Contains(g[0], "line 3 has no number") {
			t.Fatalf("the mail would say %q", g)
		}
		if text, err := w.fetch(id, ""); err != nil || text != "12345" {
			t.Fatalf("the file itself is %q, %v", text, err)
		}
	},
	"when nobody can say how long a file is kept, the text says so in words": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/a.csv", "12345")
		_, err := w.service.Reject(ctx, "test", id, "", "bad", "call us")
		testkit.Must(t, err)
		w.follow()
		if did := w.boxes.did; len(did) != 1 || !strings.HasPrefix(did[0], "write /refused/a.csv.txt\n") ||
			!strings.Contains(did[0], "What to do: call us,") ||
			!strings.Contains(did[0], "kept until it is removed with your other files of that age") {
			t.Fatalf("told: %q", did)
		}
	},
	"a newer upload supersedes one that nobody claimed": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		if w.gone(id, true) {
			t.Fatal("its bytes are kept for nobody")
		}
		w.wantState(id, model.DropSuperseded)
		newer := w.arrive("acme", "/upload/a.csv", "b")
		if d := w.claimOne("one"); d.ID != newer {
			t.Fatalf("claimed %+v", d)
		}
		_, err := w.service.Ack(ctx, "test", id, "")
		testkit.WantKind(t, err, fault.Conflict)
	},
	"a newer upload leaves one that is claimed": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		d := w.claimOne("one")
		if !w.gone(id, true) {
			t.Fatal("its bytes are let go while somebody works on them")
		}
		newer := w.arrive("acme", "/upload/a.csv", "b")
		w.wantState(id, model.DropClaimed)
		_, err := w.service.Ack(ctx, "test", id, d.Claim)
		testkit.Must(t, err)
		if d := w.claimOne("one"); d.ID != newer {
			t.Fatalf("claimed %+v", d)
		}
	},
	"removing a name withdraws the drop, which stays": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		if !w.gone(id, false) {
			t.Fatal("its bytes are let go")
		}
		if d := w.wantState(id, model.DropNew); !d.Withdrawn {
			t.Fatalf("the drop is %+v", d)
		}
		w.claimOne("one")
		if w.gone("no-drop", false) || w.gone("no-drop", true) {
			t.Fatal("what is no drop is held")
		}
	},
	"drops are listed by what is said beside their state": func(t *testing.T, w *world) {
		plain, gone := w.arrive("acme", "/upload/plain.csv", "plain"), w.arrive("acme", "/upload/gone.csv", "gone")
		twin, odd := w.arrive("acme", "/upload/twin.csv", "plain"), w.arrive("acme", "/upload/odd.csv", "odd")
		old := w.arrive("acme", "/upload/old.csv", "old")
		w.gone(gone, false)
		w.Exec("UPDATE drops SET flag = 'larger than expected' WHERE id = '" + odd + "'")
		w.Exec("UPDATE drops SET removed_at = 1 WHERE id = '" + old + "'")
		for state, want := range map[model.DropState][]string{model.DropWithdrawn: {gone}, model.DropDuplicate: {twin},
			model.DropUnexpected: {odd}, model.DropRemoved: {old}, model.DropNew: {plain, gone, twin, odd, old},
			model.DropAcked: nil} {
			for _, account := range []string{"", "acme"} {
				p, err := w.service.List(ctx, model.DropFilter{State: state, Account: account, Paging: model.Paging{Limit: 10}})
				testkit.Must(t, err)
				var got []string
				for _, d := range p {
					got = append(got, d.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", state, got, want)
				}
			}
		}
	},
	"a receipt says that a file was received whole, whatever its name": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a\nstate: accepted.csv", "12345")
		text, err := w.service.Receipt(ctx, id)
		testkit.Must(t, err)
		doc, err := proof.Open(text, w.Key.Public())
		testkit.Must(t, err)
		if doc.Get("kind") != "received file" || doc.Get("size") != "5" || doc.Get("state") != "received" ||
			doc.Get("file") != `a\x0astate: accepted.csv` {
			t.Fatalf("the receipt is %+v", doc)
		}
		_, err = proof.Open(strings.Replace(text, "size: 5", "size: 6", 1), w.Key.Public())
		testkit.WantKind(t, err, fault.Denied)
	},
}

var afterStories = stories{
	"an acked file moves when its uploader has left": func(t *testing.T, w *world) {
		w.after = inbox.AfterMove
		w.open()
		id := w.arrive("acme", "/upload/cdr/a.csv", "a")
		w.boxes.busy = true
		_, err := w.service.Ack(ctx, "test", id, "")
		testkit.Must(t, err)
		w.follow()
		w.wantDid()
		w.boxes.busy = false
		w.follow()
		w.wantDid("move /upload/cdr/a.csv to /upload/processed")
		w.follow()
		w.wantDid("move /upload/cdr/a.csv to /upload/processed")
	},
	"a move waits five minutes for an uploader, and no longer": func(t *testing.T, w *world) {
		w.after = inbox.AfterMove
		w.open()
		id := w.arrive("acme", "/a.csv", "a")
		w.boxes.busy = true
		_, err := w.service.Ack(ctx, "test", id, "")
		testkit.Must(t, err)
		w.Pass(5 * time.Minute)
		w.follow()
		w.wantDid("move /a.csv to /processed")
	},
	"a refusal does not wait behind hundreds of moves": func(t *testing.T, w *world) {
		w.after = inbox.AfterMove
		w.open()
		w.boxes.busy = true
		for i := range 201 {
			_, err := w.service.Ack(ctx, "test", w.arrive("acme", fmt.Sprintf("/upload/%d.csv", i), "a"), "")
			testkit.Must(t, err)
		}
		_, err := w.service.Reject(ctx, "test", w.arrive("beta", "/upload/b.csv", "b"), "", "bad", "")
		testkit.Must(t, err)
		w.follow()
		if len(w.boxes.did) != 1 || !strings.HasPrefix(w.boxes.did[0], "write /upload/refused/b.csv.txt") {
			t.Fatalf("done: %q", w.boxes.did)
		}
	},
	"a mailbox that takes no notes delays nobody else's": func(t *testing.T, w *world) {
		for i := range 300 {
			_, err := w.service.Reject(ctx, "test", w.arrive("acme", fmt.Sprintf("/upload/%d.csv", i), "a"), "", "bad", "")
			testkit.Must(t, err)
		}
		_, err := w.service.Reject(ctx, "test", w.arrive("beta", "/upload/b.csv", "b"), "", "bad", "")
		testkit.Must(t, err)
		w.boxes.refuses = "acme"
		w.follow()
		if n := len(w.boxes.did); n > 12 ||
			!slices.ContainsFunc(w.boxes.did, func(s string) bool { return strings.Contains(s, "/b.csv.txt") }) {
			t.Fatalf("done: %.500q", w.boxes.did)
		}
		w.boxes.refuses = ""
		w.Pass(time.Minute)
		w.follow()
		testkit.Eventually(t, "the others follow", func() bool {
			w.Pass(time.Minute)
			w.follow()
			users, err := w.Store.Read(ctx).PendingUsers("tell")
			return err == nil && len(users) == 0
		})
	},
	"a user's moves that wait delay nobody else's": func(t *testing.T, w *world) {
		w.after = inbox.AfterMove
		w.open()
		u, err := w.Store.Read(ctx).User("acme")
		testkit.Must(t, err)
		w.boxes.busyUser = u.ID
		for i := range 201 {
			_, err := w.service.Ack(ctx, "test", w.arrive("acme", fmt.Sprintf("/upload/%d.csv", i), "a"), "")
			testkit.Must(t, err)
		}
		_, err = w.service.Ack(ctx, "test", w.arrive("beta", "/upload/b.csv", "b"), "")
		testkit.Must(t, err)
		w.follow()
		w.wantDid("move /upload/b.csv to /upload/processed")
	},
	"an acked file stays where policy leaves it": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		_, err := w.service.Ack(ctx, "test", id, "")
		testkit.Must(t, err)
		w.follow()
		w.wantDid()
	},
	"what fails is tried again for a day, and then left": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		_, err := w.service.Reject(ctx, "test", id, "", "bad", "")
		testkit.Must(t, err)
		w.boxes.err = errors.New("the disk is on fire")
		w.follow()
		w.follow() // it is paused
		w.Pass(2 * time.Second)
		w.follow()
		if len(w.boxes.did) != 2 {
			t.Fatalf("tried %d times", len(w.boxes.did))
		}
		w.Pass(25 * time.Hour)
		w.follow()
		w.follow()
		if len(w.boxes.did) != 3 {
			t.Fatalf("tried %d times", len(w.boxes.did))
		}
	},
	"a mailbox that changed has nothing left to do": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/a.csv", "a")
		_, err := w.service.Reject(ctx, "test", id, "", "bad", "")
		testkit.Must(t, err)
		w.boxes.err = fault.E("test", fault.NotFound, "No such user.")
		w.follow()
		w.follow()
		if len(w.boxes.did) != 1 {
			t.Fatalf("tried %d times", len(w.boxes.did))
		}
	},
	"a name as long as names can be still has its note": func(t *testing.T, w *world) {
		name := strings.Repeat("n", valid.MaxName)
		id := w.arrive("acme", "/upload/"+name, "a")
		_, err := w.service.Reject(ctx, "test", id, "", "bad", "")
		testkit.Must(t, err)
		w.follow()
		if want := "write /upload/refused/" + name[:valid.MaxName-4] + ".txt\n"; len(w.boxes.did) != 1 ||
			!strings.HasPrefix(w.boxes.did[0], want) {
			t.Fatalf("told: %.300q", w.boxes.did)
		}
	},
}

var twinStories = stories{
	"what had come before is marked": func(t *testing.T, w *world) {
		first := w.arrive("acme", "/upload/a.csv", "one")
		w.arrive("beta", "/upload/a.csv", "one") // files of another user are no duplicates
		for _, c := range []struct{ path, text, duplicate string }{
			{"/upload/b.csv", "two", ""},
			{"/upload/a.csv", "three", model.DuplicateName},
			{"/upload/sub/a.csv", "four", model.DuplicateName},
			{"/upload/c.csv", "one", model.DuplicateContent},
			{"/upload/a.csv", "one", model.DuplicateBoth},
		} {
			d := w.wantState(w.arrive("acme", c.path, c.text), model.DropNew)
			if d.Duplicate != c.duplicate || (d.DuplicateOf != "") != (c.duplicate != "") {
				t.Fatalf("%s with %q is %q of %q, want %q", c.path, c.text, d.Duplicate, d.DuplicateOf, c.duplicate)
			}
			if c.duplicate == model.DuplicateContent && d.DuplicateOf != first {
				t.Fatalf("it is one of %s, want %s", d.DuplicateOf, first)
			}
		}
		e := w.emitted(model.EventReceived)
		if len(e) != 7 || !strings.Contains(e[6], "duplicate:both") || strings.Contains(e[0], "duplicate") {
			t.Fatalf("the events are %q", e)
		}
		if g := w.digests(); len(g) != 4 {
			t.Fatalf("the mail would say %q", g)
		}
	},
	"one that was superseded is no twin": func(t *testing.T, w *world) {
		w.gone(w.arrive("acme", "/upload/a.csv", "one"), true)
		if d := w.wantState(w.arrive("acme", "/upload/a.csv", "one"), model.DropNew); d.Duplicate != "" {
			t.Fatalf("the drop is %+v", d)
		}
	},
	"a name that is not UTF-8 goes through": func(t *testing.T, w *world) {
		id := w.arrive("acme", "/upload/\xff.csv", "a")
		d := w.wantState(id, model.DropNew)
		if string(d.Raw) != "/upload/\xff.csv" || d.Path != `/upload/\xff.csv` {
			t.Fatalf("the path is %q, %q", d.Path, d.Raw)
		}
		_, err := w.service.Reject(ctx, "test", id, "", "bad", "")
		testkit.Must(t, err)
		w.follow()
		if !strings.HasPrefix(fmt.Sprint(w.boxes.did), "[write /upload/refused/\xff.csv.txt") {
			t.Fatalf("told: %q", w.boxes.did)
		}
	},
}
