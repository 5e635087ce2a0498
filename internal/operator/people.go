package operator

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// JoinPath is the prefix of the path of links with which operators join.
const JoinPath = "/join/"

// linkWorks is how long a link to join works.
const linkWorks = 72 * time.Hour

// mostName is the length of the longest name of a person, in bytes.
const mostName = 100

// Operators lists operators, the newest first.
func (s *Service) Operators(ctx context.Context, f model.OperatorFilter) ([]model.Operator, error) {
	return s.o.Store.Read(ctx).Operators(f)
}

// Operator returns an operator by e-mail address or id.
func (s *Service) Operator(ctx context.Context, name string) (model.Operator, error) {
	o, err := s.o.Store.Read(ctx).Operator(name)
	return o, noOperator(err, name)
}

func noOperator(err error, name string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.E("operator.Operator", fault.NotFound, "There is no operator %q.", valid.Printable(name)).
			WithAction("list-operators")
	}
	return err
}

// AddOperator invites an operator. The answer has the link with which it joins, which is not kept.
func (s *Service) AddOperator(ctx context.Context, actor string, n model.NewOperator) (model.Operator, error) {
	email, err := checkPerson(n.Email, &n.Name)
	if err != nil {
		return model.Operator{}, err
	}
	if err := checkRole("operator.AddOperator", n.Role); err != nil {
		return model.Operator{}, err
	}
	secret := randomSecret()
	o := model.Operator{ID: s.o.IDs.New(), Email: email, Name: n.Name, Role: n.Role, CreatedAt: s.now(), CreatedBy: actor}
	s.giveLink(&o, secret)
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.RemoveFirstOperator(); err != nil { // whoever is invited here is the first
			return err
		}
		err := tx.AddOperator(o)
		if fault.Is(err, fault.Exists) {
			return fault.E("operator.AddOperator", fault.Exists, "%s is an operator already.", email).
				WithHint("change the role, or give out a new link").WithAction("show-operator", "email", email)
		} else if err != nil {
			return err
		}
		return s.audit(tx, actor, "operator.add", email, map[string]string{"role": string(n.Role), "name": n.Name})
	})
	o.Complete()
	o.Link = s.link(secret)
	return o, err
}

// giveLink gives an operator a new link to join. What it signed in with before is over.
func (s *Service) giveLink(o *model.Operator, secret string) {
	until := s.now().Add(linkWorks)
	o.LinkHash, o.LinkUntil = hashOf(secret), &until
	o.Password, o.TOTP, o.TOTPStep, o.Subject, o.Passkeys = "", "", 0, "", 0
}

func (s *Service) link(secret string) string {
	return strings.TrimSuffix(s.o.URL, "/") + JoinPath + secret
}

// checkPerson checks an address and a name, and returns the address as it is kept.
func checkPerson(email string, name *string) (string, error) {
	email, err := valid.CheckEmail(strings.TrimSpace(email))
	if err != nil {
		return "", err
	}
	*name = strings.TrimSpace(*name)
	if len(*name) > mostName || valid.Printable(*name) != *name {
		return "", fault.E("operator.checkPerson", fault.Invalid, "A name has at most %d bytes, in one line.", mostName).
			WithField("name")
	}
	return email, nil
}

func checkRole(op string, r model.Role) error {
	if slices.Contains(model.Roles, r) {
		return nil
	}
	return fault.E(op, fault.Invalid, "There is no role %q.", valid.Printable(string(r))).WithField("role").
		WithHint("roles are admin, onboarding, support, publisher and auditor")
}

// change changes an operator in a transaction, and records it under an action.
func (s *Service) change(ctx context.Context, actor, name, action string,
	do func(tx *store.Tx, o *model.Operator) (detail map[string]string, err error)) (model.Operator, error) {
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Operator, error) {
		o, err := tx.LockOperator(name)
		if err != nil {
			return o, noOperator(err, name)
		}
		link := o.LinkHash
		detail, err := do(tx, &o)
		if err != nil {
			return o, err
		}
		if err := tx.SetOperator(o, link); fault.Is(err, fault.NotFound) {
			return o, fault.E("operator.change", fault.Conflict, "%s was changed by somebody else meanwhile.", o.Email)
		} else if err != nil {
			return o, err
		}
		o.Complete()
		return o, s.audit(tx, actor, action, o.Email, detail)
	})
}

// notSelf refuses what would lock an operator out of its own session.
func notSelf(actor string, o *model.Operator, what string) error {
	if actor != o.Actor() {
		return nil
	}
	return fault.E("operator.notSelf", fault.Denied, "You cannot %s yourself.", what).
		WithHint("another administrator can, or the command line on the server's machine")
}

// EditOperator changes an operator's name or role. A new role holds from its next request on.
func (s *Service) EditOperator(ctx context.Context, actor, name string, e model.EditOperator) (model.Operator, error) {
	return s.change(ctx, actor, name, "operator.set", func(_ *store.Tx, o *model.Operator) (map[string]string, error) {
		detail := map[string]string{}
		if e.Name != nil {
			if _, err := checkPerson("nobody@example.com", e.Name); err != nil {
				return nil, err
			}
			o.Name, detail["name"] = *e.Name, *e.Name
		}
		if e.Role != nil && *e.Role != o.Role {
			if err := checkRole("operator.EditOperator", *e.Role); err != nil {
				return nil, err
			}
			if err := notSelf(actor, o, "change the role of"); err != nil {
				return nil, err
			}
			detail["role"], detail["was"] = string(*e.Role), string(o.Role)
			o.Role = *e.Role
		}
		return detail, nil
	})
}

