package retention_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// last is the newest letter.
func (w *world) last() string { return w.letters[len(w.letters)-1].Text }

// row returns what the newest letter knows of a file's way to the account.
func (w *world) row(file string) string {
	for _, i := range w.letters[len(w.letters)-1].Items {
		if strings.HasSuffix(i.Path, file) {
			return i.Fetched
		}
	}
	return "not listed"
}

var reopenStories = stories{
	"a file that was withdrawn by us was sent by you": func(t *testing.T, w *world) {
		w.customer("acme")
		w.feed("inv", "acme")
		for _, name := range []string{"wrong.pdf", "right.pdf"} {
			w.publish("inv", "acme", name)
		}
		list, err := w.feeds.Deliveries(ctx, model.DeliveryFilter{Name: "wrong.pdf"})
		testkit.Must(t, err)
		_, err = w.feeds.Withdraw(ctx, "op:jo", list[0].ID, "the wrong month")
		testkit.Must(t, err)
		w.closed("acme")
		_, err = w.service.PlanClosing(ctx, "acme")
		testkit.Must(t, err)
		if wrong, right := w.row("wrong.pdf"), w.row("right.pdf"); wrong != "withdrawn" || right != "published" {
			t.Fatalf("wrong.pdf: %q, right.pdf: %q in\n%v", wrong, right, w.letters)
		}
	},
	"the letter says to download only to people who may": func(t *testing.T, w *world) {
		w.Policy.AfterClose, w.Policy.CloseAccess = 60*day, model.CloseReadOnly
		w.OpenAccounts()
		w.put(w.customer("acme"), "/a", "a")
		w.put(w.customer("bolt"), "/b", "b")
		w.policy.CloseAccess = model.CloseReadOnly
		w.open()
		for name, says := range map[string]string{"acme": "can log in as before and download, but not send",
			"bolt": "can no longer log in"} {
			if name == "bolt" { // a suspended account stays out
				_, err := w.Accounts.SetState(ctx, "op:jo", name, model.AccountSuspended)
				testkit.Must(t, err)
			}
			w.closed(name)
			_, err := w.service.PlanClosing(ctx, name)
			testkit.Must(t, err)
			if text := w.last(); !strings.Contains(text, says) || strings.Contains(text, "download it") == (name == "bolt") {
				t.Errorf("%s reads %q", name, text)
			}
		}
	},
	"reopened before its removal, an account keeps its files": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.put(u, "/a", "a")
		w.closed("acme")
		w.step()
		_, err := w.Accounts.Reopen(ctx, "op:jo", "acme")
		testkit.Must(t, err)
		w.on("2026-01-16")
		w.on("2026-04-16")
		if r := w.one(); r.State != model.RunCancelled || !w.has(u, "/a") {
			t.Fatalf("the run is %s", r.State)
		}
		w.closed("acme") // and closed again, it has a run of its own
		w.step()
		runs := w.runs()
		if !slices.ContainsFunc(runs, func(r model.RetentionRun) bool { return r.State == model.RunAnnounced }) {
			t.Fatalf("%+v", runs)
		}
		w.sound()
	},
	"a plan discards itself if the account was reopened meanwhile": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.put(u, "/a", "a")
		w.closed("acme")
		reopened := false
		w.Asked.Watch(func(_ int, statement string, ran bool) error { // while the plan reads which files there are
			if reopened || !ran || !strings.Contains(statement, "u.account_id = $3") {
				return nil
			}
			reopened = true
			_, err := w.Accounts.Reopen(ctx, "op:jo", "acme")
			return err
		})
		_, err := w.service.PlanClosing(ctx, "acme")
		w.Asked.Stop()
		testkit.WantKind(t, err, fault.NotFound)
		w.on("2026-02-16")
		if !w.has(u, "/a") || len(w.runs()) != 0 || !reopened {
			t.Fatalf("%+v", w.runs())
		}
	},
	"when the removal begins, whoever may still download is cut off": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.put(u, "/a", "a")
		w.closed("acme")
		w.step()
		before, err := w.Store.Read(ctx).RevocationNumber()
		testkit.Must(t, err)
		w.on("2026-01-16")
		after, err := w.Store.Read(ctx).RevocationNumber()
		if err != nil || after != before+1 || w.has(u, "/a") {
			t.Fatalf("revocation number %d → %d, %v", before, after, err)
		}
	},
}
