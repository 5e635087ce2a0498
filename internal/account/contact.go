package account

import (
	"context"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

var roles = []string{model.RoleTechnical, model.RoleBilling, model.RoleSecurity}

// AddContact adds a contact to an account or to a vendor; exactly one of the two is set.
func (r *Service) AddContact(ctx context.Context, actor string, n model.NewContact) (model.Contact, error) {
	c, row, err := r.newContact(actor, n)
	if err != nil {
		return c, err
	}
	return change(ctx, r, row, func(tx *store.Tx, _ *model.AuditRow) (model.Contact, error) {
		return r.addContact(tx, c)
	})
}

// newContact validates the body of AddContact, and returns the contact's audit row, too.
func (r *Service) newContact(actor string, n model.NewContact) (c model.Contact, row model.AuditRow, err error) {
	c = model.Contact{ID: r.ids.New(), Account: n.Account, Vendor: n.Vendor, Name: n.Name, Email: n.Email, Phone: n.Phone,
		Roles: n.Roles, CreatedAt: r.now(), Language: n.Language, Received: n.Received, ReceivedVendors: n.ReceivedVendors}
	err = checkContact(&c)
	return c, model.AuditRow{Actor: actor, Action: "contact.add", Subject: c.Of(), Detail: map[string]string{
		"contact": c.ID, "name": c.Name, "email": c.Email, "roles": strings.Join(c.Roles, " ")}}, err
}

// addContact stores a contact.
func (r *Service) addContact(tx *store.Tx, c model.Contact) (model.Contact, error) {
	if err := r.checkOwner(tx, &c); err != nil {
		return c, err
	}
	if err := checkAddress(tx, c); err != nil {
		return c, err
	}
	return c, tx.AddContact(c)
}

// checkAddress refuses an address of another present contact of the same account or vendor.
func checkAddress(tx *store.Tx, c model.Contact) error {
	have, err := tx.Contacts(c.Account, c.Vendor)
	if err != nil {
		return err
	}
	for _, h := range present(have) {
		if h.ID != c.ID && strings.EqualFold(h.Email, c.Email) {
			return fault.E("account.checkAddress", fault.Exists, "%s has a contact with the address %s already.", c.Of(),
				c.Email).WithField("email")
		}
	}
	return nil
}

// checkContact validates a contact's fields and normalizes them.
func checkContact(c *model.Contact) (err error) {
	const op = "account.checkContact"
	if err := valid.CheckLabel("contact's name", c.Name); err != nil {
		return fault.InField("name", err)
	}
	if c.Email, err = valid.CheckEmail(c.Email); err != nil {
		return fault.InField("email", err)
	}
	if c.Phone != "" {
		if err := valid.CheckLabel("phone number", c.Phone); err != nil {
			return fault.InField("phone", err)
		}
	}
	if len(c.Roles) == 0 {
		c.Roles = []string{model.RoleTechnical}
	}
	for _, role := range c.Roles {
		if !slices.Contains(roles, role) {
			return fault.E(op, fault.Invalid, "There is no role %q.", valid.Printable(role)).
				WithHint("roles are %s", strings.Join(roles, ", "))
		}
	}
	slices.Sort(c.Roles)
	c.Roles = slices.Compact(c.Roles)
	if !slices.Contains([]model.Told{model.ToldNever, model.ToldEach, model.ToldDaily}, c.Received) {
		return fault.E(op, fault.Invalid, "%q is no answer to how often a contact is told of received files.",
			valid.Printable(string(c.Received))).WithHint("say none, each or daily")
	}
	if c.ReceivedVendors && c.Vendor != "" {
		return fault.E(op, fault.Invalid, "Only an account's contacts can be told of the files of its vendors.")
	}
	return checkLanguage(c.Language)
}

// checkLanguage accepts the tag of a language, or "".
func checkLanguage(tag string) error {
	if tag == "" {
		return nil
	}
	return valid.CheckLanguage(tag)
}

// checkOwner checks that the contact's account or vendor exists.
func (r *Service) checkOwner(tx *store.Tx, c *model.Contact) (err error) {
	const op = "account.AddContact"
	switch {
	case (c.Account == "") == (c.Vendor == ""):
		return fault.E(op, fault.Invalid, "A contact belongs to an account or to a vendor; name one.")
	case c.Account != "":
		a, err := tx.Account(c.Account)
		if err == nil {
			c.Account = a.ID // the stored spelling
		}
		return fault.Missing(op, err, "There is no account %q.", c.Account)
	}
	_, err = tx.Vendor(c.Vendor)
	return fault.Missing(op, err, "There is no vendor %q.", c.Vendor)
}

// Contacts lists the contacts of the account or vendor f.Of; if that is "", it lists all.
func (r *Service) Contacts(ctx context.Context, f model.ContactFilter) ([]model.Contact, error) {
	q := r.store.Read(ctx)
	account, vendor := f.Of, valid.Fold(f.Of)
	if a, err := q.Account(f.Of); err == nil {
		account = a.ID // the stored spelling
	}
	list, err := q.ContactPage(account, vendor, f.Paging)
	if err != nil || len(list) > 0 || f.Of == "" {
		return list, err
	}
	if _, err := q.Account(f.Of); !fault.Is(err, fault.NotFound) {
		return list, err
	}
	_, err = q.Vendor(vendor)
	return list, fault.Missing("account.Contacts", err, "There is no account or vendor %q.", valid.Printable(f.Of))
}

// Contact finds a contact by id or by e-mail address. An address of several contacts is a
// Conflict.
func (r *Service) Contact(ctx context.Context, who string) (model.Contact, error) {
	return contactNamed(r.store.Read(ctx), who)
}

func contactNamed(q *store.Q, who string) (model.Contact, error) {
	const op = "account.Contact"
	if !strings.Contains(who, "@") {
		c, err := q.Contact(who)
		return c, fault.Missing(op, err, "There is no contact %q.", valid.Printable(who))
	}
	list, err := q.ContactsAt(who)
	if err != nil {
		return model.Contact{}, err
	}
	list = present(list)
	switch len(list) {
	case 0:
		return model.Contact{}, fault.E(op, fault.NotFound, "There is no contact with the address %q.", valid.Printable(who)).
			WithAction("list-contacts")
	case 1:
		return list[0], nil
	}
	return model.Contact{}, fault.E(op, fault.Conflict, "%d contacts have the address %s.", len(list), who).
		WithHint("name one by its id")
}

// present removes the contacts that have left.
func present(list []model.Contact) []model.Contact {
	return slices.DeleteFunc(list, func(c model.Contact) bool { return c.LeftAt != nil })
}

// people returns the present contacts who may speak for a user: those of its account and those
// of its vendor.
func people(q *store.Q, u model.User) ([]model.Contact, error) {
	list, err := q.Contacts(u.Account, u.Vendor)
	return present(list), err
}

// personOf finds a user's present contact by id or e-mail address.
func personOf(q *store.Q, u model.User, who string) (model.Contact, error) {
	list, err := people(q, u)
	if err != nil {
		return model.Contact{}, err
	}
	for _, c := range list {
		if c.ID == who || strings.EqualFold(c.Email, who) {
			return c, nil
		}
	}
	return model.Contact{}, fault.E("account.personOf", fault.NotFound, "User %s has no contact %q.", u.Name,
		valid.Printable(who)).
		WithAction("list-contacts", "account", u.Account)
}

// ContactLeaves records that a contact has left. Its links are revoked. Its keys stay valid and
// are returned, so that an operator can decide about them.
func (r *Service) ContactLeaves(ctx context.Context, actor, who string) (model.Leaving, error) {
	row := model.AuditRow{Actor: actor, Action: "contact.leave", Subject: who}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (out model.Leaving, err error) {
		c, err := contactNamed(&tx.Q, who)
		if err != nil {
			return out, err
		}
		if c.LeftAt != nil {
			return out, fault.E("account.ContactLeaves", fault.Conflict, "%s left already.", c.Name)
		}
		c.LeftAt = &row.At
		row.Subject, row.Detail = c.Of(), map[string]string{"contact": c.ID, "email": c.Email}
		if err := tx.SetContact(c); err != nil {
			return out, err
		}
		if err := tx.RevokeLinksOf(c.ID, row.At); err != nil {
			return out, err
		}
		out.Contact = c
		if out.Keys, err = r.judged(tx.KeysHeldBy(c.ID)); err != nil {
			return out, err
		}
		rest, err := tx.Contacts(c.Account, c.Vendor)
		out.Left = len(present(rest))
		return out, err
	})
}

