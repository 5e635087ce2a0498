package account_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var pendingStories = stories{
	"unknown keys wait, the newest five": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		var want []string
		for range 8 {
			p := testkit.NewPair(t)
			w.offer("acme", p)
			want = slices.Insert(want, 0, p.Print)
		}
		if got := w.waiting("acme"); !slices.Equal(got, want[:5]) {
			t.Fatalf("%v wait, want %v", got, want[:5])
		}
		again := testkit.NewPair(t)
		w.offer("globex", again)
		w.Pass(day)
		w.offer("globex", again)
		list, err := w.Accounts.PendingKeys(ctx, model.OfUserFilter{User: "globex"})
		testkit.Must(t, err)
		if len(list) != 1 || list[0].Times != 2 || list[0].LastAt.Sub(list[0].FirstAt) < day || list[0].User != "globex" ||
			list[0].Type != "ssh-ed25519" ||
			list[0].Address != "203.0.113.7" || list[0].Client != "SSH-2.0-x" {
			t.Fatalf("%+v", list)
		}
		if got := w.waiting(""); len(got) != 6 {
			t.Fatalf("%d wait in all", len(got))
		}
		_, err = w.Accounts.PendingKeys(ctx, model.OfUserFilter{User: "nobody"})
		testkit.WantKind(t, err, fault.NotFound)
	},
	"what does not wait": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.Customer("globex")
		w.Policy.KeyTypes = []string{"ed25519"}
		w.OpenAccounts()
		w.offer("acme", w.Enrol("acme"))
		w.offer("acme", w.Enrol("globex"))
		burned := testkit.NewPair(t)
		_, err := w.Accounts.RevokeKey(ctx, "test", burned.Print, "copied", true)
		testkit.Must(t, err)
		w.offer("acme", burned)
		for _, text := range []string{rsaLine(t, 3072), "hello", "", string(testkit.NewPair(t).File(t, ""))} {
			testkit.Must(t, w.Accounts.Offered(ctx, model.PendingKey{UserID: u.ID, Public: text}))
		}
		if got := w.waiting(""); len(got) > 0 {
			t.Fatalf("%v wait", got)
		}
	},
	"a waiting key is approved": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		jo := w.Person("acme", "jo@acme.example")
		p := testkit.NewPair(t)
		w.offer("acme", p)
		w.wantReason("acme", p, model.ReasonKeyPending)
		w.wantReason("globex", p, model.ReasonUnknownKey)
		for _, c := range []struct{ user, fingerprint string }{{"globex", p.Print}, {"acme", testkit.NewPair(t).Print},
			{"nobody", p.Print}} {
			_, err := w.Accounts.ApproveKey(ctx, "test", c.user, model.ApproveKey{Fingerprint: c.fingerprint})
			testkit.WantKind(t, err, fault.NotFound)
		}
		added, err := w.Accounts.ApproveKey(ctx, "test", "acme",
			model.ApproveKey{Fingerprint: p.Print, Holder: "jo@acme.example"})
		if err != nil || len(added) != 1 || added[0].Fingerprint != p.Print || added[0].HolderID != jo.ID {
			t.Fatalf("%+v, %v", added, err)
		}
		w.wantReason("acme", p, model.ReasonOK)
		if got := w.waiting(""); len(got) > 0 {
			t.Fatalf("%v still wait", got)
		}
	},
	"a waiting key is refused, and may be seen again": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		p := testkit.NewPair(t)
		w.offer("acme", p)
		w.offer("globex", p)
		testkit.Must(t, w.Accounts.RefuseKey(ctx, "test", "acme", p.Print))
		testkit.WantKind(t, w.Accounts.RefuseKey(ctx, "test", "acme", p.Print), fault.NotFound)
		testkit.WantKind(t, w.Accounts.RefuseKey(ctx, "test", "nobody", p.Print), fault.NotFound)
		if got := w.waiting(""); len(got) != 1 {
			t.Fatalf("%v wait; the other user's should", got)
		}
		w.wantReason("acme", p, model.ReasonUnknownKey)
		w.offer("acme", p)
		w.wantReason("acme", p, model.ReasonKeyPending)
	},
	"a waiting key that is added waits no longer": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := testkit.NewPair(t)
		w.offer("acme", p)
		_, err := w.add("acme", p.Line)
		testkit.Must(t, err)
		if got := w.waiting(""); len(got) > 0 {
			t.Fatalf("%v wait", got)
		}
	},
}

// offer records an unknown key that was offered for a user.
func (w *world) offer(user string, p testkit.Pair) {
	w.Helper()
	u, err := w.Accounts.User(ctx, user)
	w.Must(err)
	w.Pass(time.Second)
	w.Must(w.Accounts.Offered(ctx,
		model.PendingKey{UserID: u.ID, Public: p.Line, Address: "203.0.113.7", Client: "SSH-2.0-x"}))
}

// waiting returns the fingerprints that wait for a user, newest first.
func (w *world) waiting(user string) (out []string) {
	w.Helper()
	list, err := w.Accounts.PendingKeys(ctx, model.OfUserFilter{User: user})
	w.Must(err)
	for _, p := range list {
		out = append(out, p.Fingerprint)
	}
	return out
}
