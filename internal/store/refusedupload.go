package store

import (
	"database/sql"
	"path"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// RefusedUpload is a row of an upload that was refused in a session.
type RefusedUpload struct {
	ID, UserID, Session, Fingerprint, Address, Path string
	Reason                                          string // fault.Kind's word
	Said                                            string
	Size, Times                                     int64
	Until                                           time.Time
}

// NoteRefusedUpload records a refused upload. A row that exists gets the values of the later refusal.
func (tx *Tx) NoteRefusedUpload(u RefusedUpload) error {
	_, err := tx.book("NoteRefusedUpload", `INSERT INTO refused_uploads (id, user_id, session, fingerprint, address, path,
		name, reason, said, size, times, until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, said = excluded.said, size = excluded.size,
		times = excluded.times, until = excluded.until`, u.ID, u.UserID, u.Session, u.Fingerprint, u.Address,
		[]byte(u.Path), []byte(path.Base(u.Path)), u.Reason, u.Said, u.Size, u.Times, micros(u.Until))
	return err
}

const refusedUploadColumns = `SELECT r.id, u.name, u.account_id, r.session, r.fingerprint, r.address, r.path, r.reason,
	r.said, r.size, r.times, r.until FROM refused_uploads r JOIN users u ON u.id = r.user_id`

func scanRefusedUpload(r *sql.Rows) (u model.RefusedUpload, err error) {
	var id string
	var full []byte
	err = r.Scan(&id, &u.User, &u.Account, &u.Session, &u.Fingerprint, &u.Address, &full, &u.Reason, &u.Said, &u.Size,
		&u.Times, stamp{&u.Last})
	u.ID, u.At, u.Path = id, exchange.IDTime(id), string(full)
	return u, err
}

// RefusedUploadsNamed lists refused uploads of a name, the newest first; only those of an account, unless it is "".
func (q *Q) RefusedUploadsNamed(name, account string, limit int) ([]model.RefusedUpload, error) {
	return collect(q, "RefusedUploadsNamed", scanRefusedUpload, refusedUploadColumns+` WHERE r.name = $1
		AND ($2 = '' OR u.account_id = $2) ORDER BY r.id DESC LIMIT $3`, []byte(name), account, limit)
}

// RefusedUpload finds one refused upload.
func (q *Q) RefusedUpload(id string) (model.RefusedUpload, error) {
	return one(q, "RefusedUpload", scanRefusedUpload, refusedUploadColumns+` WHERE r.id = $1`, id)
}

// RefusedUploadsOf lists a user's newest refused uploads, the newest first.
func (q *Q) RefusedUploadsOf(userID string, limit int) ([]model.RefusedUpload, error) {
	return collect(q, "RefusedUploadsOf", scanRefusedUpload, refusedUploadColumns+` WHERE r.user_id = $1
		ORDER BY r.id DESC LIMIT $2`, userID, limit)
}

// RefusedUploadsIn lists the refused uploads of a session, in their order.
func (q *Q) RefusedUploadsIn(session string, limit int) ([]model.RefusedUpload, error) {
	return collect(q, "RefusedUploadsIn", scanRefusedUpload, refusedUploadColumns+` WHERE r.session = $1
		ORDER BY r.id LIMIT $2`, session, limit)
}

// StoredSince returns when a user's upload of a path was stored first after a time; zero if it was not.
func (q *Q) StoredSince(userID, full string, after time.Time) (at time.Time, err error) {
	err = q.scanOne("StoredSince", `SELECT COALESCE((SELECT MIN(received_at) FROM drops WHERE user_id = $1
		AND received_at >= $3 AND path = $2), 0)`, []any{userID, []byte(full), micros(after)}, stampOrZero{&at})
	return at, err
}

// RefusedUploadEdge returns the id of the keep-th newest refused upload, or an id that sorts before all if there are
// fewer. Older ones may be pruned.
func (q *Q) RefusedUploadEdge(keep int64) (id string, err error) {
	err = q.scanOne("RefusedUploadEdge", `SELECT COALESCE((SELECT id FROM refused_uploads ORDER BY id DESC LIMIT 1
		OFFSET $1), $2)`, []any{max(keep-1, 0), exchange.FirstID(fromMicros(0))}, &id)
	return id, err
}

// PruneRefusedUploads removes refused uploads from before an id.
func (tx *Tx) PruneRefusedUploads(before string) (int64, error) {
	return tx.book("PruneRefusedUploads", `DELETE FROM refused_uploads
		WHERE id IN (SELECT id FROM refused_uploads WHERE id < $1 ORDER BY id LIMIT $2)`, before, pruneAtOnce)
}
