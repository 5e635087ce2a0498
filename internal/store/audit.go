package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Audit writes the audit row of a change, in the change's transaction. Actor, Subject and Detail may
// hold any bytes that a client sent. Text columns and JSON cannot store these, so they are escaped.
func (tx *Tx) Audit(r model.AuditRow) error {
	detail := "{}"
	if len(r.Detail) > 0 {
		shown := make(map[string]string, len(r.Detail))
		for k, v := range r.Detail {
			shown[k] = valid.Printable(v)
		}
		b, err := json.Marshal(shown)
		if err != nil {
			return tx.s.wrap("Audit", err)
		}
		detail = string(b)
	}
	_, err := tx.book("Audit", `INSERT INTO audit (id, at, actor, action, subject, user_id, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		r.ID, micros(r.At), valid.Printable(r.Actor), r.Action, valid.Printable(r.Subject), r.User, detail)
	tx.audited = tx.audited || err == nil
	return err
}

const auditColumns = `SELECT id, at, actor, action, subject, user_id, detail FROM audit`

func scanAudit(r *sql.Rows) (a model.AuditRow, err error) {
	var detail string
	err = r.Scan(&a.ID, stamp{&a.At}, &a.Actor, &a.Action, &a.Subject, &a.User, &detail)
	_ = json.Unmarshal([]byte(detail), &a.Detail) // damaged JSON reads as no detail
	return a, err
}

// AuditOf lists up to limit audit rows of a user after an id, in their order.
func (q *Q) AuditOf(userID, after string, limit int) ([]model.AuditRow, error) {
	return collect(q, "AuditOf", scanAudit,
		sealedAndNot(auditColumns+` WHERE user_id = $1 AND id > $2`, "ORDER BY id LIMIT $3"), userID, after, limit)
}

// sealedAndNot returns a query for sealed and unsealed audit rows, as a union of two queries. The
// indexes cover sealed rows only; unsealed rows are few and are found by id. selected must end with
// its conditions.
func sealedAndNot(selected, order string) string {
	return `SELECT * FROM (` + selected + ` AND seq IS NOT NULL ` + order + `) AS sealed UNION ALL
		SELECT * FROM (` + selected + ` AND seq IS NULL ` + order + `) AS unsealed ` + order
}

// Audited reports whether an audit row exists, which means that its change took effect.
func (q *Q) Audited(id string) (bool, error) {
	var n int64
	err := q.scanOne("Audited", `SELECT COUNT(*) FROM audit WHERE id = $1`, []any{id}, &n)
	return n > 0, err
}

// LogRow is an audit row as it is sealed: Detail is the stored text.
type LogRow struct {
	Seq                                  int64 // -1 while it is not sealed
	ID                                   string
	At                                   time.Time
	Actor, Action, Subject, User, Detail string
}

const logColumns = `SELECT COALESCE(seq, -1), id, at, actor, action, subject, user_id, detail FROM audit`

func scanLogRow(r *sql.Rows) (v LogRow, err error) {
	err = r.Scan(&v.Seq, &v.ID, stamp{&v.At}, &v.Actor, &v.Action, &v.Subject, &v.User, &v.Detail)
	return v, err
}

// Unsealed lists up to limit rows that have no number yet, in the order of their ids.
func (q *Q) Unsealed(limit int) ([]LogRow, error) {
	return collect(q, "Unsealed", scanLogRow, logColumns+` WHERE seq IS NULL ORDER BY id LIMIT $1`, limit)
}

// CountUnsealed returns the number of unsealed rows and the time of the oldest; zero if there are
// none.
func (q *Q) CountUnsealed() (n int64, oldest time.Time, err error) {
	err = q.scanOne("CountUnsealed", `SELECT COUNT(*), COALESCE(MIN(at), 0) FROM audit WHERE seq IS NULL`, nil, &n,
		stampOrZero{&oldest})
	return n, oldest, err
}

// LogRows lists sealed rows from a number on, in the log's order.
func (q *Q) LogRows(from int64, limit int) ([]LogRow, error) {
	return collect(q, "LogRows", scanLogRow, logColumns+` WHERE seq >= $1 ORDER BY seq LIMIT $2`, from, limit)
}

// LogActions lists up to limit sealed rows with numbers in [from, to) and one of some actions, in the log's order.
func (q *Q) LogActions(from, to int64, actions []string, limit int) ([]LogRow, error) {
	args, marks := []any{from, to, limit}, make([]string, len(actions))
	for i, a := range actions {
		args, marks[i] = append(args, a), fmt.Sprintf("$%d", i+4)
	}
	return collect(q, "LogActions", scanLogRow, logColumns+` WHERE seq >= $1 AND seq < $2 AND action IN (`+
		strings.Join(marks, ", ")+`) ORDER BY seq LIMIT $3`, args...)
}

// LogFilter selects audit rows. An empty field selects all.
type LogFilter struct {
	Since, Until         time.Time // Since is inclusive, Until is exclusive
	Actor, User, Subject string    // User is an id
	Action               string    // may end in *
}

// LogPage lists audit rows, sealed or not, the newest first, one page of them. A condition
// is in the statement only if it is asked for, so that its index is used.
func (q *Q) LogPage(f LogFilter, p model.Paging) ([]LogRow, error) {
	where, args := []string{"id < $1"}, []any{before(p)}
	add := func(condition string, v any) {
		args = append(args, v)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if !f.Since.IsZero() {
		add("id >= $%d", exchange.FirstID(f.Since))
	}
	if !f.Until.IsZero() {
		add("id < $%d", exchange.FirstID(f.Until))
	}
	for _, c := range []struct{ column, v string }{{"actor", f.Actor}, {"user_id", f.User}, {"subject", f.Subject}} {
		if c.v != "" {
			add(c.column+" = $%d", c.v)
		}
	}
	if prefix, many := strings.CutSuffix(f.Action, "*"); many {
		add("substr(action, 1, length($%[1]d)) = $%[1]d", prefix)
	} else if f.Action != "" {
		add("action = $%d", f.Action)
	}
	args = append(args, most(p))
	return collect(q, "LogPage", scanLogRow, sealedAndNot(logColumns+` WHERE `+strings.Join(where, " AND "),
		fmt.Sprintf("ORDER BY id DESC LIMIT $%d", len(args))), args...)
}

// SeqRange returns the least and the greatest number of a row; 0 and -1 for an empty log.
func (q *Q) SeqRange() (least, greatest int64, err error) {
	err = q.scanOne("SeqRange", `SELECT COALESCE((SELECT MIN(seq) FROM audit WHERE seq IS NOT NULL), 0),
		COALESCE((SELECT MAX(seq) FROM audit WHERE seq IS NOT NULL), -1)`, nil, &least, &greatest)
	return least, greatest, err
}

// LogAt returns the number of the first sealed row written at or after a time, or size if there is
// none.
func (q *Q) LogAt(at time.Time, size int64) (seq int64, err error) {
	err = q.scanOne("LogAt", `SELECT COALESCE((SELECT MIN(seq) FROM audit WHERE seq IS NOT NULL AND id >= $1), $2)`,
		[]any{exchange.FirstID(at), size}, &seq)
	return seq, err
}

// LockCounter reads a counter and holds its gate until the transaction ends.
func (tx *Tx) LockCounter(name string) (n int64, err error) {
	if err = tx.gate("LockCounter", name, false); err == nil {
		n, err = tx.Counter(name)
	}
	return n, err
}

// ShareCounter holds a counter's gate in shared mode until the transaction ends: it excludes
// LockCounter, but not other calls of ShareCounter.
func (tx *Tx) ShareCounter(name string) error { return tx.gate("ShareCounter", name, true) }

// SetCounter gives a counter a value.
func (tx *Tx) SetCounter(name string, n int64) error {
	return tx.bookOne("SetCounter", `UPDATE counters SET value = $2 WHERE name = $1`, name, n)
}

// sealAtOnce bounds the parameters of one statement.
const sealAtOnce = 250

// NumberRows numbers audit rows from first on. It fails as Conflict if one of them has a number
// already.
func (tx *Tx) NumberRows(rows []LogRow, first int64) error {
	for len(rows) > 0 {
		n := min(len(rows), sealAtOnce)
		var b strings.Builder
		args := make([]any, 0, 2*n)
		for i, r := range rows[:n] {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "(CAST($%d AS TEXT), CAST($%d AS BIGINT))", 2*i+1, 2*i+2)
			args = append(args, r.ID, first+int64(i))
		}
		done, err := tx.book("NumberRows", `WITH v (id, seq) AS (VALUES `+b.String()+`)
			UPDATE audit SET seq = v.seq FROM v WHERE audit.id = v.id AND audit.seq IS NULL`, args...)
		if err != nil {
			return err
		}
		if done != int64(n) {
			return fault.E("store.NumberRows", fault.Conflict, "Somebody else is sealing.")
		}
		rows, first = rows[n:], first+int64(n)
	}
	return nil
}

// AddHashes appends hashes of the log's tree, from an index on.
func (tx *Tx) AddHashes(first int64, hashes [][]byte) error {
	for len(hashes) > 0 {
		n := min(len(hashes), sealAtOnce)
		args := make([]any, 0, 2*n)
		for i, h := range hashes[:n] {
			args = append(args, first+int64(i), h)
		}
		if _, err := tx.book("AddHashes", `INSERT INTO audit_hashes (idx, hash) VALUES `+placeholders(n, 2),
			args...); err != nil {
			return err
		}
		hashes, first = hashes[n:], first+int64(n)
	}
	return nil
}

// Hash reads one hash of the log's tree by its index.
func (q *Q) Hash(idx int64) (h []byte, err error) {
	err = q.scanOne("Hash", `SELECT hash FROM audit_hashes WHERE idx = $1`, []any{idx}, &h)
	return h, err
}

// Checkpoint is a signed statement of the log's size and content at a time.
type Checkpoint struct {
	Size int64
	At   time.Time
	Note string
	Sent bool
}

const checkpointColumns = `SELECT size, at, note, sent FROM checkpoints`

func scanCheckpoint(r *sql.Rows) (c Checkpoint, err error) {
	err = r.Scan(&c.Size, stamp{&c.At}, &c.Note, &c.Sent)
	return c, err
}

// AddCheckpoint records a checkpoint.
func (tx *Tx) AddCheckpoint(c Checkpoint) error {
	_, err := tx.book("AddCheckpoint", `INSERT INTO checkpoints (size, at, note, sent) VALUES ($1, $2, $3, 0)`, c.Size,
		micros(c.At), c.Note)
	return err
}

// LastCheckpoint returns the newest checkpoint; NotFound before the first.
func (q *Q) LastCheckpoint() (Checkpoint, error) {
	return one(q, "LastCheckpoint", scanCheckpoint, checkpointColumns+` ORDER BY size DESC LIMIT 1`)
}

// CheckpointUntil returns the newest checkpoint made at or before a time.
func (q *Q) CheckpointUntil(at time.Time) (Checkpoint, error) {
	return one(q, "CheckpointUntil", scanCheckpoint, checkpointColumns+` WHERE at <= $1 ORDER BY size DESC LIMIT 1`,
		micros(at))
}

// CheckpointBelow returns the newest checkpoint of a log shorter than size.
func (q *Q) CheckpointBelow(size int64) (Checkpoint, error) {
	return one(q, "CheckpointBelow", scanCheckpoint, checkpointColumns+` WHERE size < $1 ORDER BY size DESC LIMIT 1`, size)
}

// CheckpointsAfter lists checkpoints of logs longer than size, in order.
func (q *Q) CheckpointsAfter(size int64, limit int) ([]Checkpoint, error) {
	return collect(q, "CheckpointsAfter", scanCheckpoint, checkpointColumns+` WHERE size > $1 ORDER BY size LIMIT $2`,
		size, limit)
}

// CheckpointSent records that a checkpoint has left the machine.
func (tx *Tx) CheckpointSent(size int64) error {
	return tx.bookOne("CheckpointSent", `UPDATE checkpoints SET sent = 1 WHERE size = $1`, size)
}

// LastSent returns when the newest checkpoint that has left the machine was made; zero if none has
// left it.
func (q *Q) LastSent() (at time.Time, err error) {
	err = q.scanOne("LastSent", `SELECT COALESCE((SELECT MAX(at) FROM checkpoints WHERE sent = 1), 0)`, nil,
		stampOrZero{&at})
	return at, err
}

// DropCheckpoints removes checkpoints by size.
func (tx *Tx) DropCheckpoints(sizes []int64) error {
	for _, size := range sizes {
		if _, err := tx.book("DropCheckpoints", `DELETE FROM checkpoints WHERE size = $1`, size); err != nil {
			return err
		}
	}
	return nil
}

// ExpireAudit deletes up to pruneAtOnce sealed rows with numbers below a bound, and returns how many.
// Their hashes stay.
func (tx *Tx) ExpireAudit(below int64) (int64, error) {
	return tx.book("ExpireAudit", `DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq IS NOT NULL AND seq < $1
		ORDER BY seq LIMIT $2)`, below, pruneAtOnce)
}

// TakeLease gives the named lease to holder until a time, unless another holder has it and it has not
// expired. It reports whether holder has the lease now.
func (tx *Tx) TakeLease(name, holder string, now, until time.Time) (bool, error) {
	n, err := tx.book("TakeLease", `INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE leases.holder = excluded.holder OR leases.until < $4`, name, holder, micros(until),
		micros(now))
	return n == 1, err
}
