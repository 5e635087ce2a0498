package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const accountColumns = `SELECT id, name, COALESCE(parent, ''), region, state, allow_ips, created_at, files_until,
	closed_at, closed_from, COALESCE(keep_bytes, 0), COALESCE(keep_items, 0), time_zone, language, manager, manager_email,
	tags FROM accounts`

func scanAccount(r *sql.Rows) (a model.Account, err error) {
	var ips, tags string
	var manager model.Person
	err = r.Scan(&a.ID, &a.Name, &a.Parent, &a.Region, &a.State, &ips, stamp{&a.CreatedAt}, stampPtr{&a.FilesUntil},
		stampPtr{&a.ClosedAt}, &a.ClosedFrom, &a.KeepBytes, &a.KeepItems, &a.TimeZone, &a.Language, &manager.Name,
		&manager.Email, &tags)
	if manager != (model.Person{}) {
		a.Manager = &manager
	}
	a.AllowIPs, a.Tags = list(ips), list(tags)
	return a, err
}

// Account finds one account.
func (q *Q) Account(id string) (model.Account, error) {
	return one(q, "Account", scanAccount, accountColumns+` WHERE folded = $1`, valid.Fold(id))
}

// LockAccount finds one account and holds its row. What changes its state, or must not happen in another
// state, holds it.
func (tx *Tx) LockAccount(id string) (model.Account, error) {
	if err := tx.take(rankAccount, valid.Fold(id)); err != nil {
		return model.Account{}, err
	}
	return one(&tx.Q, "LockAccount", scanAccount, accountColumns+` WHERE folded = $1 `+tx.s.dialect.lock, valid.Fold(id))
}

// accountEnding is a condition on closed accounts: no revocation of all of a user's sessions, of one of its
// users at least, is from after its last day.
const accountEnding = `a.state = 'closed' AND a.closed_from <> 'suspended' AND EXISTS (SELECT 1 FROM users u
	WHERE u.account_id = a.id AND NOT EXISTS (SELECT 1 FROM revocations r WHERE r.user_id = u.id AND r.fingerprint = ''
	AND r.spares = '' AND r.at >= a.files_until))`

// AccountsEnding lists closed accounts whose last day ended in a span of time, and whose sessions were not
// ended since.
func (q *Q) AccountsEnding(from, to time.Time, limit int) ([]string, error) {
	return collect(q, "AccountsEnding", scanString, `SELECT a.id FROM accounts a WHERE a.files_until > $1
		AND a.files_until <= $2 AND `+accountEnding+` ORDER BY a.id LIMIT $3`, micros(from), micros(to), limit)
}

// AccountEnding reports whether the sessions of a closed account were not ended since its last day.
func (tx *Tx) AccountEnding(id string) (bool, error) {
	list, err := collect(&tx.Q, "AccountEnding", scanString, `SELECT a.id FROM accounts a WHERE a.id = $1
		AND `+accountEnding, id)
	return len(list) > 0, err
}

// Children lists the accounts directly below an account.
func (q *Q) Children(id string) ([]string, error) {
	return collect(q, "Children", scanString, `SELECT id FROM accounts WHERE parent = $1 ORDER BY id`, id)
}

// Accounts lists accounts by id, one page of them.
func (q *Q) Accounts(p model.Paging) ([]model.Account, error) {
	return q.AccountsTagged(model.AccountFilter{Paging: p})
}

// AccountsTagged lists the accounts with a tag by id, one page of them.
func (q *Q) AccountsTagged(f model.AccountFilter) ([]model.Account, error) {
	return collect(q, "Accounts", scanAccount, accountColumns+` WHERE id > $1 AND `+tagged("tags", "$2")+
		` ORDER BY id LIMIT $3`, f.Cursor, f.Tag, most(f.Paging))
}

// AddAccount records a new account.
func (tx *Tx) AddAccount(a model.Account) error {
	_, err := tx.exec("AddAccount", `INSERT INTO accounts (id, name, parent, region, state, allow_ips, created_at, folded,
		keep_bytes, keep_items, time_zone, language)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, a.ID, a.Name, null(a.Parent), a.Region, a.State,
		jsonList(a.AllowIPs), micros(a.CreatedAt), valid.Fold(a.ID), null(a.KeepBytes), null(a.KeepItems), a.TimeZone,
		a.Language)
	return err
}

// SetAccount changes an account's name, parent, region, state, networks, storage limits, zone and
// how long its files stay.
func (tx *Tx) SetAccount(a model.Account) error {
	return tx.execOne("SetAccount", `UPDATE accounts SET name = $2, parent = $3, region = $4, state = $5, allow_ips = $6,
		files_until = $7, closed_at = $8, closed_from = $9, keep_bytes = $10, keep_items = $11, time_zone = $12,
		language = $13
		WHERE id = $1`, a.ID, a.Name, null(a.Parent), a.Region, a.State, jsonList(a.AllowIPs), timeNull(a.FilesUntil),
		timeNull(a.ClosedAt), a.ClosedFrom, null(a.KeepBytes), null(a.KeepItems), a.TimeZone, a.Language)
}

// SetManager records who looks after an account.
func (tx *Tx) SetManager(account string, p model.Person) error {
	return tx.execOne("SetManager", `UPDATE accounts SET manager = $2, manager_email = $3 WHERE id = $1`, account, p.Name,
		p.Email)
}

const vendorColumns = `SELECT short, name, tags, created_at FROM vendors`

func scanVendor(r *sql.Rows) (v model.Vendor, err error) {
	var tags string
	err = r.Scan(&v.Short, &v.Name, &tags, stamp{&v.CreatedAt})
	v.Tags = list(tags)
	return v, err
}

// Vendor finds one vendor.
func (q *Q) Vendor(short string) (model.Vendor, error) {
	return one(q, "Vendor", scanVendor, vendorColumns+` WHERE short = $1`, short)
}

// Vendors lists vendors by short name, one page of them.
func (q *Q) Vendors(p model.Paging) ([]model.Vendor, error) {
	return q.VendorsTagged(model.VendorFilter{Paging: p})
}

// VendorsTagged lists the vendors with a tag by short name, one page of them.
func (q *Q) VendorsTagged(f model.VendorFilter) ([]model.Vendor, error) {
	return collect(q, "Vendors", scanVendor, vendorColumns+` WHERE short > $1 AND `+tagged("tags", "$2")+
		` ORDER BY short LIMIT $3`, f.Cursor, f.Tag, most(f.Paging))
}

// SetVendor changes a vendor's name.
func (tx *Tx) SetVendor(v model.Vendor) error {
	return tx.execOne("SetVendor", `UPDATE vendors SET name = $2 WHERE short = $1`, v.Short, v.Name)
}

// AddVendor records a new vendor.
func (tx *Tx) AddVendor(v model.Vendor) error {
	_, err := tx.exec("AddVendor", `INSERT INTO vendors (short, name, created_at) VALUES ($1, $2, $3)`,
		v.Short, v.Name, micros(v.CreatedAt))
	return err
}

// one runs a query and returns its first row; no row is NotFound.
func one[T any](q *Q, op string, scan func(*sql.Rows) (T, error), query string, args ...any) (T, error) {
	list, err := collect(q, op, scan, query, args...)
	if err != nil || len(list) > 0 {
		if err != nil {
			var zero T
			return zero, err
		}
		return list[0], nil
	}
	var zero T
	return zero, q.s.wrap(op, sql.ErrNoRows)
}

func scanString(r *sql.Rows) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}
