package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Blob is the row of stored bytes. Bytes without a row are orphans, which the sweep removes.
type Blob struct {
	ID, Key string
	Size    int64
	SHA256  []byte
	Owner   string // id of the user who uploaded it and whose mailbox counts it (Tx.Use); "" for the platform
	Inline  bool   // the database has the bytes (LiveBlobs)

	Body []byte // the bytes, if AddBlob is to store them (blob.Carrier); nil: the blob store has them
}

// AddBlob records new bytes with a number of references. It fails as Exists if the sweep claimed the
// id as an orphan first (ClaimOrphan).
func (tx *Tx) AddBlob(b Blob, refs int, at time.Time) error {
	var body any
	if b.Body != nil {
		id, err := tx.addBody(b.ID, b.Body, at)
		if err != nil {
			return err
		}
		body = id
	}
	_, err := tx.book("AddBlob", `INSERT INTO blobs (id, key, size, sha256, refs, state, created_at, owner, body)
		VALUES ($1, $2, $3, $4, $5, 'live', $6, $7, $8)`, b.ID, b.Key, b.Size, b.SHA256, refs, micros(at), b.Owner, body)
	return err
}

// RefBlob adds n references to a live blob; NotFound if it is dead.
func (tx *Tx) RefBlob(id string, n int) error {
	if err := tx.take(rankBlob, id); err != nil {
		return err
	}
	return tx.bookOne("RefBlob", `UPDATE blobs SET refs = refs + $2 WHERE id = $1 AND state = 'live'`, id, n)
}

// ReleaseBlob removes one reference. Removing the last one makes the blob dead.
func (tx *Tx) ReleaseBlob(id string, at time.Time) error {
	if err := tx.take(rankBlob, id); err != nil {
		return err
	}
	return tx.bookOne("ReleaseBlob", `UPDATE blobs SET refs = refs - 1,
		state = CASE WHEN refs = 1 THEN 'dead' ELSE state END,
		dead_at = CASE WHEN refs = 1 THEN $2 ELSE dead_at END
		WHERE id = $1 AND state = 'live'`, id, micros(at))
}

// ClaimOrphan inserts a dead row for bytes that have none, so that a late commit of the same id fails.
// It returns false if a row exists.
func (tx *Tx) ClaimOrphan(b Blob, at time.Time) (bool, error) {
	n, err := tx.book("ClaimOrphan", `INSERT INTO blobs (id, key, size, sha256, refs, state, created_at, dead_at)
		VALUES ($1, $2, $3, $4, 0, 'dead', $5, $5) ON CONFLICT (id) DO NOTHING`, b.ID, b.Key, b.Size, []byte{},
		micros(at))
	return n == 1, err
}

// SettleBlob waits for a transaction that is inserting a blob's row, and returns the row's SHA-256.
// NotFound means that there is no row, and that every transaction that had inserted one was rolled
// back. The SHA-256 is empty if the sweep claimed the row.
func (tx *Tx) SettleBlob(id string) (sum []byte, err error) {
	// Inserting the same key waits for that transaction. A SELECT would not see a row whose COMMIT is
	// still in flight.
	n, err := tx.book("SettleBlob", `INSERT INTO blobs (id, key, size, sha256, refs, state, created_at, dead_at)
		VALUES ($1, '', 0, $2, 0, 'dead', 0, 0) ON CONFLICT (id) DO NOTHING`, id, []byte{})
	if err != nil {
		return nil, err
	}
	if n == 1 {
		if err := tx.ForgetBlob(id); err != nil {
			return nil, err
		}
		return nil, fault.E("store.SettleBlob", fault.NotFound, "There is no such blob.")
	}
	err = tx.scanOne("SettleBlob", `SELECT sha256 FROM blobs WHERE id = $1`, []any{id}, &sum)
	return sum, err
}

// DeadBlobs lists blobs that died before a time, the longest dead first.
func (q *Q) DeadBlobs(before time.Time, limit int) ([]Blob, error) {
	return collect(q, "DeadBlobs", func(r *sql.Rows) (b Blob, err error) {
		err = r.Scan(&b.ID, &b.Key, &b.Size, &b.Owner)
		return b, err
	}, `SELECT id, key, size, owner FROM blobs WHERE state = 'dead' AND dead_at < $1 ORDER BY dead_at LIMIT $2`,
		micros(before), limit)
}

// ForgetBlob deletes the row of a dead blob whose bytes the blob store has no more, and the bytes that the
// database has of it.
func (tx *Tx) ForgetBlob(id string) error {
	if err := tx.take(rankBlob, id); err != nil {
		return err
	}
	return tx.forget(id) // body.go
}

// HasBlob reports whether a blob has a row, dead or alive.
func (q *Q) HasBlob(id string) (bool, error) {
	var n int64
	err := q.scanOne("HasBlob", `SELECT COUNT(*) FROM blobs WHERE id = $1`, []any{id}, &n)
	return n > 0, err
}
