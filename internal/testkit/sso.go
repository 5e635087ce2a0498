package testkit

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
)

// SSO is a single sign-on (OpenID Connect) for tests. It confirms whomever Says tells, without asking,
// with the code "good".
type SSO struct {
	*httptest.Server
	t      testing.TB
	key    *rsa.PrivateKey
	clock  func() time.Time
	mu     sync.Mutex
	asked  url.Values
	says   map[string]any
	change func(*jwt.Claims)
}

// NewSSO opens a single sign-on whose tokens are good for an hour. Its client is "sallyport".
func NewSSO(t testing.TB, clock func() time.Time) *SSO {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	Must(t, err)
	s := &SSO{t: t, key: key, clock: clock}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, map[string]any{"issuer": s.URL, "authorization_endpoint": s.URL + "/auth",
			"token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k", Algorithm: "RS256",
			Use: "sig"}}})
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		s.Ask(r.URL.Query())
		back := r.URL.Query().Get("redirect_uri") + "?" + url.Values{"code": {"good"},
			"state": {r.URL.Query().Get("state")}}.Encode()
		http.Redirect(w, r, back, http.StatusSeeOther)
	})
	mux.HandleFunc("/token", s.token)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// Says sets the claims of the next person. A nonce that is not among them is the one that was asked for.
// change, if not nil, changes what every token has.
func (s *SSO) Says(claims map[string]any, change func(*jwt.Claims)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says, s.change = claims, change
}

// Ask is an authorization request, as a browser brings it.
func (s *SSO) Ask(q url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = q
}

// token exchanges a code, if the verifier is that of the challenge (RFC 7636, S256).
func (s *SSO) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.PostFormValue("code") != "good" ||
		s.asked.Get("code_challenge") != oauth2.S256ChallengeFromVerifier(r.PostFormValue("code_verifier")) {
		http.Error(w, `{"error": "invalid_grant"}`, http.StatusBadRequest)
		return
	}
	c := jwt.Claims{Issuer: s.URL, Subject: "kim-1", Audience: jwt.Audience{"sallyport"},
		Expiry: jwt.NewNumericDate(s.clock().Add(time.Hour))}
	if s.change != nil {
		s.change(&c)
	}
	own := map[string]any{"nonce": s.asked.Get("nonce")}
	for name, v := range s.says {
		own[name] = v
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: s.key, KeyID: "k"}},
		nil)
	Must(s.t, err)
	text, err := jwt.Signed(signer).Claims(c).Claims(own).Serialize()
	Must(s.t, err)
	answerJSON(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": text})
}
