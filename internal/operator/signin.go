package operator

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
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
	o := Offers{Password: s.o.Policy.Password, Passkeys: s.keys != nil}
	if s.sso != nil {
		o.SSO = s.sso.name
	}
	return o
}

// wrongSignIn is the one answer to a wrong address and a wrong password, so that guessing teaches nothing.
func wrongSignIn() error {
	return fault.E("operator.SignIn", fault.Denied, "That is not right. Check the e-mail address and the password.")
}

// SignIn begins a session with a password and a code.
func (s *Service) SignIn(ctx context.Context, email, password, code string, v Visitor) (Session, error) {
	const op = "operator.SignIn"
	if !s.o.Policy.Password {
		return Session{}, fault.E(op, fault.Denied, "Passwords are not used here.").WithHint("sign in another way")
	}
	o, err := s.o.Store.Read(ctx).Operator(email)
	known := err == nil && o.Email != ""
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Session{}, err
	}
	if err := s.mayTry(o, v); err != nil {
		return Session{}, err
	}
	if len(password) > 4*longestPassword {
		password = "" // wrong, and not worth the time
	}
	right, err := s.matches(ctx, password, o.Password)
	switch {
	case err != nil:
		return Session{}, err
	case !known:
		return Session{}, s.refuse(ctx, o, v, "", wrongSignIn())
	case !right && o.Password == "":
		return Session{}, s.refuse(ctx, o, v, "It has no password here.", wrongSignIn())
	case !right:
		return Session{}, s.refuse(ctx, o, v, "The password was wrong.", wrongSignIn())
	}
	// Whoever knows the password is told what else is wrong.
	if err := notDisabled(o); err != nil {
		return Session{}, s.refuse(ctx, o, v, fault.PublicText(err), err)
	}
	secret, err := s.o.Vault.Open(o.TOTP, o.ID)
	if err != nil {
		return Session{}, fault.Wrap(op, fault.Internal, err)
	}
	step, err := checkCode(code, secret, o.TOTPStep, s.now())
	if err != nil {
		return Session{}, s.refuse(ctx, o, v, fault.PublicText(err), err)
	}
	session := s.begin(o, model.SignInPassword, v)
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.UseCode(o.ID, step); fault.Is(err, fault.NotFound) {
			return fault.E(op, fault.Denied, "This code was used already. Wait for the next one.").WithField("code")
		} else if err != nil {
			return err
		}
		return s.enter(tx, session)
	})
	if fault.Is(err, fault.Denied) {
		return Session{}, s.refuse(ctx, o, v, fault.PublicText(err), err)
	}
	if err == nil {
		s.aimed.Forget(o.ID)
	}
	return session, err
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

// mayTry refuses whoever has guessed too often: an address, or all who try to be one operator.
func (s *Service) mayTry(o model.Operator, v Visitor) error {
	now := s.now()
	wait := s.guesses.Refused(v.Address.String(), now)
	if o.ID != "" && (o.LastFrom == "" || o.LastFrom != address(v.Address)) {
		wait = max(wait, s.aimed.Refused(o.ID, now))
	}
	if wait == 0 {
		return nil
	}
	return fault.E("operator.mayTry", fault.Busy, "Too many sign-ins went wrong. Try again in %s.", minutes(wait)).
		WithHint("an administrator on the server's machine can look up why").WithAction("list-operators")
}

// minutes says a wait in words, rounded up.
func minutes(d time.Duration) string {
	n := int((d + time.Minute - 1) / time.Minute)
	if n == 1 {
		return "a minute"
	}
	return fmt.Sprintf("%d minutes", n)
}

// refuse counts a sign-in that does not work against its address and against the operator whom it was
// aimed at. why is kept for administrators; err is the answer.
func (s *Service) refuse(ctx context.Context, o model.Operator, v Visitor, why string, err error) error {
	now := s.now()
	s.o.Log.Warn("a sign-in was refused", "from", v.Address, "operator", o.Email, "why", why)
	if !s.spared(v.Address) && s.guesses.Failed(v.Address.String(), now) {
		s.o.Log.Warn("an address is refused for a while: too many wrong sign-ins", "from", v.Address)
	}
	if o.ID == "" {
		return err
	}
	s.aimed.Failed(o.ID, now)
	if noted := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.OperatorRefused(o.ID, address(v.Address), why, now)
	}); noted != nil {
		s.o.Log.Error("why a sign-in was refused could not be recorded", "operator", o.Email, "err", noted)
	}
	return err
}
