package store

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// DropState returns the state of a version's drop; "" if the version is not a drop.
func (q *Q) DropState(versionID string) (state model.DropState, err error) {
	err = q.scanOne("DropState", `SELECT COALESCE((SELECT state FROM drops WHERE id = $1), '')`, []any{versionID}, &state)
	return state, err
}

// LockDropState is DropState, and holds the row until the transaction ends, so that the drop cannot be
// claimed meanwhile.
func (tx *Tx) LockDropState(versionID string) (state model.DropState, err error) {
	if err := tx.take(rankDrop, versionID); err != nil {
		return "", err
	}
	err = tx.scanOne("LockDropState", `SELECT state FROM drops WHERE id = $1 `+tx.s.dialect.lock, []any{versionID}, &state)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	return state, err
}

// LockDrops holds the rows of those versions that are drops, in the order of their ids. A transaction
// that needs several drops calls it before it takes any lock that ranks after drops.
func (tx *Tx) LockDrops(versionIDs []string) error {
	for _, id := range slices.Sorted(slices.Values(versionIDs)) {
		if _, err := tx.LockDropState(id); err != nil {
			return err
		}
	}
	return nil
}

// SupersedeDrop marks an unclaimed drop as replaced by a newer upload.
func (tx *Tx) SupersedeDrop(versionID string) error {
	_, err := tx.exec("SupersedeDrop", `UPDATE drops SET state = 'superseded' WHERE id = $1
		AND state IN ('new', 'unscanned')`, versionID)
	return err
}

// WithdrawDrop notes that the uploader removed the name; the drop stays.
func (tx *Tx) WithdrawDrop(versionID string) error {
	_, err := tx.exec("WithdrawDrop", `UPDATE drops SET withdrawn = 1 WHERE id = $1`, versionID)
	return err
}

// DropRemoved records that retention removed a drop's bytes. A version that is not a drop is left
// alone.
func (tx *Tx) DropRemoved(versionID string, at time.Time) error {
	_, err := tx.exec("DropRemoved", `UPDATE drops SET removed_at = $2, pending = '' WHERE id = $1`, versionID,
		micros(at))
	return err
}

// The bytes of a superseded drop may be gone, so the query does not join versions or blobs.
const dropColumns = `SELECT d.id, d.user_id, u.name, u.account_id, COALESCE(u.vendor, ''), d.path, d.size, d.sha256,
	d.fingerprint, d.address,
	d.state, d.withdrawn, d.received_at, d.duplicate, d.duplicate_of, d.claim, d.consumer, d.claim_until, d.settled_at,
	d.reason, d.advice, d.removed_at,
	d.cleared, d.ready_at, d.flag
	FROM drops d JOIN users u ON u.id = d.user_id`

func scanDrop(r *sql.Rows) (d model.Drop, err error) {
	var path, sum []byte
	var ready time.Time
	err = r.Scan(&d.ID, &d.UserID, &d.User, &d.Account, &d.Vendor, &path, &d.Size, &sum, &d.Fingerprint, &d.Address,
		&d.State, &d.Withdrawn, stamp{&d.ReceivedAt}, &d.Duplicate, &d.DuplicateOf, &d.Claim, &d.Consumer,
		stampPtr{&d.ClaimUntil}, stampPtr{&d.SettledAt}, &d.Reason, &d.Advice, stampPtr{&d.RemovedAt}, &d.Cleared,
		stamp{&ready}, &d.Flag)
	d.Path, d.Raw = valid.Text(string(path))
	d.SHA256 = hex.EncodeToString(sum)
	if micros(ready) > 0 {
		d.ReadyAt = &ready
	}
	return d, err
}

// dropMarks are conditions for what is said beside a drop's state.
var dropMarks = map[model.DropState]string{
	model.DropWithdrawn:  `d.withdrawn = 1`,
	model.DropRemoved:    `d.removed_at IS NOT NULL`,
	model.DropDuplicate:  `d.duplicate <> ''`,
	model.DropUnexpected: `d.flag <> ''`,
}

