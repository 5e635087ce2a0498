package account_test

import (
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var freezeStories = stories{
	"any contact freezes a key, a second one thaws it": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.people("acme")
		p, other := w.Enrol("acme"), w.Enrol("acme")
		list, err := w.Accounts.FreezeKey(ctx, "test", p.Print, "JO@acme.example")
		testkit.Must(t, err)
		if len(list) != 1 || list[0].State != model.KeyFrozen || list[0].FrozenBy != "jo@acme.example" ||
			list[0].FrozenAt == nil {
			t.Fatalf("%+v", list)
		}
		if got := w.revocations(u, p); len(got) != 1 {
			t.Fatalf("its sessions go on: %v", got)
		}
		w.wantReason("acme", p, model.ReasonKeyFrozen)
		w.wantReason("acme", other, model.ReasonOK)
		if n := w.notices(); n["key.frozen"] != 1 {
			t.Fatalf("notices: %v", n)
		}
		_, err = w.Accounts.FreezeKey(ctx, "test", p.Print, "ann@acme.example")
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.Accounts.ThawKey(ctx, "test", p.Print, "jo@acme.example")
		testkit.WantKind(t, err, fault.Denied)
		w.wantReason("acme", p, model.ReasonKeyFrozen)
		list, err = w.Accounts.ThawKey(ctx, "test", p.Print, "ann@acme.example")
		if err != nil || list[0].State != model.KeyActive || list[0].FrozenAt != nil {
			t.Fatalf("%+v, %v", list, err)
		}
		w.wantReason("acme", p, model.ReasonOK)
		_, err = w.Accounts.ThawKey(ctx, "test", p.Print, "ann@acme.example")
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.Accounts.FreezeKey(ctx, "test", p.Print, "ann@acme.example") // a second freeze, by the other contact
		testkit.Must(t, err)
		if n := w.notices(); n["key.frozen"] != 2 {
			t.Fatalf("the second freeze is not told: %v", n)
		}
		_, err = w.Accounts.ThawKey(ctx, "test", p.Print, "jo@acme.example")
		testkit.Must(t, err)
		w.Enrol("acme") // nothing is frozen, so no confirmation is needed
	},
	"a new key after a freeze needs the second contact": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.people("acme")
		p, live := w.Enrol("acme"), w.Enrol("acme")
		jo, err := w.Accounts.Contact(ctx, "jo@acme.example")
		testkit.Must(t, err)
		_, err = w.Accounts.FreezeKey(ctx, "test", p.Print, jo.ID)
		testkit.Must(t, err)
		for _, by := range []string{"", jo.ID, "Jo@acme.example"} {
			testkit.WantKind(t, w.confirmed("acme", by), fault.Denied)
		}
		testkit.WantKind(t, w.confirmed("acme", "nobody@acme.example"), fault.NotFound)
		_, err = w.add("acme", testkit.NewPair(t).Line, replaces(live)) // a rotation needs confirmation, too
		testkit.WantKind(t, err, fault.Denied)
		waiting := testkit.NewPair(t)
		w.offer("acme", waiting)
		_, err = w.Accounts.ApproveKey(ctx, "test", "acme", model.ApproveKey{Fingerprint: waiting.Print})
		testkit.WantKind(t, err, fault.Denied)
		w.Pass(time.Second)
		testkit.Must(t, w.confirmed("acme", "ann@acme.example"))
		testkit.Must(t, w.confirmed("acme", "")) // confirmed once, since the freeze
		w.wantReason("acme", p, model.ReasonKeyFrozen)
	},
	"a revoked frozen key still asks for the second": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.people("acme")
		p := w.Enrol("acme")
		_, err := w.Accounts.FreezeKey(ctx, "test", p.Print, "jo@acme.example")
		testkit.Must(t, err)
		_, err = w.Accounts.RevokeKey(ctx, "test", p.Print, "lost", false)
		testkit.Must(t, err)
		for _, by := range []string{"", "jo@acme.example"} {
			testkit.WantKind(t, w.confirmed("acme", by), fault.Denied)
		}
		_, err = w.add("acme", p.Line) // the frozen key cannot be enrolled again either
		testkit.WantKind(t, err, fault.Denied)
		testkit.Must(t, w.confirmed("acme", "ann@acme.example"))
	},
	"two contacts with one address are one person": func(t *testing.T, w *world) {
		w.Vendor("telco", "acme")
		jo := w.Person("acme", "jo@telco.example")
		twin, err := w.Accounts.AddContact(ctx, "test",
			model.NewContact{Vendor: "telco", Name: "Jo", Email: "JO@telco.example"})
		testkit.Must(t, err)
		p := w.Enrol("acme-telco")
		_, err = w.Accounts.FreezeKey(ctx, "test", p.Print, jo.ID)
		testkit.Must(t, err)
		_, err = w.Accounts.ThawKey(ctx, "test", p.Print, twin.ID)
		testkit.WantKind(t, err, fault.Denied)
		testkit.WantKind(t, w.confirmed("acme-telco", twin.ID), fault.Denied)
		ann, err := w.Accounts.AddContact(ctx, "test",
			model.NewContact{Vendor: "telco", Name: "Ann", Email: "ann@telco.example"})
		testkit.Must(t, err)
		testkit.Must(t, w.confirmed("acme-telco", ann.ID))
		_, err = w.Accounts.ThawKey(ctx, "test", p.Print, ann.ID)
		testkit.Must(t, err)
	},
	"a vendor's key freezes for all its users": func(t *testing.T, w *world) {
		users := w.Vendor("telco", "acme", "globex")
		w.people("acme")
		w.people("globex")
		p := w.Enrol("acme-telco")
		_, err := w.add("globex-telco", p.Line)
		testkit.Must(t, err)
		list, err := w.Accounts.FreezeKey(ctx, "test", p.Print, "jo@globex.example")
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		for _, u := range users {
			w.wantReason(u.Name, p, model.ReasonKeyFrozen)
			if got := w.revocations(u, p); len(got) != 1 {
				t.Fatalf("%s: %v", u.Name, got)
			}
		}
		if n := w.notices(); n["key.frozen"] != 2 {
			t.Fatalf("notices: %v", n)
		}
		testkit.WantKind(t, w.confirmed("acme-telco", ""), fault.Denied)
		_, err = w.Accounts.ThawKey(ctx, "test", p.Print, "ann@acme.example") // a contact of the other account
		testkit.Must(t, err)
		for _, u := range users {
			w.wantReason(u.Name, p, model.ReasonOK)
		}
	},
	"a frozen key is not enrolled for another user": func(t *testing.T, w *world) {
		w.Vendor("telco", "acme", "globex")
		w.people("acme")
		p := w.Enrol("acme-telco")
		_, err := w.Accounts.FreezeKey(ctx, "test", p.Print, "jo@acme.example")
		testkit.Must(t, err)
		_, err = w.add("globex-telco", p.Line)
		testkit.WantKind(t, err, fault.Denied)
		w.wantStates("globex-telco", map[string]model.KeyState{})
		_, err = w.Accounts.ThawKey(ctx, "test", p.Print, "ann@acme.example")
		testkit.Must(t, err)
		_, err = w.add("globex-telco", p.Line)
		testkit.Must(t, err)
	},
	"who has no say": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		w.people("acme")
		w.people("globex")
		p := w.Enrol("acme")
		for _, by := range []string{"jo@globex.example", "nobody@acme.example", ""} {
			_, err := w.Accounts.FreezeKey(ctx, "test", p.Print, by)
			testkit.WantKind(t, err, fault.NotFound)
		}
		_, err := w.Accounts.FreezeKey(ctx, "test", testkit.NewPair(t).Print, "jo@acme.example")
		testkit.WantKind(t, err, fault.NotFound)
		w.wantReason("acme", p, model.ReasonOK)
		_, err = w.Accounts.FreezeKey(ctx, "test", p.Print, "jo@acme.example")
		testkit.Must(t, err)
		for _, by := range []string{"ann@globex.example", ""} {
			_, err = w.Accounts.ThawKey(ctx, "test", p.Print, by)
			testkit.WantKind(t, err, fault.NotFound)
		}
		w.wantReason("acme", p, model.ReasonKeyFrozen)
	},
}

// people adds two contacts to an account, jo and ann.
func (w *world) people(of string) {
	w.Helper()
	w.Person(of, "jo@"+of+".example")
	w.Person(of, "ann@"+of+".example")
}

// confirmed tries to enrol a new key with a contact's confirmation.
func (w *world) confirmed(user, by string) error {
	_, err := w.add(user, testkit.NewPair(w).Line, func(n *model.NewKey) { n.ConfirmedBy = by })
	return err
}
