package store

import (
	"database/sql"

	"github.com/sallyport-sftp/sallyport/model"
)

const contactColumns = `SELECT id, COALESCE(account_id, ''), COALESCE(vendor, ''), name, email, phone, roles,
	created_at,
	verified_at, verified, bounced_at, left_at, language, received, received_vendors FROM contacts`

func scanContact(r *sql.Rows) (c model.Contact, err error) {
	var roles string
	err = r.Scan(&c.ID, &c.Account, &c.Vendor, &c.Name, &c.Email, &c.Phone, &roles, stamp{&c.CreatedAt},
		stampPtr{&c.VerifiedAt}, &c.Verified, stampPtr{&c.BouncedAt}, stampPtr{&c.LeftAt}, &c.Language, &c.Received,
		&c.ReceivedVendors)
	c.Roles = list(roles)
	return c, err
}

// Contact finds one contact by id.
func (q *Q) Contact(id string) (model.Contact, error) {
	return one(q, "Contact", scanContact, contactColumns+` WHERE id = $1`, id)
}

// Contacts lists the contacts of an account and of a vendor; an empty argument selects none. Contacts
// who left come last.
func (q *Q) Contacts(account, vendor string) ([]model.Contact, error) {
	return collect(q, "Contacts", scanContact, contactColumns+` WHERE ($1 <> '' AND account_id = $1)
		OR ($2 <> '' AND vendor = $2)
		ORDER BY CASE WHEN left_at IS NULL THEN 0 ELSE 1 END, id`, account, vendor)
}

// ToldOfReceived lists the present contacts who are told of files that a user sends: of its vendor, if
// vendor is set, and those of its account, who must have asked for it.
func (q *Q) ToldOfReceived(account, vendor string) ([]model.Contact, error) {
	return collect(q, "ToldOfReceived", scanContact, contactColumns+` WHERE received <> '' AND left_at IS NULL
		AND (account_id = $1 AND ($2 = '' OR received_vendors = 1) OR $2 <> '' AND vendor = $2) ORDER BY id`, account, vendor)
}

// ContactsAt lists every contact with an e-mail address, regardless of case. Contacts who left come
// last.
func (q *Q) ContactsAt(email string) ([]model.Contact, error) {
	return collect(q, "ContactsAt", scanContact, contactColumns+` WHERE LOWER(email) = LOWER($1)
		ORDER BY CASE WHEN left_at IS NULL THEN 0 ELSE 1 END, id`, email)
}

// hereFirst sorts contacts by id, those who left last.
const hereFirst = `(CASE WHEN left_at IS NULL THEN '0' ELSE '1' END || id)`

// ContactCursor returns the cursor with which ContactPage continues after a contact.
func ContactCursor(c model.Contact) string {
	if c.LeftAt == nil {
		return "0" + c.ID
	}
	return "1" + c.ID
}

// ContactPage lists one page of contacts: those of an account or a vendor, or all if both are "".
// Contacts who left come last.
func (q *Q) ContactPage(account, vendor string, p model.Paging) ([]model.Contact, error) {
	return collect(q, "ContactPage", scanContact,
		contactColumns+` WHERE ($1 = '' AND $2 = '' OR $1 <> '' AND account_id = $1 OR $2 <> '' AND vendor = $2)
		AND `+hereFirst+` > $3 ORDER BY `+hereFirst+` LIMIT $4`, account, vendor, p.Cursor, most(p))
}

// AddContact records a contact.
func (tx *Tx) AddContact(c model.Contact) error {
	_, err := tx.exec("AddContact", `INSERT INTO contacts (id, account_id, vendor, name, email, phone, roles, created_at,
		verified, language, received, received_vendors)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, $10, $11)`, c.ID, null(c.Account), null(c.Vendor), c.Name, c.Email,
		c.Phone, jsonList(c.Roles), micros(c.CreatedAt), c.Language, c.Received, flag(c.ReceivedVendors))
	return err
}

// LockContact holds a contact's row until the transaction ends. A contact who left is NotFound.
func (tx *Tx) LockContact(id string) error {
	if err := tx.take(rankContact, id); err != nil {
		return err
	}
	return tx.scanOne("LockContact", `SELECT id FROM contacts WHERE id = $1 AND left_at IS NULL `+tx.s.dialect.lock,
		[]any{id}, new(string))
}

// SetContact changes a contact's record.
func (tx *Tx) SetContact(c model.Contact) error {
	if err := tx.take(rankContact, c.ID); err != nil {
		return err
	}
	return tx.execOne("SetContact", `UPDATE contacts SET name = $2, email = $3, phone = $4, roles = $5, verified_at = $6,
		verified = $7,
		bounced_at = $8, left_at = $9, language = $10, received = $11, received_vendors = $12 WHERE id = $1`, c.ID, c.Name,
		c.Email, c.Phone, jsonList(c.Roles), timeNull(c.VerifiedAt), c.Verified,
		timeNull(c.BouncedAt), timeNull(c.LeftAt), c.Language, c.Received, flag(c.ReceivedVendors))
}
