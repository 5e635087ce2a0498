package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// placesOfUser is how many addresses of a user are followed while host keys are rotated.
const placesOfUser = 50

// HostKeyClient is a log-in while host keys are rotated.
type HostKeyClient struct {
	UserID, Address, Client string
	At                      time.Time
	Learnt                  bool // it knows the new keys
}

// SawHostKeys records that a user's program logged in from an address, and whether it knows the new keys. What it has
// learnt stays. Of a user with very many addresses, some are not followed.
func (tx *Tx) SawHostKeys(c HostKeyClient) error {
	var learnt any
	if c.Learnt {
		learnt = micros(c.At)
	}
	_, err := tx.book("SawHostKeys", `INSERT INTO host_key_clients (user_id, address, client, last_at, learnt_at)
		SELECT $1, $2, $3, CAST($4 AS BIGINT), CAST($5 AS BIGINT)
		WHERE (SELECT COUNT(*) FROM host_key_clients WHERE user_id = $1) < $6
		OR EXISTS (SELECT 1 FROM host_key_clients WHERE user_id = $1 AND address = $2)
		ON CONFLICT (user_id, address) DO UPDATE SET client = excluded.client, last_at = excluded.last_at,
		learnt_at = COALESCE(host_key_clients.learnt_at, excluded.learnt_at)`,
		c.UserID, c.Address, c.Client, micros(c.At), learnt, placesOfUser)
	return err
}

// ForgetHostKeyClients empties the table for a new rotation.
func (tx *Tx) ForgetHostKeyClients() error {
	_, err := tx.book("ForgetHostKeyClients", `DELETE FROM host_key_clients`)
	return err
}

// HostKeyClients lists users who may log in, with each address that they logged in from since a rotation of host keys
// began: one page, by name and address. A user who did not log in has one row without an address.
func (q *Q) HostKeyClients(f model.HostKeyClientFilter) ([]model.HostKeyClient, error) {
	name, address := f.Split()
	return collect(q, "HostKeyClients", func(r *sql.Rows) (c model.HostKeyClient, err error) {
		err = r.Scan(&c.User, &c.Account, &c.Address, &c.Client, stampPtr{&c.LastAt}, stampPtr{&c.LearntAt})
		return c, err
	}, `SELECT u.name, u.account_id, COALESCE(h.address, ''), COALESCE(h.client, ''), h.last_at, h.learnt_at
		FROM users u JOIN accounts a ON a.id = u.account_id LEFT JOIN host_key_clients h ON h.user_id = u.id
		WHERE u.enabled = 1 AND a.state <> 'closed' AND ($1 = '' OR u.folded = $1) AND ($2 = 0 OR h.learnt_at IS NULL)
		AND (u.name > $3 OR u.name = $3 AND COALESCE(h.address, '') > $4)
		ORDER BY u.name, COALESCE(h.address, '') LIMIT $5`,
		valid.Fold(f.User), flag(f.Unaware), name, address, most(f.Paging))
}

// CountHostKeyClients counts, since a rotation began, the addresses of users who logged in, and those of them that
// know the new keys.
func (q *Q) CountHostKeyClients() (places, learnt int64, err error) {
	err = q.scanOne("CountHostKeyClients", `SELECT COUNT(*), COUNT(learnt_at) FROM host_key_clients`, nil, &places,
		&learnt)
	return places, learnt, err
}