// Drops lists drops in the order they came, one page of them.
func (q *Q) Drops(f model.DropFilter) ([]model.Drop, error) {
	page := pageOf("d.id", f.Paging, f.Reverse)
	inState := `($2 = '' OR d.state = $2)`
	if mark := dropMarks[f.State]; mark != "" {
		inState = `$2 <> '' AND ` + mark
	}
	args := []any{page.cursor, f.State, valid.Fold(f.User), valid.Fold(f.Account), most(f.Paging)}
	more := ""
	add := func(condition string, v any) {
		args = append(args, v)
		more += fmt.Sprintf(condition, len(args))
	}
	if !f.Since.IsZero() { // an id is of when the upload began, so the first is looked up
		add(` AND d.id >= COALESCE((SELECT MIN(id) FROM drops WHERE received_at >= $%d), '`+lastID+`')`, micros(f.Since))
		add(` AND +d.received_at >= $%d`, micros(f.Since))
	}
	if !f.Until.IsZero() {
		add(` AND +d.received_at < $%d`, micros(f.Until))
	}
	if f.Name != "" {
		add(` AND d.name = $%d`, []byte(f.Name))
	}
	return collect(q, "Drops", scanDrop, dropColumns+` WHERE `+page.after+` AND `+inState+`
		AND ($3 = '' OR u.folded = $3)
		AND ($4 = '' OR LOWER(u.account_id) = $4)`+more+page.order+` LIMIT $5`, args...)
}

// WaitingDrops lists one page of a user's drops that a consumer may see at a time, in the order they
// came. Such drops are cleared, still have their bytes and have a final name; they are unclaimed,
// claimed by this consumer, or their claim has expired. name, unless it is "", selects drops by the
// last part of their path.
func (q *Q) WaitingDrops(userID, consumer, name string, now time.Time, p model.Paging) ([]model.Drop, error) {
	byName, args := "", []any{userID, consumer, micros(now), p.Cursor, most(p)}
	if name != "" {
		byName, args = " AND d.name = $6", append(args, []byte(name))
	}
	return collect(q, "WaitingDrops", scanDrop, dropColumns+` WHERE d.user_id = $1 AND d.id > $4 AND d.cleared = 1
		AND d.removed_at IS NULL
		AND COALESCE(d.ready_at, 0) = 0
		AND (d.state = 'new' OR d.state = 'claimed' AND (d.consumer = $2 OR d.claim_until <= $3))`+byName+
		` ORDER BY d.id LIMIT $5`, args...)
}

// Drop finds one drop.
func (q *Q) Drop(id string) (model.Drop, error) {
	return one(q, "Drop", scanDrop, dropColumns+` WHERE d.id = $1`, id)
}

// LockDrop finds one drop and holds its row.
func (tx *Tx) LockDrop(id string) (model.Drop, error) {
	if err := tx.take(rankDrop, id); err != nil {
		return model.Drop{}, err
	}
	lock := tx.s.dialect.lock
	if lock != "" {
		lock += " OF d"
	}
	return one(&tx.Q, "LockDrop", scanDrop, dropColumns+` WHERE d.id = $1 `+lock, id)
}

// Claimable lists up to f.Limit drops that may be claimed now and holds their rows: first drops whose
// claim has expired, then drops in state, the oldest first. Rows held by other transactions are
// skipped. scanner, unless it is "", selects drops that wait for this scanner.
func (tx *Tx) Claimable(state model.DropState, scanner string, f model.DropFilter,
	now time.Time) ([]model.Drop, error) {
	lock := tx.s.dialect.lock
	if lock != "" {
		lock += " OF d SKIP LOCKED"
	}
	chosen := ` AND ($2 = '' OR u.folded = $2) AND ($3 = '' OR LOWER(u.account_id) = $3) AND d.removed_at IS NULL
		AND ($4 = '' OR d.scanner = $4)`
	late, err := collect(&tx.Q, "Claimable", scanDrop,
		dropColumns+` WHERE d.state = 'claimed' AND d.cleared = $1`+chosen+` AND d.claim_until <= $5
		ORDER BY d.claim_until LIMIT $6 `+lock, flag(state == model.DropNew), valid.Fold(f.User), valid.Fold(f.Account),
		scanner, micros(now), f.Limit)
	if err != nil || len(late) == f.Limit {
		return late, err
	}
	fresh, err := collect(&tx.Q, "Claimable", scanDrop,
		dropColumns+` WHERE d.state = $1`+chosen+` AND d.ready_at = 0 ORDER BY d.id LIMIT $5 `+lock, state,
		valid.Fold(f.User), valid.Fold(f.Account), scanner, f.Limit-len(late))
	return append(late, fresh...), err
}

// ClaimDrop gives a drop to a consumer until a time.
func (tx *Tx) ClaimDrop(id, claim, consumer string, until time.Time) error {
	return tx.execOne("ClaimDrop", `UPDATE drops SET state = 'claimed', claim = $2, consumer = $3, claim_until = $4
		WHERE id = $1`, id, claim, consumer, micros(until))
}

