package account_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// closed closes the account acme.
func (w *world) closed() model.Account {
	w.Helper()
	a, err := w.Accounts.Close(ctx, "test", "acme", "")
	w.Must(err)
	return a
}

// readOnly fails unless acme's key logs in read-only.
func (w *world) readOnly(p testkit.Pair, want bool) {
	w.Helper()
	l, reason, err := w.Accounts.Check(ctx, "acme", p.Print, netip.MustParseAddr("203.0.113.7"))
	if err != nil || reason != model.ReasonOK || l.ReadOnly != want {
		w.Fatalf("read-only %t, %s, %v; want %t", l.ReadOnly, reason, err, want)
	}
}

var closeStories = stories{
	"until its files go, a closed account logs in read-only": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		a := w.closed()
		if a.FilesUntil == nil || !a.FilesUntil.Equal(w.Clock().Add(30*day)) {
			t.Fatalf("its files stay until %v", a.FilesUntil)
		}
		w.readOnly(p, true)
		w.Pass(30 * day)
		w.wantReason("acme", p, model.ReasonClosed)
	},
	"a session that is open on its last day ends with it": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		p := w.Enrol("acme")
		w.closed()
		w.Pass(30*day - time.Minute)
		l, reason, err := w.Accounts.Check(ctx, "acme", p.Print, netip.MustParseAddr("203.0.113.7"))
		testkit.Must(t, err)
		goesOn := func(want bool) {
			t.Helper()
			testkit.Must(t, w.Accounts.EndClosed(ctx))
			if ok, err := w.Accounts.Confirm(ctx, l); err != nil || ok != want {
				t.Fatalf("it logged in (%s), and goes on: %t, %v; want %t", reason, ok, err, want)
			}
		}
		goesOn(true)
		w.Pass(time.Minute)
		goesOn(false)
		goesOn(false)
		w.Pass(day)
		goesOn(false)
		if all := w.revocations(u, testkit.Pair{}); len(all) != 2 { // at the closing, and now
			t.Fatalf("its sessions were ended: %v", all)
		}
		if by := w.Audited("account.end_sessions"); !slices.Equal(by, []string{"system:keeper"}) {
			t.Fatal(by)
		}
	},
	"an account that was reopened and one that was suspended end nothing": func(t *testing.T, w *world) {
		u, other := w.Customer("acme"), w.Customer("beta")
		w.closed()
		_, err := w.Accounts.Reopen(ctx, "test", "acme")
		testkit.Must(t, err)
		for _, state := range []model.AccountState{model.AccountSuspended, model.AccountClosed} {
			_, err := w.Accounts.SetState(ctx, "test", "beta", state)
			testkit.Must(t, err)
		}
		w.Pass(31 * day)
		testkit.Must(t, w.Accounts.EndClosed(ctx))
		if x, y := w.revocations(u, testkit.Pair{}), w.revocations(other, testkit.Pair{}); len(x) != 1 || len(y) != 2 {
			t.Fatal(x, y)
		}
	},
	"with close_access none, nobody of a closed account logs in": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		w.Policy.CloseAccess = model.CloseNone
		w.OpenAccounts()
		w.closed()
		w.wantReason("acme", p, model.ReasonClosed)
	},
	"a suspended account that is closed stays out, and comes back suspended": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		_, err := w.Accounts.SetState(ctx, "test", "acme", model.AccountSuspended)
		testkit.Must(t, err)
		w.closed()
		w.wantReason("acme", p, model.ReasonClosed)
		a, err := w.Accounts.Reopen(ctx, "test", "acme")
		if err != nil || a.State != model.AccountSuspended || a.ClosedAt != nil || a.FilesUntil != nil {
			t.Fatalf("%+v, %v", a, err)
		}
	},
	"a program of the platform's own does not log in for a closed account": func(t *testing.T, w *world) {
		w.Customer("acme")
		_, err := w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Name: "billing", Service: true,
			AllowIPs: []string{"203.0.113.0/24"}})
		testkit.Must(t, err)
		p := w.Enrol("billing")
		w.wantReason("billing", p, model.ReasonOK)
		w.closed()
		w.wantReason("billing", p, model.ReasonClosed)
	},
	"reopened, it is as before, and can be closed again": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		_, err := w.Accounts.Reopen(ctx, "test", "acme")
		testkit.WantKind(t, err, fault.Conflict)
		w.closed()
		w.Pass(29 * day)
		_, err = w.Accounts.SetState(ctx, "test", "acme", model.AccountActive)
		testkit.WantKind(t, err, fault.Conflict) // reinstating is for suspended ones
		if act := fault.ActionIn(err); act == nil || act.Operation != "reopen-account" {
			t.Fatalf("the next step is %v", act)
		}
		_, err = w.Accounts.Close(ctx, "test", "ACME", "")
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.Accounts.Reopen(ctx, "test", "acme")
		testkit.Must(t, err)
		w.readOnly(p, false)
		if a := w.closed(); !a.FilesUntil.Equal(w.Clock().Add(30 * day)) {
			t.Fatalf("closed again, its files stay until %v", a.FilesUntil)
		}
		w.Pass(30 * day)
		_, err = w.Accounts.Reopen(ctx, "test", "acme")
		testkit.WantKind(t, err, fault.Conflict)
	},
	"reopening calls the announced removal off, but not one that began": func(t *testing.T, w *world) {
		w.Customer("acme")
		a := w.closed()
		run := model.RetentionRun{ID: w.IDs.New(), Kind: model.RunClosing, Account: "acme", DueAt: *a.FilesUntil,
			State: model.RunAnnounced, CreatedAt: w.Clock()}
		put := func() {
			w.Must(testkit.Write(ctx, w.Store, func(tx *store.Tx) error { return tx.PutRun(run) }))
		}
		put()
		_, err := w.Accounts.Reopen(ctx, "test", "acme")
		testkit.Must(t, err)
		if got, err := w.Store.Read(ctx).Run(run.ID); err != nil || got.State != model.RunCancelled {
			t.Fatalf("the run is %s, %v", got.State, err)
		}
		w.Pass(time.Minute)
		again := w.closed()
		_, err = w.Store.Read(ctx).ClosingRun(again)
		testkit.WantKind(t, err, fault.NotFound) // the one that was called off is not this closing's
		run.ID, run.State, run.CreatedAt = w.IDs.New(), model.RunRunning, w.Clock()
		put()
		_, err = w.Accounts.Reopen(ctx, "test", "acme")
		testkit.WantKind(t, err, fault.Conflict)
	},
	"what closing does is said before": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Vendor("telco", "acme")
		_, err := w.Accounts.AddAccount(ctx, "test", model.NewAccount{ID: "child", Name: "C", Parent: "acme"})
		testkit.Must(t, err)
		w.Must(testkit.Write(ctx, w.Store, func(tx *store.Tx) error {
			tx.Unaudited("a test")
			for _, h := range []model.Hold{{Kind: model.HoldUser, Target: w.id("acme-telco"), Label: "acme-telco"},
				{Kind: model.HoldAccount, Target: "child", Label: "child"},
				{Kind: model.HoldFile, Target: "v", Label: "acme:/upload/f"}} {
				h.ID, h.Reason, h.Actor, h.At = w.IDs.New(), "case 17", "test", w.Clock()
				if err := tx.AddHold(h); err != nil {
					return err
				}
			}
			return nil
		}))
		c, err := w.Accounts.Closing(ctx, model.ClosingQuery{Account: "acme", KeepFiles: "10d"})
		if slices.Sort(c.Holds); !slices.Equal(c.Holds, []string{"file acme:/upload/f", "user acme-telco"}) {
			t.Errorf("held: %q", c.Holds)
		}
		if err != nil || !slices.Equal(c.Users, []string{"acme", "acme-telco"}) ||
			!slices.Equal(c.Children, []string{"child"}) || !c.Until.Equal(w.Clock().Add(10*day)) ||
			c.Access != model.CloseReadOnly {
			t.Fatalf("%+v, %v", c, err)
		}
		_, err = w.Accounts.Closing(ctx, model.ClosingQuery{Account: "acme", KeepFiles: "soon"})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.Accounts.SetState(ctx, "test", "acme", model.AccountSuspended)
		testkit.Must(t, err)
		if c, err = w.Accounts.Closing(ctx, model.ClosingQuery{Account: "acme"}); err != nil || c.Access != model.CloseNone {
			t.Fatalf("%+v, %v", c, err)
		}
	},
	"a vendor is no account that could be closed": func(t *testing.T, w *world) {
		w.Vendor("telco", "acme")
		for _, try := range []func() error{
			func() error { return last(w.Accounts.Close(ctx, "test", "telco", "")) },
			func() error { return last(w.Accounts.Reopen(ctx, "test", "telco")) },
			func() error { return last(w.Accounts.Closing(ctx, model.ClosingQuery{Account: "telco"})) },
		} {
			err := try()
			testkit.WantKind(t, err, fault.NotFound)
			if text := fault.PublicText(err); !strings.Contains(text, "telco is a vendor") {
				t.Errorf("it says %q", text)
			}
		}
	},
}

