package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

func scanBan(r *sql.Rows) (b model.Ban, err error) {
	err = r.Scan(&b.Address, stamp{&b.Since}, stamp{&b.Until}, &b.Failures, &b.Refused, &b.Reason)
	return b, err
}

// Bans lists the bans in force at a time, the newest first, one page of them.
func (q *Q) Bans(now time.Time, p model.Paging) ([]model.Ban, error) {
	at, address := latest(p)
	return collect(q, "Bans", scanBan, `SELECT address, since, until, failures, refused, reason FROM bans
		WHERE until > $1 AND (since < $2 OR since = $2 AND address < $3) ORDER BY since DESC, address DESC LIMIT $4`,
		micros(now), at, address, most(p))
}

// Ban finds the ban of an address, in force or over.
func (q *Q) Ban(address string) (model.Ban, error) {
	return one(q, "Ban", scanBan, `SELECT address, since, until, failures, refused, reason FROM bans WHERE address = $1`,
		address)
}

// SetBan records a ban, or replaces the one that the address has.
func (tx *Tx) SetBan(b model.Ban) error {
	_, err := tx.book("SetBan", `INSERT INTO bans (address, since, until, failures, refused, reason)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (address) DO UPDATE SET since = excluded.since, until = excluded.until, failures = excluded.failures,
		refused = excluded.refused, reason = excluded.reason`,
		b.Address, micros(b.Since), micros(b.Until), b.Failures, b.Refused, b.Reason)
	return err
}

// RefusedByBan counts connections that a ban turned away.
func (tx *Tx) RefusedByBan(address string, n int64) error {
	_, err := tx.book("RefusedByBan", `UPDATE bans SET refused = refused + $2 WHERE address = $1`, address, n)
	return err
}

// Unban lifts a ban; NotFound when there is none.
func (tx *Tx) Unban(address string) error {
	return tx.execOne("Unban", `DELETE FROM bans WHERE address = $1`, address)
}

// AllowLists lists every network in an account's or a user's allow list. Addresses in these networks
// are never banned.
func (q *Q) AllowLists() (networks []string, err error) {
	rows, err := collect(q, "AllowLists", scanString,
		`SELECT allow_ips FROM users WHERE allow_ips <> '[]' UNION SELECT allow_ips FROM accounts WHERE allow_ips <> '[]'`)
	for _, r := range rows {
		networks = append(networks, list(r)...)
	}
	return networks, err
}
