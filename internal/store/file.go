package store

import (
	"cmp"
	"database/sql"
	"encoding/hex"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// File is a name with its current version.
type File struct {
	DirID, Name       string
	FileID, VersionID string
	Size              int64
	Mtime             time.Time
	Mode              uint32
}

// Content is the location, size and hash of a version's bytes.
type Content struct {
	VersionID string
	BlobID    string
	Key       string
	Size      int64
	SHA256    []byte
	HashState []byte
	StoredAt  time.Time
	Row       int64  // of the bytes, if the database has them (Look); 0: it has not
	Body      []byte // these bytes (LookToRead)
}

const fileColumns = `dir_id, name, file_id, version_id, size, mtime, mode`

func scanFile(r *sql.Rows) (f File, err error) {
	var name sql.RawBytes
	err = r.Scan(&f.DirID, &name, &f.FileID, &f.VersionID, &f.Size, stamp{&f.Mtime}, &f.Mode)
	f.Name = string(name)
	return f, err
}

// File finds a name in a directory.
func (q *Q) File(dir, name string) (File, error) {
	return one(q, "File", scanFile, `SELECT `+fileColumns+` FROM files WHERE dir_id = $1 AND name = $2`, dir, []byte(name))
}

// Files lists files of a directory with names after a name, in byte order: what a listing shows, without ids.
func (q *Q) Files(dir, after string, limit int) ([]File, error) {
	return collect(q, "Files", func(r *sql.Rows) (f File, err error) {
		var name sql.RawBytes
		err = r.Scan(&name, &f.Size, stamp{&f.Mtime}, &f.Mode)
		f.Name = string(name)
		return f, err
	}, `SELECT name, size, mtime, mode FROM files WHERE dir_id = $1 AND name > $2 ORDER BY name LIMIT $3`,
		dir, []byte(after), limit)
}

// Content finds a version's bytes.
func (q *Q) Content(versionID string) (c Content, err error) {
	c.VersionID = versionID
	err = q.scanOne("Content", `SELECT b.id, b.key, b.size, b.sha256, v.hash_state, v.stored_at
		FROM versions v JOIN blobs b ON b.id = v.blob_id WHERE v.id = $1`, []any{versionID},
		&c.BlobID, &c.Key, &c.Size, &c.SHA256, &c.HashState, stamp{&c.StoredAt})
	return c, err
}

// Versions lists a file's versions, the newest first, one page of them.
func (q *Q) Versions(f File, p model.Paging) ([]model.Version, error) {
	return collect(q, "Versions", func(r *sql.Rows) (v model.Version, err error) {
		var sum []byte
		err = r.Scan(&v.ID, &v.Size, &sum, &v.Actor, stamp{&v.StoredAt})
		v.SHA256, v.Current = hex.EncodeToString(sum), v.ID == f.VersionID
		return v, err
	}, `SELECT v.id, b.size, b.sha256, v.actor, v.stored_at FROM versions v JOIN blobs b ON b.id = v.blob_id
		WHERE v.file_id = $1 AND v.id < $2 ORDER BY v.id DESC LIMIT $3`, f.FileID, before(p), most(p))
}

// VersionIDs lists the ids of a file's versions that are older than one, the newest first; "" begins
// with the newest.
func (q *Q) VersionIDs(fileID, before string, limit int) ([]string, error) {
	return collect(q, "VersionIDs", scanString, `SELECT id FROM versions WHERE file_id = $1 AND ($2 = '' OR id < $2)
		ORDER BY id DESC LIMIT $3`, fileID, before, limit)
}

// PutFile gives a name its current version; an existing row is replaced.
func (tx *Tx) PutFile(f File) error {
	_, err := tx.exec("PutFile", `INSERT INTO files (`+fileColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (dir_id, name) DO UPDATE SET file_id = excluded.file_id, version_id = excluded.version_id,
		size = excluded.size, mtime = excluded.mtime, mode = excluded.mode`,
		f.DirID, []byte(f.Name), f.FileID, f.VersionID, f.Size, micros(f.Mtime), int64(f.Mode))
	return err
}

// RemoveFile deletes a name. Its versions stay until DropVersion.
func (tx *Tx) RemoveFile(dir, name string) error {
	return tx.execOne("RemoveFile", `DELETE FROM files WHERE dir_id = $1 AND name = $2`, dir, []byte(name))
}

// MoveFile gives a file another directory and name; a taken name is Exists.
func (tx *Tx) MoveFile(f File, dir, name string) error {
	return tx.execOne("MoveFile", `UPDATE files SET dir_id = $3, name = $4 WHERE dir_id = $1 AND name = $2`,
		f.DirID, []byte(f.Name), dir, []byte(name))
}

// AdoptVersions moves all versions of one file to another, with the holds on the file. It is for a
// rename onto an existing name.
func (tx *Tx) AdoptVersions(from, to string) error {
	if _, err := tx.exec("AdoptVersions", `UPDATE versions SET file_id = $2 WHERE file_id = $1`, from, to); err != nil {
		return err
	}
	held, err := tx.lockRows("AdoptVersions", rankHold,
		`SELECT id FROM holds WHERE kind = 'file' AND target = $1 AND released_at IS NULL ORDER BY id`, from)
	if err != nil || len(held) == 0 {
		return err
	}
	_, err = tx.exec("AdoptVersions", `UPDATE holds SET target = $2 WHERE kind = 'file' AND target = $1
		AND released_at IS NULL`, from, to)
	return err
}

// SetFileTimes sets a file's modification time and mode. The mailbox, which is a user's, need not be held.
func (tx *Tx) SetFileTimes(userID, dir, name string, mtime time.Time, mode uint32) error {
	tx.touch(userID)
	return tx.bookOne("SetFileTimes", `UPDATE files SET mtime = $3, mode = $4 WHERE dir_id = $1 AND name = $2`,
		dir, []byte(name), micros(mtime), int64(mode))
}

// Version is a new version's row.
type Version struct {
	ID, FileID, UserID, BlobID string
	HashState                  []byte
	Actor                      string
	StoredAt                   time.Time
	Class                      string // the retention policy that keeps it; "" for the default
}

var versionInserts = inserts(8, `INSERT INTO versions (id, file_id, user_id, blob_id, hash_state, actor, stored_at,
	class) VALUES`, "")

// AddVersion records a version of a file. It does not count the blob's reference; AddBlob or RefBlob
// does.
func (tx *Tx) AddVersion(v Version) error { return tx.AddVersions([]Version{v}) }

// AddVersions records versions.
func (tx *Tx) AddVersions(list []Version) error {
	rows := make([][]any, len(list))
	for i, v := range list {
		rows[i] = []any{v.ID, v.FileID, v.UserID, v.BlobID, v.HashState, v.Actor, micros(v.StoredAt),
			cmp.Or(v.Class, model.ClassDefault)}
	}
	return insert(tx.exec, "AddVersions", &versionInserts, rows)
}

// DropVersion deletes a version and returns the id of its blob. The caller releases the reference
// (ReleaseBlob).
func (tx *Tx) DropVersion(id string) (blob string, err error) {
	if err := tx.scanOne("DropVersion", `SELECT blob_id FROM versions WHERE id = $1`, []any{id}, &blob); err != nil {
		return "", err
	}
	return blob, tx.execOne("DropVersion", `DELETE FROM versions WHERE id = $1`, id)
}

// FileOfVersion finds the file of which a version is the current one; NotFound if there is none.
func (q *Q) FileOfVersion(versionID string) (File, error) {
	return one(q, "FileOfVersion", scanFile, `SELECT f.dir_id, f.name, f.file_id, f.version_id, f.size, f.mtime, f.mode
		FROM versions v JOIN files f ON f.file_id = v.file_id AND f.version_id = v.id WHERE v.id = $1`, versionID)
}

// VersionOfDelivery returns the id of the version that a delivery placed.
func (q *Q) VersionOfDelivery(id string) (version string, err error) {
	err = q.scanOne("VersionOfDelivery", `SELECT version_id FROM deliveries WHERE id = $1`, []any{id}, &version)
	return version, err
}
