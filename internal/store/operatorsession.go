package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

const operatorSessionColumns = `SELECT s.id, o.email, s.method, s.address, s.agent, s.created_at, s.seen_at, s.ends_at,
	s.ended_at, s.ended_by FROM operator_sessions s JOIN operators o ON o.id = s.operator_id`

func scanOperatorSession(r *sql.Rows) (s model.OperatorSession, err error) {
	err = r.Scan(&s.ID, &s.Operator, &s.Method, &s.Address, &s.Agent, stamp{&s.CreatedAt}, stamp{&s.SeenAt},
		stamp{&s.EndsAt}, stampPtr{&s.EndedAt}, &s.EndedBy)
	return s, err
}

// SignedIn is a session with whose it is.
type SignedIn struct {
	model.OperatorSession
	Who model.Operator // its id, address, name, role, and when it was disabled
}

// OperatorSession finds a session by the hash of its cookie.
func (q *Q) OperatorSession(hash string) (SignedIn, error) {
	return one(q, "OperatorSession", func(r *sql.Rows) (s SignedIn, err error) {
		err = r.Scan(&s.ID, &s.Method, &s.Address, &s.Agent, stamp{&s.CreatedAt}, stamp{&s.SeenAt}, stamp{&s.EndsAt},
			stampPtr{&s.EndedAt}, &s.Who.ID, &s.Who.Email, &s.Who.Name, &s.Who.Role, stampPtr{&s.Who.DisabledAt})
		s.Operator = s.Who.Email
		return s, err
	}, `SELECT s.id, s.method, s.address, s.agent, s.created_at, s.seen_at, s.ends_at, s.ended_at, o.id, o.email, o.name,
		o.role, o.disabled_at FROM operator_sessions s JOIN operators o ON o.id = s.operator_id WHERE s.hash = $1`, hash)
}

// OperatorSessions lists sessions of operators, the newest first, one page of them. live are those that
// have not ended at now, and were seen since idle.
func (q *Q) OperatorSessions(f model.OperatorSessionFilter, operatorID string, now, idle time.Time) (
	[]model.OperatorSession, error) {
	live := 0
	if f.Live {
		live = 1
	}
	return collect(q, "OperatorSessions", scanOperatorSession, operatorSessionColumns+` WHERE s.id < $1
		AND ($2 = '' OR s.operator_id = $2)
		AND ($3 = 0 OR s.ended_at IS NULL AND s.ends_at > $4 AND s.seen_at > $5) ORDER BY s.id DESC LIMIT $6`,
		before(f.Paging), operatorID, live, micros(now), micros(idle), most(f.Paging))
}

// SessionEnded reports whether somebody has ended a session.
func (q *Q) SessionEnded(id string) (ended bool, err error) {
	var n int64
	err = q.scanOne("SessionEnded", `SELECT COUNT(*) FROM operator_sessions WHERE id = $1 AND ended_at IS NULL`,
		[]any{id}, &n)
	return n == 0, err
}

// AddOperatorSession records a session. hash is the SHA-256 of its cookie, in hex.
func (tx *Tx) AddOperatorSession(s model.OperatorSession, hash, operatorID string) error {
	_, err := tx.exec("AddOperatorSession", `INSERT INTO operator_sessions (id, hash, operator_id, method, address, agent,
		created_at, seen_at, ends_at, ended_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '')`, s.ID, hash, operatorID,
		s.Method, s.Address, s.Agent, micros(s.CreatedAt), micros(s.SeenAt), micros(s.EndsAt))
	return err
}

// OperatorSeen records that a session was used.
func (tx *Tx) OperatorSeen(id string, at time.Time) error {
	_, err := tx.book("OperatorSeen", `UPDATE operator_sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2`, id,
		micros(at))
	return err
}

// EndOperatorSession ends a session; NotFound if it has ended.
func (tx *Tx) EndOperatorSession(id, by string, at time.Time) error {
	return tx.execOne("EndOperatorSession", `UPDATE operator_sessions SET ended_at = $3, ended_by = $2
		WHERE id = $1 AND ended_at IS NULL`, id, by, micros(at))
}

// EndOperatorSessions ends the sessions of an operator but one.
func (tx *Tx) EndOperatorSessions(operatorID, but, by string, at time.Time) error {
	_, err := tx.exec("EndOperatorSessions", `UPDATE operator_sessions SET ended_at = $4, ended_by = $3
		WHERE operator_id = $1 AND id <> $2 AND ended_at IS NULL`, operatorID, but, by, micros(at))
	return err
}

// ForgetOperatorSessions removes up to limit sessions that ended, or could be used, before a time at
// the latest, and sign-ins that were not finished in time.
func (tx *Tx) ForgetOperatorSessions(before, now time.Time, limit int) error {
	_, err := tx.book("ForgetOperatorSessions", `DELETE FROM operator_sessions WHERE id IN (SELECT id
		FROM operator_sessions WHERE ends_at < $1 ORDER BY ends_at LIMIT $2)`, micros(before), limit)
	if err != nil {
		return err
	}
	_, err = tx.book("ForgetOperatorSessions", `DELETE FROM challenges WHERE hash IN (SELECT hash FROM challenges
		WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, micros(now), limit)
	return err
}

// Challenge is a sign-in that has begun.
type Challenge struct {
	Hash, Purpose, Data string
	ExpiresAt           time.Time
}

// AddChallenge records a sign-in that has begun, after forgetting those that are over. alone forgets earlier
// ones of the purpose, too. It fails as Busy if there are most already.
func (tx *Tx) AddChallenge(c Challenge, now time.Time, alone bool, most int64) error {
	_, err := tx.book("AddChallenge", `DELETE FROM challenges WHERE expires_at < $1`, micros(now))
	if err == nil && alone {
		_, err = tx.book("AddChallenge", `DELETE FROM challenges WHERE purpose = $1`, c.Purpose)
	}
	var n int64
	if err == nil {
		err = tx.scanOne("AddChallenge", `SELECT COUNT(*) FROM challenges`, nil, &n)
	}
	if err != nil {
		return err
	}
	if n >= most {
		return fault.E("store.AddChallenge", fault.Busy, "Too many sign-ins have begun.").
			WithHint("try again in some minutes")
	}
	_, err = tx.book("AddChallenge", `INSERT INTO challenges (hash, purpose, data, expires_at) VALUES ($1, $2, $3, $4)`,
		c.Hash, c.Purpose, c.Data, micros(c.ExpiresAt))
	return err
}

// Challenge finds a sign-in that has begun.
func (q *Q) Challenge(hash string) (Challenge, error) {
	return one(q, "Challenge", func(r *sql.Rows) (c Challenge, err error) {
		err = r.Scan(&c.Hash, &c.Purpose, &c.Data, stamp{&c.ExpiresAt})
		return c, err
	}, `SELECT hash, purpose, data, expires_at FROM challenges WHERE hash = $1`, hash)
}

// TakeChallenge finds a sign-in that has begun, and removes it: it can be finished once. NotFound if
// there is none.
func (tx *Tx) TakeChallenge(hash string) (Challenge, error) {
	c, err := tx.Challenge(hash)
	if err != nil {
		return c, err
	}
	return c, tx.bookOne("TakeChallenge", `DELETE FROM challenges WHERE hash = $1`, hash)
}
