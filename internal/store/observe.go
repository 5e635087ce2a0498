package store

import (
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const connectionColumns = `SELECT ` + eventColumns + ` FROM connections`

func scanConnection(r *sql.Rows) (model.Connection, error) { return scanConnectionAfter(r) }

// scanConnectionAfter reads eventColumns, and into more what comes before them.
func scanConnectionAfter(r *sql.Rows, more ...any) (c model.Connection, err error) {
	var offered, methods string
	err = r.Scan(append(more, &c.Reference, stamp{&c.At}, &c.Address, &c.User, &c.Client, &c.Algorithms, &offered,
		&methods, &c.Outcome, &c.Detail, &c.LoggedIn, &c.Fingerprint, &c.Session, &c.UserID, stampPtr{&c.EndedAt},
		&c.Received, &c.Sent)...)
	c.Offered, c.Methods = list(offered), list(methods)
	return c, err
}

// Connections lists the newest connections with a value in a column: "reference", "address",
// "user_name" or "fingerprint".
func (q *Q) Connections(column, value string, limit int) ([]model.Connection, error) {
	query := map[string]string{
		"reference":   ` WHERE reference = $1 ORDER BY at DESC LIMIT $2`,
		"address":     ` WHERE address = $1 ORDER BY at DESC LIMIT $2`,
		"user_name":   ` WHERE user_name = $1 ORDER BY at DESC LIMIT $2`,
		"fingerprint": ` WHERE fingerprint = $1 AND fingerprint <> '' ORDER BY at DESC LIMIT $2`,
	}[column]
	return collect(q, "Connections", scanConnection, connectionColumns+query, value, limit)
}

// AddConnection records a connection; if it logged in, EndConnection completes it. It may be repeated
// after an unknown outcome: a recorded reference is left alone. number is its event's, from
// NumberConnectionEvents.
func (tx *Tx) AddConnection(c model.Connection, number int64) error {
	_, err := tx.book("AddConnection", `INSERT INTO connections (reference, at, address, user_name, client, algorithms,
		offered, methods,
		outcome, seconds, detail, logged_in, fingerprint, session, user_id, ended_at, begin_seq)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (reference) DO NOTHING`,
		c.Reference, micros(c.At), c.Address, c.User, c.Client,
		c.Algorithms, jsonList(c.Offered), jsonList(c.Methods), c.Outcome, c.Detail, flag(c.LoggedIn), c.Fingerprint,
		c.Session, c.UserID, timeNull(c.EndedAt), number)
	return err
}

// EndConnection records how a session ended. number is its event's, from NumberConnectionEvents.
func (tx *Tx) EndConnection(c model.Connection, number int64) error {
	_, err := tx.book("EndConnection", `UPDATE connections SET outcome = $2, detail = $3, ended_at = $4, received = $5,
		sent = $6, end_seq = $7 WHERE reference = $1`,
		c.Reference, c.Outcome, c.Detail, timeNull(c.EndedAt), c.Received, c.Sent, number)
	return err
}

// Address holds the times of the last successful and the last failed log-in from an address; zero
// means never.
type Address struct {
	Address            string
	LastOK, LastFailed time.Time
}

// Address reads an address's row; the times of an unknown address are zero.
func (q *Q) Address(address string) (a Address, err error) {
	a.Address = address
	err = q.scanOne("Address", `SELECT COALESCE((SELECT last_ok FROM addresses WHERE address = $1), 0),
		COALESCE((SELECT last_failed FROM addresses WHERE address = $1), 0)`, []any{address},
		stampOrZero{&a.LastOK}, stampOrZero{&a.LastFailed})
	return a, err
}

// newestLogins is how many log-ins of a user are looked at for one from a network of IPv6 addresses.
const newestLogins = 1000

// LastLoginFrom returns when a user, by its name in any case, last logged in from an address, or from one that begins
// with network, if that is not ""; zero if never.
func (q *Q) LastLoginFrom(user, address, network string) (at time.Time, err error) {
	const stored = `COALESCE((SELECT name FROM users WHERE folded = $2), $1)`
	if network == "" {
		err = q.scanOne("LastLoginFrom", `SELECT COALESCE((SELECT MAX(at) FROM connections WHERE user_name = `+stored+`
			AND address = $3 AND logged_in = 1), 0)`, []any{user, valid.Fold(user), address}, stampOrZero{&at})
		return at, err
	}
	err = q.scanOne("LastLoginFrom", `SELECT COALESCE((SELECT MAX(at) FROM (SELECT at, address FROM connections
		WHERE user_name = `+stored+` AND logged_in = 1 ORDER BY at DESC LIMIT $5) c
		WHERE address = $3 OR SUBSTR(address, 1, LENGTH($4)) = $4), 0)`,
		[]any{user, valid.Fold(user), address, network, newestLogins}, stampOrZero{&at})
	return at, err
}

// FailedFrom counts, up to limit, a user's failed log-ins from an address after a time.
func (q *Q) FailedFrom(user, address string, after time.Time, limit int) (n int64, err error) {
	err = q.scanOne("FailedFrom", `SELECT COUNT(*) FROM (SELECT at FROM connections WHERE address = $1 AND at > $2
		AND user_name = COALESCE((SELECT name FROM users WHERE folded = $4), $3) AND logged_in = 0 LIMIT $5) c`,
		[]any{address, micros(after), user, valid.Fold(user), limit}, &n)
	return n, err
}

// SeenAddress merges newer times into an address's row; a zero time leaves the stored one.
func (tx *Tx) SeenAddress(a Address) error {
	_, err := tx.book("SeenAddress", `INSERT INTO addresses (address, last_ok, last_failed) VALUES ($1, $2, $3)
		ON CONFLICT (address) DO UPDATE SET last_ok = COALESCE(excluded.last_ok, addresses.last_ok),
		last_failed = COALESCE(excluded.last_failed, addresses.last_failed)`, a.Address,
		microsOrNull(a.LastOK), microsOrNull(a.LastFailed))
	return err
}

// Observation is something read or listed in a session.
type Observation struct {
	ID, Fingerprint, UserID, Session, Action, Path string
	Bytes, Times                                   int64
	Until                                          time.Time
}

const observationColumns = 9

// AddObservations records observations with one statement, a few dozen at most.
func (tx *Tx) AddObservations(list []Observation) error {
	if len(list) == 0 {
		return nil
	}
	args := make([]any, 0, len(list)*observationColumns)
	for _, o := range list {
		args = append(args, o.ID, o.Fingerprint, o.UserID, o.Session, o.Action, []byte(o.Path), o.Bytes, o.Times,
			micros(o.Until))
	}
	_, err := tx.book("AddObservations", `INSERT INTO activity (id, fingerprint, user_id, session, action, path, bytes,
		times, until) VALUES `+
		placeholders(len(list), observationColumns), args...)
	return err
}

// placeholders writes ($1, $2), ($3, $4), … for rows of columns.
func placeholders(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString("$")
		b.WriteString(strconv.Itoa(i + 1))
	}
	return b.String() + ")"
}