// SettleDrop ends a drop's claim and sets its state: new, unscanned, acked or rejected. pending names
// the work that is left in its uploader's mailbox; "" for none.
func (tx *Tx) SettleDrop(d model.Drop, cleared bool, by, pending string) error {
	return tx.execOne("SettleDrop", `UPDATE drops SET state = $2, claim = '', consumer = $3, claim_until = NULL,
		settled_at = $4, settled_by = $5,
		reason = $6, advice = $7, cleared = $8, pending = $9 WHERE id = $1`, d.ID, d.State, d.Consumer,
		timeNull(d.SettledAt),
		by, d.Reason, d.Advice, flag(cleared), pending)
}

// FlagDrop notes what is not as expected about a drop; "" for nothing.
func (tx *Tx) FlagDrop(id, words string) error {
	return tx.execOne("FlagDrop", `UPDATE drops SET flag = $2 WHERE id = $1`, id, words)
}

// PendingUsers lists the users with drops that have pending work of a kind (SettleDrop).
func (q *Q) PendingUsers(what string) ([]string, error) {
	// "<> ''" makes the partial index on pending drops usable.
	return collect(q, "PendingUsers", scanString,
		`SELECT DISTINCT user_id FROM drops WHERE pending <> '' AND pending = $1`, what)
}

// PendingDrops lists a user's drops with pending work of a kind, settled at or before a time, in the
// order they were settled. It begins after a drop; the zero Drop begins with the first.
func (q *Q) PendingDrops(what, userID string, until time.Time, after model.Drop, limit int) ([]model.Drop, error) {
	from := int64(-1)
	if after.SettledAt != nil {
		from = micros(*after.SettledAt)
	}
	return collect(q, "PendingDrops", scanDrop, dropColumns+` WHERE d.pending <> '' AND d.pending = $1 AND d.user_id = $2
		AND d.settled_at <= $3
		AND (d.settled_at, d.id) > ($4, $5) ORDER BY d.settled_at, d.id LIMIT $6`, what, userID, micros(until), from,
		after.ID, limit)
}

// PendingDone records that a drop has no pending work.
func (tx *Tx) PendingDone(id string) error {
	return tx.bookOne("PendingDone", `UPDATE drops SET pending = '' WHERE id = $1`, id)
}

// DropsBetween lists up to 10,000 drops of a user received in [from, to), in the order received,
// without withdrawn and superseded ones, and those that were refused for what was expected
// (exchange.OddConsumer).
func (q *Q) DropsBetween(userID string, from, to time.Time) ([]Came, error) {
	return collect(q, "DropsBetween", func(r *sql.Rows) (c Came, err error) {
		var b []byte
		err = r.Scan(&c.ID, &b, &c.Size, stamp{&c.At})
		c.Name, c.Version = path.Base(string(b)), c.ID
		return c, err
	}, `SELECT id, path, size, received_at FROM drops WHERE user_id = $1 AND received_at >= $2 AND received_at < $3
		AND withdrawn = 0 AND state <> 'superseded' AND NOT (state = 'rejected' AND consumer = 'system:expect')
		ORDER BY received_at LIMIT 10000`, userID, micros(from), micros(to))
}

// Unscanned counts the drops that wait for a scanner, by the scanner's name.
func (q *Q) Unscanned() (map[string]int64, error) {
	out := map[string]int64{}
	_, err := collect(q, "Unscanned", func(r *sql.Rows) (struct{}, error) {
		var name string
		var n int64
		err := r.Scan(&name, &n)
		out[name] = n
		return struct{}{}, err
	}, `SELECT scanner, COUNT(*) FROM drops WHERE state = 'unscanned' GROUP BY scanner`)
	return out, err
}

// ClearSome makes up to limit drops that wait for a scanner new without a scan, also those that a
// scanner has claimed, and returns how many. A result below limit means that none is left.
func (tx *Tx) ClearSome(limit int) (int64, error) {
	ids, err := tx.lockRows("ClearSome", rankDrop,
		`SELECT id FROM (SELECT id FROM drops WHERE state = 'unscanned' OR state = 'claimed' AND cleared = 0
		ORDER BY id LIMIT $1) d ORDER BY id`, limit)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := tx.execOne("ClearSome", `UPDATE drops SET state = 'new', cleared = 1, claim = '', consumer = '',
			claim_until = NULL WHERE id = $1`, id); err != nil {
			return 0, err
		}
	}
	return int64(len(ids)), nil
}
