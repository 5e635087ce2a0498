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
	"both keys work, until a day after the new one's first log-in": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		old := w.Enrol("acme")
		fresh := w.rotated("acme", old)
		w.wantStates("acme", map[string]model.KeyState{old.Print: model.KeyRetiring, fresh.Print: model.KeyActive})
		w.Pass(3 * day)
		w.used(old)
		testkit.Must(t, w.Accounts.RetireKeys(ctx))
		w.wantReason("acme", old, model.ReasonOK)
		w.wantReason("acme", fresh, model.ReasonOK)
		w.used(fresh)
		w.Pass(23 * time.Hour)
		w.used(fresh) // the first log-in counts, not the last
		testkit.Must(t, w.Accounts.RetireKeys(ctx))
		w.wantReason("acme", old, model.ReasonOK)
		w.Pass(time.Hour)
		w.wantReason("acme", old, model.ReasonKeyReplaced) // even before the keeper runs
		if got := w.revocations(u, old); len(got) != 0 {
			t.Fatalf("revoked already: %v", got)
		}
		testkit.Must(t, w.Accounts.RetireKeys(ctx))
		testkit.Must(t, w.Accounts.RetireKeys(ctx))
		if got := w.revocations(u, old); len(got) != 1 || got[0] != "replaced by "+fresh.Print {
			t.Fatalf("revocations: %v", got)
		}
		w.wantStates("acme", map[string]model.KeyState{old.Print: model.KeyRevoked, fresh.Print: model.KeyActive})
		w.wantReason("acme", old, model.ReasonKeyReplaced)
		w.wantReason("acme", fresh, model.ReasonOK)
		list, err := w.Accounts.Key(ctx, old.Print)
		if err != nil || list[0].ReplacedBy != fresh.Print || list[0].LastAddress != "203.0.113.7" ||
			list[0].LastUsedAt == nil {
			t.Fatalf("%+v, %v", list, err)
		}
	},
	"both keys work, until the overlap is over": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		old := w.Enrol("acme")
		fresh := w.rotated("acme", old)
		w.Pass(14*day - time.Minute)
		testkit.Must(t, w.Accounts.RetireKeys(ctx))
		w.wantReason("acme", old, model.ReasonOK)
		w.Pass(time.Minute)
		w.wantReason("acme", old, model.ReasonKeyReplaced)
		w.used(fresh) // too late to have an effect
		testkit.Must(t, w.Accounts.RetireKeys(ctx))
		w.wantStates("acme", map[string]model.KeyState{old.Print: model.KeyRevoked, fresh.Print: model.KeyActive})
		if got := w.revocations(u, old); len(got) != 1 {
			t.Fatalf("revocations: %v", got)
		}
	},
	"a key is replaced once": func(t *testing.T, w *world) {
		w.Customer("acme")
		old := w.Enrol("acme")
		fresh := w.rotated("acme", old)
		third := testkit.NewPair(t)
		_, err := w.add("acme", third.Line, replaces(old))
		testkit.WantKind(t, err, fault.Conflict)
		w.wantStates("acme", map[string]model.KeyState{old.Print: model.KeyRetiring, fresh.Print: model.KeyActive})
		_, err = w.add("acme", third.Line, replaces(fresh)) // but the new key may be replaced
		testkit.Must(t, err)
		w.wantStates("acme", map[string]model.KeyState{old.Print: model.KeyRetiring, fresh.Print: model.KeyRetiring,
			third.Print: model.KeyActive})
	},
	"there is room to replace the only key": func(t *testing.T, w *world) {
		w.Policy.MaxKeys = 1
		w.OpenAccounts()
		w.Customer("acme")
		old := w.Enrol("acme")
		_, err := w.add("acme", testkit.NewPair(t).Line)
		testkit.WantKind(t, err, fault.Busy)
		fresh := w.rotated("acme", old)
		w.wantReason("acme", old, model.ReasonOK)
		w.wantReason("acme", fresh, model.ReasonOK)
		_, err = w.add("acme", testkit.NewPair(t).Line)
		testkit.WantKind(t, err, fault.Busy)
	},
	"what can't be replaced": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		w.Person("acme", "jo@acme.example")
		w.Person("acme", "ann@acme.example")
		others, revoked, frozen := w.Enrol("globex"), w.Enrol("acme"), w.Enrol("acme")
		_, err := w.Accounts.RevokeKey(ctx, "test", revoked.Print, "old", false)
		testkit.Must(t, err)
		_, err = w.Accounts.FreezeKey(ctx, "test", frozen.Print, "jo@acme.example")
		testkit.Must(t, err)
		before := w.states("acme")
		confirmed := func(n *model.NewKey) { n.ConfirmedBy = "ann@acme.example" }
		for name, c := range map[string]struct {
			old  testkit.Pair
			kind fault.Kind
		}{"another user's": {others, fault.NotFound}, "a revoked one": {revoked, fault.NotFound},
			"nobody's":     {testkit.NewPair(t), fault.NotFound},
			"a frozen one": {frozen, fault.Conflict}} {
			if _, err := w.add("acme", testkit.NewPair(t).Line, replaces(c.old), confirmed); !fault.Is(err, c.kind) {
				t.Errorf("%s: %v, want %v", name, err, c.kind)
			}
		}
		w.wantStates("acme", before)
		_, err = w.add("acme", frozen.Line, replaces(frozen), confirmed)
		testkit.WantKind(t, err, fault.Exists)
	},
	"a key that was replaced and revoked early is revoked": func(t *testing.T, w *world) {
		w.Customer("acme")
		old := w.Enrol("acme")
		w.rotated("acme", old)
		_, err := w.Accounts.RevokeKey(ctx, "test", old.Print, "stolen", false)
		testkit.Must(t, err)
		w.wantReason("acme", old, model.ReasonKeyRevoked)
		w.Pass(15 * day)
		testkit.Must(t, w.Accounts.RetireKeys(ctx))
		w.wantReason("acme", old, model.ReasonKeyRevoked) // not counted as replaced
	},
}

// rotated replaces a user's old key by a new one.
func (w *world) rotated(user string, old testkit.Pair) testkit.Pair {
	w.Helper()
	p := testkit.NewPair(w)
	_, err := w.add(user, p.Line, replaces(old))
	w.Must(err)
	return p
}

func replaces(old testkit.Pair) func(*model.NewKey) {
	return func(n *model.NewKey) { n.Replaces = old.Print }
}

// used records a log-in with a key.
func (w *world) used(p testkit.Pair) {
	w.Helper()
	list, err := w.Accounts.Key(ctx, p.Print)
	w.Must(err)
	w.Write(func(tx *store.Tx) error {
		return tx.KeysUsed([]store.KeyUse{{KeyID: list[0].ID, Address: "203.0.113.7", Client: "SSH-2.0-x",
			At: w.Clock()}}, 24*time.Hour)
	})
}
