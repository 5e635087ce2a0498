package account_test

import (
	"slices"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var pendingStories = stories{
	"unknown keys wait, the newest five":              pendingKept,
	"what does not wait":                              pendingNot,
	"a waiting key is approved":                       pendingApproved,
	"a waiting key is refused, and may be seen again": pendingRefused,
	"a waiting key that is added waits no longer":     pendingAdded,
}

// offer notes an unknown key that somebody offered for a user.
func (w *world) offer(user string, p pair) {
	w.t.Helper()
	u, err := w.service.User(ctx, user)
	testkit.Must(w.t, err)
	testkit.Must(w.t, w.service.Offered(ctx,
		model.PendingKey{UserID: u.ID, Public: p.line, Address: "203.0.113.7", Client: "SSH-2.0-x"}))
}

// waiting are the fingerprints that wait for a user, the newest first.
func (w *world) waiting(user string) (out []string) {
	w.t.Helper()
	list, err := w.service.PendingKeys(ctx, model.OfUserFilter{User: user})
	testkit.Must(w.t, err)
	for _, p := range list {
		out = append(out, p.Fingerprint)
	}
	return out
}

func pendingKept(t *testing.T, w *world) {
	w.customer("acme")
	w.customer("globex")
	var want []string
	for range 8 {
		p := newPair(t)
		w.offer("acme", p)
		want = slices.Insert(want, 0, p.print)
	}
	if got := w.waiting("acme"); !slices.Equal(got, want[:5]) {
		t.Fatalf("%v wait, want %v", got, want[:5])
	}
	again := newPair(t)
	w.offer("globex", again)
	w.pass(day)
	w.offer("globex", again)
	list, err := w.service.PendingKeys(ctx, model.OfUserFilter{User: "globex"})
	testkit.Must(t, err)
	if len(list) != 1 || list[0].Times != 2 || list[0].LastAt.Sub(list[0].FirstAt) < day || list[0].User != "globex" ||
		list[0].Type != "ssh-ed25519" ||
		list[0].Address != "203.0.113.7" || list[0].Client != "SSH-2.0-x" {
		t.Fatalf("%+v", list)
	}
	if got := w.waiting(""); len(got) != 6 {
		t.Fatalf("%d wait in all", len(got))
	}
	_, err = w.service.PendingKeys(ctx, model.OfUserFilter{User: "nobody"})
	testkit.WantKind(t, err, fault.NotFound)
}

func pendingNot(t *testing.T, w *world) {
	u := w.customer("acme")
	w.customer("globex")
	w.policy.KeyTypes = []string{"ed25519"}
	w.open()
	w.offer("acme", w.enrolled("acme"))
	w.offer("acme", w.enrolled("globex"))
	burned := newPair(t)
	_, err := w.service.RevokeKey(ctx, "test", burned.print, "copied", true)
	testkit.Must(t, err)
	w.offer("acme", burned)
	for _, text := range []string{rsaLine(t, 3072), "hello", "", string(newPair(t).file(t, ""))} {
		testkit.Must(t, w.service.Offered(ctx, model.PendingKey{UserID: u.ID, Public: text}))
	}
	if got := w.waiting(""); len(got) > 0 {
		t.Fatalf("%v wait", got)
	}
}

func pendingApproved(t *testing.T, w *world) {
	w.customer("acme")
	w.customer("globex")
	jo := w.person("acme", "jo@acme.example")
	p := newPair(t)
	w.offer("acme", p)
	w.wantReason("acme", p, model.ReasonKeyPending)
	w.wantReason("globex", p, model.ReasonUnknownKey)
	for _, c := range []struct{ user, fingerprint string }{{"globex", p.print}, {"acme", newPair(t).print},
		{"nobody", p.print}} {
		_, err := w.service.ApproveKey(ctx, "test", c.user, model.ApproveKey{Fingerprint: c.fingerprint})
		testkit.WantKind(t, err, fault.NotFound)
	}
	added, err := w.service.ApproveKey(ctx, "test", "acme",
		model.ApproveKey{Fingerprint: p.print, Holder: "jo@acme.example"})
	if err != nil || len(added) != 1 || added[0].Fingerprint != p.print || added[0].HolderID != jo.ID {
		t.Fatalf("%+v, %v", added, err)
	}
	w.wantReason("acme", p, model.ReasonOK)
	if got := w.waiting(""); len(got) > 0 {
		t.Fatalf("%v still wait", got)
	}
}

func pendingRefused(t *testing.T, w *world) {
	w.customer("acme")
	w.customer("globex")
	p := newPair(t)
	w.offer("acme", p)
	w.offer("globex", p)
	testkit.Must(t, w.service.RefuseKey(ctx, "test", "acme", p.print))
	testkit.WantKind(t, w.service.RefuseKey(ctx, "test", "acme", p.print), fault.NotFound)
	testkit.WantKind(t, w.service.RefuseKey(ctx, "test", "nobody", p.print), fault.NotFound)
	if got := w.waiting(""); len(got) != 1 {
		t.Fatalf("%v wait; the other user's should", got)
	}
	w.wantReason("acme", p, model.ReasonUnknownKey)
	w.offer("acme", p)
	w.wantReason("acme", p, model.ReasonKeyPending)
}

func pendingAdded(t *testing.T, w *world) {
	w.customer("acme")
	p := newPair(t)
	w.offer("acme", p)
	_, err := w.add("acme", p.line)
	testkit.Must(t, err)
	if got := w.waiting(""); len(got) > 0 {
		t.Fatalf("%v wait", got)
	}
}