// SetContact changes a contact. A new e-mail address counts as not verified and revokes the
// contact's links.
func (r *Service) SetContact(ctx context.Context, actor, who string, e model.EditContact) (model.Contact, error) {
	row := model.AuditRow{Actor: actor, Action: "contact.set", Subject: who}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Contact, error) {
		c, err := contactNamed(&tx.Q, who)
		if err != nil {
			return c, err
		}
		row.Subject, row.Detail = c.Of(), map[string]string{"contact": c.ID}
		old := c
		for _, f := range []struct {
			name     string
			new, old *string
		}{{"name", e.Name, &c.Name}, {"email", e.Email, &c.Email}, {"phone", e.Phone, &c.Phone},
			{"language", e.Language, &c.Language}} {
			if f.new != nil && *f.new != *f.old {
				row.Detail[f.name] = *f.old + " → " + *f.new
				*f.old = *f.new
			}
		}
		if e.Roles != nil {
			c.Roles = slices.Clone(*e.Roles)
			row.Detail["roles"] = strings.Join(c.Roles, " ")
		}
		setReceived(&c, e, row.Detail)
		if err := checkContact(&c); err != nil {
			return c, err
		}
		if c.Email != old.Email {
			c.VerifiedAt, c.Verified, c.BouncedAt = nil, "", nil
			if err := checkAddress(tx, c); err != nil {
				return c, err
			}
		}
		if e.Verified != nil {
			if err := valid.CheckLabel("how it was verified", *e.Verified); err != nil {
				return c, fault.InField("verified", err)
			}
			c.VerifiedAt, c.Verified, c.BouncedAt = &row.At, *e.Verified, nil
			row.Detail["verified"] = c.Verified
		}
		if err := tx.SetContact(c); err != nil || c.Email == old.Email {
			return c, err
		}
		// Links were mailed to the old address. Whoever reads that mail may not use them, and they do
		// not verify the new address.
		return c, tx.RevokeLinksOf(c.ID, row.At)
	})
}

// toldNever is how an edit says that a contact is not told of received files.
const toldNever = "none"

// setReceived changes whether a contact is told of received files.
func setReceived(c *model.Contact, e model.EditContact, detail map[string]string) {
	if e.Received != nil {
		detail["received"] = *e.Received
		if c.Received = model.Told(*e.Received); *e.Received == toldNever {
			c.Received = model.ToldNever
		}
	}
	if e.ReceivedVendors != nil {
		c.ReceivedVendors = *e.ReceivedVendors
		detail["received_vendors"] = map[bool]string{true: "yes", false: "no"}[c.ReceivedVendors]
	}
}
