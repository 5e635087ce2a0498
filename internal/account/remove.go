package account

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// What was made by mistake and never used can be removed. What was used stays, since records speak of it.

// unused fails as Conflict if something was used. what names it: "The user acme". instead is what would help.
func unused(what string, uses []store.Use, instead *model.Action) error {
	if len(uses) == 0 {
		return nil
	}
	words := make([]string, len(uses))
	for i, u := range uses {
		words[i] = fmt.Sprintf("%s (%d)", u.What, u.Count)
	}
	e := fault.E("account.unused", fault.Conflict, "%s cannot be removed. There are records of it: %s.", what,
		strings.Join(words, ", "))
	e.Action = instead
	return e
}

// RemoveUser removes a user that was never used, with its keys, links and directories.
func (r *Service) RemoveUser(ctx context.Context, actor, name string) error {
	row := model.AuditRow{Actor: actor, Action: "user.remove", Subject: name}
	return r.write(ctx, row, func(tx *store.Tx, row *model.AuditRow) error {
		u, err := tx.User(name)
		if err != nil {
			return r.noUser(&tx.Q, err, name)
		}
		if _, err := mailbox.Lock(tx, u.ID); err != nil {
			return err
		}
		uses, err := tx.UserUses(u.ID)
		if err != nil {
			return err
		}
		if err := unused("The user "+u.Name, uses, model.Do("edit-user", "user", u.Name, "disable", "")); err != nil {
			return err
		}
		row.Subject, row.User = u.Name, u.ID
		row.Detail = map[string]string{"account": u.Account, "vendor": u.Vendor, "kind": string(u.Kind)}
		if err := tx.RemoveUser(u.ID); err != nil {
			return err
		}
		return tx.Revoke(store.Revocation{UserID: u.ID, Reason: "the user was removed"}, row.At)
	})
}

// RemoveVendor removes a vendor without users and contacts.
func (r *Service) RemoveVendor(ctx context.Context, actor, short string) error {
	row := model.AuditRow{Actor: actor, Action: "vendor.remove", Subject: short}
	return r.write(ctx, row, func(tx *store.Tx, row *model.AuditRow) error {
		v, err := tx.Vendor(short)
		if err != nil {
			return fault.Missing("account.RemoveVendor", err, "There is no vendor %q.", valid.Printable(short))
		}
		uses, err := tx.VendorUses(v.Short)
		if err != nil {
			return err
		}
		if err := unused("The vendor "+v.Short, uses, nil); err != nil {
			return err
		}
		row.Detail = map[string]string{"name": v.Name}
		return tx.RemoveVendor(v.Short)
	})
}

// RemoveAccount removes an account that nothing refers to.
func (r *Service) RemoveAccount(ctx context.Context, actor, id string) error {
	row := model.AuditRow{Actor: actor, Action: "account.remove", Subject: id}
	return r.write(ctx, row, func(tx *store.Tx, row *model.AuditRow) error {
		a, err := tx.LockAccount(id)
		if err != nil {
			return noAccount("account.RemoveAccount", &tx.Q, err, id)
		}
		uses, err := tx.AccountUses(a.ID)
		if err != nil {
			return err
		}
		if err := unused("The account "+a.ID, uses, model.Do("edit-account", "account", a.ID, "close", "")); err != nil {
			return err
		}
		row.Subject, row.Detail = a.ID, map[string]string{"name": a.Name, "parent": a.Parent, "region": a.Region}
		return tx.RemoveAccount(a.ID)
	})
}

// RemoveContact removes a contact who was sent nothing and holds no key.
func (r *Service) RemoveContact(ctx context.Context, actor, who string) error {
	row := model.AuditRow{Actor: actor, Action: "contact.remove", Subject: who}
	return r.write(ctx, row, func(tx *store.Tx, row *model.AuditRow) error {
		c, err := contactNamed(&tx.Q, who)
		if err != nil {
			return err
		}
		uses, err := tx.ContactUses(c.ID)
		if err != nil {
			return err
		}
		if err := unused("The contact "+c.Email, uses, model.Do("contact-leaves", "contact", c.Email)); err != nil {
			return err
		}
		row.Subject = c.Of()
		row.Detail = map[string]string{"contact": c.ID, "name": c.Name, "email": c.Email}
		return tx.RemoveContact(c.ID)
	})
}
