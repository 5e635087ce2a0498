package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// Counts are a mailbox's counts, or what a change adds to them.
type Counts struct {
	Bytes, Files int64 // visible

	// What the user keeps alive: contents that the user uploaded (Blob.Owner) and that are not swept
	// yet, visible or not, and directories that are not fixed.
	KeptBytes, KeptContents, Dirs int64
}

// KeptItems is the number to which the limit on items applies.
func (c *Counts) KeptItems() int64 { return c.KeptContents + c.Dirs }

// Usage is what a mailbox counts, and its own limits; a limit of 0 means the
// configured default.
type Usage struct {
	model.StorageLimits
	Counts
	Tree int64 // grows with each change of the mailbox's directories; 0: not known
}

const usageColumns = `m.used_bytes, m.used_files, COALESCE(m.quota_bytes, 0), COALESCE(m.quota_files, 0),
	m.kept_bytes, m.kept_contents, m.dirs, COALESCE(m.keep_bytes, 0), COALESCE(m.keep_items, 0), m.tree`

func (u *Usage) dest() []any {
	return []any{&u.Bytes, &u.Files, &u.QuotaBytes, &u.QuotaFiles, &u.KeptBytes, &u.KeptContents, &u.Dirs, &u.KeepBytes,
		&u.KeepItems, &u.Tree}
}

// Usage reads a mailbox's use.
func (q *Q) Usage(userID string) (Usage, error) { return q.usage("Usage", userID, "") }

// LockMailbox reads a mailbox's use and holds its row until the transaction
// ends, so that changes of one tree happen one after another.
func (tx *Tx) LockMailbox(userID string) (Usage, error) {
	if err := tx.take(rankMailbox, userID); err != nil {
		return Usage{}, err
	}
	return tx.usage("LockMailbox", userID, tx.s.dialect.lock)
}

func (q *Q) usage(op, userID, lock string) (u Usage, err error) {
	err = q.scanOne(op, `SELECT `+usageColumns+` FROM mailboxes m WHERE m.user_id = $1 `+lock, []any{userID}, u.dest()...)
	return u, err
}

// Use adds to a mailbox's counts, and holds its row as LockMailbox does. It fails as Quota if the
// visible bytes or files would grow past the quota in limits; it does not check the limits on what is
// kept, which callers do. The counts are derived from other rows, so Use needs no audit row.
func (tx *Tx) Use(userID string, add Counts, limits model.StorageLimits) error {
	if err := tx.take(rankMailbox, userID); err != nil {
		return err
	}
	n, err := tx.book("Use", `UPDATE mailboxes SET used_bytes = used_bytes + $2, used_files = used_files + $3,
		kept_bytes = kept_bytes + $6, kept_contents = kept_contents + $7, dirs = dirs + $8
		WHERE user_id = $1 AND ($2 <= 0 OR used_bytes + $2 <= $4) AND ($3 <= 0 OR used_files + $3 <= $5)`,
		userID, add.Bytes, add.Files, limits.QuotaBytes, limits.QuotaFiles, add.KeptBytes, add.KeptContents, add.Dirs)
	if err == nil && n == 0 {
		return fault.E("store.Use", fault.Quota, "Quota exceeded.")
	}
	return err
}

// AccountUse is what an account's users keep alive together, and the account's own limits; a limit of
// 0 means the configured default.
type AccountUse struct {
	Bytes, Items         int64
	KeepBytes, KeepItems int64
}

// AccountKept adds up what the users of an account keep alive.
func (q *Q) AccountKept(account string) (k AccountUse, err error) {
	err = q.scanOne("AccountKept", `SELECT CAST(COALESCE(SUM(m.kept_bytes), 0) AS BIGINT),
		CAST(COALESCE(SUM(m.kept_contents + m.dirs), 0) AS BIGINT),
		COALESCE(MAX(a.keep_bytes), 0), COALESCE(MAX(a.keep_items), 0)
		FROM accounts a LEFT JOIN users u ON u.account_id = a.id LEFT JOIN mailboxes m ON m.user_id = u.id WHERE a.id = $1`,
		[]any{account}, &k.Bytes, &k.Items, &k.KeepBytes, &k.KeepItems)
	return k, err
}

// Keeper is a user with what it keeps alive.
type Keeper struct {
	UserID, User, Account string
	Usage
	Near time.Time // when the operator was told that a limit is near; zero: it is not
}

// Keepers lists every user that keeps anything alive, or that has Near set.
func (q *Q) Keepers() ([]Keeper, error) {
	return collect(q, "Keepers", func(r *sql.Rows) (k Keeper, err error) {
		err = r.Scan(append([]any{&k.UserID, &k.User, &k.Account, stampOrZero{&k.Near}}, k.dest()...)...)
		return k, err
	}, `SELECT u.id, u.name, u.account_id, m.near_at, `+usageColumns+` FROM mailboxes m JOIN users u ON u.id = m.user_id
		WHERE m.kept_contents + m.dirs > 0 OR m.near_at > 0 ORDER BY u.id`)
}

// AccountLimit is an account's own limits on what is kept, 0 for the configured
// ones, and when the operator was told that one is near.
type AccountLimit struct {
	KeepBytes, KeepItems int64
	Near                 time.Time
}

// AccountLimits returns the limits of accounts that have any, or that have Near set, by account id.
func (q *Q) AccountLimits() (map[string]AccountLimit, error) {
	out := map[string]AccountLimit{}
	_, err := collect(q, "AccountLimits", func(r *sql.Rows) (struct{}, error) {
		var id string
		var l AccountLimit
		err := r.Scan(&id, &l.KeepBytes, &l.KeepItems, stampOrZero{&l.Near})
		out[id] = l
		return struct{}{}, err
	}, `SELECT id, COALESCE(keep_bytes, 0), COALESCE(keep_items, 0), near_at FROM accounts
		WHERE near_at > 0 OR keep_bytes IS NOT NULL OR keep_items IS NOT NULL`)
	return out, err
}

// SetUserNear notes when the operator was told that a user's limit is near.
func (tx *Tx) SetUserNear(userID string, at time.Time) error {
	if err := tx.take(rankMailbox, userID); err != nil {
		return err
	}
	return tx.bookOne("SetUserNear", `UPDATE mailboxes SET near_at = $2 WHERE user_id = $1`, userID, microsOrZero(at))
}

// SetAccountNear is SetUserNear for an account.
func (tx *Tx) SetAccountNear(account string, at time.Time) error {
	return tx.bookOne("SetAccountNear", `UPDATE accounts SET near_at = $2 WHERE id = $1`, account, microsOrZero(at))
}
