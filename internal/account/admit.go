package account

import (
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Admission is a log-in with all that it needs. What is there is used, and what is missing is made.
type Admission struct {
	Account     model.NewAccount // the ID alone, unless it is made
	MakeAccount bool
	User        model.NewUser // of the account
	UserExists  bool          // the key is added to a user that is there
	Contact     model.NewContact
	Verified    string // how the contact's address was verified
	Key         keys.Public
	ConfirmedBy string
}

// Admitted is what an admission made or used.
type Admitted struct {
	Account model.Account
	User    model.User
	Contact model.Contact
	Key     model.Key
}

// Admit makes a log-in in the transaction: account, contact, user and key, each with its audit row.
func (r *Service) Admit(tx *store.Tx, actor string, a Admission) (out Admitted, err error) {
	if out.Account, err = r.admitAccount(tx, actor, a); err != nil {
		return out, err
	}
	if out.Contact, err = r.admitContact(tx, actor, out.Account.ID, a); err != nil {
		return out, err
	}
	if out.User, err = r.admitUser(tx, actor, out.Account.ID, a); err != nil {
		return out, err
	}
	if err := r.Accepts(a.Key); err != nil {
		return out, err
	}
	if err := r.policy.Load().checkMaker(out.User.Name, model.OriginSubmitted); err != nil {
		return out, err
	}
	added, err := r.enrolAll(tx, actor, out.User.Name, model.NewKey{Holder: out.Contact.Email,
		ConfirmedBy: a.ConfirmedBy}, []keys.Public{a.Key})
	if err == nil {
		out.Key = added[0]
	}
	return out, err
}

// recorded runs fn and writes the audit row that it completes.
func recorded[T any](tx *store.Tx, r *Service, row model.AuditRow, fn func(row *model.AuditRow) (T, error)) (T, error) {
	row.ID, row.At = r.ids.New(), r.now()
	out, err := fn(&row)
	if err == nil {
		err = r.record(tx, row)
	}
	return out, err
}

func (r *Service) admitAccount(tx *store.Tx, actor string, a Admission) (model.Account, error) {
	const op = "account.Admit"
	if a.MakeAccount {
		made, err := r.newAccount(a.Account)
		if err != nil {
			return made, err
		}
		return recorded(tx, r, model.AuditRow{Actor: actor, Action: "account.add", Subject: made.ID},
			func(row *model.AuditRow) (model.Account, error) {
				if _, err := addAccount(tx, row, made, a.Account); err != nil {
					return made, err
				}
				return tx.LockAccount(made.ID) // accounts are locked before contacts
			})
	}
	have, err := tx.LockAccount(a.Account.ID)
	if fault.Is(err, fault.NotFound) {
		return have, fault.E(op, fault.NotFound, "There is no account %q.", valid.Printable(a.Account.ID)).
			WithHint("name another account, or have this one made")
	}
	return have, err
}

func (r *Service) admitContact(tx *store.Tx, actor, account string, a Admission) (model.Contact, error) {
	have, err := tx.Contacts(account, "")
	if err != nil {
		return model.Contact{}, err
	}
	for _, c := range present(have) {
		if strings.EqualFold(c.Email, a.Contact.Email) {
			return c, nil
		}
	}
	a.Contact.Account = account
	c, row, err := r.newContact(actor, a.Contact)
	if err != nil {
		return c, err
	}
	return recorded(tx, r, row, func(row *model.AuditRow) (model.Contact, error) {
		c, err := r.addContact(tx, c)
		if err != nil || a.Verified == "" {
			return c, err
		}
		c.VerifiedAt, c.Verified = &row.At, a.Verified
		row.Detail["verified"] = c.Verified
		return c, tx.SetContact(c)
	})
}

func (r *Service) admitUser(tx *store.Tx, actor, account string, a Admission) (model.User, error) {
	const op = "account.Admit"
	if a.UserExists {
		u, err := tx.User(a.User.Name)
		if err == nil && u.Account != account {
			return u, fault.E(op, fault.Conflict, "The user %q is of another account.", u.Name)
		}
		if err == nil && !u.Enabled {
			return u, fault.E(op, fault.Conflict, "The user %q is disabled.", u.Name).
				WithAction("edit-user", "user", u.Name, "enabled", "true")
		}
		return u, fault.Missing(op, err, "There is no user %q.", valid.Printable(a.User.Name))
	}
	a.User.Account = account
	u, err := r.newUser(&tx.Q, a.User)
	if err != nil {
		return u, err
	}
	return recorded(tx, r, addedUser(actor, u), func(row *model.AuditRow) (model.User, error) {
		return u, r.addUser(tx, row, u, a.User)
	})
}

// Accepts returns an error for a key that the policy does not allow.
func (r *Service) Accepts(k keys.Public) error { return r.policy.Load().accepts(k) }

// MayBeNamed returns an error for a username that a partner's new user may not have.
func (r *Service) MayBeNamed(u model.User) error {
	if err := valid.CheckUserName("username", u.Name); err != nil {
		return err
	}
	return r.policy.Load().checkUserName(u)
}
