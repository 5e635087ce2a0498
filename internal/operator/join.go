package operator

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Joining is what the page of a link to join needs.
type Joining struct {
	model.Operator
	First bool // nobody has joined before: the address is to be given
}

// Person is what the first administrator says of itself.
type Person struct{ Email, Name string }

func deadLink() error {
	return fault.E("operator.Joining", fault.NotFound, "This link does not work.").
		WithHint("it may have been used, or its time is over; an administrator can give you a new one")
}

// Joining returns what a link is for. Nothing changes: whoever opens a link has not used it.
func (s *Service) Joining(ctx context.Context, secret string) (Joining, error) {
	o, err := s.o.Store.Read(ctx).OperatorByLink(hashOf(secret))
	if fault.Is(err, fault.NotFound) || err == nil && (o.LinkUntil == nil || !s.now().Before(*o.LinkUntil)) {
		return Joining{}, deadLink()
	} else if err != nil {
		return Joining{}, err
	}
	return Joining{Operator: o, First: o.Email == ""}, nil
}

// JoinCode returns something to set up an authenticator app with, for whoever has a link. Each look gets
// another one: who looked at the link before its person did has nothing.
func (s *Service) JoinCode(ctx context.Context, secret string) (Code, error) {
	j, err := s.Joining(ctx, secret)
	if err != nil {
		return Code{}, err
	}
	return s.joinCode(ctx, j, newCodeSecret())
}

func (s *Service) joinCode(ctx context.Context, j Joining, secret string) (Code, error) {
	email := j.Email
	if email == "" {
		email = "administrator"
	}
	return s.codeFor(ctx, "join-code "+j.LinkHash, false, j.ID, email, secret)
}

// Join uses a link up: its operator has a password and an authenticator app from now on, and is signed in.
// The errors may be fault.Mistakes, with the names of the fields; then again is for the next try.
func (s *Service) Join(ctx context.Context, link string, p Person, in Passwords, v Visitor) (session Session,
	again Code, err error) {
	j, err := s.Joining(ctx, link)
	if err != nil {
		return session, again, err
	}
	if !s.policy.Load().Password {
		return session, again, fault.E("operator.Join", fault.Denied, "Passwords are not used here.")
	}
	sealed, secret, err := s.codesOf(ctx, in.Ticket, "join-code "+j.LinkHash, j.ID)
	if err != nil {
		return session, again, err
	}
	var wrong fault.Mistakes
	o := s.introduce(j, p, &wrong)
	step := s.checkNew(in, o, secret, &wrong)
	if len(wrong) > 0 {
		if again, err = s.joinCode(ctx, j, secret); err == nil {
			err = wrong
		}
		return session, again, err
	}
	hashed, err := s.hash(ctx, in.New)
	if err != nil {
		return session, again, err
	}
	session, err = s.join(ctx, j, v, func(_ *store.Tx, now *model.Operator) error {
		now.Email, now.Name, now.Password, now.TOTP, now.TOTPStep = o.Email, o.Name, hashed, sealed, step
		return nil
	})
	return session, again, err
}

// introduce returns a link's operator, as it will be.
func (s *Service) introduce(j Joining, p Person, wrong *fault.Mistakes) model.Operator {
	o := j.Operator
	if !j.First {
		return o
	}
	email, err := checkPerson(p.Email, &p.Name)
	if err != nil {
		field := fault.FieldIn(err)
		if field == "" {
			field = "email"
		}
		wrong.Add(field, err)
	}
	o.Email, o.Name = email, p.Name
	return o
}

// join uses up a link in the transaction that begins the first session. set says how the operator signs in
// from now on.
func (s *Service) join(ctx context.Context, j Joining, v Visitor, set func(*store.Tx, *model.Operator) error) (
	Session, error) {
	return s.enter(ctx, model.SignInLink, v, func(tx *store.Tx) (model.Operator, error) {
		o, err := tx.LockOperator(j.ID)
		if fault.Is(err, fault.NotFound) || err == nil && o.LinkHash != j.LinkHash {
			return o, deadLink() // somebody else was quicker
		} else if err != nil {
			return o, err
		}
		if err := set(tx, &o); err != nil {
			return o, err
		}
		now := s.now()
		if o.JoinedAt == nil {
			o.JoinedAt = &now
		}
		o.LinkHash, o.LinkUntil = "", nil
		if err := tx.SetOperator(o, j.LinkHash); fault.Is(err, fault.Exists) {
			return o, fault.E("operator.join", fault.Exists, "%s is an operator already.", o.Email).WithField("email")
		} else if err != nil {
			return o, err
		}
		return o, s.audit(tx, o.Actor(), "operator.join", o.Email, map[string]string{"role": string(o.Role)})
	})
}
