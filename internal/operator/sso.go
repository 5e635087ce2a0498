package operator

import (
	"context"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// CallbackPath is where the single sign-on sends people back to.
const CallbackPath = "/sign-in/callback"

// SSO are the settings of the single sign-on (OpenID Connect). Without an issuer there is none.
type SSO struct {
	Issuer, ClientID, ClientSecret string
	Name                           string                // what the button says
	Scopes                         []string              // besides openid
	Claim                          string                // has the groups of a person
	TrustEmail                     bool                  // addresses count as confirmed without email_verified
	Roles                          map[string]model.Role // of groups; empty: only operators who were invited may sign in
}

// askProvider is how long a request to the single sign-on may take.
const askProvider = 15 * time.Second

// askAgain is how long nobody asks a single sign-on again that did not answer.
const askAgain = 5 * time.Second

// provider is a single sign-on. It is asked who it is when it is first needed.
type provider struct {
	SSO
	name     string
	redirect string
	client   *http.Client

	mu     sync.Mutex
	found  *oidc.Provider
	failed time.Time // when it last did not answer
}

func newProvider(o SSO, address string) *provider {
	name := o.Name
	if name == "" {
		name = "single sign-on"
	}
	return &provider{SSO: o, name: name, redirect: strings.TrimSuffix(address, "/") + CallbackPath,
		client: &http.Client{Timeout: askProvider}}
}

// config asks the provider for its addresses, once it has answered never again.
func (p *provider) config(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		away := fault.E("operator.provider", fault.Unavailable, "%s does not answer now.", p.name)
		if time.Since(p.failed) < askAgain {
			return nil, nil, away
		}
		// The provider keeps the client, not the context, to fetch keys later.
		found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.Issuer)
		if err != nil {
			p.failed, away.Err = time.Now(), err
			return nil, nil, away
		}
		p.found = found
	}
	scopes := append([]string{oidc.ScopeOpenID}, p.Scopes...)
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: p.found.Endpoint(),
		RedirectURL: p.redirect, Scopes: scopes}, p.found, nil
}

// leaving is a person on the way to the single sign-on.
type leaving struct{ State, Nonce, Verifier, Next string }

// SSOAddress returns where to send a browser to sign in, and the ticket for its way back. next is where
// it goes then.
func (s *Service) SSOAddress(ctx context.Context, next string, v Visitor) (ticket, address string, err error) {
	if s.sso == nil {
		return "", "", fault.E("operator.SSOAddress", fault.NotFound, "There is no single sign-on here.")
	}
	if err := s.mayBegin(v); err != nil {
		return "", "", err
	}
	c, _, err := s.sso.config(ctx)
	if err != nil {
		return "", "", err
	}
	l := leaving{randomSecret(), randomSecret(), oauth2.GenerateVerifier(), next}
	ticket, err = s.challenge(ctx, "sso", false, l)
	return ticket, c.AuthCodeURL(l.State, oidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)), err
}

// SignInWithSSO begins a session for whom the single sign-on sends back.
func (s *Service) SignInWithSSO(ctx context.Context, ticket, state, code string, v Visitor) (session Session,
	next string, err error) {
	const op = "operator.SignInWithSSO"
	if s.sso == nil {
		return session, "", fault.E(op, fault.NotFound, "There is no single sign-on here.")
	}
	t, err := s.try("", model.Operator{}, v)
	if err != nil {
		return session, "", err
	}
	defer t.end()
	l, err := finish[leaving](ctx, s, ticket, "sso")
	if err != nil {
		return session, "", t.refuse(ctx, "", err)
	}
	if subtle.ConstantTimeCompare([]byte(l.State), []byte(state)) != 1 {
		return session, "", t.refuse(ctx, "the state of the single sign-on is another's",
			fault.E(op, fault.Denied, "This sign-in was begun elsewhere. Please begin again."))
	}
	who, err := s.whoIs(ctx, l, code)
	if err != nil {
		if fault.Is(err, fault.Denied) {
			err = t.refuse(ctx, fault.PublicText(err), err)
		}
		return session, "", err
	}
	session, err = s.enterFromSSO(ctx, t, who)
	return session, l.Next, err
}

// claims is what the single sign-on says of a person.
type claims struct {
	subject, email, name string
	groups               []string
}