var limitStories = stories{
	"a change that takes nothing away ends no session": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.Enrol("acme")
		for i, do := range []func() error{
			func() error { return w.edit(model.EditUser{QuotaBytes: new(int64(1e12)), QuotaFiles: new(int64(1e6))}) },
			func() error { return w.edit(model.EditUser{QuotaBytes: new(int64(1e6))}) },
			func() error { return w.edit(model.EditUser{KeepBytes: new(int64(1e12)), KeepItems: new(int64(1e6))}) },
			func() error { return w.edit(model.EditUser{StartDir: new("/")}) },
			func() error { return w.edit(model.EditUser{FeedsMay: new(model.FeedsRemove)}) },
			func() error { return w.edit(model.EditUser{Enabled: new(true)}) },
			func() error { return w.edit(model.EditUser{AllowIPs: &[]string{}}) },
			func() error {
				return last(w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{Name: new("New"),
					KeepBytes: new(int64(1e12)), AllowIPs: &[]string{}}))
			},
			func() error {
				return last(w.Accounts.AddDir(ctx, "test", "acme", model.NewDirectory{Path: "/in", Rights: []string{"list"}}))
			},
			func() error {
				return last(w.Accounts.EditDir(ctx, "test", "acme", model.EditDirectory{Path: "/in", Rights: &[]string{"all"}}))
			},
			func() error {
				return last(w.Accounts.EditDir(ctx, "test", "acme",
					model.EditDirectory{Path: "/in", Rights: &[]string{"read", "write", "list"}}))
			},
		} {
			testkit.Must(t, do())
			if n, err := w.Store.Read(ctx).RevocationNumber(); err != nil || n != 0 {
				t.Fatalf("change %d ended the sessions of %s (%d, %v)", i, u.Name, n, err)
			}
		}
	},
	"a session from a network that stays allowed goes on": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		in := func(from string) (l exchange.Login) {
			l, reason, err := w.Accounts.Check(ctx, "acme", p.Print, netip.MustParseAddr(from))
			if err != nil || reason != model.ReasonOK {
				t.Fatalf("%s, %v", reason, err)
			}
			l.Address = from
			return l
		}
		stays, goes := in("203.0.113.7"), in("198.51.100.7")
		for _, do := range []func() error{
			func() error { return w.edit(model.EditUser{AllowIPs: &[]string{"203.0.113.0/24"}}) },
			func() error {
				return last(w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{AllowIPs: &[]string{"203.0.0.0/16"}}))
			},
		} {
			testkit.Must(t, do())
			if ok, err := w.Accounts.Confirm(ctx, stays); err != nil || !ok {
				t.Errorf("the session from %s ended: %v", stays.Address, err)
			}
			if ok, err := w.Accounts.Confirm(ctx, goes); err != nil || ok {
				t.Errorf("the session from %s goes on: %v", goes.Address, err)
			}
			for _, l := range []exchange.Login{stays, goes} {
				err := w.Store.WriteAs(ctx, store.NewGuard(l), func(tx *store.Tx) error { tx.Unaudited("nothing"); return nil })
				if ended := fault.Is(err, fault.Denied); ended != (l.Address == goes.Address) {
					t.Errorf("a change from %s: %v", l.Address, err)
				}
			}
			goes.Revocation, _ = w.Store.Read(ctx).RevocationNumber()
		}
		testkit.Must(t, w.edit(model.EditUser{Enabled: new(false)}))
		if ok, err := w.Accounts.Confirm(ctx, stays); err != nil || ok {
			t.Errorf("the session of a disabled user goes on: %v", err)
		}
	},
	"a new user has the limits that are given, and an account, too": func(t *testing.T, w *world) {
		_, err := w.Accounts.AddAccount(ctx, "test", model.NewAccount{ID: "acme", Name: "A", KeepBytes: 7, KeepItems: 8})
		testkit.Must(t, err)
		if a, err := w.Accounts.Account(ctx, "acme"); err != nil || a.KeepBytes != 7 || a.KeepItems != 8 {
			t.Fatalf("%+v, %v", a, err)
		}
		n := model.NewUser{Account: "acme", QuotaBytes: 5, QuotaFiles: 6, KeepBytes: 7, KeepItems: 8,
			FeedsMay: model.FeedsRemove}
		_, err = w.Accounts.AddUser(ctx, "test", n)
		testkit.Must(t, err)
		own := model.StorageLimits{QuotaBytes: 5, QuotaFiles: 6, KeepBytes: 7, KeepItems: 8}
		if u, err := w.Accounts.User(ctx, "acme"); err != nil || u.OwnLimits() != own || u.FeedsMay != model.FeedsRemove {
			t.Fatalf("%+v, %v", u, err)
		}
		_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Name: "x", QuotaBytes: -1})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Name: "x", FeedsMay: "dance"})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.Accounts.AddAccount(ctx, "test", model.NewAccount{ID: "b", Name: "B", KeepBytes: -1})
		testkit.WantKind(t, err, fault.Invalid)
	},
	"user add --account nobody spoke of a reserved name": func(t *testing.T, w *world) {
		_, err := w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "nobody"})
		testkit.WantKind(t, err, fault.NotFound)
	},
}

// edit changes the user acme.
func (w *world) edit(e model.EditUser) error { return last(w.Accounts.SetUser(ctx, "test", "acme", e)) }
