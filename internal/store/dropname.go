package store

import (
	"database/sql"
	"path"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// RenameDrop sets an unclaimed drop's path, ready time and duplicates to those of d.
func (tx *Tx) RenameDrop(d NewDrop) error {
	return tx.execOne("RenameDrop", `UPDATE drops SET path = $2, name = $3, ready_at = $4, duplicate = $5,
		duplicate_of = $6 WHERE id = $1`,
		d.VersionID, []byte(d.Path), []byte(path.Base(d.Path)), microsOrZero(d.ReadyAt), d.Duplicate,
		d.DuplicateOf)
}

// AddDropName records another name that a drop has or had. A name that is recorded already keeps its
// time.
func (tx *Tx) AddDropName(id, full string, at time.Time) error {
	_, err := tx.exec("AddDropName", `INSERT INTO drop_names (drop_id, path, name, at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (drop_id, path) DO NOTHING`,
		id, []byte(full), []byte(path.Base(full)), micros(at))
	return err
}

// DropName is another name of a drop.
type DropName struct {
	Path string // escaped if it is not UTF-8
	At   time.Time
}

// DropNames lists the other names of a drop, the oldest first.
func (q *Q) DropNames(id string, limit int) ([]DropName, error) {
	return collect(q, "DropNames", func(r *sql.Rows) (n DropName, err error) {
		var p []byte
		err = r.Scan(&p, stamp{&n.At})
		n.Path = valid.Printable(string(p))
		return n, err
	}, `SELECT path, at FROM drop_names WHERE drop_id = $1 ORDER BY at, path LIMIT $2`, id, limit)
}

// RipeDrops lists up to limit drops whose ready time has come, sorted by id.
func (q *Q) RipeDrops(now time.Time, limit int) ([]string, error) {
	return collect(q, "RipeDrops", scanString, `SELECT id FROM (SELECT id FROM drops WHERE ready_at > 0 AND ready_at <= $1
		ORDER BY ready_at LIMIT $2) d ORDER BY id`, micros(now), limit)
}

// Ripen makes a drop ready to be handed on at once.
func (tx *Tx) Ripen(id string) error {
	return tx.bookOne("Ripen", `UPDATE drops SET ready_at = 0 WHERE id = $1`, id)
}

// Unreceived is a stored file that is neither a drop nor a delivery.
type Unreceived struct {
	File
	User, Account string
	SHA256        []byte
	StoredAt      time.Time
}

// FilesNamed lists up to limit stored files of a name that a partner uploaded and that are neither
// drops nor deliveries, the newest first; only those of an account, unless it is "".
func (q *Q) FilesNamed(name, account string, limit int) ([]Unreceived, error) {
	return collect(q, "FilesNamed", scanUnreceived,
		unreceivedColumns+` WHERE f.name = $1 AND ($2 = '' OR u.account_id = $2)`+unreceivedOnly+` LIMIT $3`, []byte(name),
		account, limit)
}

// FilesWithContent is FilesNamed by content: the first digits of its SHA-256, lower-case hexadecimal.
func (q *Q) FilesWithContent(digits, account string, limit int) ([]Unreceived, error) {
	from, to := contents(digits)
	return collect(q, "FilesWithContent", scanUnreceived, unreceivedColumns+` WHERE b.sha256 >= $1 AND b.sha256 <= $4
		AND ($2 = '' OR u.account_id = $2)`+unreceivedOnly+` LIMIT $3`, from, account, limit, to)
}

// UnreceivedFile is FilesNamed of one name in one directory.
func (q *Q) UnreceivedFile(dir, name string) ([]Unreceived, error) {
	return collect(q, "UnreceivedFile", scanUnreceived, unreceivedColumns+` WHERE f.dir_id = $1 AND f.name = $2`+
		unreceivedOnly, dir, []byte(name))
}

// UnreceivedOf lists up to limit stored files of a user that are neither drops nor deliveries, the newest first.
func (q *Q) UnreceivedOf(userID string, limit int) ([]Unreceived, error) {
	return collect(q, "UnreceivedOf", scanUnreceived, unreceivedColumns+`
		WHERE f.dir_id IN (SELECT id FROM dirs WHERE user_id = $1)`+unreceivedOnly+` LIMIT $2`,
		userID, limit)
}

const (
	unreceivedColumns = `SELECT f.dir_id, f.name, f.file_id, f.version_id, f.size, u.name, u.account_id, b.sha256,
		v.stored_at
	FROM files f JOIN versions v ON v.id = f.version_id JOIN blobs b ON b.id = v.blob_id JOIN users u ON u.id = v.user_id`
	unreceivedOnly = ` AND v.actor LIKE 'user:%' AND NOT EXISTS (SELECT 1 FROM drops d WHERE d.id = f.version_id)
	AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.version_id = f.version_id) ORDER BY v.stored_at DESC`
)

func scanUnreceived(r *sql.Rows) (u Unreceived, err error) {
	var name []byte
	err = r.Scan(&u.DirID, &name, &u.FileID, &u.VersionID, &u.Size, &u.User, &u.Account, &u.SHA256,
		stamp{&u.StoredAt})
	u.Name = string(name)
	return u, err
}