// whoIs exchanges a code for what the single sign-on says of a person.
func (s *Service) whoIs(ctx context.Context, l leaving, code string) (who claims, err error) {
	const op = "operator.whoIs"
	refused := func(err error) error {
		e := fault.E(op, fault.Denied, "%s did not confirm who you are.", s.sso.name).WithHint("please begin again")
		e.Err = err
		return e
	}
	c, found, err := s.sso.config(ctx)
	if err != nil {
		return who, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.sso.client), askProvider)
	defer cancel()
	token, err := c.Exchange(ctx, code, oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return who, refused(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := found.Verifier(&oidc.Config{ClientID: s.sso.ClientID, Now: s.o.Clock}).Verify(ctx, raw)
	if err != nil {
		return who, refused(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(l.Nonce)) != 1 {
		return who, refused(fault.E(op, fault.Denied, "the nonce is another's"))
	}
	return s.read(id)
}

// read reads the claims that matter.
func (s *Service) read(id *oidc.IDToken) (who claims, err error) {
	const op = "operator.read"
	var all map[string]any
	if err := id.Claims(&all); err != nil {
		return who, fault.Wrap(op, fault.Denied, err)
	}
	who.subject = id.Issuer + " " + id.Subject
	email, _ := all["email"].(string)
	who.name, _ = all["name"].(string)
	who.name = valid.Excerpt(who.name, mostName)
	if told := all["email_verified"]; told != true && told != "true" && (told != nil || !s.sso.TrustEmail) {
		return who, fault.E(op, fault.Denied, "%s does not say that it has confirmed your e-mail address.", s.sso.name).
			WithHint("an administrator can have it send email_verified, or set sign_in.sso.trust_email")
	}
	if who.email, err = valid.CheckEmail(email); err != nil {
		return who, fault.E(op, fault.Denied, "%s does not tell your e-mail address.", s.sso.name).
			WithHint("an administrator can have it send the claim email")
	}
	switch groups := all[s.sso.Claim].(type) {
	case string:
		who.groups = []string{groups}
	case []any:
		for _, g := range groups {
			if name, ok := g.(string); ok {
				who.groups = append(who.groups, name)
			}
		}
	}
	return who, nil
}

// role returns the most powerful role of a person's groups; false if they have none.
func (p *provider) role(groups []string) (best model.Role, ok bool) {
	for _, r := range model.Roles {
		for _, g := range groups {
			if p.Roles[g] == r {
				return r, true
			}
		}
	}
	return "", false
}

// enterFromSSO begins a session for a person. Who has a role by its groups becomes an operator; who was
// invited by address keeps the role of the invitation if no groups are configured.
func (s *Service) enterFromSSO(ctx context.Context, t *try, who claims) (Session, error) {
	const op = "operator.enterFromSSO"
	role, mapped := s.sso.role(who.groups)
	o, known, err := s.ofSSO(ctx, who)
	if t.o = o; err != nil {
		if fault.Is(err, fault.Denied) {
			err = t.refuse(ctx, fault.PublicText(err), err)
		}
		return Session{}, err
	}
	switch {
	case len(s.sso.Roles) > 0 && !mapped:
		return Session{}, t.refuse(ctx, "None of its groups has a role here: "+
			valid.Excerpt(strings.Join(who.groups, ", "), 200), fault.E(op, fault.Denied,
			"None of your groups at %s has a role here.", s.sso.name).WithHint("ask an administrator"))
	case !known && len(s.sso.Roles) == 0:
		return Session{}, t.refuse(ctx, "", fault.E(op, fault.Denied, "%s is no operator here.", who.email).
			WithHint("an administrator can invite you"))
	case o.DisabledAt != nil:
		err := notDisabled(o)
		return Session{}, t.refuse(ctx, fault.PublicText(err), err)
	}
	if !known {
		o = model.Operator{ID: s.o.IDs.New(), CreatedAt: s.now(), CreatedBy: "sso", Email: who.email, Role: role}
	}
	return s.enter(ctx, model.SignInSSO, t.v, func(tx *store.Tx) (model.Operator, error) {
		return s.putSSO(tx, o, known, who, role)
	})
}

// ofSSO finds the operator that a person is: by its subject, or by its address if the operator signs in in
// no other way. An address could pass to somebody else, and must not bring a password's owner with it.
func (s *Service) ofSSO(ctx context.Context, who claims) (o model.Operator, known bool, err error) {
	if o, err = s.o.Store.Read(ctx).OperatorBySubject(who.subject); err == nil {
		return o, true, nil
	}
	if fault.Is(err, fault.NotFound) {
		o, err = s.o.Store.Read(ctx).Operator(who.email)
	}
	switch {
	case fault.Is(err, fault.NotFound):
		return model.Operator{}, false, nil
	case err != nil:
		return o, false, err
	case len(o.Methods) > 0:
		return o, false, fault.E("operator.ofSSO", fault.Denied, "%s signs in another way here.", who.email).
			WithHint("an administrator can reset the operator; then the single sign-on lets it in")
	}
	return o, true, nil
}

// putSSO records an operator as the single sign-on tells it, and returns it.
func (s *Service) putSSO(tx *store.Tx, o model.Operator, known bool, who claims, role model.Role) (
	model.Operator, error) {
	now := s.now()
	if !known {
		o.Subject, o.Name, o.JoinedAt = who.subject, who.name, &now
		if err := tx.RemoveFirstOperator(); err != nil {
			return o, err
		}
		if err := tx.AddOperator(o); err != nil {
			return o, err
		}
		return o, s.audit(tx, o.Actor(), "operator.add", o.Email, map[string]string{"role": string(o.Role),
			"subject": who.subject})
	}
	o, err := tx.LockOperator(o.ID)
	if err != nil {
		return o, err
	}
	if o.DisabledAt != nil || o.Subject != who.subject && len(o.Methods) > 0 {
		return o, fault.E("operator.putSSO", fault.Conflict, "%s was changed meanwhile. Please try again.", o.Email)
	}
	link, was, bound := o.LinkHash, o.Role, o.Subject != ""
	o.Subject, o.Name, o.LinkHash, o.LinkUntil = who.subject, firstOf(who.name, o.Name), "", nil
	if role != "" {
		o.Role = role
	}
	if o.JoinedAt == nil {
		o.JoinedAt = &now
	}
	if err := tx.SetOperator(o, link); err != nil {
		return o, err
	}
	if !bound {
		return o, s.audit(tx, o.Actor(), "operator.join", o.Email, map[string]string{"role": string(o.Role),
			"subject": who.subject})
	}
	if o.Role != was {
		return o, s.audit(tx, o.Actor(), "operator.set", o.Email, map[string]string{"role": string(o.Role),
			"was": string(was)})
	}
	return o, nil
}

func firstOf(words ...string) string {
	if i := slices.IndexFunc(words, func(w string) bool { return w != "" }); i >= 0 {
		return words[i]
	}
	return ""
}
