package store

import (
	"database/sql"
	"encoding/hex"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// NewDelivery is a delivery's row as publishing writes it.
type NewDelivery struct {
	ID, PublicationID, SubscriptionID, UserID, VersionID string
	At                                                   int64 // µs
}

// AddDelivery records a delivery.
func (tx *Tx) AddDelivery(d NewDelivery) error {
	_, err := tx.exec("AddDelivery", `INSERT INTO deliveries (id, publication_id, subscription_id, user_id, version_id, state, published_at, fingerprint)
		VALUES ($1, $2, $3, $4, $5, 'published', $6, '')`, d.ID, d.PublicationID, d.SubscriptionID, d.UserID, d.VersionID, d.At)
	return err
}

// Served is how far a delivery got.
type Served struct {
	DeliveryID, UserID string
	State              string
	Size               int64
	Ranges             []byte
}

// LockServed reads a version's delivery and holds the row; NotFound when the
// version is no delivery.
func (tx *Tx) LockServed(versionID string) (v Served, err error) {
	lock := tx.s.dialect.lock
	if lock != "" {
		lock += " OF d"
	}
	err = tx.scanOne("LockServed", `SELECT d.id, d.user_id, d.state, p.size, d.ranges FROM deliveries d
		JOIN publications p ON p.id = d.publication_id
		WHERE d.version_id = $1 `+lock, []any{versionID}, &v.DeliveryID, &v.UserID, &v.State, &v.Size, &v.Ranges)
	return v, err
}

// SetServed records a delivery's progress; the first opening keeps its time.
func (tx *Tx) SetServed(v Served, fingerprint string, at int64) error {
	var collected any
	if v.State == exchange.DeliveryCollected {
		collected = at
	}
	return tx.execOne("SetServed", `UPDATE deliveries SET state = $2, ranges = $3, opened_at = COALESCE(opened_at, $4),
		collected_at = COALESCE(collected_at, $5), fingerprint = CASE WHEN fingerprint = '' THEN $6 ELSE fingerprint END
		WHERE id = $1`, v.DeliveryID, v.State, v.Ranges, at, collected, fingerprint)
}

// DeliveryFilter chooses deliveries; empty fields choose all.
type DeliveryFilter struct {
	Feed, Account, State string
	After                string // id: only deliveries made later
	Limit                int
}

const deliveryColumns = `SELECT d.id, p.feed, u.name, u.account_id, p.name, p.size, p.sha256, d.state, d.ranges,
	d.published_at, d.opened_at, d.collected_at, d.fingerprint
	FROM deliveries d JOIN publications p ON p.id = d.publication_id
	JOIN users u ON u.id = d.user_id`

// DeliveryRow is a delivery with its ranges still packed.
type DeliveryRow struct {
	exchange.Delivery
	Ranges []byte
}

func scanDelivery(r *sql.Rows) (d DeliveryRow, err error) {
	var sum []byte
	var published int64
	var opened, collected sql.NullInt64
	err = r.Scan(&d.ID, &d.Feed, &d.User, &d.Account, &d.Name, &d.Size, &sum, &d.State, &d.Ranges,
		&published, &opened, &collected, &d.Fingerprint)
	d.SHA256, d.PublishedAt = hex.EncodeToString(sum), exchange.FromMicros(published)
	d.OpenedAt, d.CollectedAt = timePtr(opened), timePtr(collected)
	return d, err
}

// Deliveries lists deliveries in the order they were made.
func (q *Q) Deliveries(f DeliveryFilter) ([]DeliveryRow, error) {
	return collect(q, "Deliveries", scanDelivery, deliveryColumns+` WHERE d.id > $1 AND ($2 = '' OR p.feed = $2)
		AND ($3 = '' OR u.account_id = $3) AND ($4 = '' OR d.state = $4) ORDER BY d.id LIMIT $5`,
		f.After, f.Feed, f.Account, f.State, f.Limit)
}

// Delivery finds one delivery.
func (q *Q) Delivery(id string) (DeliveryRow, error) {
	return one(q, "Delivery", scanDelivery, deliveryColumns+` WHERE d.id = $1`, id)
}
