package account_test

import (
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var revokeManyStories = stories{
	"every key that a person holds, in one change": func(t *testing.T, w *world) {
		users := w.Vendor("telco", "acme", "globex")
		person, err := w.Accounts.AddContact(ctx, "test",
			model.NewContact{Vendor: "telco", Name: "Jo", Email: "jo@telco.example"})
		testkit.Must(t, err)
		held := w.Enrol("acme-telco")
		other := w.Enrol("globex-telco")
		_, err = w.add("globex-telco", held.Line)
		testkit.Must(t, err)
		for _, user := range []string{"acme-telco", "globex-telco"} {
			_, err = w.Accounts.SetKey(ctx, "test", user, model.EditKey{Fingerprint: held.Print, Holder: &person.ID})
			testkit.Must(t, err)
		}
		out, err := w.Accounts.RevokeKeys(ctx, "test",
			model.RevokeKey{Holder: person.Email, Reason: "laptop lost", Burn: true})
		testkit.Must(t, err)
		if len(out.Keys) != 2 || !out.Burned || len(out.Warnings) != 2 {
			t.Fatalf("%+v", out)
		}
		// a key without a holder was neither revoked nor mentioned
		if want := "These keys of account globex still work: " + other.Print +
			" of globex-telco (no holder is noted). A key " +
			"without a holder may be this person's, too: it was not revoked."; out.Warnings[1] != want {
			t.Errorf("%q, want %q", out.Warnings[1], want)
		}
		for _, u := range users {
			w.wantReason(u.Name, held, model.ReasonKeyBurned)
			if got := w.revocations(u, held); len(got) != 1 {
				t.Fatalf("%s: sessions go on: %v", u.Name, got)
			}
		}
		w.wantReason("globex-telco", other, model.ReasonOK)
		if _, found := w.burned(held); !found {
			t.Fatal("it may be enrolled again")
		}
	},
	"every key of a user": func(t *testing.T, w *world) {
		w.Customer("acme")
		first, second := w.Enrol("acme"), w.Enrol("acme")
		out, err := w.Accounts.RevokeKeys(ctx, "test", model.RevokeKey{User: "acme", Reason: "contract ended"})
		testkit.Must(t, err)
		if len(out.Keys) != 2 || out.Burned {
			t.Fatalf("%+v", out)
		}
		w.wantReason("acme", first, model.ReasonKeyRevoked)
		w.wantReason("acme", second, model.ReasonKeyRevoked)
		_, err = w.Accounts.RevokeKeys(ctx, "test", model.RevokeKey{User: "acme", Reason: "again"})
		if !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	},
	"not without saying whose, and why": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		for want, in := range map[fault.Kind][]model.RevokeKey{
			fault.Invalid: {{Reason: "none"}, {User: "acme"}, {User: "acme", Holder: "jo", Reason: "both"},
				{User: "acme", Fingerprint: p.Print, Reason: "both"}},
			fault.NotFound: {{User: "nobody", Reason: "lost"}, {Holder: "nobody@acme.example", Reason: "lost"},
				{Fingerprint: "SHA256:none", Reason: "lost"}},
		} {
			for _, r := range in {
				if _, err := w.Accounts.RevokeKeys(ctx, "test", r); !fault.Is(err, want) {
					t.Errorf("%+v: %v", r, err)
				}
			}
		}
		w.wantReason("acme", p, model.ReasonOK)
	},
}
