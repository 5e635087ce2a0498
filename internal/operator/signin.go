package operator

import (
	"context"
	"net/netip"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// mostAimed is how many refused sign-ins an operator may have within the policy's time, from all
// addresses together. Then only the address of its latest sign-in may go on trying.
const mostAimed = 30

// Offers says how people may sign in here.
type Offers struct {
	Password bool
	Passkeys bool
	SSO      string // what its button says; "" if there is none
}

// Offers returns how people may sign in here.
func (s *Service) Offers() Offers {
	o := Offers{Password: s.policy.Load().Password, Passkeys: s.keys != nil}
	if s.sso != nil {
		o.SSO = s.sso.name
	}
	return o
}

// wrongSignIn is the one answer to a wrong address and a wrong password, so that guessing teaches nothing.
func wrongSignIn() error {
	return fault.E("operator.SignIn", fault.Denied, "That is not right. Check the e-mail address and the password.")
}

// try is a sign-in that is looked at. It counts as a guess from its beginning.
type try struct {
	s       *Service
	v       Visitor
	o       model.Operator // "": nobody has the address
	aim     string         // by what guesses at one operator are counted, whether or not there is one; ""
	trusted bool           // it comes from where the operator signed in last
}

// try begins to look at a sign-in, or refuses it since too many went wrong. end must follow.
func (s *Service) try(email string, o model.Operator, v Visitor) (*try, error) {
	t := &try{s: s, v: v, o: o}
	last, err := netip.ParseAddr(o.LastFrom)
	t.trusted = err == nil && party(last) == party(v.Address)
	if email != "" && !t.trusted {
		t.aim = hashOf(valid.Fold(email))
	}
	now := s.now()
	if !s.spared(v.Address) {
		if wait := s.guesses.Begin(party(v.Address), now); wait > 0 {
			return nil, tooMany(wait)
		}
	}
	if t.aim != "" {
		if wait := s.aimed.Begin(t.aim, now); wait > 0 {
			s.guesses.End(party(v.Address))
			return nil, tooMany(wait)
		}
	}
	return t, nil
}

func (t *try) end() {
	t.s.guesses.End(party(t.v.Address))
	if t.aim != "" {
		t.s.aimed.End(t.aim)
	}
}

// SignIn begins a session with a password and a code.
func (s *Service) SignIn(ctx context.Context, email, password, code string, v Visitor) (Session, error) {
	const op = "operator.SignIn"
	if !s.policy.Load().Password {
		return Session{}, fault.E(op, fault.Denied, "Passwords are not used here.").WithHint("sign in another way")
	}
	o, err := s.o.Store.Read(ctx).Operator(email)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Session{}, err
	}
	t, err := s.try(email, o, v)
	if err != nil {
		return Session{}, err
	}
	defer t.end()
	if err := t.password(ctx, password); err != nil {
		return Session{}, err
	}
	// Whoever knows the password is told what else is wrong.
	if err := s.maySignIn(o, model.SignInPassword); err != nil {
		return Session{}, t.refuse(ctx, fault.PublicText(err), err)
	}
	secret, err := s.o.Vault.Open(o.TOTP, o.ID)
	if err != nil {
		return Session{}, fault.Wrap(op, fault.Internal, err)
	}
	step, err := checkCode(code, secret, o.TOTPStep, s.now())
	if err != nil {
		return Session{}, t.wrongCode(ctx, err)
	}
	session, err := s.enter(ctx, model.SignInPassword, v, func(tx *store.Tx) (model.Operator, error) {
		err := tx.UseCode(o.ID, step)
		if fault.Is(err, fault.NotFound) {
			err = fault.E(op, fault.Denied, "This code was used already. Wait for the next one.").WithField("code")
		}
		return o, err
	})
	if fault.Is(err, fault.Denied) {
		return Session{}, t.refuse(ctx, fault.PublicText(err), err)
	}
	if err == nil && t.aim != "" {
		s.aimed.Forget(t.aim)
	}
	return session, err
}

