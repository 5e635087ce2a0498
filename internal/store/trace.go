package store

import (
	"database/sql"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// PublicationsNamed lists publications of a name, the newest first.
func (q *Q) PublicationsNamed(name string, limit int) ([]PublicationRow, error) {
	return collect(q, "PublicationsNamed", scanPublication, publicationColumns+` WHERE p.name = $1 ORDER BY p.id DESC LIMIT $2`, name, limit)
}

// PublicationsWithContent lists publications of a content, the newest first.
func (q *Q) PublicationsWithContent(sha256 []byte, limit int) ([]PublicationRow, error) {
	return collect(q, "PublicationsWithContent", scanPublication, publicationColumns+` WHERE p.sha256 = $1 ORDER BY p.id DESC LIMIT $2`, sha256, limit)
}

// NamesLike lists published names that begin like a prefix, in characters.
func (q *Q) NamesLike(prefix string, limit int) ([]string, error) {
	return collect(q, "NamesLike", func(r *sql.Rows) (name string, err error) {
		err = r.Scan(&name)
		return name, err
	},
		`SELECT DISTINCT name FROM publications WHERE SUBSTR(name, 1, $2) = $1 ORDER BY name LIMIT $3`, prefix, utf8.RuneCountInString(prefix), limit)
}

// OldestRecord is when the first publication or drop on record was made; 0 if none.
func (q *Q) OldestRecord() (at int64, err error) {
	err = q.scanOne("OldestRecord", `SELECT COALESCE(MIN(t), 0) FROM (SELECT MIN(published_at) AS t FROM publications UNION ALL SELECT MIN(received_at) FROM drops) o`, nil, &at)
	return at, err
}

// LastLogins are the times of a user's latest log-in and latest failure on record; 0 if none.
func (q *Q) LastLogins(user string) (ok, bad int64, err error) {
	last := func(in int64) (at int64, err error) {
		err = q.scanOne("LastLogins", `SELECT COALESCE((SELECT at FROM connections WHERE user_name = $1 AND logged_in = $2 ORDER BY at DESC LIMIT 1), 0)`, []any{user, in}, &at)
		return at, err
	}
	if ok, err = last(1); err != nil {
		return 0, 0, err
	}
	bad, err = last(0)
	return ok, bad, err
}

// NewestDeliveries lists an account's deliveries, the newest first.
func (q *Q) NewestDeliveries(account string, limit int) ([]DeliveryRow, error) {
	return collect(q, "NewestDeliveries", scanDelivery, deliveryColumns+` WHERE u.account_id = $1 ORDER BY d.id DESC LIMIT $2`, account, limit)
}

// NewestDrops lists what an account's users sent, the newest first.
func (q *Q) NewestDrops(account string, limit int) ([]exchange.Drop, error) {
	return collect(q, "NewestDrops", scanDrop, dropColumns+` WHERE u.account_id = $1 ORDER BY d.id DESC LIMIT $2`, account, limit)
}
