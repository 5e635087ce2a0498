package connection_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

var explainStories = stories{
	"every reason has words": func(t *testing.T, w *world) {
		_, k := w.customer("acme")
		w.customer("globex")
		for _, code := range reasonCodes(t) {
			for name, change := range map[string]func(*connection.Record){
				"bare": func(r *connection.Record) { r.User, r.Client, r.Methods = "", "", nil },
				"full": func(r *connection.Record) {
					r.Offered, r.Detail, r.Fingerprint = []string{k.Fingerprint, "SHA256:other"}, "the detail", k.Fingerprint
				},
			} {
				e := w.explain(w.failed("203.0.113.7", "acme", code, change)).Explanations[0]
				if e.Sentence == "" || strings.HasPrefix(e.Sentence, "Ended with") {
					t.Errorf("%s has no words: %q", code, e.Sentence)
				}
				if (e.Advice == "") != (code == model.ReasonOK) {
					t.Errorf("%s advises the partner %q", code, e.Advice)
				}
				for _, text := range []string{e.Sentence, e.Advice} {
					if strings.Contains(text, "%!") || strings.Contains(text, "  ") || strings.Contains(text, "..") ||
						valid.Printable(text) != text {
						t.Errorf("%s, %s: %q", code, name, text)
					}
				}
				for _, secret := range []string{"globex", "the database", "sallyport "} {
					if strings.Contains(e.Advice, secret) {
						t.Errorf("%s tells the partner of %q: %q", code, secret, e.Advice)
					}
				}
			}
		}
		if e := w.explain(w.failed("203.0.113.7", "acme", "a_new_code")).
			Explanations[0]; e.Sentence != "Ended with a_new_code." {
			t.Errorf("what nobody knows: %q", e.Sentence)
		}
	},
	"sentences say what is known": func(t *testing.T, w *world) {
		own := func(s scene) model.Key { return s.other }
		today := func(w *world) string { return w.Clock().UTC().Format("2006-01-02") }
		for name, c := range map[string]struct {
			reason string
			key    func(scene) model.Key
			turns  func(s scene) (says string)
			tells  string
		}{
			"unknown key": {model.ReasonUnknownKey, func(s scene) model.Key { return s.stranger },
				func(s scene) string { return "nobody has here. Expected: " + s.good.Fingerprint }, "The one that we have is"},
			"another's key": {model.ReasonOtherUsersKey, func(s scene) model.Key { return s.others },
				func(scene) string { return "which belongs to globex. Expected:" }, "a key that we don't have for you"},
			"revoked": {model.ReasonKeyRevoked, own,
				func(s scene) string { s.revoke(false); return "revoked on " + today(s.world) }, "was revoked"},
			"revoked, why": {model.ReasonKeyRevoked, own,
				func(s scene) string { s.revoke(false); return ": the laptop was lost. Expected: " + s.good.Fingerprint },
				"was revoked"},
			"burned": {model.ReasonKeyBurned, own,
				func(s scene) string { s.revoke(true); return "blocked for ever since " + today(s.world) },
				"stop using it everywhere"},
			"frozen": {model.ReasonKeyFrozen, own,
				func(s scene) string { s.freeze(); return "frozen since " + today(s.world) }, "A second contact"},
			"frozen, by whom": {model.ReasonKeyFrozen, own,
				func(s scene) string { s.freeze(); return "at the word of jo@acme.example" }, "A second contact"},
			"replaced": {model.ReasonKeyReplaced, own, func(s scene) string {
				by := s.rotate()
				s.Pass(15 * day)
				return " by " + by.Fingerprint
			}, "The one that we have is"},
			"expired": {model.ReasonKeyExpired, own,
				func(s scene) string { s.expire(); return "expired on " + today(s.world) }, "Your key has expired"},
			"revoked in overlap": {model.ReasonKeyRevoked, own,
				func(s scene) string { s.rotate(); s.revoke(false); return ": the laptop was lost." }, "was revoked"},
			"frozen in overlap": {model.ReasonKeyFrozen, own,
				func(s scene) string { s.rotate(); s.freeze(); return "at the word of jo@acme.example" }, "A second contact"},
			"expired in overlap": {model.ReasonKeyExpired, own,
				func(s scene) string { s.rotate(); s.expire(); return "expired on " + today(s.world) }, "Your key has expired"},
			"frozen and revoked": {model.ReasonKeyRevoked, own,
				func(s scene) string { s.freeze(); s.revoke(false); return ": the laptop was lost." }, "was revoked"},
			"address": {model.ReasonAddress, own,
				func(s scene) string { s.allow("198.51.100.0/24"); return "203.0.113.7 was not on the list" },
				"came from 203.0.113.7"},
			"address, the list": {model.ReasonAddress, own,
				func(s scene) string { s.allow("198.51.100.0/24"); return "(user: 198.51.100.0/24)" }, "came from 203.0.113.7"},
			"directory": {model.ReasonDirectory, own,
				func(scene) string { return "refused in a directory: write /invoices/x" }, "below /reports"},
			"many": {model.ReasonTooManyTries, own, func(scene) string { return "too many keys (1)" },
				"IdentitiesOnly"},
			"nothing was signed": {model.ReasonNotSigned, own, func(scene) string { return "Offered the right key" },
				"passphrase"},
		} {
			w.begin(t)
			s := newScene(w)
			says := c.turns(s)
			e := w.explain(w.failed("203.0.113.7", "acme", c.reason, func(r *connection.Record) {
				r.Offered, r.Detail = []string{c.key(s).Fingerprint}, "write /invoices/x"
			})).Explanations[0]
			if !strings.Contains(e.Sentence, says) || !strings.Contains(e.Advice, c.tells) ||
				strings.Contains(e.Advice, "globex") {
				t.Errorf("%s:\n  says %q, want %q\n  tells %q, want %q", name, e.Sentence, says, e.Advice, c.tells)
			}
		}
	},
	"what stands in a user's way now": func(t *testing.T, w *world) {
		off := false
		for want, turn := range map[string]func(s scene){
			"The user is disabled. (edit-user enabled=true user=acme)": func(
				s scene) {
				s.do(w.Accounts.SetUser(ctx, "test", "acme", model.EditUser{Enabled: &off}))
			},
			"The account acme is suspended.": func(
				s scene) {
				s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountSuspended))
			},
			"The account acme is read-only.": func(
				s scene) {
				s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountReadOnly))
			},
			"The account acme is closed.": func(
				s scene) {
				s.do(w.Accounts.SetState(ctx, "test", "acme", model.AccountClosed))
			},
			"May log in only from 198.51.100.0/24, 203.0.113.7/32.": func(s scene) {
				s.allow("198.51.100.0/24")
				s.do(w.Accounts.SetAccount(ctx, "test", "acme", model.EditAccount{AllowIPs: &[]string{"203.0.113.7"}}))
			},
			"None of the 2 keys on file works any more. (list-keys user=acme)": func(s scene) {
				s.freeze()
				s.do(w.Accounts.RevokeKey(ctx, "test", s.good.Fingerprint, "old", false))
			},
			"1 unknown keys wait for your word. (list-pending-keys user=acme)": func(s scene) {
				u, err := w.Accounts.User(ctx, "acme")
				testkit.Must(t, err)
				testkit.Must(t, w.Accounts.Offered(ctx, model.PendingKey{UserID: u.ID, Public: testkit.NewPair(t).Line}))
			},
			"Nobody has tried to log in with this username. Check the server address, the port, and firewalls on the way.": func(
				scene) {
			},
		} {
			w.begin(t)
			s := newScene(w)
			turn(s)
			if e := w.explain("acme"); !contains(e.Summary, want) || e.About != "acme" {
				t.Errorf("the summary is %q, want %q", e.Summary, want)
			}
		}
		w.begin(t)
		s := newScene(w)
		if e := w.explain("acme"); !contains(e.Summary,
			"Can log in with "+s.good.Fingerprint+" or "+s.other.Fingerprint+".") || len(e.Summary) != 2 {
			t.Errorf("all is well: %q", e.Summary)
		}
		w.failed("203.0.113.7", "acme", model.ReasonUnknownKey)
		if e := w.explain("acme"); len(e.Summary) != 1 || len(e.Explanations) != 1 {
			t.Errorf("somebody tried: %+v", e)
		}
		_, err := w.Accounts.AddUser(ctx, "test", model.NewUser{Account: "acme", Name: "keyless"})
		testkit.Must(t, err)
		if e := w.explain("keyless"); !contains(e.Summary, "No key is on file. (add-keys user=keyless)") {
			t.Errorf("without a key: %q", e.Summary)
		}
	},
	"about an address": func(t *testing.T, w *world) {
		if e := w.explain("203.0.113.7"); len(e.Summary) != 2 || e.Summary[0].Text != "Not banned." ||
			!strings.HasPrefix(e.Summary[1].Text, "No connection from this address") {
			t.Fatalf("never seen: %q", e.Summary)
		}
		w.fail(20, "203.0.113.7")
		w.bans() // writes the ban to the database
		w.admit("203.0.113.7")
		w.failed("203.0.113.7", "root", model.ReasonBanned)
		w.bans()
		e := w.explain("::ffff:203.0.113.7")
		if e.About != "203.0.113.7" || len(e.Explanations) != 20 ||
			!strings.Contains(e.Summary[0].String(),
				"after 20 failed connections (the last: there is no such user); turned away 1 times since. (lift-ban "+
					"address=203.0.113.7)") {
			t.Fatalf("%s: %q", e.About, e.Summary)
		}
		if got := e.Explanations[0].Sentence; !strings.Contains(got, "was banned until") ||
			!strings.Contains(got, "after 20 failed connections. The last of them: there is no such user.") {
			t.Fatalf("%q", got)
		}
		w.Pass(16 * time.Minute)
		if e := w.explain("203.0.113.7"); !strings.HasPrefix(e.Summary[0].Text, "Not banned now; it was until ") {
			t.Fatalf("%q", e.Summary)
		}
		w.fail(20, "2001:db8:1:2::7")
		w.bans()
		if e := w.explain("2001:db8:1:2:9::9"); !strings.HasPrefix(e.Summary[0].Text, "Banned since") ||
			!strings.HasSuffix(e.Summary[0].String(), "(lift-ban address=2001:db8:1:2::/64)") {
			t.Fatalf("%q", e.Summary)
		}
	},
	"about a reference, as it is read out": func(t *testing.T, w *world) {
		w.customer("acme")
		ref := w.failed("203.0.113.7", "acme", model.ReasonPassword, func(r *connection.Record) { r.Reference = "k3jd-9fh2" })
		w.failed("203.0.113.7", "acme", model.ReasonPassword)
		for _, read := range []string{ref, "K3JD-9FH2"} {
			if e := w.explain(read); len(e.Explanations) != 1 || e.Explanations[0].Connection.Reference != ref {
				t.Errorf("%s: %+v", read, e)
			}
		}
	},
	"a name that was probably meant to be another": func(t *testing.T, w *world) {
		w.customer("acme")
		for _, tried := range []string{"ACME_", "Acme ", " acme", "acme@host", "acme@sftp.example.com", `DOMAIN\acme`,
			`DOMAIN\ACME`, "domain/acme", `"acme"`, "'acme'", "a cme", "acme.", "@acme", "sftp:acme"} {
			ref := w.failed("203.0.113.7", valid.Printable(tried), model.ReasonUnknownUser)
			e := w.explain(ref).Explanations[0]
			if !strings.HasSuffix(e.Sentence, `Did they mean "acme"?`) ||
				!strings.HasPrefix(e.Advice, "Your username is acme,") {
				t.Errorf("%q: %q, %q", tried, e.Sentence, e.Advice)
			}
			about := w.explain(tried)
			if len(about.Summary) != 1 || !strings.HasSuffix(about.Summary[0].Text, `Did they mean "acme"?`) ||
				len(about.Explanations) == 0 {
				t.Errorf("about %q: %+v", tried, about)
			}
		}
		for _, tried := range []string{"acmee", "bacme", "root"} {
			e := w.explain(w.failed("203.0.113.7", tried, model.ReasonUnknownUser)).Explanations[0]
			if strings.Contains(e.Sentence, "mean") || !strings.HasPrefix(e.Advice, "Check the username") {
				t.Errorf("%q: %q, %q", tried, e.Sentence, e.Advice)
			}
		}
		for _, u := range []string{"acme", "beta"} {
			w.Vendor("carrier1", u)
		}
		for tried, want := range map[string]string{"acme_carrier1": `"acme-carrier1"`,
			"ACME.Carrier1@sftp.example.com": `"acme-carrier1"`, "acmecarrier1": `"acme-carrier1"`,
			"carrier1": `"acme-carrier1" or "beta-carrier1"`, `EXAMPLE\Carrier1`: `"acme-carrier1" or "beta-carrier1"`} {
			e := w.explain(w.failed("203.0.113.7", valid.Printable(tried), model.ReasonUnknownUser)).Explanations[0]
			if !strings.HasSuffix(e.Sentence, "Did they mean "+want+"?") {
				t.Errorf("%q: %q", tried, e.Sentence)
			}
		}
		// for another reason, and the username is wrong, too
		e := w.explain(w.failed("203.0.113.7", "ACME_", model.ReasonPassword)).Explanations[0]
		if !strings.HasSuffix(e.Sentence, `And there is no user "ACME_". Did they mean "acme"?`) {
			t.Errorf("%q", e.Sentence)
		}
	},
	"names that are no text, and names that nobody tried": func(t *testing.T, w *world) {
		w.customer("acme")
		for _, name := range []string{"nobody", "", "\x00", "a\x00b", "\xff\xfe", "\x1b[31m", strings.Repeat("x", 5000),
			"' OR 1=1", "acme%"} {
			_, err := w.service.Explain(ctx, name)
			testkit.WantKind(t, err, fault.NotFound)
		}
		tried := "\xffroot\x1b[2J"
		w.failed("203.0.113.7", valid.Printable(tried), model.ReasonUnknownUser)
		e := w.explain(tried)
		if len(e.Explanations) != 1 || valid.Printable(e.Summary[0].Text) != e.Summary[0].Text ||
			valid.Printable(e.Explanations[0].Sentence) != e.Explanations[0].Sentence {
			t.Fatalf("%+v", e)
		}
	},
	"the newest twenty, the newest first": func(t *testing.T, w *world) {
		w.customer("acme")
		var last string
		for i := range 30 {
			w.Pass(time.Second)
			last = w.failed("203.0.113.7", "acme", model.ReasonPassword,
				func(r *connection.Record) { r.Client = fmt.Sprint("SSH-2.0-", i) })
		}
		e := w.explain("acme")
		if len(e.Explanations) != 20 || e.Explanations[0].Connection.Reference != last ||
			e.Explanations[19].Connection.Client != "SSH-2.0-10" {
			t.Fatalf("%d, the first %+v", len(e.Explanations), e.Explanations[0])
		}
	},
}