// ObservationsOf lists what a key read and listed after an id, in order.
func (q *Q) ObservationsOf(fingerprint, after string, limit int) ([]Observation, error) {
	return collect(q, "ObservationsOf", func(r *sql.Rows) (o Observation, err error) {
		var path []byte
		err = r.Scan(&o.ID, &o.Fingerprint, &o.UserID, &o.Session, &o.Action, &path, &o.Bytes, &o.Times,
			stamp{&o.Until})
		o.Path = string(path)
		return o, err
	}, `SELECT id, fingerprint, user_id, session, action, path, bytes, times, until FROM activity
		WHERE fingerprint = $1 AND id > $2 ORDER BY id LIMIT $3`, fingerprint, after, limit)
}

// Counter reads a named counter; 0 if it does not exist.
func (q *Q) Counter(name string) (n int64, err error) {
	err = q.scanOne("Counter", `SELECT COALESCE((SELECT value FROM counters WHERE name = $1), 0)`, []any{name}, &n)
	return n, err
}

// Count adds to a named counter.
func (tx *Tx) Count(name string, n int64) error {
	if n == 0 {
		return nil
	}
	if err := tx.take(rankCount, name); err != nil {
		return err
	}
	_, err := tx.book("Count", `INSERT INTO counters (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value`, name, n)
	return err
}

// Refused sums up failed log-ins of one user name for one reason.
type Refused struct {
	User, Outcome    string
	Times, Addresses int64
}

// RefusedBetween sums up the failed connections in [from, to), the most frequent first.
func (q *Q) RefusedBetween(from, to time.Time, limit int) ([]Refused, error) {
	return collect(q, "RefusedBetween", func(r *sql.Rows) (v Refused, err error) {
		err = r.Scan(&v.User, &v.Outcome, &v.Times, &v.Addresses)
		return v, err
	}, `SELECT user_name, outcome, COUNT(*), COUNT(DISTINCT address) FROM connections WHERE logged_in = 0 AND at >= $1
		AND at < $2
		GROUP BY user_name, outcome ORDER BY 3 DESC, 1, 2 LIMIT $3`, micros(from), micros(to),
		limit)
}
