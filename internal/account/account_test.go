package account_test

import (
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var accountStories = stories{
	"a region is one of those that are configured": func(t *testing.T, w *world) {
		w.Customer("acme")
		for region, ok := range map[string]bool{"": true, "au": true, "nz": false, "AU": false, "a\x1b": false,
			"all": false} {
			_, err := w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{Region: &region})
			_, err2 := w.Accounts.AddAccount(ctx, "test",
				model.NewAccount{ID: "in-" + map[bool]string{true: region, false: "none"}[ok] + "x", Name: "X", Region: region})
			for _, err := range []error{err, err2} {
				if ok && err != nil || !ok && !fault.Is(err, fault.Invalid) {
					t.Errorf("region %q: %v", region, err)
				}
			}
		}
		w.Policy.Regions = nil // the configuration has no regions (any more)
		w.OpenAccounts()
		_, err := w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{Region: new("nz")})
		testkit.Must(t, err)
		_, err = w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{Name: new("Acme")})
		testkit.Must(t, err)
	},
	"no account is its own ancestor": func(t *testing.T, w *world) {
		for _, id := range []string{"a", "b", "c"} {
			w.Customer(id)
		}
		set := func(id, parent string) error {
			_, err := w.Accounts.SetAccount(ctx, "test", id, model.EditAccount{Parent: &parent})
			return err
		}
		testkit.Must(t, set("b", "a"))
		testkit.Must(t, set("c", "b"))
		for _, parent := range []string{"a", "b", "c"} {
			testkit.WantKind(t, set("a", parent), fault.Invalid)
		}
		testkit.WantKind(t, set("a", "nobody"), fault.NotFound)
		testkit.Must(t, set("c", ""))
		testkit.Must(t, set("a", "c"))
		_, err := w.Accounts.SetState(ctx, "test", "c", model.AccountClosed)
		testkit.Must(t, err)
		testkit.WantKind(t, set("b", "c"), fault.Invalid)
	},
	"names of accounts, vendors and users": func(t *testing.T, w *world) {
		w.Vendor("telco", "acme")
		u, err := w.Accounts.User(ctx, "acme-telco")
		if err != nil || u.Kind != model.KindVendor || !u.Enabled || u.StartDir != "/" {
			t.Fatalf("%+v, %v", u, err)
		}
		for _, id := range []string{"", "-a", " a", "a ", "a  b", "@a", "root", "Root", "ALL", "a/b", "..", "a\x00", "a:b",
			"é"} {
			_, err := w.Accounts.AddAccount(ctx, "test", model.NewAccount{ID: id, Name: "X"})
			testkit.WantKind(t, err, fault.Invalid)
			_, err = w.Accounts.AddVendor(ctx, "test", model.NewVendor{Short: id, Name: "X"})
			testkit.WantKind(t, err, fault.Invalid)
			if id != "" { // an empty name means the generated one
				_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Name: id})
				testkit.WantKind(t, err, fault.Invalid)
			}
		}
		// the short name becomes a part of generated usernames
		_, err = w.Accounts.AddVendor(ctx, "test", model.NewVendor{Short: "TELCO", Name: "X"})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.Accounts.AddAccount(ctx, "test", model.NewAccount{ID: "acme", Name: "X"})
		testkit.WantKind(t, err, fault.Exists)
		_, err = w.Accounts.AddVendor(ctx, "test", model.NewVendor{Short: "telco", Name: "X"})
		testkit.WantKind(t, err, fault.Exists)
		_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Vendor: "telco", Name: "second"})
		testkit.WantKind(t, err, fault.Exists)
		_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Name: "other", StartDir: "/reports/../x",
			MakeStartDir: true})
		testkit.Must(t, err)
		if u, err = w.Accounts.User(ctx, "other"); err != nil || u.StartDir != "/x" {
			t.Fatalf("%+v, %v", u, err)
		}
		for _, missing := range []model.NewUser{{Account: "globex"}, {Account: "acme", Vendor: "postco"}} {
			_, err = w.Accounts.AddUser(ctx, "test", missing)
			testkit.WantKind(t, err, fault.NotFound)
		}
	},
}
