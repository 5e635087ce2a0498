package account_test

import (
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var rotateStories = stories{
	"both keys work, until a day after the new one's first log-in": rotateUsed,
	"both keys work, until the overlap is over":                    rotateUnused,
	"a key is replaced once":                                       rotateTwice,
	"there is room to replace the only key":                        rotateOnlyKey,
	"what can't be replaced":                                       rotateRefused,
	"a key that was replaced and revoked early is revoked":         rotateRevokedEarly,
}

// rotated gives a user a new key in place of an old one.
func (w *world) rotated(user string, old pair) pair {
	w.t.Helper()
	p := newPair(w.t)
	_, err := w.add(user, p.line, replaces(old))
	testkit.Must(w.t, err)
	return p
}

func replaces(old pair) func(*model.NewKey) {
	return func(n *model.NewKey) { n.Replaces = old.print }
}

// used notes a log-in with a key, as the records do.
func (w *world) used(p pair) {
	w.t.Helper()
	list, err := w.service.Key(ctx, p.print)
	testkit.Must(w.t, err)
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		return tx.KeysUsed([]store.KeyUse{{KeyID: list[0].ID, Address: "203.0.113.7", Client: "SSH-2.0-x",
			At: time.UnixMicro(w.micros.Load())}}, 24*time.Hour)
	}))
}

func rotateUsed(t *testing.T, w *world) {
	u := w.customer("acme")
	old := w.enrolled("acme")
	fresh := w.rotated("acme", old)
	w.wantStates("acme", map[string]string{old.print: model.KeyRetiring, fresh.print: model.KeyActive})
	w.pass(3 * day)
	w.used(old)
	testkit.Must(t, w.service.RetireKeys(ctx))
	w.wantReason("acme", old, model.ReasonOK)
	w.wantReason("acme", fresh, model.ReasonOK)
	w.used(fresh)
	w.pass(23 * time.Hour)
	w.used(fresh) // the first log-in counts, not the last
	testkit.Must(t, w.service.RetireKeys(ctx))
	w.wantReason("acme", old, model.ReasonOK)
	w.pass(time.Hour)
	w.wantReason("acme", old, model.ReasonKeyReplaced) // before any keeper looked
	if got := w.revocations(u, old); len(got) != 0 {
		t.Fatalf("revoked already: %v", got)
	}
	testkit.Must(t, w.service.RetireKeys(ctx))
	testkit.Must(t, w.service.RetireKeys(ctx))
	if got := w.revocations(u, old); len(got) != 1 || got[0] != "replaced by "+fresh.print {
		t.Fatalf("revocations: %v", got)
	}
	w.wantStates("acme", map[string]string{old.print: model.KeyRevoked, fresh.print: model.KeyActive})
	w.wantReason("acme", old, model.ReasonKeyReplaced)
	w.wantReason("acme", fresh, model.ReasonOK)
	list, err := w.service.Key(ctx, old.print)
	if err != nil || list[0].ReplacedBy != fresh.print || list[0].LastAddress != "203.0.113.7" ||
		list[0].LastUsedAt == nil {
		t.Fatalf("%+v, %v", list, err)
	}
}

func rotateUnused(t *testing.T, w *world) {
	u := w.customer("acme")
	old := w.enrolled("acme")
	fresh := w.rotated("acme", old)
	w.pass(14*day - time.Minute)
	testkit.Must(t, w.service.RetireKeys(ctx))
	w.wantReason("acme", old, model.ReasonOK)
	w.pass(time.Minute)
	w.wantReason("acme", old, model.ReasonKeyReplaced)
	w.used(fresh) // too late to change anything
	testkit.Must(t, w.service.RetireKeys(ctx))
	w.wantStates("acme", map[string]string{old.print: model.KeyRevoked, fresh.print: model.KeyActive})
	if got := w.revocations(u, old); len(got) != 1 {
		t.Fatalf("revocations: %v", got)
	}
}

func rotateTwice(t *testing.T, w *world) {
	w.customer("acme")
	old := w.enrolled("acme")
	fresh := w.rotated("acme", old)
	third := newPair(t)
	_, err := w.add("acme", third.line, replaces(old))
	testkit.WantKind(t, err, fault.Conflict)
	w.wantStates("acme", map[string]string{old.print: model.KeyRetiring, fresh.print: model.KeyActive})
	_, err = w.add("acme", third.line, replaces(fresh)) // but the new one may go on
	testkit.Must(t, err)
	w.wantStates("acme", map[string]string{old.print: model.KeyRetiring, fresh.print: model.KeyRetiring,
		third.print: model.KeyActive})
}

func rotateOnlyKey(t *testing.T, w *world) {
	w.policy.MaxKeys = 1
	w.open()
	w.customer("acme")
	old := w.enrolled("acme")
	_, err := w.add("acme", newPair(t).line)
	testkit.WantKind(t, err, fault.Busy)
	fresh := w.rotated("acme", old)
	w.wantReason("acme", old, model.ReasonOK)
	w.wantReason("acme", fresh, model.ReasonOK)
	_, err = w.add("acme", newPair(t).line)
	testkit.WantKind(t, err, fault.Busy)
}

func rotateRefused(t *testing.T, w *world) {
	w.customer("acme")
	w.customer("globex")
	w.person("acme", "jo@acme.example")
	w.person("acme", "ann@acme.example")
	others, revoked, frozen := w.enrolled("globex"), w.enrolled("acme"), w.enrolled("acme")
	_, err := w.service.RevokeKey(ctx, "test", revoked.print, "old", false)
	testkit.Must(t, err)
	_, err = w.service.FreezeKey(ctx, "test", frozen.print, "jo@acme.example")
	testkit.Must(t, err)
	before := w.states("acme")
	confirmed := func(n *model.NewKey) { n.ConfirmedBy = "ann@acme.example" }
	for name, c := range map[string]struct {
		old  pair
		kind fault.Kind
	}{"another user's": {others, fault.NotFound}, "a revoked one": {revoked, fault.NotFound},
		"nobody's":     {newPair(t), fault.NotFound},
		"a frozen one": {frozen, fault.Conflict}} {
		if _, err := w.add("acme", newPair(t).line, replaces(c.old), confirmed); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
	}
	w.wantStates("acme", before)
	_, err = w.add("acme", frozen.line, replaces(frozen), confirmed)
	testkit.WantKind(t, err, fault.Exists)
}

func rotateRevokedEarly(t *testing.T, w *world) {
	w.customer("acme")
	old := w.enrolled("acme")
	w.rotated("acme", old)
	_, err := w.service.RevokeKey(ctx, "test", old.print, "stolen", false)
	testkit.Must(t, err)
	w.wantReason("acme", old, model.ReasonKeyRevoked)
	w.pass(15 * day)
	testkit.Must(t, w.service.RetireKeys(ctx))
	w.wantReason("acme", old, model.ReasonKeyRevoked) // and did not become a replaced one
}
