package store

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// pruneAtOnce is how many rows one call removes at most, so that no other
// writer waits long.
const pruneAtOnce = 2000

// PruneConnections removes records from before a time.
func (tx *Tx) PruneConnections(before time.Time) (int64, error) {
	return tx.book("PruneConnections", `DELETE FROM connections
		WHERE reference IN (SELECT reference FROM connections WHERE at < $1 LIMIT $2)`, micros(before), pruneAtOnce)
}

// FailedEdge returns the time of the keep-th most recent failed connection, or zero if there are
// fewer. Older ones may be pruned.
func (q *Q) FailedEdge(keep int64) (at time.Time, err error) {
	err = q.scanOne("FailedEdge", `SELECT COALESCE((SELECT at FROM connections WHERE logged_in = 0 ORDER BY at DESC
		LIMIT 1 OFFSET $1), 0)`,
		[]any{max(keep-1, 0)}, stampOrZero{&at})
	return at, err
}

// PruneFailed removes failed connections from before a time. They are limited apart, so that a flood
// of them does not push out the records of log-ins.
func (tx *Tx) PruneFailed(before time.Time) (int64, error) {
	return tx.book("PruneFailed", `DELETE FROM connections WHERE reference IN
		(SELECT reference FROM connections WHERE logged_in = 0 AND at < $1 LIMIT $2)`, micros(before), pruneAtOnce)
}

// PruneAddresses removes addresses not seen since a time.
func (tx *Tx) PruneAddresses(before time.Time) (int64, error) {
	return tx.book("PruneAddresses", `DELETE FROM addresses WHERE address IN
		(SELECT address FROM addresses WHERE COALESCE(last_ok, 0) < $1 AND COALESCE(last_failed, 0) < $1 LIMIT $2)`,
		micros(before), pruneAtOnce)
}

// StrangerEdge returns the last-failure time of the keep-th most recent address that never logged in,
// or zero if there are fewer. Older ones may be pruned.
func (q *Q) StrangerEdge(keep int64) (at time.Time, err error) {
	err = q.scanOne("StrangerEdge", `SELECT COALESCE((SELECT last_failed FROM addresses WHERE last_ok IS NULL
		ORDER BY last_failed DESC LIMIT 1 OFFSET $1), 0)`,
		[]any{max(keep-1, 0)}, stampOrZero{&at})
	return at, err
}

// PruneStrangers removes addresses that never logged in and last failed before a time.
func (tx *Tx) PruneStrangers(before time.Time) (int64, error) {
	return tx.book("PruneStrangers", `DELETE FROM addresses WHERE address IN
		(SELECT address FROM addresses WHERE last_ok IS NULL AND last_failed < $1 LIMIT $2)`, micros(before), pruneAtOnce)
}

// PruneBans removes bans that ended before a time.
func (tx *Tx) PruneBans(before time.Time) (int64, error) {
	return tx.book("PruneBans", `DELETE FROM bans WHERE until < $1`, micros(before))
}

// ObservationEdge returns the id of the keep-th newest observation, or an id that sorts before all if
// there are fewer. Older ones may be pruned.
func (q *Q) ObservationEdge(keep int64) (id string, err error) {
	err = q.scanOne("ObservationEdge", `SELECT COALESCE((SELECT id FROM activity ORDER BY id DESC LIMIT 1 OFFSET $1), $2)`,
		[]any{max(keep-1, 0), exchange.FirstID(fromMicros(0))}, &id)
	return id, err
}

// PruneObservations removes observations from before an id.
func (tx *Tx) PruneObservations(before string) (int64, error) {
	return tx.book("PruneObservations", `DELETE FROM activity
		WHERE id IN (SELECT id FROM activity WHERE id < $1 ORDER BY id LIMIT $2)`, before, pruneAtOnce)
}
