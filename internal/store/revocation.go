package store

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Revocation ends sessions: all of a user's, or those of one key.
type Revocation struct {
	Number      int64
	UserID      string
	Fingerprint string // "" means every session of the user
	Reason      string
}

// revocationGate is the name of the counter of revocations. A revocation holds its gate exclusively,
// so that numbers become visible in order and a poller misses none. Changes that a login makes share
// the gate.
const revocationGate = "revocation"

// Revoke records a revocation under the next number. It does so after the transaction's function has
// returned, because a transaction that holds the gate must not wait for other locks: those that share
// the gate still hold the rows that they changed.
func (tx *Tx) Revoke(r Revocation, at time.Time) error {
	tx.last = append(tx.last, func() error { return tx.revoke(r, at) })
	return nil
}

func (tx *Tx) revoke(r Revocation, at time.Time) error {
	if err := tx.gate("Revoke", revocationGate, false); err != nil {
		return err
	}
	if err := tx.execOne("Revoke", `UPDATE counters SET value = value + 1 WHERE name = 'revocation'`); err != nil {
		return err
	}
	_, err := tx.exec("Revoke", `INSERT INTO revocations (number, user_id, fingerprint, reason, at)
		SELECT value, $1, $2, $3, $4 FROM counters WHERE name = 'revocation'`, r.UserID, r.Fingerprint, r.Reason,
		micros(at))
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

// Guard makes changes of one login fail once the login is revoked (WriteAs).
type Guard struct {
	user, fingerprint string
	known             atomic.Int64 // number up to which nothing of the login was revoked
}

// NewGuard makes the guard of a login; nil for an operator's.
func NewGuard(l exchange.Login) *Guard {
	if l.Operator != "" {
		return nil
	}
	g := &Guard{user: l.User.ID, fingerprint: l.Fingerprint}
	g.known.Store(l.Revocation)
	return g
}

// WriteAs runs fn as Write does, for a login. If the login was revoked, it fails as Denied and changes
// nothing. Every change that a login makes goes through it. A nil guard checks nothing.
//
// On PostgreSQL the login is checked last, and the result still holds when the change is committed: a
// later revocation waits for the commit, and an earlier one is seen. So nothing is stored once a
// revocation was answered, however long fn waited for locks. SQLite has one writer at a time, and the
// check comes first.
func (s *Store) WriteAs(ctx context.Context, g *Guard, fn func(*Tx) error) error {
	if g == nil {
		return s.Write(ctx, fn)
	}
	return s.WriteFor(ctx, g.user, func(tx *Tx) error {
		if s.dialect.single {
			if err := g.check(tx); err != nil {
				return err
			}
			return fn(tx)
		}
		tx.last = append(tx.last, func() error {
			if err := tx.gate("WriteAs", revocationGate, true); err != nil {
				return err
			}
			return g.check(tx) // a separate statement, which sees what was committed while it waited for the gate
		})
		return fn(tx)
	})
}

// check fails as Denied if the login was revoked. If there was no revocation since the last check, it
// is one indexed read.
func (g *Guard) check(tx *Tx) error {
	known := g.known.Load()
	number, err := tx.RevocationNumber()
	if err != nil || number == known {
		return err
	}
	revoked, err := tx.Revoked(g.user, g.fingerprint, known)
	if err != nil {
		return err
	}
	if revoked {
		return fault.E("store.WriteAs", fault.Denied, "This login has ended; nothing more is stored.")
	}
	g.known.Store(number)
	return nil
}
