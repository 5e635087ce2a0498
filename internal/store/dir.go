package store

import (
	"database/sql"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Dir is one directory row.
type Dir struct {
	ID      string
	User    string // owner's id
	Parent  string // id; "" for the root
	Name    string // bytes
	Rights  *exchange.Rights
	Fixed   bool
	Staging bool
	OnWay   bool // made only because a directory below it was wanted
	Mtime   time.Time
}

func dirColumns(t string) string {
	return strings.ReplaceAll("T.id, T.user_id, T.parent_id, T.name, T.rights, T.fixed, T.staging, T.on_way, T.mtime",
		"T", t)
}

// nullDir scans a directory that may be absent.
type nullDir struct {
	id, user, parent      sql.NullString
	name                  []byte
	rights                sql.NullInt64
	fixed, staging, onWay sql.NullBool
	mtime                 time.Time
}

func (d *nullDir) dest() []any {
	return []any{&d.id, &d.user, &d.parent, &d.name, &d.rights, &d.fixed, &d.staging, &d.onWay, stamp{&d.mtime}}
}

func (d *nullDir) dir() Dir {
	out := Dir{ID: d.id.String, User: d.user.String, Parent: d.parent.String, Name: string(d.name),
		Fixed: d.fixed.Bool, Staging: d.staging.Bool, OnWay: d.onWay.Bool, Mtime: d.mtime}
	if d.rights.Valid {
		r := exchange.Rights(d.rights.Int64)
		out.Rights = &r
	}
	return out
}

// nullFile scans a file with its content, which may be absent.
type nullFile struct {
	name                           string
	fileID, versionID, blobID, key sql.NullString
	size, mode, bytes              sql.NullInt64
	mtime, stored                  time.Time
	sha256, state, body            []byte
	row                            sql.NullInt64
}

func (f *nullFile) dest() []any {
	return []any{&f.fileID, &f.versionID, &f.size, stamp{&f.mtime}, &f.mode, &f.blobID, &f.key, &f.bytes, &f.sha256,
		&f.state, stamp{&f.stored}, &f.row}
}

func (f *nullFile) file(dir, name string) (*File, Content) {
	return &File{DirID: dir, Name: name, FileID: f.fileID.String, VersionID: f.versionID.String, Size: f.size.Int64,
			Mtime: f.mtime, Mode: uint32(f.mode.Int64)},
		Content{VersionID: f.versionID.String, BlobID: f.blobID.String, Key: f.key.String, Size: f.bytes.Int64,
			SHA256: f.sha256, HashState: f.state, StoredAt: f.stored, Row: f.row.Int64}
}

// Subdirs lists directories of a parent with names after a name, in byte order.
func (q *Q) Subdirs(parent, after string, limit int) ([]Dir, error) {
	return collect(q, "Subdirs", func(r *sql.Rows) (Dir, error) {
		var d nullDir
		err := r.Scan(d.dest()...)
		return d.dir(), err
	}, `SELECT `+dirColumns("d")+` FROM dirs d WHERE parent_id = $1 AND name > $2 ORDER BY name LIMIT $3`, parent,
		[]byte(after), limit)
}

// DirEmpty reports whether a directory has neither files nor directories.
func (q *Q) DirEmpty(id string) (bool, error) {
	var n int64
	err := q.scanOne("DirEmpty", `SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM dirs WHERE parent_id = $1 LIMIT 1) d)
		+ (SELECT COUNT(*) FROM (SELECT 1 FROM files WHERE dir_id = $1 LIMIT 1) f)`, []any{id}, &n)
	return n == 0, err
}

// Dir finds a directory by its id.
func (q *Q) Dir(id string) (Dir, error) {
	var d nullDir
	err := q.scanOne("Dir", `SELECT `+dirColumns("d")+` FROM dirs d WHERE d.id = $1`, []any{id}, d.dest()...)
	return d.dir(), err
}

// AddDir records a directory; a taken name is Exists.
func (tx *Tx) AddDir(d Dir) error {
	var rights any
	if d.Rights != nil {
		rights = int64(*d.Rights)
	}
	_, err := tx.exec("AddDir", `INSERT INTO dirs (id, user_id, parent_id, name, rights, fixed, staging, on_way,
		mtime) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, d.ID, d.User, d.Parent, []byte(d.Name), rights, flag(d.Fixed),
		flag(d.Staging), flag(d.OnWay), micros(d.Mtime))
	if err != nil {
		return err
	}
	return tx.grown(d.ID)
}

// grown notes that a directory of a mailbox changed (Usage.Tree). The caller holds the mailbox.
func (tx *Tx) grown(dir string) error {
	tx.touchTree()
	_, err := tx.book("GrownTree", `UPDATE mailboxes SET tree = tree + 1
		WHERE user_id = (SELECT user_id FROM dirs WHERE id = $1)`, dir)
	return err
}

// changeDir changes the row of a directory; no row is NotFound.
func (tx *Tx) changeDir(op, id, query string, args ...any) error {
	if err := tx.execOne(op, query, append([]any{id}, args...)...); err != nil {
		return err
	}
	return tx.grown(id)
}

// SetDirMtime sets a directory's modification time. The mailbox, which is a user's, need not be held.
func (tx *Tx) SetDirMtime(userID, id string, mtime time.Time) error {
	tx.touch(userID)
	return tx.bookOne("SetDirMtime", `UPDATE dirs SET mtime = $2 WHERE id = $1`, id, micros(mtime))
}

// SetDirRights changes what partners may do in a directory, and fixes it in place for its own sake.
func (tx *Tx) SetDirRights(id string, rights exchange.Rights) error {
	return tx.changeDir("SetDirRights", id, `UPDATE dirs SET rights = $2, fixed = 1, on_way = 0 WHERE id = $1`,
		int64(rights))
}

// FixDir has a directory belong to the operator: partners cannot move it.
func (tx *Tx) FixDir(id string) error {
	return tx.changeDir("FixDir", id, `UPDATE dirs SET fixed = 1 WHERE id = $1`)
}

// SetDirStaging says whether a directory is a staging folder.
func (tx *Tx) SetDirStaging(id string, staging bool) error {
	return tx.changeDir("SetDirStaging", id, `UPDATE dirs SET staging = $2 WHERE id = $1`, flag(staging))
}

// MoveDir gives a directory another parent and name; a taken name is Exists.
func (tx *Tx) MoveDir(id, parent, name string, mtime time.Time) error {
	return tx.changeDir("MoveDir", id, `UPDATE dirs SET parent_id = $2, name = $3, mtime = $4 WHERE id = $1`, parent,
		[]byte(name), micros(mtime))
}

// RemoveDir deletes an empty directory's row.
func (tx *Tx) RemoveDir(id string) error {
	if err := tx.grown(id); err != nil {
		return err
	}
	return tx.execOne("RemoveDir", `DELETE FROM dirs WHERE id = $1`, id)
}

// FixedDirs lists the directories that the operator made in a mailbox, the
// root among them.
func (q *Q) FixedDirs(userID string) ([]Dir, error) {
	return collect(q, "FixedDirs", func(r *sql.Rows) (Dir, error) {
		var d nullDir
		err := r.Scan(d.dest()...)
		return d.dir(), err
	}, `SELECT `+dirColumns("d")+` FROM dirs d WHERE d.user_id = $1 AND d.fixed = 1 ORDER BY d.id`, userID)
}
