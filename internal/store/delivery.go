package store

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// NewDelivery is a delivery's row as publishing writes it.
type NewDelivery struct {
	ID, PublicationID, SubscriptionID, UserID, VersionID, Path string
	Issue                                                      int64
	At                                                         time.Time
}

var deliveryInserts = inserts(8, `INSERT INTO deliveries (id, publication_id, subscription_id, user_id, version_id,
	path, issue,
	published_at, state, fingerprint) VALUES`, `, 'published', ''`)

// AddDeliveries records deliveries.
func (tx *Tx) AddDeliveries(list []NewDelivery) error {
	rows := make([][]any, len(list))
	for i, d := range list {
		rows[i] = []any{d.ID, d.PublicationID, d.SubscriptionID, d.UserID, d.VersionID, []byte(d.Path), d.Issue,
			micros(d.At)}
	}
	return insert(tx.exec, "AddDeliveries", &deliveryInserts, rows)
}

// DeliveryOf returns the delivery of a version; NotFound if the version is not a delivery.
func (q *Q) DeliveryOf(versionID string) (DeliveryRow, error) {
	return one(q, "DeliveryOf", scanDelivery, deliveryColumns+` WHERE d.version_id = $1`, versionID)
}

// LastEnded returns the latest issue of a path whose delivery to a user expired, was withdrawn, or was
// taken away by the user (TakeDelivery); 0 if there was none.
func (q *Q) LastEnded(userID, path string) (issue int64, err error) {
	err = q.scanOne("LastEnded", `SELECT COALESCE(MAX(issue), 0)
		FROM (SELECT issue FROM deliveries WHERE user_id = $1 AND path = $2 AND state IN ('expired', 'withdrawn')
		UNION ALL SELECT issue FROM deliveries WHERE user_id = $1 AND path = $2 AND taken_at IS NOT NULL) i`,
		[]any{userID, []byte(path)}, &issue)
	return issue, err
}

// EndDelivery marks a version's delivery as expired or withdrawn. A version that is not a delivery is
// left alone.
func (tx *Tx) EndDelivery(versionID string, state model.DeliveryState, at time.Time) error {
	if err := tx.take(rankDelivery, versionID); err != nil {
		return err
	}
	_, err := tx.exec("EndDelivery", `UPDATE deliveries SET state = $2, ended_at = $3 WHERE version_id = $1`, versionID,
		state, micros(at))
	return err
}

// ReplaceDeliveries marks the deliveries of versions as replaced by newer issues. Only published and
// opened ones change; collected ones keep their state.
func (tx *Tx) ReplaceDeliveries(versionIDs []string, at time.Time) error {
	for _, id := range slices.Sorted(slices.Values(versionIDs)) {
		if err := tx.take(rankDelivery, id); err != nil {
			return err
		}
		if _, err := tx.exec("ReplaceDeliveries", `UPDATE deliveries SET state = 'replaced', ended_at = $2
			WHERE version_id = $1 AND state IN ('published', 'opened')`,
			id, micros(at)); err != nil {
			return err
		}
	}
	return nil
}

