package store

import (
	"database/sql"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const accountColumns = `SELECT id, name, COALESCE(parent, ''), region, state, allow_ips, created_at, files_until,
	closed_at, closed_from, COALESCE(keep_bytes, 0), COALESCE(keep_items, 0), time_zone, language FROM accounts`

func scanAccount(r *sql.Rows) (a model.Account, err error) {
	var ips string
	err = r.Scan(&a.ID, &a.Name, &a.Parent, &a.Region, &a.State, &ips, stamp{&a.CreatedAt}, stampPtr{&a.FilesUntil},
		stampPtr{&a.ClosedAt}, &a.ClosedFrom, &a.KeepBytes, &a.KeepItems, &a.TimeZone, &a.Language)
	a.AllowIPs = list(ips)
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

// Children lists the accounts directly below an account.
func (q *Q) Children(id string) ([]string, error) {
	return collect(q, "Children", scanString, `SELECT id FROM accounts WHERE parent = $1 ORDER BY id`, id)
}

// Accounts lists accounts by id, one page of them.
func (q *Q) Accounts(p model.Paging) ([]model.Account, error) {
	return collect(q, "Accounts", scanAccount, accountColumns+` WHERE id > $1 ORDER BY id LIMIT $2`, p.Cursor, most(p))
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

const vendorColumns = `SELECT short, name, created_at FROM vendors`

func scanVendor(r *sql.Rows) (v model.Vendor, err error) {
	err = r.Scan(&v.Short, &v.Name, stamp{&v.CreatedAt})
	return v, err
}

// Vendor finds one vendor.
func (q *Q) Vendor(short string) (model.Vendor, error) {
	return one(q, "Vendor", scanVendor, vendorColumns+` WHERE short = $1`, short)
}

// Vendors lists vendors by short name, one page of them.
func (q *Q) Vendors(p model.Paging) ([]model.Vendor, error) {
	return collect(q, "Vendors", scanVendor, vendorColumns+` WHERE short > $1 ORDER BY short LIMIT $2`, p.Cursor, most(p))
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
