package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

const keyColumns = `SELECT k.id, u.name, k.fingerprint, k.type, k.bits, k.public, k.comment, k.origin,
	k.created_at, k.expires_at, k.last_used_at, k.revoked_at, COALESCE(k.revoked_why, '')
	FROM keys k JOIN users u ON u.id = k.user_id`

func scanKey(r *sql.Rows) (k exchange.Key, err error) {
	var created int64
	var expires, used, revoked sql.NullInt64
	err = r.Scan(&k.ID, &k.User, &k.Fingerprint, &k.Type, &k.Bits, &k.Public, &k.Comment, &k.Origin,
		&created, &expires, &used, &revoked, &k.RevokedWhy)
	k.CreatedAt, k.ExpiresAt = exchange.FromMicros(created), timePtr(expires)
	k.LastUsedAt, k.RevokedAt = timePtr(used), timePtr(revoked)
	return k, err
}

// Keys lists a user's keys, the oldest first, revoked ones included.
func (q *Q) Keys(userID string) ([]exchange.Key, error) {
	return collect(q, "Keys", scanKey, keyColumns+` WHERE k.user_id = $1 ORDER BY k.id`, userID)
}

// KeyHolders lists every key row with a fingerprint that is not revoked.
func (q *Q) KeyHolders(fingerprint string) ([]exchange.Key, error) {
	return collect(q, "KeyHolders", scanKey, keyColumns+` WHERE k.fingerprint = $1 AND k.revoked_at IS NULL ORDER BY k.id`, fingerprint)
}

// AddKey records a key of a user.
func (tx *Tx) AddKey(userID string, k exchange.Key) error {
	_, err := tx.exec("AddKey", `INSERT INTO keys (id, user_id, fingerprint, type, bits, public, comment, origin, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, k.ID, userID, k.Fingerprint, k.Type, k.Bits, k.Public, k.Comment,
		k.Origin, exchange.Micros(k.CreatedAt), timeNull(k.ExpiresAt))
	return err
}

// RevokeKey marks a key revoked.
func (tx *Tx) RevokeKey(keyID, why string, at time.Time) error {
	return tx.execOne("RevokeKey", `UPDATE keys SET revoked_at = $2, revoked_why = $3 WHERE id = $1 AND revoked_at IS NULL`,
		keyID, exchange.Micros(at), why)
}

// KeyUsed notes when a key last logged in.
func (tx *Tx) KeyUsed(keyID string, at time.Time) error {
	_, err := tx.exec("KeyUsed", `UPDATE keys SET last_used_at = $2 WHERE id = $1`, keyID, exchange.Micros(at))
	return err
}

// Revocation ends sessions: all of a user's, or those of one key.
type Revocation struct {
	Number      int64
	UserID      string
	Fingerprint string // "" means every session of the user
	Reason      string
}

// Revoke records a revocation under the next number. The counter's row lock
// makes numbers appear in order, so a poller misses none.
func (tx *Tx) Revoke(r Revocation, at time.Time) error {
	if err := tx.execOne("Revoke", `UPDATE counters SET value = value + 1 WHERE name = 'revocation'`); err != nil {
		return err
	}
	_, err := tx.exec("Revoke", `INSERT INTO revocations (number, user_id, fingerprint, reason, at)
		SELECT value, $1, $2, $3, $4 FROM counters WHERE name = 'revocation'`, r.UserID, r.Fingerprint, r.Reason, exchange.Micros(at))
	return err
}

// RevocationNumber is the newest revocation's number.
func (q *Q) RevocationNumber() (n int64, err error) {
	err = q.scanOne("RevocationNumber", `SELECT value FROM counters WHERE name = 'revocation'`, nil, &n)
	return n, err
}

// RevocationsAfter lists what was revoked after a number.
func (q *Q) RevocationsAfter(number int64) ([]Revocation, error) {
	return collect(q, "RevocationsAfter", func(r *sql.Rows) (v Revocation, err error) {
		err = r.Scan(&v.Number, &v.UserID, &v.Fingerprint, &v.Reason)
		return v, err
	}, `SELECT number, user_id, fingerprint, reason FROM revocations WHERE number > $1 ORDER BY number`, number)
}

// Revoked reports whether anything of this login was revoked after a number.
func (q *Q) Revoked(userID, fingerprint string, after int64) (bool, error) {
	var n int64
	err := q.scanOne("Revoked", `SELECT COUNT(*) FROM revocations
		WHERE number > $1 AND user_id = $2 AND (fingerprint = '' OR fingerprint = $3)`, []any{after, userID, fingerprint}, &n)
	return n > 0, err
}
