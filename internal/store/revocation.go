package store

import (
	"context"
	"database/sql"
	"net/netip"
	"slices"
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
	Spares      []string // sessions from these networks go on; none: no session does
}

// Ends reports whether the revocation ends the sessions of a login.
func (r *Revocation) Ends(l *exchange.Login) bool {
	return r.Number > l.Revocation && r.UserID == l.User.ID && (r.Fingerprint == "" || r.Fingerprint == l.Fingerprint) &&
		!r.spares(l.Address)
}

func (r *Revocation) spares(address string) bool {
	from, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(r.Spares, func(n string) bool {
		p, err := netip.ParsePrefix(n)
		return err == nil && p.Contains(from.Unmap())
	})
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
	spares := ""
	if len(r.Spares) > 0 {
		spares = jsonList(r.Spares)
	}
	_, err := tx.exec("Revoke", `INSERT INTO revocations (number, user_id, fingerprint, reason, at, spares)
		SELECT value, $1, $2, $3, $4, $5 FROM counters WHERE name = 'revocation'`, r.UserID, r.Fingerprint, r.Reason,
		micros(at), spares)
	return err
}

// RevocationNumber is the newest revocation's number.
func (q *Q) RevocationNumber() (int64, error) {
	return recall(q, "revocation", func() (n int64, err error) {
		err = q.scanOne("RevocationNumber", `SELECT value FROM counters WHERE name = 'revocation'`, nil, &n)
		return n, err
	})
}

// RevocationsAfter lists what was revoked after a number.
func (q *Q) RevocationsAfter(number int64) ([]Revocation, error) {
	return collect(q, "RevocationsAfter", scanRevocation, revocationColumns+` WHERE number > $1 ORDER BY number`, number)
}

const revocationColumns = `SELECT number, user_id, fingerprint, reason, spares FROM revocations`

func scanRevocation(r *sql.Rows) (v Revocation, err error) {
	var spares string
	err = r.Scan(&v.Number, &v.UserID, &v.Fingerprint, &v.Reason, &spares)
	v.Spares = list(spares)
	return v, err
}

// Revoked reports whether a login was revoked since it was checked.
func (q *Q) Revoked(l *exchange.Login) (bool, error) {
	since, err := collect(q, "Revoked", scanRevocation, revocationColumns+` WHERE number > $1 AND user_id = $2
		AND (fingerprint = '' OR fingerprint = $3)`, l.Revocation, l.User.ID, l.Fingerprint)
	return slices.ContainsFunc(since, func(r Revocation) bool { return r.Ends(l) }), err
}

// Guard makes changes of one login fail once the login is revoked (WriteAs).
type Guard struct {
	login exchange.Login
	known atomic.Int64 // number up to which nothing of the login was revoked
}

// NewGuard makes the guard of a login; nil for an operator's.
func NewGuard(l exchange.Login) *Guard {
	if l.Operator != "" {
		return nil
	}
	g := &Guard{login: l}
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
	return s.WriteFor(ctx, g.login.User.ID, func(tx *Tx) error {
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
	login := g.login
	login.Revocation = known
	revoked, err := tx.Revoked(&login)
	if err != nil {
		return err
	}
	if revoked {
		return fault.E("store.WriteAs", fault.Denied, "This login has ended; nothing more is stored.")
	}
	g.known.Store(number)
	return nil
}
