package account_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var enrolStories = stories{
	"several keys are enrolled, all or none": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		taken := w.Enrol("globex")
		a, b := testkit.NewPair(t), testkit.NewPair(t)
		_, err := w.add("acme", a.Line+"\n# a comment\n"+b.Line+taken.Line)
		testkit.WantKind(t, err, fault.Denied)
		w.wantStates("acme", map[string]model.KeyState{})
		added, err := w.add("acme", a.Line+b.Line+a.Line)
		testkit.Must(t, err)
		if len(added) != 2 || added[0].Origin != model.OriginSubmitted || added[0].State != model.KeyActive ||
			added[0].ExpiresAt != nil {
			t.Fatalf("%+v", added)
		}
		w.wantStates("acme", map[string]model.KeyState{a.Print: model.KeyActive, b.Print: model.KeyActive})
		w.wantReason("acme", a, model.ReasonOK)
		_, err = w.add("acme", testkit.NewPair(t).Line+b.Line)
		testkit.WantKind(t, err, fault.Exists)
		if got := w.states("acme"); len(got) != 2 {
			t.Fatalf("a refused file left %v", got)
		}
	},
	"no more keys than allowed": func(t *testing.T, w *world) {
		w.Policy.MaxKeys = 3
		w.OpenAccounts()
		w.Customer("acme")
		first := w.Enrol("acme")
		_, err := w.add("acme", testkit.NewPair(t).Line+testkit.NewPair(t).Line+testkit.NewPair(t).Line)
		testkit.WantKind(t, err, fault.Busy)
		if got := w.states("acme"); len(got) != 1 {
			t.Fatalf("one too many left %v", got)
		}
		_, err = w.add("acme", testkit.NewPair(t).Line+testkit.NewPair(t).Line)
		testkit.Must(t, err)
		_, err = w.add("acme", testkit.NewPair(t).Line)
		testkit.WantKind(t, err, fault.Busy)
		_, err = w.Accounts.RevokeKey(ctx, "test", first.Print, "old", false)
		testkit.Must(t, err)
		w.Enrol("acme")
	},
	"two additions at once see one room": func(t *testing.T, w *world) {
		w.Customer("acme")
		var wg sync.WaitGroup
		for range 8 {
			p := testkit.NewPair(t)
			wg.Go(func() {
				if _, err := w.add("acme", p.Line); err != nil && !fault.Is(err, fault.Busy) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := w.states("acme"); len(got) != w.Policy.MaxKeys {
			t.Fatalf("%d keys of %d", len(got), w.Policy.MaxKeys)
		}
	},
	"a key is one user's, or one vendor's": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		w.Vendor("telco", "acme", "globex")
		w.Vendor("postco", "acme")
		p := w.Enrol("acme")
		for _, user := range []string{"globex", "acme-telco"} {
			_, err := w.add(user, p.Line)
			testkit.WantKind(t, err, fault.Denied)
			if text := fault.PublicText(err); strings.Contains(text, "acme") {
				t.Errorf("the answer names whose key it is: %s", text)
			}
		}
		vendors := w.Enrol("acme-telco")
		_, err := w.add("globex-telco", vendors.Line)
		testkit.Must(t, err)
		w.wantReason("globex-telco", vendors, model.ReasonOK)
		for _, user := range []string{"acme-postco", "acme"} {
			_, err = w.add(user, vendors.Line)
			testkit.WantKind(t, err, fault.Denied)
		}
		w.wantReason("acme", vendors, model.ReasonOtherUsersKey)
	},
	"a key added for two users at once is one user's": func(t *testing.T, w *world) {
		users := []string{"acme", "globex", "initech"}
		for _, u := range users {
			w.Customer(u)
		}
		for range 5 {
			p := testkit.NewPair(t)
			var wg sync.WaitGroup
			for _, u := range users {
				wg.Go(func() {
					if _, err := w.add(u, p.Line); err != nil && !fault.Is(err, fault.Denied) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if holders, err := w.Accounts.Key(ctx, p.Print); err != nil || len(holders) != 1 {
				t.Fatalf("%d users hold one key, %v", len(holders), err)
			}
		}
	},
	"a holder is the user's contact": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		w.Vendor("telco", "acme")
		jo := w.Person("acme", "jo@acme.example")
		w.Person("globex", "sam@globex.example")
		ann, err := w.Accounts.AddContact(ctx, "test",
			model.NewContact{Vendor: "telco", Name: "Ann", Email: "ann@telco.example"})
		testkit.Must(t, err)
		for _, c := range []struct {
			user, holder string
			want         model.Contact
		}{{"acme", "JO@acme.example", jo}, {"acme", jo.ID, jo}, {"acme-telco", "ann@telco.example", ann},
			{"acme-telco", jo.ID, jo}} {
			added, err := w.add(c.user, testkit.NewPair(t).Line, func(n *model.NewKey) { n.Holder = c.holder })
			testkit.Must(t, err)
			if added[0].Holder != c.want.Email || added[0].HolderID != c.want.ID {
				t.Errorf("%s for %s: %+v", c.holder, c.user, added[0])
			}
		}
		for _, c := range []struct{ user, holder string }{{"acme", "sam@globex.example"}, {"acme", "ann@telco.example"},
			{"acme", "nobody"}} {
			_, err := w.add(c.user, testkit.NewPair(t).Line, func(n *model.NewKey) { n.Holder = c.holder })
			testkit.WantKind(t, err, fault.NotFound)
		}
	},
	"a key's end lies ahead": func(t *testing.T, w *world) {
		w.Customer("acme")
		for _, at := range []time.Time{w.Clock(),
			w.Clock().Add(-time.Second), {}} {
			_, err := w.add("acme", testkit.NewPair(t).Line, func(n *model.NewKey) { n.ExpiresAt = &at })
			testkit.WantKind(t, err, fault.Invalid)
		}
		at := w.Clock().Add(day)
		p := testkit.NewPair(t)
		added, err := w.add("acme", p.Line, func(n *model.NewKey) { n.ExpiresAt = &at })
		testkit.Must(t, err)
		if !added[0].ExpiresAt.Equal(at) {
			t.Fatalf("it ends on %v", added[0].ExpiresAt)
		}
		w.wantReason("acme", p, model.ReasonOK)
		w.Pass(day)
		w.wantReason("acme", p, model.ReasonKeyExpired)
		w.wantStates("acme", map[string]model.KeyState{p.Print: model.KeyExpired})
	},
	"the policy's end counts when none is asked for": func(t *testing.T, w *world) {
		w.Policy.KeyExpiry = 365 * day
		w.OpenAccounts()
		w.Customer("acme")
		added, err := w.add("acme", testkit.NewPair(t).Line)
		testkit.Must(t, err)
		if got := added[0].ExpiresAt.Sub(added[0].CreatedAt); got != 365*day {
			t.Fatalf("the key lives for %v", got)
		}
		at := w.Clock().Add(3 * 365 * day)
		added, err = w.add("acme", testkit.NewPair(t).Line, func(n *model.NewKey) { n.ExpiresAt = &at })
		if err != nil || !added[0].ExpiresAt.Equal(at) {
			t.Fatalf("%+v, %v", added, err)
		}
	},
	"types and sizes that the operator does not take": func(t *testing.T, w *world) {
		curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		testkit.Must(t, err)
		k, err := ssh.NewPublicKey(&curve.PublicKey)
		testkit.Must(t, err)
		ec := string(ssh.MarshalAuthorizedKey(k))
		w.Customer("acme")
		w.Policy.MaxKeys = 100
		for _, c := range []struct {
			name, line string
			types      []string
			min, max   int
			ok         bool
		}{
			{"ed25519 alone", testkit.NewPair(t).Line, []string{"ed25519"}, 2048, 8192, true},
			{"ecdsa where only ed25519 is", ec, []string{"ed25519"}, 2048, 8192, false},
			{"rsa where only ed25519 is", rsaLine(t, 3072), []string{"ed25519", "ecdsa"}, 2048, 8192, false},
			{"ecdsa", ec, []string{"ecdsa"}, 2048, 8192, true},
			{"rsa one bit too small", rsaLine(t, 3071), []string{"rsa"}, 3072, 4096, false},
			{"rsa at the least", rsaLine(t, 3072), []string{"rsa"}, 3072, 4096, true},
			{"rsa at the most", rsaLine(t, 4096), []string{"rsa"}, 3072, 4096, true},
			{"rsa one bit too large", rsaLine(t, 4097), []string{"rsa"}, 3072, 4096, false},
			{"one good, one not", testkit.NewPair(t).Line + rsaLine(t, 2048), []string{"ed25519", "rsa"}, 3072, 4096, false},
		} {
			w.Policy.KeyTypes, w.Policy.MinRSA, w.Policy.MaxRSA = c.types, c.min, c.max
			w.OpenAccounts()
			before := len(w.states("acme"))
			_, err := w.add("acme", c.line)
			if c.ok && err != nil || !c.ok && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", c.name, err)
			}
			if !c.ok && len(w.states("acme")) != before {
				t.Errorf("%s was enrolled in part", c.name)
			}
		}
	},
	"what is no public key, and nobody's user": func(t *testing.T, w *world) {
		w.Customer("acme")
		for _, text := range []string{"", "hello", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3MAAAA="} {
			_, err := w.add("acme", text)
			testkit.WantKind(t, err, fault.Invalid)
		}
		_, err := w.add("nobody", testkit.NewPair(t).Line)
		testkit.WantKind(t, err, fault.NotFound)
		_, err = w.add("acme", testkit.NewPair(t).Line+testkit.NewPair(t).Line,
			func(n *model.NewKey) { n.Replaces = "SHA256:x" })
		testkit.WantKind(t, err, fault.Invalid)
	},
	"two addresses before a key is issued": func(t *testing.T, w *world) {
		w.Customer("acme")
		issued := func(n *model.NewKey) { n.Origin = model.OriginIssued }
		_, err := w.add("acme", testkit.NewPair(t).Line, issued)
		testkit.WantKind(t, err, fault.Conflict)
		w.Person("acme", "jo@acme.example")
		_, err = w.add("acme", testkit.NewPair(t).Line, issued)
		testkit.WantKind(t, err, fault.Conflict)
		gone := w.Person("acme", "gone@acme.example")
		_, err = w.Accounts.ContactLeaves(ctx, "test", gone.ID)
		testkit.Must(t, err)
		_, err = w.add("acme", testkit.NewPair(t).Line, issued)
		testkit.WantKind(t, err, fault.Conflict)
		w.Person("acme", "ann@acme.example")
		added, err := w.add("acme", testkit.NewPair(t).Line, issued)
		if err != nil || added[0].Origin != model.OriginIssued {
			t.Fatalf("%+v, %v", added, err)
		}

		// The vendor's contact with the same address counts as the same person.
		w.Vendor("telco", "globex")
		w.Person("globex", "sam@globex.example")
		_, err = w.Accounts.AddContact(ctx, "test",
			model.NewContact{Vendor: "telco", Name: "Sam", Email: "SAM@globex.example"})
		testkit.Must(t, err)
		_, err = w.add("globex-telco", testkit.NewPair(t).Line, issued)
		testkit.WantKind(t, err, fault.Conflict)
	},
	"holder, end and flag can change, of a live key": func(t *testing.T, w *world) {
		w.Customer("acme")
		jo := w.Person("acme", "jo@acme.example")
		p := w.Enrol("acme")
		at := w.Clock().Add(day)
		k, err := w.Accounts.SetKey(ctx, "test", "acme",
			model.EditKey{Fingerprint: p.Print, Holder: new("jo@acme.example"), ExpiresAt: &at, Flag: new("ask them")})
		if err != nil || k.HolderID != jo.ID || !k.ExpiresAt.Equal(at) || k.Flag != "ask them" || k.State != model.KeyActive {
			t.Fatalf("%+v, %v", k, err)
		}
		k, err = w.Accounts.SetKey(ctx, "test", "acme",
			model.EditKey{Fingerprint: p.Print, Holder: new(""), ExpiresAt: &time.Time{}, Flag: new("")})
		if err != nil || k.HolderID != "" || k.ExpiresAt != nil || k.Flag != "" {
			t.Fatalf("%+v, %v", k, err)
		}
		_, err = w.Accounts.SetKey(ctx, "test", "acme", model.EditKey{Fingerprint: p.Print, Holder: new("nobody")})
		testkit.WantKind(t, err, fault.NotFound)
		_, err = w.Accounts.SetKey(ctx, "test", "acme", model.EditKey{Fingerprint: "SHA256:nobody's"})
		testkit.WantKind(t, err, fault.NotFound)
		_, err = w.Accounts.SetKey(ctx, "test", "nobody", model.EditKey{Fingerprint: p.Print})
		testkit.WantKind(t, err, fault.NotFound)
		_, err = w.Accounts.SetKey(ctx, "test", "acme", model.EditKey{Fingerprint: p.Print, Flag: new("red\x1b[31m\x00")})
		testkit.WantKind(t, err, fault.Invalid)
	},
	"a revoked key may come back": func(t *testing.T, w *world) {
		w.Customer("acme")
		w.Customer("globex")
		p := w.Enrol("acme")
		_, err := w.Accounts.RevokeKey(ctx, "test", p.Print, "a mistake", false)
		testkit.Must(t, err)
		w.wantReason("acme", p, model.ReasonKeyRevoked)
		_, err = w.add("globex", p.Line) // the key is free again
		testkit.Must(t, err)
		_, err = w.Accounts.RevokeKey(ctx, "test", p.Print, "another", false)
		testkit.Must(t, err)
		_, err = w.add("acme", p.Line)
		testkit.Must(t, err)
		w.wantReason("acme", p, model.ReasonOK)
		w.wantReason("globex", p, model.ReasonKeyRevoked)
	},
	"a revoked key is not found among those that can be": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		p := w.Enrol("acme")
		out, err := w.Accounts.RevokeKey(ctx, "test", p.Print, "laptop lost", false)
		testkit.Must(t, err)
		if len(out.Keys) != 1 || out.Burned || len(out.Warnings) != 1 ||
			!strings.Contains(out.Warnings[0], "last key of user acme") {
			t.Fatalf("%+v", out)
		}
		if got := w.revocations(u, p); len(got) != 1 || got[0] != "laptop lost" {
			t.Fatalf("revocations: %v", got)
		}
		_, err = w.Accounts.RevokeKey(ctx, "test", p.Print, "again", false)
		testkit.WantKind(t, err, fault.NotFound)
		_, err = w.Accounts.RevokeKey(ctx, "test", testkit.NewPair(t).Print, "unknown", false)
		testkit.WantKind(t, err, fault.NotFound)
		_, err = w.Accounts.RevokeKey(ctx, "test", p.Print, " \n", false)
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.Accounts.SetKey(ctx, "test", "acme", model.EditKey{Fingerprint: p.Print})
		testkit.WantKind(t, err, fault.NotFound)
		list, err := w.Accounts.Key(ctx, p.Print)
		if err != nil || len(list) != 1 || list[0].State != model.KeyRevoked || list[0].RevokedWhy != "laptop lost" {
			t.Fatalf("%+v, %v", list, err)
		}
	},
}

// rsaLine returns the public half of an RSA key of a size; its private half is not kept.
func rsaLine(t testing.TB, bits int) string {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	n.SetBit(n, 0, 1)
	k, err := ssh.NewPublicKey(&rsa.PublicKey{N: n, E: 65537})
	testkit.Must(t, err)
	return string(ssh.MarshalAuthorizedKey(k))
}
