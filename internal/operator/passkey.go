package operator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// mostPasskeys is how many passkeys an operator may have.
const mostPasskeys = 10

// passkeys checks what authenticators sign, for one address of the pages.
type passkeys struct{ party *webauthn.WebAuthn }

// newPasskeys returns nil if browsers would not use passkeys at an address: it must be a name, with TLS
// unless it is this machine.
func newPasskeys(address, name string) *passkeys {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Hostname() != "localhost" {
		return nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil
	}
	if name == "" {
		name = "Sallyport"
	}
	party, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: name,
		RPOrigins: []string{u.Scheme + "://" + u.Host}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired}})
	if err != nil {
		return nil
	}
	return &passkeys{party}
}

// holder is an operator as the library wants it.
type holder struct {
	model.Operator
	keys []webauthn.Credential
}

func (h holder) WebAuthnID() []byte                         { return []byte(h.ID) }
func (h holder) WebAuthnName() string                       { return h.Email }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }
func (h holder) WebAuthnDisplayName() string {
	if h.Name != "" {
		return h.Name
	}
	return h.Email
}

// hold reads an operator's passkeys.
func (s *Service) hold(ctx context.Context, o model.Operator) (holder, error) {
	list, err := s.o.Store.Read(ctx).Passkeys(o.ID)
	h := holder{Operator: o}
	for _, p := range list {
		var c webauthn.Credential
		if err := json.Unmarshal([]byte(p.Credential), &c); err != nil {
			return h, fault.Wrap("operator.hold", fault.Internal, err)
		}
		h.keys = append(h.keys, c)
	}
	return h, err
}

func noPasskeys() error {
	return fault.E("operator.passkeys", fault.Denied, "Passkeys are not used here.").
		WithHint("web.url must be a name with https://, and sign_in.passkeys true")
}

// making is a passkey that is about to be made.
type making struct {
	Session webauthn.SessionData
	Person  Person // of the first administrator
}

// beginKey returns what a browser's navigator.credentials.create needs, as JSON.
func (s *Service) beginKey(ctx context.Context, o model.Operator, p Person, purpose string) (ticket string,
	options any, err error) {
	if s.keys == nil {
		return "", nil, noPasskeys()
	}
	h, err := s.hold(ctx, o)
	if err != nil {
		return "", nil, err
	}
	if len(h.keys) >= mostPasskeys {
		return "", nil, fault.E("operator.beginKey", fault.Conflict, "You have %d passkeys already.", mostPasskeys)
	}
	exclude := make([]protocol.CredentialDescriptor, len(h.keys))
	for i, k := range h.keys {
		exclude[i] = k.Descriptor()
	}
	creation, session, err := s.keys.party.BeginRegistration(h, webauthn.WithExclusions(exclude))
	if err != nil {
		return "", nil, fault.Wrap("operator.beginKey", fault.Internal, err)
	}
	ticket, err = s.challenge(ctx, purpose, false, making{*session, p})
	return ticket, creation.Response, err
}

