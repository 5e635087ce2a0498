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
	First      bool   // nobody has joined before: the address is to be given
	CodeSecret string // for an authenticator app, to be typed
	CodeURI    string // the same, to be scanned
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
	j := Joining{Operator: o, First: o.Email == ""}
	if j.CodeSecret, err = s.o.Vault.Open(o.TOTP, o.ID); err != nil {
		return j, fault.Wrap("operator.Joining", fault.Internal, err)
	}
	email := o.Email
	if email == "" {
		email = "administrator"
	}
	j.CodeURI = codeURI(s.o.Name, email, j.CodeSecret)
	return j, nil
}

// Join uses a link up: its operator has a password and an authenticator app from now on, and is signed in.
// The errors may be fault.Mistakes, with the names of the fields.
func (s *Service) Join(ctx context.Context, secret string, p Person, password, code string, v Visitor) (
	Session, error) {
	j, err := s.Joining(ctx, secret)
	if err != nil {
		return Session{}, err
	}
	if !s.o.Policy.Password {
		return Session{}, fault.E("operator.Join", fault.Denied, "Passwords are not used here.")
	}
	var wrong fault.Mistakes
	o := s.introduce(j, p, &wrong)
	if err := checkPassword(password, o.Email, o.Name); err != nil {
		wrong.Add("password", err)
	}
	step, err := checkCode(code, j.CodeSecret, 0, s.now())
	if err != nil {
		wrong.Add("code", err)
	}
	if len(wrong) > 0 {
		return Session{}, wrong
	}
	if o.Password, err = s.hash(ctx, password); err != nil {
		return Session{}, err
	}
	o.TOTPStep = step
	return s.join(ctx, o, v, func(*store.Tx) error { return nil })
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

// join uses up a link in the transaction that begins the first session. with adds to that transaction.
func (s *Service) join(ctx context.Context, o model.Operator, v Visitor, with func(tx *store.Tx) error) (
	Session, error) {
	now := s.now()
	link := o.LinkHash
	if o.JoinedAt == nil {
		o.JoinedAt = &now
	}
	o.LinkHash, o.LinkUntil = "", nil
	session := s.begin(o, model.SignInLink, v)
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetOperator(o, link); fault.Is(err, fault.NotFound) {
			return deadLink() // somebody else was quicker
		} else if fault.Is(err, fault.Exists) {
			return fault.E("operator.join", fault.Exists, "%s is an operator already.", o.Email).WithField("email")
		} else if err != nil {
			return err
		}
		if err := with(tx); err != nil {
			return err
		}
		if err := s.audit(tx, o.Actor(), "operator.join", o.Email, map[string]string{"role": string(o.Role)}); err != nil {
			return err
		}
		return s.enter(tx, session)
	})
	return session, err
}
