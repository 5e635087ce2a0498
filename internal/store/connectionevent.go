package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// connectionEvents is the counter of what happened to connections: log-ins, refusals, ends of sessions.
const connectionEvents = "connection.events"

// NumberConnectionEvents takes n numbers, and returns the first. The counter's row is held until the transaction
// ends, so whoever takes the next numbers commits later: a reader that has seen a number has seen, or could have
// seen, every lower one, and no number appears behind it. Numbers may have gaps: of records that were written
// already, and of those that were pruned.
func (tx *Tx) NumberConnectionEvents(n int) (first int64, err error) {
	if n == 0 {
		return 0, nil
	}
	if err = tx.Count(connectionEvents, int64(n)); err != nil {
		return 0, err
	}
	last, err := tx.Counter(connectionEvents)
	return last - int64(n) + 1, err
}

// LastConnectionEvent returns the greatest number that was taken; 0 before the first.
func (q *Q) LastConnectionEvent() (int64, error) { return q.Counter(connectionEvents) }

// ConnectionEvent is something that happened to a connection. Of a session that has ended, the log-in has the
// record's present outcome.
type ConnectionEvent struct {
	Number int64
	Ended  bool // the end of a session; else a log-in or a refusal
	model.Connection
}

// At returns when it happened.
func (e ConnectionEvent) At() time.Time {
	if e.Ended && e.EndedAt != nil {
		return *e.EndedAt
	}
	return e.Connection.At
}

// ConnectionEvents lists up to limit events with numbers above after, in their order.
func (q *Q) ConnectionEvents(after int64, limit int) ([]ConnectionEvent, error) {
	return collect(q, "ConnectionEvents", func(r *sql.Rows) (e ConnectionEvent, err error) {
		e.Connection, err = scanConnectionAfter(r, &e.Number, &e.Ended)
		return e, err
	}, `SELECT * FROM (SELECT begin_seq AS number, 0 AS ended, `+eventColumns+` FROM connections
			WHERE begin_seq > $1 ORDER BY begin_seq LIMIT $2) AS begun
		UNION ALL SELECT * FROM (SELECT end_seq AS number, 1 AS ended, `+eventColumns+` FROM connections
			WHERE end_seq > $1 ORDER BY end_seq LIMIT $2) AS ended
		ORDER BY number LIMIT $2`, after, limit)
}

const eventColumns = `reference, at, address, user_name, client, algorithms, offered, methods, outcome, detail,
	logged_in, fingerprint, session, user_id, ended_at, received, sent`
