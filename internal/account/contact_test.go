package account_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var contactStories = stories{
	"a person is added, found and listed": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Vendor("telco")
		jo, err := w.Accounts.AddContact(ctx, "test",
			model.NewContact{Account: "acme", Name: "Jo Hill", Email: " Jo.Hill@ACME.Example ", Phone: "+61 2 5550 0000",
				Roles: []string{"security", "billing", "security"}})
		testkit.Must(t, err)
		if jo.Email != "Jo.Hill@acme.example" || !slices.Equal(jo.Roles, []string{"billing", "security"}) ||
			jo.VerifiedAt != nil {
			t.Fatalf("%+v", jo)
		}
		ann, err := w.Accounts.AddContact(ctx, "test",
			model.NewContact{Vendor: "telco", Name: "Ann Ōé 李", Email: "ann@telco.example"})
		testkit.Must(t, err)
		if !slices.Equal(ann.Roles, []string{"technical"}) {
			t.Fatalf("a contact without roles has %v", ann.Roles)
		}
		for _, who := range []string{jo.ID, "Jo.Hill@acme.example"} {
			if got, err := w.Accounts.Contact(ctx, who); err != nil || got.ID != jo.ID || got.Phone != "+61 2 5550 0000" {
				t.Fatalf("%s: %+v, %v", who, got, err)
			}
		}
		for of, want := range map[string]int{"": 2, "acme": 1, "telco": 1} {
			if list, err := w.Accounts.Contacts(ctx, model.ContactFilter{Of: of}); err != nil || len(list) != want {
				t.Fatalf("contacts of %q: %v, %v", of, list, err)
			}
		}
		_, err = w.Accounts.Contacts(ctx, model.ContactFilter{Of: "nobody"})
		testkit.WantKind(t, err, fault.NotFound)
		for _, who := range []string{"nobody", "nobody@acme.example"} {
			_, err = w.Accounts.Contact(ctx, who)
			testkit.WantKind(t, err, fault.NotFound)
		}
	},
	"what cannot be a contact is refused": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Vendor("telco")
		good := model.NewContact{Account: "acme", Name: "Jo", Email: "jo@acme.example"}
		for name, c := range map[string]struct {
			change func(*model.NewContact)
			kind   fault.Kind
		}{
			"no address":     {func(c *model.NewContact) { c.Email = "" }, fault.Invalid},
			"no domain":      {func(c *model.NewContact) { c.Email = "jo" }, fault.Invalid},
			"a name with it": {func(c *model.NewContact) { c.Email = "Jo <jo@acme.example>" }, fault.Invalid},
			"brackets":       {func(c *model.NewContact) { c.Email = "<jo@acme.example>" }, fault.Invalid},
			"two addresses": {func(c *model.NewContact) { c.Email = "jo@acme.example, ann@acme.example" },
				fault.Invalid},
			"a comment": {func(c *model.NewContact) { c.Email = "jo@acme.example (Jo)" }, fault.Invalid},
			"a header in it": {func(c *model.NewContact) { c.Email = "jo@acme.example\r\nBcc: all@acme.example" },
				fault.Invalid},
			"NUL in it":     {func(c *model.NewContact) { c.Email = "j\x00o@acme.example" }, fault.Invalid},
			"a quoted part": {func(c *model.NewContact) { c.Email = `"jo hill"@acme.example` }, fault.Invalid},
			"a very long address": {func(c *model.NewContact) { c.Email = strings.Repeat("j", 250) + "@acme.example" },
				fault.Invalid},
			"no name":                {func(c *model.NewContact) { c.Name = "  " }, fault.Invalid},
			"colours in the name":    {func(c *model.NewContact) { c.Name = "Jo\x1b[31m" }, fault.Invalid},
			"a name in Latin-1":      {func(c *model.NewContact) { c.Name = "J\xf6" }, fault.Invalid},
			"a line end in a number": {func(c *model.NewContact) { c.Phone = "1\n2" }, fault.Invalid},
			"an unknown role":        {func(c *model.NewContact) { c.Roles = []string{"technical", "king"} }, fault.Invalid},
			"nobody's contact":       {func(c *model.NewContact) { c.Account = "" }, fault.Invalid},
			"both's contact":         {func(c *model.NewContact) { c.Vendor = "telco" }, fault.Invalid},
			"an unknown account":     {func(c *model.NewContact) { c.Account = "globex" }, fault.NotFound},
			"an unknown vendor":      {func(c *model.NewContact) { c.Account, c.Vendor = "", "globex" }, fault.NotFound},
		} {
			refused := good
			c.change(&refused)
			if _, err := w.Accounts.AddContact(ctx, "test", refused); !fault.Is(err, c.kind) {
				t.Errorf("%s: %v, want %v", name, err, c.kind)
			}
		}
		if list, err := w.Accounts.Contacts(ctx, model.ContactFilter{}); err != nil || len(list) > 0 {
			t.Fatalf("some were recorded: %v, %v", list, err)
		}
	},
	"an address is taken once an account, until its owner goes": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		w.Person("acme", "jo@acme.example")
		again := model.NewContact{Account: "acme", Name: "Jo", Email: "JO@acme.example"}
		_, err := w.Accounts.AddContact(ctx, "test", again)
		testkit.WantKind(t, err, fault.Exists)
		w.Person("globex", "jo@acme.example")
		list, err := w.Accounts.Contacts(ctx, model.ContactFilter{Of: "acme"})
		testkit.Must(t, err)
		_, err = w.Accounts.ContactLeaves(ctx, "test", list[0].ID)
		testkit.Must(t, err)
		_, err = w.Accounts.AddContact(ctx, "test", again)
		testkit.Must(t, err)
	},
	"an address of two accounts names nobody": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		jo := w.Person("acme", "jo@acme.example")
		other := w.Person("globex", "jo@acme.example")
		for what, ask := range map[string]func(string) error{
			"show": func(who string) error { _, err := w.Accounts.Contact(ctx, who); return err },
			"set": func(who string) error {
				_, err := w.Accounts.SetContact(ctx, "test", who, model.EditContact{})
				return err
			},
			"leave": func(who string) error { _, err := w.Accounts.ContactLeaves(ctx, "test", who); return err },
		} {
			if err := ask("jo@acme.example"); !fault.Is(err, fault.Conflict) || fault.HintIn(err) != "name one by its id" {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := w.Accounts.ContactLeaves(ctx, "test", other.ID)
		testkit.Must(t, err)
		if got, err := w.Accounts.Contact(ctx, "jo@acme.example"); err != nil || got.ID != jo.ID {
			t.Fatalf("the one who stayed: %+v, %v", got, err)
		}
	},
	"an address is found however its case is written": func(t *testing.T, w *world) {
		w.Customer("acme")
		jo := w.Person("acme", "Jo@acme.example")
		for _, who := range []string{"jo@acme.example", "Jo@ACME.example", "JO@acme.example"} {
			if got, err := w.Accounts.Contact(ctx, who); err != nil || got.ID != jo.ID {
				t.Errorf("%s: %+v, %v", who, got, err)
			}
		}
	},
	"a new address is unverified, and old links die": func(t *testing.T, w *world) {
		w.Customer("acme")
		jo := w.Person("acme", "jo@acme.example")
		jo, err := w.Accounts.SetContact(ctx, "test", jo.ID, model.EditContact{Verified: new("called back")})
		testkit.Must(t, err)
		token := w.verifyLink(jo)
		if jo, err = w.Accounts.SetContact(ctx, "test", jo.ID,
			model.EditContact{Email: new("jo@acme.example"), Name: new("Jo Hill-Smith"),
				Roles: &[]string{"billing"}}); err != nil || jo.VerifiedAt == nil {
			t.Fatalf("the same address, verified before: %+v, %v", jo, err)
		}
		_, err = w.links.Waiting(ctx, token)
		testkit.Must(t, err)
		if jo, err = w.Accounts.SetContact(ctx, "test", "jo@acme.example",
			model.EditContact{Email: new("joanna@acme.example")}); err != nil || jo.VerifiedAt != nil || jo.Verified != "" {
			t.Fatalf("a new address is verified: %+v, %v", jo, err)
		}
		// The link was mailed to the old address, so it must not verify the new one.
		open := func(model.Link, []byte) error { return nil }
		testkit.WantKind(t, w.links.Open(ctx, token, "203.0.113.7", open), fault.NotFound)
		if jo, err = w.Accounts.Contact(ctx, jo.ID); err != nil || jo.VerifiedAt != nil || jo.Name != "Jo Hill-Smith" ||
			!slices.Equal(jo.Roles, []string{"billing"}) {
			t.Fatalf("%+v, %v", jo, err)
		}
		for name, e := range map[string]model.EditContact{"address": {Email: new("jo")}, "name": {Name: new("")},
			"phone": {Phone: new("\x07")}, "roles": {Roles: &[]string{"king"}}, "word": {Verified: new("\x1b")}} {
			if _, err := w.Accounts.SetContact(ctx, "test", jo.ID, e); !fault.Is(err, fault.Invalid) {
				t.Errorf("a bad %s: %v", name, err)
			}
		}
	},
	"a changed address is not another contact's": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Person("acme", "jo@acme.example")
		ann := w.Person("acme", "ann@acme.example")
		_, err := w.Accounts.SetContact(ctx, "test", ann.ID, model.EditContact{Email: new("Jo@acme.example")})
		testkit.WantKind(t, err, fault.Exists)
		_, err = w.Accounts.SetContact(ctx, "test", ann.ID, model.EditContact{Email: new("ANN@acme.example")})
		testkit.Must(t, err)
	},
	"an operator's word verifies": func(t *testing.T, w *world) {
		w.Customer("acme")
		jo := w.Person("acme", "jo@acme.example")
		_, err := w.Accounts.SetContact(ctx, "test", "jo@acme.example",
			model.EditContact{Verified: new("called back on the number in the contract")})
		testkit.Must(t, err)
		jo, err = w.Accounts.Contact(ctx, jo.ID)
		if err != nil || jo.VerifiedAt == nil || jo.Verified != "called back on the number in the contract" {
			t.Fatalf("%+v, %v", jo, err)
		}
		jo, err = w.Accounts.SetContact(ctx, "test", jo.ID,
			model.EditContact{Email: new("jo@new.example"), Verified: new("by phone")})
		if err != nil || jo.VerifiedAt == nil || jo.Verified != "by phone" {
			t.Fatalf("a new address, verified with the same word: %+v, %v", jo, err)
		}
	},
	"who leaves takes links along and leaves keys": func(t *testing.T, w *world) {
		w.Customer("acme")
		jo := w.Person("acme", "jo@acme.example")
		w.Person("acme", "ann@acme.example")
		token := w.verifyLink(jo)
		held, lost := testkit.NewPair(t), testkit.NewPair(t)
		byJo := func(n *model.NewKey) { n.Holder = "jo@acme.example" }
		_, err := w.add("acme", held.Line, byJo)
		testkit.Must(t, err)
		_, err = w.add("acme", lost.Line, byJo)
		testkit.Must(t, err)
		_, err = w.Accounts.RevokeKey(ctx, "test", lost.Print, "laptop lost", false)
		testkit.Must(t, err)
		w.Enrol("acme") // a key without a holder

		out, err := w.Accounts.ContactLeaves(ctx, "test", jo.ID)
		testkit.Must(t, err)
		if len(out.Keys) != 1 || out.Keys[0].Fingerprint != held.Print || out.Keys[0].State != model.KeyActive ||
			out.Left != 1 || out.Contact.LeftAt == nil {
			t.Fatalf("%+v", out)
		}
		_, err = w.links.Waiting(ctx, token)
		testkit.WantKind(t, err, fault.NotFound)
		w.wantReason("acme", held, model.ReasonOK) // until an operator decides
		_, err = w.Accounts.ContactLeaves(ctx, "test", jo.ID)
		testkit.WantKind(t, err, fault.Conflict)
		_, err = w.Accounts.FreezeKey(ctx, "test", held.Print, "jo@acme.example")
		testkit.WantKind(t, err, fault.NotFound)
		_, err = w.add("acme", testkit.NewPair(t).Line, byJo)
		testkit.WantKind(t, err, fault.NotFound)
		_, err = w.links.Make(ctx, "test", model.NewLink{Kind: model.LinkVerify, Contact: jo.ID, Token: make([]byte, 32)})
		testkit.WantKind(t, err, fault.NotFound)
	},
}

// verifyLink creates a link that verifies a contact's address, and returns its token.
func (w *world) verifyLink(c model.Contact) []byte {
	w.Helper()
	token := sha256.Sum256([]byte(c.ID))
	_, err := w.links.Make(ctx, "test", model.NewLink{Kind: model.LinkVerify, Contact: c.ID, Token: token[:]})
	w.Must(err)
	return token[:]
}
