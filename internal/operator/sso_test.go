package operator_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/operator"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// login is a single sign-on of a few lines: it confirms whomever the test says, without asking.
type login struct {
	*httptest.Server
	key    *rsa.PrivateKey
	says   map[string]any // claims of the next person
	asked  url.Values     // of the latest authorization request
	change func(*jwt.Claims)
}

func openLogin(t *testing.T) *login {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	testkit.Must(t, err)
	l := &login{key: key}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": l.URL, "authorization_endpoint": l.URL + "/auth", "token_endpoint": l.URL + "/token",
			"jwks_uri": l.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		sum := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}
		signer, err := jose.NewSigner(sum, nil)
		testkit.Must(t, err)
		if r.PostFormValue("code") != "good" || !pkce(l.asked.Get("code_challenge"), r.PostFormValue("code_verifier")) {
			http.Error(w, `{"error": "invalid_grant"}`, http.StatusBadRequest)
			return
		}
		c := jwt.Claims{Issuer: l.URL, Subject: "kim-1", Audience: jwt.Audience{"sallyport"},
			Expiry: jwt.NewNumericDate(time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC))}
		if l.change != nil {
			l.change(&c)
		}
		token, err := jwt.Signed(signer).Claims(c).Claims(l.says).Serialize()
		testkit.Must(t, err)
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": token})
	})
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	return l
}

// pkce reports whether a verifier is that of a challenge (RFC 7636, S256).
func pkce(challenge, verifier string) bool {
	return challenge == oauth2.S256ChallengeFromVerifier(verifier)
}

// visit begins a sign-in and returns the ticket and what the provider was asked.
func (w *world) visit(l *login) (ticket string) {
	w.Helper()
	ticket, address, err := w.s.SSOAddress(ctx, "/console/requests")
	w.Must(err)
	u, err := url.Parse(address)
	w.Must(err)
	l.asked = u.Query()
	if l.asked.Get("redirect_uri") != "https://files.example.com/sign-in/callback" ||
		!strings.Contains(l.asked.Get("scope"), "openid") {
		w.Errorf("it asks for %v", l.asked)
	}
	return ticket
}

// comesBack finishes a sign-in of somebody of whom the provider says so much.
func (w *world) comesBack(l *login, says map[string]any) (operator.Session, error) {
	w.Helper()
	ticket := w.visit(l)
	l.says = says
	if says["nonce"] == nil {
		says["nonce"] = l.asked.Get("nonce")
	}
	s, next, err := w.s.SignInWithSSO(ctx, ticket, l.asked.Get("state"), "good", from(here))
	if err == nil && next != "/console/requests" {
		w.Errorf("it goes on to %s", next)
	}
	return s, err
}

func TestSingleSignOn(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		l := openLogin(t)
		w := &world{World: testkit.NewWorld(t, url), sso: operator.SSO{Issuer: l.URL, ClientID: "sallyport",
			ClientSecret: "secret", Name: "Example login", Claim: "groups", Scopes: []string{"email"},
			Roles: map[string]model.Role{"sftp-admins": model.RoleAdmin, "helpdesk": model.RoleSupport}}}
		testkit.Tell(t, w, begin, testkit.Stories[*world]{
			"the most powerful of a person's groups is the role, each time": func(_ *testing.T, w *world) {
				l.change = nil
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
				ticket := w.visit(l)
				if _, _, err := w.s.SignInWithSSO(ctx, ticket, "another", "good", from("192.0.2.31")); !fault.Is(err, fault.Denied) {
					w.Errorf("a forged state: %v", err)
				}
				if _, _, err := w.s.SignInWithSSO(ctx, ticket, l.asked.Get("state"), "good", from(here)); !fault.Is(err, fault.Denied) {
					w.Errorf("the ticket again: %v", err)
				}
				if _, _, err := w.s.SignInWithSSO(ctx, "", l.asked.Get("state"), "good", from(here)); !fault.Is(err, fault.Denied) {
					w.Errorf("no ticket: %v", err)
				}
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
					l.change = change
					if _, err := w.comesBack(l, good()); !fault.Is(err, fault.Denied) {
						w.Errorf("a token %s: %v", name, err)
					}
				}
				l.change = nil
				if n := w.Count("operators"); n != 0 {
					w.Errorf("%d operators were made", n)
				}
			},
			"another person does not get an operator by its address": func(_ *testing.T, w *world) {
				_, err := w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "helpdesk"})
				w.Must(err)
				l.change = func(c *jwt.Claims) { c.Subject = "other" }
				_, err = w.comesBack(l, map[string]any{"email": "kim@example.net", "groups": "sftp-admins"})
				w.turnedAway(err, fault.Denied, "another person's", "")
				l.change = nil
			},
		})
	})
}
