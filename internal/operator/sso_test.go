package operator_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// visit begins a sign-in and returns the ticket and what the provider was asked.
func (w *world) visit(l *testkit.SSO) (ticket string, asked url.Values) {
	w.Helper()
	ticket, address, err := w.s.SSOAddress(ctx, "/console/requests", from(here))
	w.Must(err)
	u, err := url.Parse(address)
	w.Must(err)
	asked = u.Query()
	l.Ask(asked)
	if asked.Get("redirect_uri") != "https://files.example.com/sign-in/callback" ||
		!strings.Contains(asked.Get("scope"), "openid") {
		w.Errorf("it asks for %v", asked)
	}
	return ticket, asked
}

// comesBack finishes a sign-in of somebody of whom the provider says so much.
func (w *world) comesBack(l *testkit.SSO, says map[string]any, change ...func(*jwt.Claims)) (operator.Session, error) {
	w.Helper()
	ticket, asked := w.visit(l)
	if _, told := says["email_verified"]; !told {
		says["email_verified"] = true
	}
	l.Says(says, func(c *jwt.Claims) {
		for _, fn := range change {
			fn(c)
		}
	})
	s, next, err := w.s.SignInWithSSO(ctx, ticket, asked.Get("state"), "good", from(here))
	if err == nil && next != "/console/requests" {
		w.Errorf("it goes on to %s", next)
	}
	return s, err
}

func TestSingleSignOn(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := &world{World: testkit.NewWorld(t, url)}
		l := testkit.NewSSO(t, w.Clock)
		w.sso = operator.SSO{Issuer: l.URL, ClientID: "sallyport",
			ClientSecret: "secret", Name: "Example login", Claim: "groups", Scopes: []string{"email"},
			Roles: map[string]model.Role{"sftp-admins": model.RoleAdmin, "helpdesk": model.RoleSupport}}
		testkit.Tell(t, w, begin, testkit.Stories[*world]{
			"the most powerful of a person's groups is the role, each time": func(_ *testing.T, w *world) {
				s, err := w.comesBack(l, map[string]any{"email": "kim@example.net", "name": "Kim Hill",
					"groups": []string{"x", "helpdesk", "sftp-admins"}})
				w.Must(err)
				if s.Identity() != (model.Identity{Name: "operator:kim@example.net", Role: model.RoleAdmin}) {
					w.Errorf("it is %+v", s.Identity())
				}
				s, err = w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "helpdesk"})
				w.Must(err)
				if s.Identity().Role != model.RoleSupport || w.Count("operators") != 1 {
					w.Errorf("then it is %+v", s.Identity())
				}
				_, err = w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": []string{"x"}})
				w.turnedAway(err, fault.Denied, "None of your groups", "None of its groups has a role here: x")
			},
			"whoever is disabled here stays out": func(_ *testing.T, w *world) {
				_, err := w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "helpdesk"})
				w.Must(err)
				_, err = w.s.DisableOperator(ctx, "boss", "kim@example.net", model.Why{Reason: "away"})
				w.Must(err)
				_, err = w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "helpdesk"})
				w.turnedAway(err, fault.Denied, "disabled", "away")
			},
			"forged, replayed and foreign answers are refused": func(_ *testing.T, w *world) {
				good := func() map[string]any { return map[string]any{"email": "kim@example.net", "groups": "helpdesk"} }
				ticket, asked := w.visit(l)
				_, _, err := w.s.SignInWithSSO(ctx, ticket, "another", "good", from("192.0.2.31"))
				if !fault.Is(err, fault.Denied) {
					w.Errorf("a forged state: %v", err)
				}
				_, _, err = w.s.SignInWithSSO(ctx, ticket, asked.Get("state"), "good", from(here))
				if !fault.Is(err, fault.Denied) {
					w.Errorf("the ticket again: %v", err)
				}
				_, _, err = w.s.SignInWithSSO(ctx, "", asked.Get("state"), "good", from(here))
				if !fault.Is(err, fault.Denied) {
					w.Errorf("no ticket: %v", err)
				}
				w.s = w.again()
				forged := good()
				forged["nonce"] = "another"
				if _, err := w.comesBack(l, forged); !fault.Is(err, fault.Denied) {
					w.Errorf("a forged nonce: %v", err)
				}
				unverified := good()
				unverified["email_verified"] = false
				if _, err := w.comesBack(l, unverified); !fault.Is(err, fault.Denied) {
					w.Errorf("an address that is not confirmed: %v", err)
				}
				for name, change := range map[string]func(*jwt.Claims){
					"for another client": func(c *jwt.Claims) { c.Audience = jwt.Audience{"another"} },
					"of another issuer":  func(c *jwt.Claims) { c.Issuer = "https://evil.example" },
					"expired":            func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(w.Clock().Add(-time.Hour)) },
				} {
					w.s = begin(w, w.TB).s
					if _, err := w.comesBack(l, good(), change); !fault.Is(err, fault.Denied) {
						w.Errorf("a token %s: %v", name, err)
					}
				}
				if n := w.Count("operators"); n != 0 {
					w.Errorf("%d operators were made", n)
				}
			},
			"an address that nobody confirmed brings nobody, and a confirmed one nobody with a password": func(_ *testing.T,
				w *world) {
				kim := w.joined("kim@example.net", model.RoleAdmin)
				for _, verified := range []any{"false", false, nil, "no", 1} {
					_, err := w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "helpdesk",
						"email_verified": verified})
					w.turnedAway(err, fault.Denied, "confirmed your e-mail", "")
					w.s = w.again()
				}
				_, err := w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "helpdesk"})
				w.turnedAway(err, fault.Denied, "signs in another way", "")
				if !w.signedIn(kim.Cookie) {
					w.Error("the owner is not signed in any more")
				}
				_, err = w.s.ResetOperator(ctx, "boss", "kim@example.net")
				w.Must(err)
				s, err := w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "helpdesk"})
				w.Must(err)
				_, _, err = w.s.NewKey(ctx, s)
				w.Must(err)
				if o, err := w.s.Operator(ctx, "kim@example.net"); err != nil || len(o.Methods) != 1 ||
					o.Role != model.RoleSupport {
					w.Errorf("%+v, %v", o, err)
				}
			},
			"another person does not get an operator by its address": func(_ *testing.T, w *world) {
				_, err := w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "helpdesk"})
				w.Must(err)
				_, err = w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "sftp-admins"},
					func(c *jwt.Claims) { c.Subject = "other" })
				w.turnedAway(err, fault.Denied, "signs in another way", "")
			},
		})
	})
}
