package account_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/account"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var policyStories = stories{
	"keys are made by whom the policy names": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Person("acme", "jo@acme.example")
		w.Person("acme", "ann@acme.example")
		issued := func(n *model.NewKey) { n.Origin = model.OriginIssued }
		for _, c := range []struct {
			by         model.KeyMakers
			sent, made bool
		}{{"", true, true}, {model.KeysByBoth, true, true}, {model.KeysByCustomer, true, false},
			{model.KeysByOperator, false, true}} {
			w.Policy.KeysBy, w.Policy.MaxKeys = c.by, 100
			w.OpenAccounts()
			before := len(w.states("acme"))
			_, sent := w.add("acme", testkit.NewPair(t).Line)
			_, made := w.add("acme", testkit.NewPair(t).Line, issued)
			for what, err := range map[string]error{"sent": sent, "made": made} {
				if may := map[string]bool{"sent": c.sent, "made": c.made}[what]; may != (err == nil) || err != nil &&
					(!fault.Is(err, fault.Denied) || !strings.Contains(fault.PublicText(err), "keys.made_by") ||
						fault.ActionIn(err) == nil) {
					t.Errorf("%q: a key that was %s: %v", c.by, what, err)
				}
			}
			if n := len(w.states("acme")) - before; n != map[bool]int{true: 2, false: 1}[c.sent && c.made] {
				t.Errorf("%q: %d keys were added", c.by, n)
			}
		}
	},
	"a key that could never be approved does not wait": func(t *testing.T, w *world) {
		w.Policy.KeysBy = model.KeysByOperator
		w.OpenAccounts()
		u := w.Customer("acme")
		w.Must(w.Accounts.Offered(ctx, model.PendingKey{UserID: u.ID, Public: testkit.NewPair(t).Line}))
		if list, err := w.Accounts.PendingKeys(ctx, model.OfUserFilter{}); err != nil || len(list) != 0 {
			t.Fatalf("%+v, %v", list, err)
		}
	},
	"usernames follow the rule": func(t *testing.T, w *world) {
		_, err := w.Accounts.AddVendor(ctx, "test", model.NewVendor{Short: "telco", Name: "Telco"})
		testkit.Must(t, err)
		for i, c := range []struct {
			rule, pattern string
			in            model.NewUser
			hint          string // "": it is allowed
		}{
			{account.NamesAccount, "", model.NewUser{Account: "acme#"}, ""},
			{account.NamesAccount, "", model.NewUser{Account: "acme#", Name: "ACME#"}, ""},
			{account.NamesAccount, "", model.NewUser{Account: "acme#", Name: "other"}, "leave the name out: it is Acme#"},
			{account.NamesAccount, "", model.NewUser{Account: "acme#", Vendor: "telco"}, ""},
			{account.NamesAccount, "", model.NewUser{Account: "acme#", Vendor: "telco", Name: "acme#"},
				"leave the name out: it is Acme#-telco"},
			{account.NamesAccount, "", model.NewUser{Account: "acme#", Service: true, Name: "billing",
				AllowIPs: []string{"10.1.2.0/24"}}, ""},
			{account.NamesFree, "", model.NewUser{Account: "acme#", Name: "other"}, ""},
			{"", "", model.NewUser{Account: "acme#", Name: "another"}, ""},
			{account.NamesPattern, "{account}-*", model.NewUser{Account: "acme#", Name: "acme#-batch"}, ""},
			{account.NamesPattern, "{account}-*", model.NewUser{Account: "acme#", Name: "batch"},
				"choose a name such as acme#-*"},
			{account.NamesPattern, "c[0-9][0-9]", model.NewUser{Account: "acme#", Vendor: "telco", Name: "c07-telco"}, ""},
			{account.NamesPattern, "c[0-9][0-9]", model.NewUser{Account: "acme#", Vendor: "telco", Name: "c07"},
				"choose a name such as c[0-9][0-9]-telco"},
		} {
			w.Policy.NameRule, w.Policy.NamePattern = c.rule, c.pattern
			w.OpenAccounts()
			here := strings.NewReplacer("#", strconv.Itoa(i)) // each case has an account of its own
			id := here.Replace("Acme#")
			_, err := w.Accounts.AddAccount(ctx, "test", model.NewAccount{ID: id, Name: id})
			testkit.Must(t, err)
			c.in.Account, c.in.Name, c.hint = here.Replace(c.in.Account), here.Replace(c.in.Name), here.Replace(c.hint)
			_, err = w.Accounts.AddUser(ctx, "test", c.in)
			if c.hint == "" && err != nil || c.hint != "" && (!fault.Is(err, fault.Denied) || fault.HintIn(err) != c.hint) {
				t.Errorf("%s %s %+v: %v (%s)", c.rule, c.pattern, c.in, err, fault.HintIn(err))
			}
		}
	},
	"contacts come before a key": func(t *testing.T, w *world) {
		w.Policy.Contacts = map[string]int{model.RoleTechnical: 2, model.RoleSecurity: 1, model.RoleBilling: 0}
		w.OpenAccounts()
		w.Customer("acme")
		needs := func(text, role string) {
			t.Helper()
			_, err := w.add("acme", testkit.NewPair(t).Line)
			if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.PublicText(err), text) ||
				fault.ActionIn(err).Values["roles"] != role {
				t.Fatalf("%v (%v), want %q", err, fault.ActionIn(err), text)
			}
		}
		needs("needs 1 security contact (0 now) and 2 technical contacts (0 now) before", "security")
		jo := w.Person("acme", "jo@acme.example")
		w.Person("acme", "ann@acme.example")
		needs("needs 1 security contact (0 now) before", "security")
		_, err := w.Accounts.AddContact(ctx, "test", model.NewContact{Account: "acme", Name: "Sam",
			Email: "sam@acme.example", Roles: []string{model.RoleSecurity}})
		testkit.Must(t, err)
		w.Enrol("acme")
		_, err = w.Accounts.ContactLeaves(ctx, "test", jo.ID)
		testkit.Must(t, err)
		needs("needs 2 technical contacts (1 now) before", "technical")
		_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Service: true, Name: "billing",
			AllowIPs: []string{"10.1.2.0/24"}})
		testkit.Must(t, err)
		w.Enrol("billing") // a program of our own has no contacts
	},
}
