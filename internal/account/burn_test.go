package account_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var burnStories = stories{
	"a readable private key burns its key for everybody": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		w.Customer("globex")
		p := w.Enrol("acme")
		err := w.sent("globex", p.File(t, "")) // for another user: its holder loses the key all the same
		if hint := fault.HintIn(err); !strings.Contains(hint, "blocked for ever") || !strings.Contains(hint, "acme") {
			t.Fatalf("the operator is told %q", hint)
		}
		if text := fault.PublicText(err); !strings.HasPrefix(text, keys.PrivateKeyAdvice) || strings.Contains(text, "acme") {
			t.Fatalf("the sender is told %q", text)
		}
		w.wantReason("acme", p, model.ReasonKeyBurned)
		w.wantStates("acme", map[string]model.KeyState{p.Print: model.KeyBurned})
		if got := w.revocations(u, p); len(got) != 1 {
			t.Fatalf("its sessions go on: %v", got)
		}
		if b, _ := w.burned(p); b.How != model.BurnExposed || b.Actor != "test" {
			t.Fatalf("%+v", b)
		}
		if n := w.notices(); n["key.burned"] != 1 {
			t.Fatalf("notices: %v", n)
		}
		w.sent("globex", p.File(t, "")) // again: nothing more to do
		if got, n := w.revocations(u, p), w.notices(); len(got) != 1 || n["key.burned"] != 1 {
			t.Fatalf("done twice: %v, %v", got, n)
		}
	},
	"a vendor's readable key is burned for every user": func(t *testing.T, w *world) {
		users := w.Vendor("telco", "acme", "globex")
		p := w.Enrol("acme-telco")
		_, err := w.add("globex-telco", p.Line)
		testkit.Must(t, err)
		x, err := w.Accounts.KeyExposed(ctx, "test", "globex-telco", keys.Examine(p.File(t, "")))
		testkit.Must(t, err)
		if !slices.Equal(x.Burned, []string{p.Print}) || len(x.Flagged)+len(x.Barred) > 0 ||
			!slices.Equal(x.Users, []string{"acme-telco", "globex-telco"}) {
			t.Fatalf("%+v", x)
		}
		for _, u := range users {
			w.wantReason(u.Name, p, model.ReasonKeyBurned)
			if got := w.revocations(u, p); len(got) != 1 {
				t.Fatalf("%s: %v", u.Name, got)
			}
		}
		if n := w.notices(); n["key.burned"] != 2 {
			t.Fatalf("notices: %v", n)
		}
	},
	"an encrypted one flags the key of whoever has it": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		file := p.File(t, "secret")
		err := w.sent("acme", file)
		if !strings.Contains(fault.HintIn(err), "flagged") {
			t.Fatalf("the operator is told %q", fault.HintIn(err))
		}
		w.wantReason("acme", p, model.ReasonOK) // anyone could have made that file
		list, err := w.Accounts.Keys(ctx, "acme")
		if err != nil || list[0].Flag == "" {
			t.Fatalf("%+v, %v", list, err)
		}
		if _, found := w.burned(p); found {
			t.Fatal("the key is blocked")
		}
		w.sent("acme", file)
		if n := w.notices(); n["key.flagged"] != 1 {
			t.Fatalf("on one day: %v", n)
		}
		w.Pass(day)
		w.sent("acme", file)
		if n := w.notices(); n["key.flagged"] != 2 {
			t.Fatalf("a day later: %v", n)
		}
		w.sent("acme", p.File(t, ""))
		w.wantReason("acme", p, model.ReasonKeyBurned)
	},
	"an encrypted one bars a key that nobody has": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := testkit.NewPair(t)
		w.offer("acme", p)
		x, err := w.Accounts.KeyExposed(ctx, "test", "acme", keys.Examine(p.File(t, "secret")))
		testkit.Must(t, err)
		if !slices.Equal(x.Barred, []string{p.Print}) || len(x.Burned)+len(x.Flagged)+len(x.Users) > 0 {
			t.Fatalf("%+v", x)
		}
		if b, _ := w.burned(p); b.How != model.BurnSuspected {
			t.Fatalf("%+v", b)
		}
		if list, err := w.Accounts.PendingKeys(ctx, model.OfUserFilter{}); err != nil || len(list) > 0 {
			t.Fatalf("it still waits: %v, %v", list, err)
		}
		_, err = w.add("acme", p.Line)
		testkit.WantKind(t, err, fault.Denied)
		w.wantReason("acme", p, model.ReasonKeyBurned)
		if n := w.notices(); len(n) > 0 {
			t.Fatalf("nobody holds it, yet somebody is told: %v", n)
		}
	},
	"suspected first, proven later": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := testkit.NewPair(t)
		for _, step := range []struct {
			file []byte
			how  string
		}{{p.File(t, "secret"), model.BurnSuspected}, {p.File(t, ""), model.BurnExposed},
			{p.File(t, "secret"), model.BurnExposed}} {
			w.sent("acme", step.file)
			if b, _ := w.burned(p); b.How != step.how {
				t.Fatalf("it is %s, want %s", b.How, step.how)
			}
		}
		_, err := w.Accounts.RevokeKey(ctx, "test", p.Print, "reported, too", true)
		testkit.Must(t, err)
		if b, _ := w.burned(p); b.How != model.BurnExposed {
			t.Fatalf("what was proven became %s", b.How)
		}
	},
	"burned by hand, also a key that nobody has": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		p, nobodys := w.Enrol("acme"), testkit.NewPair(t)
		out, err := w.Accounts.RevokeKey(ctx, "boss", p.Print, "copied", true)
		testkit.Must(t, err)
		if !out.Burned || len(out.Keys) != 1 || len(w.revocations(u, p)) != 1 {
			t.Fatalf("%+v", out)
		}
		w.wantReason("acme", p, model.ReasonKeyBurned)
		out, err = w.Accounts.RevokeKey(ctx, "boss", nobodys.Print, "found in a forum", true)
		if err != nil || !out.Burned || len(out.Keys) > 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		if b, _ := w.burned(nobodys); b.How != model.BurnReported || b.Why != "found in a forum" || b.Actor != "boss" {
			t.Fatalf("%+v", b)
		}
		_, err = w.add("acme", nobodys.Line)
		testkit.WantKind(t, err, fault.Denied)
		for _, mistyped := range []string{"", "SHA256:", "SHA256:short", p.Print[:len(p.Print)-1], p.Print + "=",
			"MD5:" + p.Print, "SHA256:\x00" + p.Print[8:]} {
			_, err = w.Accounts.RevokeKey(ctx, "boss", mistyped, "copied", true)
			testkit.WantKind(t, err, fault.Invalid)
		}
	},
	"a burned key comes in by no way": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		w.Vendor("telco", "acme")
		live := w.Enrol("acme")
		exposed, reported, barred := testkit.NewPair(t), testkit.NewPair(t), testkit.NewPair(t)
		for _, p := range []testkit.Pair{exposed, reported, barred} {
			w.offer("globex", p) // they wait for approval, and are dropped from the list
		}
		w.sent("acme", exposed.File(t, ""))
		w.sent("acme", barred.File(t, "secret"))
		_, err := w.Accounts.RevokeKey(ctx, "test", reported.Print, "copied", true)
		testkit.Must(t, err)
		for name, p := range map[string]testkit.Pair{"exposed": exposed, "reported": reported, "barred": barred} {
			for _, user := range []string{"acme", "globex", "acme-telco"} {
				_, err := w.add(user, p.Line)
				if !fault.Is(err, fault.Denied) || fault.PublicText(err) != "This key can't be used here." {
					t.Errorf("%s for %s: %v", name, user, err)
				}
			}
			_, err = w.add("acme", p.Line, replaces(live))
			testkit.WantKind(t, err, fault.Denied)
			_, err = w.Accounts.ApproveKey(ctx, "test", "globex", model.ApproveKey{Fingerprint: p.Print})
			testkit.WantKind(t, err, fault.NotFound)
			w.offer("globex", p)
			if list, err := w.Accounts.PendingKeys(ctx, model.OfUserFilter{User: "globex"}); err != nil || len(list) > 0 {
				t.Errorf("%s waits again: %v, %v", name, list, err)
			}
		}
		w.wantStates("acme", map[string]model.KeyState{live.Print: model.KeyActive})
	},
	"a private file sent for nobody's user, or unreadable": func(t *testing.T, w *world) {
		w.Customer("acme")
		p := w.Enrol("acme")
		w.sent("nobody", p.File(t, ""))
		w.wantReason("acme", p, model.ReasonKeyBurned)
		err := w.sent("acme", []byte("-----BEGIN RSA PRIVATE KEY-----\ndamaged\n-----END RSA PRIVATE KEY-----\n"))
		if fault.HintIn(err) != "" {
			t.Fatalf("nothing was done, but %q", fault.HintIn(err))
		}
	},
	"the advice names the region's help": func(t *testing.T, w *world) {
		w.Customer("acme")
		_, err := w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{Region: new("au")})
		testkit.Must(t, err)
		if text := fault.PublicText(w.sent("acme", testkit.NewPair(t).File(t, ""))); !strings.Contains(text,
			"tell us (help@example.com.au)") {
			t.Fatalf("the advice is %q", text)
		}
		w.Policy.Help, w.Policy.Regions = "", nil
		w.OpenAccounts()
		if text := fault.PublicText(w.sent("acme", testkit.NewPair(t).File(t, ""))); text != keys.PrivateKeyAdvice {
			t.Fatalf("the advice is %q", text)
		}
	},
}

// sent sends a private key file in place of a public one, and returns the answer.
func (w *world) sent(user string, file []byte) error {
	w.Helper()
	_, err := w.add(user, string(file))
	testkit.WantKind(w, err, fault.Invalid)
	return err
}

// burned finds a key on the list of burned keys.
func (w *world) burned(p testkit.Pair) (model.BurnedKey, bool) {
	w.Helper()
	list, err := w.Accounts.BurnedKeys(ctx, model.EveryFilter{})
	w.Must(err)
	i := slices.IndexFunc(list, func(b model.BurnedKey) bool { return b.Fingerprint == p.Print })
	if i < 0 {
		return model.BurnedKey{}, false
	}
	return list[i], true
}