// LockDeliveries holds the rows of those versions that are deliveries, in the order of the versions'
// ids.
func (tx *Tx) LockDeliveries(versionIDs []string) error {
	for _, id := range slices.Sorted(slices.Values(versionIDs)) {
		if _, err := tx.LockServed(id); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}

// TakeDelivery records that the partner removed or renamed a delivered file, and reports whether the
// version is a delivery. The time of the first call stays.
func (tx *Tx) TakeDelivery(versionID string, at time.Time) (is bool, err error) {
	if err := tx.take(rankDelivery, versionID); err != nil {
		return false, err
	}
	n, err := tx.exec("TakeDelivery", `UPDATE deliveries SET taken_at = COALESCE(taken_at, $2) WHERE version_id = $1`,
		versionID, micros(at))
	return n > 0, err
}

// Served is a delivery with its download progress; Ranges are packed exchange.Spans.
type Served struct {
	DeliveryID, UserID string
	Feed, Name, Path   string
	Publication        string
	State              model.DeliveryState
	Size               int64
	SHA256             []byte
	Ranges             []byte
}

// LockServed reads a version's delivery and holds the row; NotFound when the
// version is no delivery.
func (tx *Tx) LockServed(versionID string) (v Served, err error) {
	if err := tx.take(rankDelivery, versionID); err != nil {
		return v, err
	}
	lock := tx.s.dialect.lock
	if lock != "" {
		lock += " OF d"
	}
	var path []byte
	err = tx.scanOne("LockServed", `SELECT d.id, d.user_id, p.feed, p.name, d.path, p.id, d.state, p.size, p.sha256,
		d.ranges FROM deliveries d
		JOIN publications p ON p.id = d.publication_id
		WHERE d.version_id = $1 `+lock, []any{versionID}, &v.DeliveryID, &v.UserID, &v.Feed, &v.Name, &path, &v.Publication,
		&v.State, &v.Size, &v.SHA256, &v.Ranges)
	v.Path = string(path)
	return v, err
}

// SetServed records a delivery's progress and the login that made it. The time of the first opening
// stays. The login that collects the file replaces the login that opened it.
func (tx *Tx) SetServed(v Served, l *exchange.Login, at time.Time) error {
	opened, collected := micros(at), any(nil)
	if v.State == model.DeliveryCollected {
		collected = opened
	}
	return tx.execOne("SetServed", `UPDATE deliveries SET state = $2, ranges = $3, opened_at = COALESCE(opened_at, $4),
		collected_at = COALESCE(collected_at, $5),
		fingerprint = CASE WHEN fingerprint = '' OR $2 = 'collected' THEN $6 ELSE fingerprint END,
		client = CASE WHEN client = '' OR $2 = 'collected' THEN $7 ELSE client END,
		address = CASE WHEN address = '' OR $2 = 'collected' THEN $8 ELSE address END
		WHERE id = $1`, v.DeliveryID, v.State, v.Ranges, opened, collected, l.Fingerprint, l.Client, l.Address)
}

const deliveryColumns = `SELECT d.id, p.id, p.feed, u.name, u.account_id, p.name, d.path, d.issue, p.size, p.sha256,
	d.state, d.ranges,
	d.published_at, d.opened_at, d.collected_at, d.ended_at, d.fingerprint, d.client, d.address, d.user_id, d.taken_at
	FROM deliveries d JOIN publications p ON p.id = d.publication_id
	JOIN users u ON u.id = d.user_id`

// DeliveryRow is a delivery with its ranges still packed.
type DeliveryRow struct {
	model.Delivery
	Ranges []byte
}

func scanDelivery(r *sql.Rows) (d DeliveryRow, err error) {
	var sum, path []byte
	err = r.Scan(&d.ID, &d.Publication, &d.Feed, &d.User, &d.Account, &d.Name, &path, &d.Issue, &d.Size, &sum, &d.State,
		&d.Ranges, stamp{&d.PublishedAt}, stampPtr{&d.OpenedAt}, stampPtr{&d.CollectedAt}, stampPtr{&d.EndedAt},
		&d.Fingerprint, &d.Client, &d.Address, &d.UserID, stampPtr{&d.TakenAt})
	d.Path, d.SHA256 = string(path), hex.EncodeToString(sum)
	return d, err
}

// Deliveries lists deliveries in the order they were made, one page of them.
func (q *Q) Deliveries(f model.DeliveryFilter) ([]DeliveryRow, error) {
	page := pageOf("d.id", f.Paging, f.Reverse)
	args := []any{page.cursor, f.Feed, valid.Fold(f.Account), f.State, valid.Fold(f.User), f.Name, f.Publication,
		most(f.Paging)}
	more := ""
	add := func(condition string, v any) {
		args = append(args, v)
		more += fmt.Sprintf(condition, len(args))
	}
	if !f.Since.IsZero() { // a delivery may be made after its publication, and not before it
		add(` AND d.id >= $%d`, exchange.FirstID(f.Since))
		add(` AND +d.published_at >= $%d`, micros(f.Since))
	}
	if !f.Until.IsZero() {
		add(` AND +d.published_at < $%d`, micros(f.Until))
	}
	if !f.Uncollected.IsZero() { // without a plus, so that the partial index is used
		add(` AND d.state IN ('published', 'opened') AND d.taken_at IS NULL AND d.published_at < $%d`, micros(f.Uncollected))
	}
	return collect(q, "Deliveries", scanDelivery, deliveryColumns+` WHERE `+page.after+` AND ($2 = '' OR p.feed = $2)
		AND ($3 = '' OR LOWER(u.account_id) = $3) AND ($4 = '' OR d.state = $4) AND ($5 = '' OR u.folded = $5)
		AND ($6 = '' OR p.name = $6)
		AND ($7 = '' OR d.publication_id = $7)`+more+page.order+` LIMIT $8`, args...)
}

// Delivery finds one delivery.
func (q *Q) Delivery(id string) (DeliveryRow, error) {
	return one(q, "Delivery", scanDelivery, deliveryColumns+` WHERE d.id = $1`, id)
}
