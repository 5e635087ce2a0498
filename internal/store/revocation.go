package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

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