// reasonCodes reads every Reason… constant from model/reason.go.
func reasonCodes(t testing.TB) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../model/reason.go", nil, 0)
	testkit.Must(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if !strings.HasPrefix(name.Name, "Reason") || i >= len(spec.Values) {
				t.Fatalf("%s is no reason with a value", name)
			}
			code, err := strconv.Unquote(spec.Values[i].(*ast.BasicLit).Value)
			testkit.Must(t, err)
			codes = append(codes, code)
		}
		return true
	})
	if len(codes) < 30 {
		t.Fatalf("only %d reasons were found: %v", len(codes), codes)
	}
	return codes
}

// scene is a user "acme", with an account, two contacts, and keys.
type scene struct {
	*world
	good, other, others, stranger model.Key
	late                          model.Key // nobody's yet
}

func newScene(w *world) scene {
	s := scene{world: w}
	_, s.good = w.customer("acme")
	_, s.others = w.customer("globex")
	s.other, s.stranger = w.Enrol("acme").Key, model.Key{Fingerprint: "SHA256:" + strings.Repeat("x", 43)}
	for _, email := range []string{"jo@acme.example", "ann@acme.example"} {
		_, err := w.Accounts.AddContact(ctx, "test", model.NewContact{Account: "acme", Name: "Jo", Email: email})
		w.Must(err)
	}
	return s
}

func (s scene) do(_ any, err error) {
	s.Helper()
	s.Must(err)
}

func (s scene) revoke(burn bool) {
	s.do(s.Accounts.RevokeKey(ctx, "test", s.other.Fingerprint, "the laptop was lost", burn))
}

// rotate replaces the key other, and returns the new key.
func (s scene) rotate() model.Key {
	return s.Enrol("acme", func(n *model.NewKey) { n.Replaces = s.other.Fingerprint }).Key
}

func (s scene) freeze() {
	s.do(s.Accounts.FreezeKey(ctx, "test", s.other.Fingerprint, "jo@acme.example"))
}
func (s scene) expire() {
	at := s.Clock().UTC().Truncate(time.Microsecond)
	s.do(s.Accounts.SetKey(ctx, "test", "acme", model.EditKey{Fingerprint: s.other.Fingerprint, ExpiresAt: &at}))
}
func (s scene) allow(network string) {
	s.do(s.Accounts.SetUser(ctx, "test", "acme", model.EditUser{AllowIPs: &[]string{network}}))
}

func contains(list []model.Finding, want string) bool {
	for _, f := range list {
		if f.String() == want {
			return true
		}
	}
	return false
}
