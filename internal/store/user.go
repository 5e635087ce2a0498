package store

import (
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const userColumns = `SELECT u.id, u.name, u.kind, u.account_id, COALESCE(u.vendor, ''), u.enabled, u.start_dir,
	u.allow_ips, u.feeds_may, u.tags,
	u.created_at, ` + usageColumns + `
	FROM users u JOIN mailboxes m ON m.user_id = u.id`

func scanUser(r *sql.Rows) (u model.User, err error) {
	var ips, tags string
	var use Usage
	err = r.Scan(append([]any{&u.ID, &u.Name, &u.Kind, &u.Account, &u.Vendor, &u.Enabled, &u.StartDir, &ips, &u.FeedsMay,
		&tags, stamp{&u.CreatedAt}}, use.dest()...)...)
	u.UsedBytes, u.UsedFiles, u.QuotaBytes, u.QuotaFiles = use.Bytes, use.Files, use.QuotaBytes, use.QuotaFiles
	u.KeptBytes, u.KeptItems, u.Dirs, u.KeepBytes, u.KeepItems = use.KeptBytes, use.KeptItems(), use.Dirs, use.KeepBytes,
		use.KeepItems
	u.AllowIPs, u.Tags = list(ips), list(tags)
	return u, err
}

// User finds a user by username.
func (q *Q) User(name string) (model.User, error) {
	return one(q, "User", scanUser, userColumns+` WHERE u.folded = $1`, valid.Fold(name))
}

// UserByID finds a user by id.
func (q *Q) UserByID(id string) (model.User, error) {
	return one(q, "UserByID", scanUser, userColumns+` WHERE u.id = $1`, id)
}

// UserOfVendor finds a vendor's user for an account.
func (q *Q) UserOfVendor(account, vendor string) (model.User, error) {
	return one(q, "UserOfVendor", scanUser, userColumns+` WHERE u.account_id = $1 AND u.vendor = $2`, account, vendor)
}

// lastLogin is when a user logged in last; 0 if it never did.
const lastLogin = `COALESCE((SELECT MAX(k.last_used_at) FROM keys k WHERE k.user_id = u.id), 0)`

// Users lists users by name, one page of them.
func (q *Q) Users(f model.UserFilter) ([]model.User, error) { return q.UsersIdle(f, time.Time{}) }

// UsersIdle lists users that were made, enabled and used before a time; if it is zero, all.
func (q *Q) UsersIdle(f model.UserFilter, idle time.Time) ([]model.User, error) {
	return collect(q, "Users", scanUser, userColumns+` WHERE ($1 = '' OR LOWER(u.account_id) = $1) AND u.name > $2
		AND (`+tagged("u.tags", "$4")+` OR EXISTS (SELECT 1 FROM accounts a WHERE a.id = u.account_id AND `+
		tagged("a.tags", "$4")+`))
		AND (CAST($5 AS BIGINT) = 0 OR `+lastLogin+` < $5 AND u.created_at < $5 AND COALESCE(u.enabled_at, 0) < $5)
		AND ($6 = '' OR u.vendor = $6) ORDER BY u.name LIMIT $3`,
		valid.Fold(f.Account), f.Cursor, most(f.Paging), f.Tag, microsOrZero(idle), f.Vendor)
}

// SetEnabledAt records when a user was enabled. Its time without a log-in counts from then.
func (tx *Tx) SetEnabledAt(userID string, at time.Time) error {
	return tx.bookOne("SetEnabledAt", `UPDATE users SET enabled_at = $2 WHERE id = $1`, userID, micros(at))
}

// ActiveAt returns when a user was last used: when it logged in, was enabled or was made, whichever was last.
func (q *Q) ActiveAt(userID string) (at time.Time, err error) {
	var enabled, made time.Time
	err = q.scanOne("ActiveAt", `SELECT `+lastLogin+`, COALESCE(u.enabled_at, 0), u.created_at FROM users u
		WHERE u.id = $1`,
		[]any{userID}, stampOrZero{&at}, stampOrZero{&enabled}, stampOrZero{&made})
	for _, t := range []time.Time{enabled, made} {
		if t.After(at) {
			at = t
		}
	}
	return at, err
}

// LastLogin returns when a user last logged in with a key; zero if it never did.
func (q *Q) LastLogin(userID string) (at time.Time, err error) {
	err = q.scanOne("LastLogin", `SELECT COALESCE(MAX(last_used_at), 0) FROM keys WHERE user_id = $1`, []any{userID},
		stampOrZero{&at})
	return at, err
}

// AddUser records a user with its empty mailbox and root directory.
func (tx *Tx) AddUser(u model.User, root exchange.Rights) error {
	_, err := tx.exec("AddUser", `INSERT INTO users (id, name, kind, account_id, vendor, enabled, start_dir, allow_ips,
		created_at, folded, feeds_may)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, u.ID, u.Name, u.Kind, u.Account, null(u.Vendor),
		flag(u.Enabled), u.StartDir, jsonList(u.AllowIPs), micros(u.CreatedAt), valid.Fold(u.Name), u.FeedsMay)
	if err != nil {
		return err
	}
	if _, err = tx.exec("AddUser", `INSERT INTO mailboxes (user_id, used_bytes, used_files, quota_bytes, quota_files,
		keep_bytes, keep_items) VALUES ($1, 0, 0, $2, $3, $4, $5)`, u.ID, null(u.QuotaBytes), null(u.QuotaFiles),
		null(u.KeepBytes), null(u.KeepItems)); err != nil {
		return err
	}
	// Names are unique within a parent, and all roots have the same (empty) parent, so a root is named
	// by its id.
	return tx.AddDir(Dir{ID: u.ID, User: u.ID, Name: u.ID, Fixed: true, Rights: &root, Mtime: u.CreatedAt})
}

// SetUser changes whether a user may log in, its starting directory, networks
// and limits.
func (tx *Tx) SetUser(u model.User) error {
	if _, err := tx.LockMailbox(u.ID); err != nil {
		return err
	}
	if err := tx.execOne("SetUser", `UPDATE users SET enabled = $2, start_dir = $3, allow_ips = $4, feeds_may = $5
		WHERE id = $1`,
		u.ID, flag(u.Enabled), u.StartDir, jsonList(u.AllowIPs), u.FeedsMay); err != nil {
		return err
	}
	return tx.execOne("SetUser", `UPDATE mailboxes SET quota_bytes = $2, quota_files = $3, keep_bytes = $4, keep_items = $5
		WHERE user_id = $1`,
		u.ID, null(u.QuotaBytes), null(u.QuotaFiles), null(u.KeepBytes), null(u.KeepItems))
}

// flag stores a boolean: both databases compare 0 and 1.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// jsonList stores a list of words.
func jsonList(words []string) string {
	if words == nil {
		words = []string{}
	}
	b, _ := json.Marshal(words) // strings always marshal
	return string(b)
}

// list reads a stored list of words; malformed JSON reads as empty.
func list(s string) []string {
	words := []string{}
	_ = json.Unmarshal([]byte(s), &words)
	return words
}

// UsersLike lists up to limit usernames: first those that equal a name but for case and separators,
// then those of the vendor whose short name it is.
func (q *Q) UsersLike(name string, limit int) ([]string, error) {
	letters := strings.NewReplacer("-", "", "_", "", ".", "", " ", "", "+", "", "@", "").Replace(strings.ToLower(name))
	return collect(q, "UsersLike", scanString, `SELECT name FROM users WHERE vendor = $2
		OR REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(LOWER(name), '-', ''), '_', ''), '.', ''), ' ', ''), '+', ''), '@',
		'') = $1
		ORDER BY CASE WHEN vendor = $2 THEN 1 ELSE 0 END, name LIMIT $3`, letters, strings.ToLower(name), limit)
}
