package store

import (
	"encoding/json"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Audit writes the row of a change, in the change's transaction. Names from
// outside may be any bytes, which not every database takes as text, so they
// are escaped.
func (tx *Tx) Audit(r exchange.AuditRow) error {
	detail := "{}"
	if len(r.Detail) > 0 {
		b, err := json.Marshal(r.Detail)
		if err != nil {
			return tx.s.wrap("Audit", err)
		}
		detail = string(b)
	}
	_, err := tx.exec("Audit", `INSERT INTO audit (id, at, actor, action, subject, user_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		r.ID, exchange.Micros(r.At), r.Actor, r.Action, exchange.Printable(r.Subject), r.User, detail)
	return err
}

// Connection is the compact record that every connection leaves.
type Connection struct {
	Reference, Address, User, Client, Cipher string
	Offered, Methods                         []string
	Outcome                                  string
	At                                       int64 // µs
	Seconds                                  int64
}

// AddConnection records a connection.
func (tx *Tx) AddConnection(c Connection) error {
	_, err := tx.exec("AddConnection", `INSERT INTO connections (reference, at, address, user_name, client, cipher, offered, methods, outcome, seconds)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, c.Reference, c.At, c.Address, c.User, c.Client, c.Cipher,
		jsonList(c.Offered), jsonList(c.Methods), c.Outcome, c.Seconds)
	return err
}

// PruneConnections keeps the newest rows, at most keep of them and none from
// before a time.
func (tx *Tx) PruneConnections(before int64, keep int64) error {
	if _, err := tx.exec("PruneConnections", `DELETE FROM connections WHERE at < $1`, before); err != nil {
		return err
	}
	_, err := tx.exec("PruneConnections", `DELETE FROM connections WHERE at <
		COALESCE((SELECT at FROM connections ORDER BY at DESC LIMIT 1 OFFSET $1), 0)`, keep)
	return err
}

// Address is when somebody last got in from an address, and last did not; 0 is never.
type Address struct {
	Address            string
	LastOK, LastFailed int64 // µs
}

// Address reads what is known of an address; a stranger's is zero.
func (q *Q) Address(address string) (a Address, err error) {
	a.Address = address
	err = q.scanOne("Address", `SELECT COALESCE((SELECT last_ok FROM addresses WHERE address = $1), 0),
		COALESCE((SELECT last_failed FROM addresses WHERE address = $1), 0)`, []any{address}, &a.LastOK, &a.LastFailed)
	return a, err
}

// SeenAddress merges newer times into an address's row.
func (tx *Tx) SeenAddress(a Address) error {
	_, err := tx.exec("SeenAddress", `INSERT INTO addresses (address, last_ok, last_failed) VALUES ($1, $2, $3)
		ON CONFLICT (address) DO UPDATE SET last_ok = COALESCE(excluded.last_ok, addresses.last_ok),
		last_failed = COALESCE(excluded.last_failed, addresses.last_failed)`, a.Address, null(a.LastOK), null(a.LastFailed))
	return err
}

// PruneAddresses forgets addresses not seen since a time.
func (tx *Tx) PruneAddresses(before int64) error {
	_, err := tx.exec("PruneAddresses", `DELETE FROM addresses WHERE COALESCE(last_ok, 0) < $1 AND COALESCE(last_failed, 0) < $1`, before)
	return err
}
