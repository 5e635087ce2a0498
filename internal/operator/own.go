package operator

import (
	"context"
	"net/netip"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Own is how an operator itself signs in, and where it is signed in.
type Own struct {
	model.Operator
	Keys     []model.Passkey
	Sessions []model.OperatorSession // live ones
}

// Own returns how the operator of a session signs in.
func (s *Service) Own(ctx context.Context, v Session) (Own, error) {
	q := s.o.Store.Read(ctx)
	o, err := q.Operator(v.Who.ID)
	if err != nil {
		return Own{}, err
	}
	own := Own{Operator: o}
	if own.Keys, err = q.Passkeys(o.ID); err != nil {
		return own, err
	}
	now := s.now()
	own.Sessions, err = q.OperatorSessions(model.OperatorSessionFilter{Live: true}, o.ID, now,
		now.Add(-s.policy.Load().Idle))
	return own, err
}

// proven is the secret of an authenticator app that is being set up.
type proven struct{ Secret string } // sealed

// Code is something to set up an authenticator app with.
type Code struct{ Ticket, Secret, URI string }

// freshFor is how long after a sign-in an operator may add another way to sign in: whoever finds a browser
// signed in shall not make itself at home.
const freshFor = 15 * time.Minute

// fresh refuses a session that began too long ago.
func (s *Service) fresh(v Session) error {
	if s.now().Sub(v.CreatedAt) <= freshFor {
		return nil
	}
	return fault.E("operator.fresh", fault.Denied, "You signed in more than 15 minutes ago. Sign out and in again, "+
		"then do this.")
}

// live returns the operator of a session, which must not have ended since its request began.
func (s *Service) live(tx *store.Tx, v Session) (model.Operator, error) {
	o, err := tx.LockOperator(v.Who.ID)
	if err != nil {
		return o, err
	}
	ended, err := tx.SessionEnded(v.ID)
	if err == nil && (ended || o.DisabledAt != nil) {
		err = noSession()
	}
	return o, err
}

// NewCode returns something to set up an authenticator app with. The ticket is for SetPassword.
func (s *Service) NewCode(ctx context.Context, v Session) (Code, error) {
	return s.code(ctx, v, newCodeSecret())
}

func (s *Service) code(ctx context.Context, v Session, secret string) (Code, error) {
	return s.codeFor(ctx, "password "+v.Who.ID, true, v.Who.ID, v.Who.Email, secret)
}

// codeFor begins to set up an app for an operator. alone is as in challenge.
func (s *Service) codeFor(ctx context.Context, purpose string, alone bool, id, email, secret string) (Code, error) {
	ticket, err := s.challenge(ctx, purpose, alone, proven{s.o.Vault.Seal(secret, id)})
	return Code{ticket, secret, codeURI(s.o.Name, email, secret)}, err
}

// codesOf returns what an app was set up with, sealed and open. The ticket is used up.
func (s *Service) codesOf(ctx context.Context, ticket, purpose, id string) (sealed, secret string, err error) {
	p, err := finish[proven](ctx, s, ticket, purpose)
	if err != nil {
		return "", "", err
	}
	if secret, err = s.o.Vault.Open(p.Secret, id); err != nil {
		err = fault.Wrap("operator.codesOf", fault.Internal, err)
	}
	return p.Secret, secret, err
}

// checkNew checks a new password and the first code of an app, and returns the code's step.
func (s *Service) checkNew(in Passwords, o model.Operator, secret string, wrong *fault.Mistakes) int64 {
	wrong.Add("password", checkPassword(in.New, o.Email, o.Name))
	step, err := checkCode(in.Code, secret, 0, s.now())
	wrong.Add("code", err)
	return step
}

// Passwords are what somebody sets a password with.
type Passwords struct{ Ticket, Old, New, Code string }

// SetPassword gives the operator of a session a new password and a new authenticator app, and ends its
// other sessions. Whoever has a password must give it. After mistakes, again is for the next try: the app
// need not be set up another time.
func (s *Service) SetPassword(ctx context.Context, v Session, in Passwords) (again Code, err error) {
	sealed, secret, err := s.codesOf(ctx, in.Ticket, "password "+v.Who.ID, v.Who.ID)
	if err != nil {
		return again, err
	}
	o, err := s.o.Store.Read(ctx).Operator(v.Who.ID)
	if err != nil {
		return again, err
	}
	wrong, err := s.wrongOld(ctx, o, v, in.Old)
	if err != nil {
		return again, err
	}
	step := s.checkNew(in, o, secret, &wrong)
	if len(wrong) > 0 {
		if again, err = s.code(ctx, v, secret); err != nil {
			return again, err
		}
		return again, wrong
	}
	hashed, err := s.hash(ctx, in.New)
	if err != nil {
		return again, err
	}
	return again, s.o.Store.Write(ctx, func(tx *store.Tx) error {
		o, err := s.live(tx, v)
		if err != nil {
			return err
		}
		o.Password, o.TOTP, o.TOTPStep = hashed, sealed, step
		if err := tx.SetOperator(o, o.LinkHash); err != nil {
			return err
		}
		if err := tx.EndOperatorSessions(o.ID, v.ID, o.Actor(), s.now()); err != nil {
			return err
		}
		return s.audit(tx, o.Actor(), "operator.password", o.Email, nil)
	})
}

// wrongOld checks the password that an operator has. Whoever took over a browser may guess as often as
// whoever signs in.
func (s *Service) wrongOld(ctx context.Context, o model.Operator, v Session, old string) (wrong fault.Mistakes,
	err error) {
	if o.Password == "" {
		return nil, s.fresh(v)
	}
	from, _ := netip.ParseAddr(v.Address)
	t, err := s.try(o.Email, model.Operator{ID: o.ID, Email: o.Email}, Visitor{Address: from})
	if err != nil {
		return nil, err
	}
	defer t.end()
	right, err := s.matches(ctx, old, o.Password, true)
	if err != nil || right {
		return nil, err
	}
	no := fault.E("operator.wrongOld", fault.Denied, "This is not your present password.")
	wrong.Add("old", t.refuse(ctx, "Its present password was wrong, to set a new one.", no))
	return wrong, nil
}

// NewKey begins to make a passkey for the operator of a session.
func (s *Service) NewKey(ctx context.Context, v Session) (ticket string, options any, err error) {
	if err := s.fresh(v); err != nil {
		return "", nil, err
	}
	return s.beginKey(ctx, v.Who, Person{}, "passkey "+v.Who.ID)
}

// AddKey adds the passkey that a browser made.
func (s *Service) AddKey(ctx context.Context, v Session, ticket, name string, answer []byte) error {
	if s.keys == nil {
		return noPasskeys()
	}
	m, err := finish[making](ctx, s, ticket, "passkey "+v.Who.ID)
	if err != nil {
		return err
	}
	key, err := s.finishKey(v.Who, m, name, answer)
	if err != nil {
		return err
	}
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if _, err := s.live(tx, v); err != nil {
			return err
		}
		if err := tx.AddPasskey(key); fault.Is(err, fault.Exists) {
			return fault.E("operator.AddKey", fault.Exists, "This passkey is known already.")
		} else if err != nil {
			return err
		}
		return s.audit(tx, v.Who.Actor(), "operator.passkey.add", v.Who.Email, map[string]string{"name": key.Name})
	})
}

// RemoveKey removes a passkey, unless it is the only way in.
func (s *Service) RemoveKey(ctx context.Context, v Session, id string) error {
	const op = "operator.RemoveKey"
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		o, err := s.live(tx, v)
		if err != nil {
			return err
		}
		if len(o.Methods) == 1 && o.Passkeys == 1 {
			return fault.E(op, fault.Conflict, "This passkey is your only way in.").
				WithHint("add another one first, or a password")
		}
		if err := tx.RemovePasskey(o.ID, id); fault.Is(err, fault.NotFound) {
			return fault.E(op, fault.NotFound, "You have no such passkey.")
		} else if err != nil {
			return err
		}
		return s.audit(tx, o.Actor(), "operator.passkey.remove", o.Email, map[string]string{"id": id})
	})
}
