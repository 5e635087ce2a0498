package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

const tokenColumns = `SELECT id, name, role, prefix, hash, allow_ips, created_at, created_by, expires_at, last_used_at,
	last_address, revoked_at, revoked_by FROM tokens`

func scanToken(r *sql.Rows) (t model.Token, err error) {
	var networks string
	err = r.Scan(&t.ID, &t.Name, &t.Role, &t.Prefix, &t.Hash, &networks, stamp{&t.CreatedAt}, &t.CreatedBy,
		stamp{&t.ExpiresAt}, stampPtr{&t.LastUsedAt}, &t.LastAddress, stampPtr{&t.RevokedAt}, &t.RevokedBy)
	t.AllowIPs = list(networks)
	return t, err
}

// Tokens lists API tokens, the newest first, one page of them.
func (q *Q) Tokens(p model.Paging) ([]model.Token, error) {
	return collect(q, "Tokens", scanToken, tokenColumns+` WHERE id < $1 ORDER BY id DESC LIMIT $2`, before(p), most(p))
}

// ActiveTokens lists API tokens that were not revoked and expire after a time.
func (q *Q) ActiveTokens(now time.Time, limit int) ([]model.Token, error) {
	return collect(q, "ActiveTokens", scanToken, tokenColumns+` WHERE revoked_at IS NULL AND expires_at > $1
		ORDER BY id LIMIT $2`, micros(now), limit)
}

// Token finds an API token by id or name. Of several with one name it is the newest: at most that
// one was not revoked.
func (q *Q) Token(nameOrID string) (model.Token, error) {
	return one(q, "Token", scanToken, tokenColumns+` WHERE id = $1 OR name = $1 ORDER BY id DESC LIMIT 1`, nameOrID)
}

// TokenByPrefix finds an API token by the beginning of its secret.
func (q *Q) TokenByPrefix(prefix string) (model.Token, error) {
	return one(q, "TokenByPrefix", scanToken, tokenColumns+` WHERE prefix = $1`, prefix)
}

// AddToken records an API token; Exists if one that was not revoked has the name.
func (tx *Tx) AddToken(t model.Token) error {
	_, err := tx.exec("AddToken", `INSERT INTO tokens (id, name, role, prefix, hash, allow_ips, created_at, created_by,
		expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, t.ID, t.Name, t.Role, t.Prefix, t.Hash,
		jsonList(t.AllowIPs), micros(t.CreatedAt), t.CreatedBy, micros(t.ExpiresAt))
	return err
}

// RevokeToken ends an API token; NotFound if that was done before.
func (tx *Tx) RevokeToken(id, by string, at time.Time) error {
	return tx.execOne("RevokeToken", `UPDATE tokens SET revoked_at = $2, revoked_by = $3
		WHERE id = $1 AND revoked_at IS NULL`, id, micros(at), by)
}

// TokenUsed records an API token's last use.
func (tx *Tx) TokenUsed(id, address string, at time.Time) error {
	_, err := tx.book("TokenUsed", `UPDATE tokens SET last_used_at = $2, last_address = $3
		WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)`, id, micros(at), address)
	return err
}
