package account_test

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func (w *world) rename(from, to string) error {
	return last(w.Accounts.RenameUser(ctx, "test", from, model.RenameUser{Name: to}))
}

var renameStories = stories{
	"a renamed user keeps its keys and its mailbox": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		p := w.Enrol("acme")
		testkit.Must(t, w.addDir("/in", false, "all"))
		testkit.Must(t, w.rename("ACME", "Acme Ltd"))
		got, err := w.Accounts.User(ctx, "acme ltd")
		if err != nil || got.ID != u.ID || got.Name != "Acme Ltd" || got.Account != "acme" {
			t.Fatalf("%+v, %v", got, err)
		}
		w.wantReason("Acme Ltd", p, model.ReasonOK)
		w.wantReason("acme", p, model.ReasonUnknownUser)
		if _, has := w.dirs("Acme Ltd")["/in"]; !has || len(w.states("Acme Ltd")) != 1 {
			t.Fatal("something was lost")
		}
		if n, err := w.Store.Read(ctx).RevocationNumber(); err != nil || n != 1 {
			t.Fatalf("its sessions did not end: %d, %v", n, err)
		}
		_, err = w.Accounts.User(ctx, "acme")
		testkit.WantKind(t, err, fault.NotFound)
		if text := fault.PublicText(err); !strings.Contains(text, `renamed to "Acme Ltd" on 2026-01-05`) {
			t.Fatalf("it says %q", text)
		}
	},
	"nobody else gets the old name for a while": func(t *testing.T, w *world) {
		w.Customer("acme")
		testkit.Must(t, w.rename("acme", "acme-au"))
		n := model.NewUser{Account: "acme", Name: "Acme"}
		_, err := w.Accounts.AddUser(ctx, "test", n)
		testkit.WantKind(t, err, fault.Exists)
		_, err = w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Name: "other"})
		testkit.Must(t, err)
		testkit.WantKind(t, w.rename("other", "acme"), fault.Exists)
		testkit.Must(t, w.rename("acme-au", "acme")) // its own one it does
		w.Pass(day)
		testkit.Must(t, w.rename("acme", "acme-au"))
		w.Pass(101 * day)
		_, err = w.Accounts.AddUser(ctx, "test", n)
		testkit.Must(t, err)
	},
	"a name that is taken, wrong or the same is refused": func(t *testing.T, w *world) {
		w.Customers("acme", "globex")
		testkit.WantKind(t, w.rename("acme", "GLOBEX"), fault.Exists)
		testkit.WantKind(t, w.rename("acme", "acme"), fault.Conflict)
		testkit.WantKind(t, w.rename("nobody", "x"), fault.NotFound)
		for _, bad := range []string{"", "root", "a/b", " a"} {
			testkit.WantKind(t, w.rename("acme", bad), fault.Invalid)
		}
		testkit.Must(t, w.rename("acme", "Acme")) // other letters of the same name
		if _, err := w.Accounts.User(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
	},
}

var removeStories = stories{
	"what was made by mistake is gone": func(t *testing.T, w *world) {
		w.Vendor("telco", "acme")
		w.Enrol("acme-telco")
		w.Person("acme", "jo@acme.example")
		for _, remove := range []func() error{
			func() error { return w.Accounts.RemoveUser(ctx, "test", "ACME-telco") },
			func() error { return w.Accounts.RemoveContact(ctx, "test", "jo@acme.example") },
			func() error { return w.Accounts.RemoveVendor(ctx, "test", "telco") },
			func() error { return w.Accounts.RemoveAccount(ctx, "test", "ACME") },
		} {
			testkit.Must(t, remove())
			testkit.WantKind(t, remove(), fault.NotFound)
		}
		for _, table := range []string{"users", "mailboxes", "dirs", "keys", "contacts", "vendors", "accounts"} {
			if n := w.Count(table); n != 0 {
				t.Errorf("%s has %d rows", table, n)
			}
		}
		w.Vendor("telco", "acme") // the names can be used again
	},
	"what was used stays, and says what for": func(t *testing.T, w *world) {
		w.Vendor("telco", "acme")
		u := w.Customer("globex")
		p := w.Enrol("globex")
		jo := w.Verified("globex", "jo@globex.example")
		_, err := w.Accounts.SetKey(ctx, "test", "globex", model.EditKey{Fingerprint: p.Print, Holder: new(jo.ID)})
		testkit.Must(t, err)
		w.Must(testkit.Write(ctx, w.Store, func(tx *store.Tx) error {
			tx.Unaudited("a test")
			return tx.AddVersion(store.Version{ID: w.IDs.New(), FileID: w.IDs.New(), UserID: u.ID, BlobID: w.blob(tx),
				Actor: "test", StoredAt: w.Clock(), Class: model.ClassDefault})
		}))
		for _, c := range []struct {
			err  error
			says string
		}{
			{w.Accounts.RemoveUser(ctx, "test", "globex"), "stored files (1)"},
			{w.Accounts.RemoveVendor(ctx, "test", "telco"), "users (1)"},
			{w.Accounts.RemoveAccount(ctx, "test", "globex"), "There are records of it: users (1), contacts (1)"},
			{w.Accounts.RemoveContact(ctx, "test", "jo@globex.example"), "keys (1)"},
		} {
			testkit.WantKind(t, c.err, fault.Conflict)
			if text := fault.PublicText(c.err); !strings.Contains(text, c.says) {
				t.Errorf("it says %q, not %q", text, c.says)
			}
		}
	},
	"a vendor is renamed for people": func(t *testing.T, w *world) {
		w.Vendor("telco", "acme")
		v, err := w.Accounts.SetVendor(ctx, "test", "telco", model.EditVendor{Name: new("Telco Limited")})
		if err != nil || v.Name != "Telco Limited" {
			t.Fatalf("%+v, %v", v, err)
		}
		_, err = w.Accounts.SetVendor(ctx, "test", "telco", model.EditVendor{Name: new("a\nb")})
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.Accounts.SetVendor(ctx, "test", "nobody", model.EditVendor{Name: new("N")})
		testkit.WantKind(t, err, fault.NotFound)
	},
}

// blob makes a stored content and returns its id.
func (w *world) blob(tx *store.Tx) string {
	id := w.IDs.New()
	w.Must(tx.AddBlob(store.Blob{ID: id, Key: id, Size: 1, SHA256: []byte("x")}, 1, w.Clock()))
	return id
}