// finishKey checks what a browser made.
func (s *Service) finishKey(o model.Operator, m making, name string, answer []byte) (model.Passkey, error) {
	const op = "operator.finishKey"
	refused := func(err error) error {
		s.o.Log.Warn("a new passkey was refused", "operator", o.Email, "err", explained(err))
		return fault.E(op, fault.Denied, "This passkey could not be checked.").WithHint("try again, or use another device")
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return model.Passkey{}, refused(err)
	}
	c, err := s.keys.party.CreateCredential(holder{Operator: o}, m.Session, parsed)
	if err != nil {
		return model.Passkey{}, refused(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return model.Passkey{}, fault.Wrap(op, fault.Internal, err)
	}
	if name = valid.Excerpt(strings.TrimSpace(name), 60); name == "" {
		name = "Passkey"
	}
	return model.Passkey{ID: base64.RawURLEncoding.EncodeToString(c.ID), OperatorID: o.ID, Name: name,
		Credential: string(text), CreatedAt: s.now()}, nil
}

// explained is an error of the library with what it keeps for developers.
func explained(err error) string {
	if e, ok := err.(*protocol.Error); ok { //nolint:errorlint // the library never wraps it
		return e.Details + " " + e.DevInfo
	}
	return err.Error()
}

// JoinKey begins to make a passkey for whoever has a link to join.
func (s *Service) JoinKey(ctx context.Context, secret string, p Person) (ticket string, options any, err error) {
	j, err := s.Joining(ctx, secret)
	if err != nil {
		return "", nil, err
	}
	var wrong fault.Mistakes
	o := s.introduce(j, p, &wrong)
	if len(wrong) > 0 {
		return "", nil, wrong
	}
	return s.beginKey(ctx, o, p, "join "+j.LinkHash)
}

// JoinedKey uses a link to join up: its operator signs in with the new passkey from now on.
func (s *Service) JoinedKey(ctx context.Context, secret, ticket, name string, answer []byte, v Visitor) (
	Session, error) {
	j, err := s.Joining(ctx, secret)
	if err != nil {
		return Session{}, err
	}
	m, err := finish[making](ctx, s, ticket, "join "+j.LinkHash)
	if err != nil {
		return Session{}, err
	}
	var wrong fault.Mistakes
	o := s.introduce(j, m.Person, &wrong)
	if len(wrong) > 0 {
		return Session{}, wrong
	}
	key, err := s.finishKey(o, m, name, answer)
	if err != nil {
		return Session{}, err
	}
	return s.join(ctx, j, v, func(tx *store.Tx, now *model.Operator) error {
		now.Email, now.Name, now.Password, now.TOTP = o.Email, o.Name, "", ""
		return tx.AddPasskey(key)
	})
}

// PasskeyOptions begins a sign-in with a passkey. It returns what a browser's navigator.credentials.get
// needs, as JSON.
func (s *Service) PasskeyOptions(ctx context.Context, v Visitor) (ticket string, options any, err error) {
	if s.keys == nil {
		return "", nil, noPasskeys()
	}
	if err := s.mayBegin(v); err != nil {
		return "", nil, err
	}
	assertion, session, err := s.keys.party.BeginDiscoverableLogin(
		webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return "", nil, fault.Wrap("operator.PasskeyOptions", fault.Internal, err)
	}
	ticket, err = s.challenge(ctx, "sign-in", false, *session)
	return ticket, assertion.Response, err
}

// SignInWithPasskey begins a session with what a passkey signed.
func (s *Service) SignInWithPasskey(ctx context.Context, ticket string, answer []byte, v Visitor) (Session, error) {
	const op = "operator.SignInWithPasskey"
	if s.keys == nil {
		return Session{}, noPasskeys()
	}
	t, err := s.try("", model.Operator{}, v)
	if err != nil {
		return Session{}, err
	}
	defer t.end()
	begun, err := finish[webauthn.SessionData](ctx, s, ticket, "sign-in")
	if err != nil {
		return Session{}, t.refuse(ctx, "", err)
	}
	wrong := fault.E(op, fault.Denied, "This passkey does not work here.").
		WithHint("choose another one, or sign in another way")
	var found holder
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return Session{}, t.refuse(ctx, explained(err), wrong)
	}
	_, c, err := s.keys.party.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		o, err := s.o.Store.Read(ctx).Operator(string(handle))
		if err == nil {
			found, err = s.hold(ctx, o)
		}
		return found, err
	}, begun, parsed)
	if t.o = found.Operator; err != nil {
		return Session{}, t.refuse(ctx, "The passkey was refused: "+explained(err), wrong)
	}
	if c.Authenticator.CloneWarning {
		return Session{}, t.refuse(ctx, "The passkey seems to have been copied: its counter went back.", wrong)
	}
	if err := s.maySignIn(found.Operator, model.SignInPasskey); err != nil {
		return Session{}, t.refuse(ctx, fault.PublicText(err), err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return Session{}, fault.Wrap(op, fault.Internal, err)
	}
	return s.enter(ctx, model.SignInPasskey, v, func(tx *store.Tx) (model.Operator, error) {
		return found.Operator, tx.PasskeyUsed(base64.RawURLEncoding.EncodeToString(c.ID), string(text), s.now())
	})
}