// ResetOperator gives an operator a new link, and takes password, codes and passkeys away. Its sessions
// end. An operator that was disabled may sign in again.
func (s *Service) ResetOperator(ctx context.Context, actor, name string) (model.Operator, error) {
	secret := randomSecret()
	o, err := s.change(ctx, actor, name, "operator.reset",
		func(tx *store.Tx, o *model.Operator) (map[string]string, error) {
			if o.Email == "" {
				return nil, noOperator(fault.E("operator.ResetOperator", fault.NotFound, ""), name)
			}
			if err := notSelf(actor, o, "reset"); err != nil {
				return nil, err
			}
			o.DisabledAt, o.DisabledBy, o.DisabledFor = nil, "", ""
			s.giveLink(o, secret)
			if err := tx.RemovePasskeys(o.ID); err != nil {
				return nil, err
			}
			return nil, tx.EndOperatorSessions(o.ID, "", actor, s.now())
		})
	o.Link = s.link(secret)
	return o, err
}

// DisableOperator keeps an operator from signing in, and ends its sessions.
func (s *Service) DisableOperator(ctx context.Context, actor, name string, why model.Why) (model.Operator, error) {
	reason := valid.Excerpt(strings.TrimSpace(why.Reason), 300)
	return s.change(ctx, actor, name, "operator.disable",
		func(tx *store.Tx, o *model.Operator) (map[string]string, error) {
			if o.DisabledAt != nil {
				return nil, fault.E("operator.DisableOperator", fault.Conflict, "%s was disabled before.", o.Email)
			}
			if err := notSelf(actor, o, "disable"); err != nil {
				return nil, err
			}
			now := s.now()
			o.DisabledAt, o.DisabledBy, o.DisabledFor = &now, actor, reason
			o.LinkHash, o.LinkUntil = "", nil
			return map[string]string{"reason": reason}, tx.EndOperatorSessions(o.ID, "", actor, now)
		})
}

// EnableOperator lets an operator sign in again, as before.
func (s *Service) EnableOperator(ctx context.Context, actor, name string) (model.Operator, error) {
	return s.change(ctx, actor, name, "operator.enable",
		func(_ *store.Tx, o *model.Operator) (map[string]string, error) {
			if o.DisabledAt == nil {
				return nil, fault.E("operator.EnableOperator", fault.Conflict, "%s is not disabled.", o.Email)
			}
			o.DisabledAt, o.DisabledBy, o.DisabledFor = nil, "", ""
			return nil, nil
		})
}

// RemoveOperator removes an operator who has never joined. Others are disabled: the audit log names
// them.
func (s *Service) RemoveOperator(ctx context.Context, actor, name string) (model.Operator, error) {
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Operator, error) {
		o, err := tx.Operator(name)
		if err != nil {
			return o, noOperator(err, name)
		}
		if err := tx.RemoveOperator(o.ID); fault.Is(err, fault.NotFound) {
			return o, fault.E("operator.RemoveOperator", fault.Conflict, "%s has signed in, so the audit log names it.",
				o.Email).WithHint("disable it instead").WithAction("disable-operator", "email", o.Email)
		} else if err != nil {
			return o, err
		}
		return o, s.audit(tx, actor, "operator.remove", o.Email, nil)
	})
}

// First returns the link with which the first administrator joins, at the first start of a server without
// operators and API tokens; "" afterwards. FirstLink makes another one.
func (s *Service) First(ctx context.Context) (string, error) {
	o, err := s.first(ctx, "server", false)
	return o.Link, err
}

// FirstLink makes a new link for the first administrator. The one before works no more.
func (s *Service) FirstLink(ctx context.Context, actor string) (model.Operator, error) {
	o, err := s.first(ctx, actor, true)
	if err == nil && o.Link == "" {
		err = fault.E("operator.FirstLink", fault.Conflict, "There are operators already.").
			WithHint("invite another one").WithAction("list-operators")
	}
	return o, err
}

// first makes the first administrator, if nobody has ever joined or been invited. again replaces one that
// waits.
func (s *Service) first(ctx context.Context, actor string, again bool) (model.Operator, error) {
	secret := randomSecret()
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (none model.Operator, err error) {
		people, waiting, tokens, err := tx.CountAccess(s.now())
		if err != nil || people > 0 || !again && waiting+tokens > 0 {
			return none, err
		}
		if err := tx.RemoveFirstOperator(); err != nil {
			return none, err
		}
		o := model.Operator{ID: s.o.IDs.New(), Role: model.RoleAdmin, CreatedAt: s.now(), CreatedBy: actor}
		s.giveLink(&o, secret)
		if err := tx.AddOperator(o); err != nil {
			return none, err
		}
		o.Complete()
		o.Link = s.link(secret)
		return o, s.audit(tx, actor, "operator.first", "", map[string]string{"until": o.LinkUntil.Format(time.RFC3339)})
	})
}

// forgetAfter is how long sessions that have ended are listed.
const forgetAfter = 90 * 24 * time.Hour

// atOnce bounds the rows of one step of keeping house.
const atOnce = 1000

// keepPeople disables operators who do not sign in, and forgets old sessions.
func (s *Service) keepPeople(ctx context.Context) error {
	now := s.now()
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.ForgetOperatorSessions(now.Add(-forgetAfter), now, atOnce)
	})
	if err != nil || s.policy.Load().Unused == 0 {
		return err
	}
	since := now.Add(-s.policy.Load().Unused)
	unused, err := s.o.Store.Read(ctx).OperatorsUnused(since, atOnce)
	for _, o := range unused {
		if err == nil {
			_, err = s.DisableOperator(ctx, "server", o.ID,
				model.Why{Reason: "nobody has signed in since " + since.Format("2 January 2006")})
		}
	}
	return err
}
