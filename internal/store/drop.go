package store

import (
	"database/sql"
	"encoding/hex"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// NewDrop is a drop's row as the commit writes it.
type NewDrop struct {
	VersionID, UserID, Path, Fingerprint, Address string
	Size                                          int64
	SHA256                                        []byte
	ReceivedAt                                    int64 // µs
}

// AddDrop records a drop.
func (tx *Tx) AddDrop(d NewDrop) error {
	_, err := tx.exec("AddDrop", `INSERT INTO drops (id, user_id, path, size, sha256, fingerprint, address, state, withdrawn, received_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'new', 0, $8)`, d.VersionID, d.UserID, []byte(d.Path), d.Size, d.SHA256,
		d.Fingerprint, d.Address, d.ReceivedAt)
	return err
}

// DropState is a version's drop state, "" when it is no drop.
func (q *Q) DropState(versionID string) (state string, err error) {
	err = q.scanOne("DropState", `SELECT COALESCE((SELECT state FROM drops WHERE id = $1), '')`, []any{versionID}, &state)
	return state, err
}

// SupersedeDrop marks an unclaimed drop as replaced by a newer upload.
func (tx *Tx) SupersedeDrop(versionID string) error {
	_, err := tx.exec("SupersedeDrop", `UPDATE drops SET state = 'superseded' WHERE id = $1 AND state = 'new'`, versionID)
	return err
}

// WithdrawDrop notes that the uploader removed the name; the drop stays.
func (tx *Tx) WithdrawDrop(versionID string) error {
	_, err := tx.exec("WithdrawDrop", `UPDATE drops SET withdrawn = 1 WHERE id = $1`, versionID)
	return err
}

// A superseded drop's bytes may be gone; its row still says what came.
const dropColumns = `SELECT d.id, u.name, u.account_id, d.path, d.size, d.sha256, d.fingerprint, d.address,
	d.state, d.withdrawn, d.received_at FROM drops d JOIN users u ON u.id = d.user_id`

func scanDrop(r *sql.Rows) (d exchange.Drop, err error) {
	var path, sum []byte
	var received int64
	err = r.Scan(&d.ID, &d.User, &d.Account, &path, &d.Size, &sum, &d.Fingerprint, &d.Address, &d.State, &d.Withdrawn, &received)
	d.Path, d.Raw = exchange.Text(string(path))
	d.SHA256, d.ReceivedAt = hex.EncodeToString(sum), exchange.FromMicros(received)
	return d, err
}

// DropFilter chooses drops; empty fields choose all.
type DropFilter struct {
	State, User, Account string
	After                string // id: only drops that came later
	Limit                int
}

// Drops lists drops in the order they came.
func (q *Q) Drops(f DropFilter) ([]exchange.Drop, error) {
	return collect(q, "Drops", scanDrop, dropColumns+` WHERE d.id > $1 AND ($2 = '' OR d.state = $2) AND ($3 = '' OR u.name = $3)
		AND ($4 = '' OR u.account_id = $4) ORDER BY d.id LIMIT $5`, f.After, f.State, f.User, f.Account, f.Limit)
}

// Drop finds one drop.
func (q *Q) Drop(id string) (exchange.Drop, error) {
	return one(q, "Drop", scanDrop, dropColumns+` WHERE d.id = $1`, id)
}
