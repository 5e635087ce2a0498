package store

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// The bytes of small files lie in the database at first, in bodies, until they are moved to the blob store
// (package blob/small).

// Body is the bytes of a live blob that are to be moved.
type Body struct {
	ID    int64
	Blob  Blob // ID, Key, Size and SHA256
	Bytes []byte
}

// addBody stores the bytes of a blob and returns their id.
func (tx *Tx) addBody(blobID string, bytes []byte, at time.Time) (id int64, err error) {
	const op, insert = "AddBlob", `INSERT INTO bodies (blob_id, at, bytes) VALUES ($1, $2, $3) RETURNING id`
	if err := tx.s.probed(insert, false); err != nil {
		return 0, tx.s.wrap(op, err)
	}
	if err := tx.scanOne(op, insert, []any{blobID, micros(at), bytes}, &id); err != nil {
		return 0, err
	}
	return id, tx.s.wrap(op, tx.s.probed(insert, true))
}

// Body returns the bytes of a blob that the database has. They are NotFound if they were moved, or there is
// no such blob, and Unavailable if they are damaged.
func (q *Q) Body(blobID string) ([]byte, error) {
	b := Blob{ID: blobID}
	var bytes []byte
	if err := q.scanOne("Body", `SELECT o.bytes, b.size, b.sha256 FROM blobs b JOIN bodies o ON o.id = b.body
		WHERE b.id = $1`, []any{blobID}, &bytes, &b.Size, &b.SHA256); err != nil {
		return nil, err
	}
	return bytes, b.Check(bytes)
}

// ErrDamaged is in the chain of an error about bytes that are not what their row says.
var ErrDamaged = errors.New("stored bytes are damaged")

// Check fails unless bytes are all of a blob: of its size and SHA-256.
func (b Blob) Check(bytes []byte) error {
	sum := sha256.Sum256(bytes)
	if int64(len(bytes)) == b.Size && string(sum[:]) == string(b.SHA256) {
		return nil
	}
	damaged := fault.E("store.Check", fault.Unavailable,
		"The file is damaged on the server and is not served. Please tell the operator.")
	damaged.Err = fmt.Errorf("%w: %d bytes of the blob %s have the SHA-256 %x; its row says %d and %x", ErrDamaged,
		len(bytes), b.ID, sum, b.Size, b.SHA256)
	return damaged
}

// Bodies lists bodies of live blobs with ids after one, which were stored before a time, the oldest first: at most
// limit of them, and no more than about most bytes.
func (q *Q) Bodies(after int64, before time.Time, limit int, most int64) ([]Body, error) {
	return collectUntil(q, "Bodies", func(r *sql.Rows) (b Body, err error) {
		err = r.Scan(&b.ID, &b.Bytes, &b.Blob.ID, &b.Blob.Key, &b.Blob.Size, &b.Blob.SHA256)
		return b, err
	}, func(b Body) bool {
		most -= int64(len(b.Bytes))
		return most <= 0
	}, `SELECT o.id, o.bytes, b.id, b.key, b.size, b.sha256 FROM bodies o JOIN blobs b ON b.id = o.blob_id
		WHERE o.id > $1 AND o.at < $2 AND b.state = 'live' AND b.body = o.id ORDER BY o.id LIMIT $3`,
		after, micros(before), limit)
}

// BodyMoved removes a body whose bytes the blob store has. It does nothing if that was done, or the blob
// is gone.
func (tx *Tx) BodyMoved(b Body) error {
	if err := tx.take(rankBlob, b.Blob.ID); err != nil {
		return err
	}
	n, err := tx.book("BodyMoved", `UPDATE blobs SET body = NULL WHERE id = $1 AND body = $2`, b.Blob.ID, b.ID)
	if err != nil || n == 0 {
		return err
	}
	return tx.dropBody(b.ID)
}

func (tx *Tx) dropBody(id int64) error {
	_, err := tx.book("DropBody", `DELETE FROM bodies WHERE id = $1`, id)
	return err
}

// BodyUse is how much the database has of small files.
type BodyUse struct {
	Count, Bytes int64
	Oldest       time.Time // when the first was stored; zero if there is none
}

// BodyUse adds up the bodies. It looks at each.
func (q *Q) BodyUse() (u BodyUse, err error) {
	var oldest int64
	err = q.scanOne("BodyUse", `SELECT COUNT(*), COALESCE(SUM(LENGTH(bytes)), 0), COALESCE(MIN(at), 0) FROM bodies`, nil,
		&u.Count, &u.Bytes, &oldest)
	if oldest > 0 {
		u.Oldest = time.UnixMicro(oldest).UTC()
	}
	return u, err
}

// DatabaseSize is what a database takes on its disk, in bytes.
type DatabaseSize struct {
	Bytes int64
	Free  int64 // of these, left by removed rows; new rows use them first. 0 on PostgreSQL, which does not say
}

// DatabaseSize returns how large the database is.
func (q *Q) DatabaseSize() (d DatabaseSize, err error) {
	if !q.s.dialect.single {
		err = q.scanOne("DatabaseSize", `SELECT pg_database_size(current_database())`, nil, &d.Bytes)
		return d, err
	}
	var pages, free, size int64
	err = q.scanOne("DatabaseSize", `SELECT p.page_count, f.freelist_count, s.page_size
		FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s`, nil, &pages, &free, &size)
	return DatabaseSize{Bytes: pages * size, Free: free * size}, err
}

// forget deletes the row of a dead blob, and its bytes if the database has them.
func (tx *Tx) forget(id string) error {
	var body sql.NullInt64
	err := tx.scanOne("ForgetBlob", `SELECT body FROM blobs WHERE id = $1 AND state = 'dead'`, []any{id}, &body)
	if err != nil {
		return err
	}
	if body.Valid {
		if err := tx.dropBody(body.Int64); err != nil {
			return err
		}
	}
	return tx.bookOne("ForgetBlob", `DELETE FROM blobs WHERE id = $1 AND state = 'dead'`, id)
}