// password checks a password. An unknown address takes as long as a known one, and gets the same answer.
func (t *try) password(ctx context.Context, password string) error {
	if len(password) > 4*longestPassword {
		password = "" // wrong, and not worth the time
	}
	right, err := t.s.matches(ctx, password, t.o.Password, t.trusted)
	switch {
	case err != nil:
		return err
	case t.o.Email == "":
		return t.refuse(ctx, "", wrongSignIn())
	case !right && t.o.Password == "":
		return t.refuse(ctx, "It has no password here.", wrongSignIn())
	case !right:
		return t.refuse(ctx, "The password was wrong.", wrongSignIn())
	}
	return nil
}

// mostWrongCodes is how many codes may be wrong, one after the other, of somebody who knows the password.
// Then the operator is disabled: a code has a million values, and three are right at a time.
const mostWrongCodes = 100

// wrongCode refuses a wrong code.
func (t *try) wrongCode(ctx context.Context, err error) error {
	refused := t.refuse(ctx, fault.PublicText(err), err)
	n, counted := store.Change(ctx, t.s.o.Store, func(tx *store.Tx) (int64, error) { return tx.WrongCode(t.o.ID) })
	if counted != nil {
		return counted
	}
	if n >= mostWrongCodes {
		_, err := t.s.DisableOperator(ctx, "server", t.o.ID, model.Why{Reason: "100 codes were wrong, one after the other: " +
			"somebody may know the password"})
		if err != nil && !fault.Is(err, fault.Conflict) {
			return err
		}
	}
	return refused
}

// maySignIn explains to an operator why it may not sign in, or not in a way.
func (s *Service) maySignIn(o model.Operator, by model.SignInMethod) error {
	if err := notDisabled(o); err != nil {
		return err
	}
	if by != model.SignInSSO && o.Subject != "" && s.sso != nil && len(s.sso.Roles) > 0 {
		return fault.E("operator.maySignIn", fault.Denied, "Your role comes from %s: sign in with it.", s.sso.name)
	}
	return nil
}

// notDisabled explains to an operator why it may not sign in.
func notDisabled(o model.Operator) error {
	switch {
	case o.DisabledAt != nil:
		why := ""
		if o.DisabledFor != "" {
			why = ": " + o.DisabledFor
		}
		return fault.E("operator.notDisabled", fault.Denied, "Your sign-in was disabled on %s%s.",
			o.DisabledAt.Format("2 January 2006"), why).WithHint("ask an administrator")
	case o.JoinedAt == nil:
		return fault.E("operator.notDisabled", fault.Denied, "You have not used your link to join yet.").
			WithHint("an administrator can give you a new one")
	}
	return nil
}

// tooMany refuses whoever has guessed too often.
func tooMany(wait time.Duration) error {
	return fault.E("operator.tooMany", fault.Busy, "Too many sign-ins went wrong. Try again in %s.", minutes(wait)).
		WithHint("an administrator on the server's machine can look up why").WithAction("list-operators")
}

// minutes says a wait in words, rounded up.
func minutes(d time.Duration) string {
	n := int((d + time.Minute - 1) / time.Minute)
	if n == 1 {
		return "a minute"
	}
	return valid.Count(n, "minute")
}

// refuse counts a sign-in that does not work against its address and against the operator whom it was
// aimed at. why is kept for administrators; err is the answer.
func (t *try) refuse(ctx context.Context, why string, err error) error {
	s, now := t.s, t.s.now()
	s.o.Log.Warn("a sign-in was refused", "from", t.v.Address, "operator", t.o.Email, "why", why)
	if !s.spared(t.v.Address) && s.guesses.Failed(party(t.v.Address), now) {
		s.o.Log.Warn("an address is refused for a while: too many wrong sign-ins", "from", t.v.Address)
	}
	if t.aim != "" {
		s.aimed.Failed(t.aim, now)
	}
	// An address that nobody has takes the same time.
	if noted := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.OperatorRefused(t.o.ID, address(t.v.Address), why, now)
	}); noted != nil {
		s.o.Log.Error("why a sign-in was refused could not be recorded", "operator", t.o.Email, "err", noted)
	}
	return err
}
