package store

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// toAccount selects publications that were made to an account or delivered to its users; all if it is
// "".
const toAccount = ` AND ($2 = '' OR p.account_id = $2
	OR EXISTS (SELECT 1 FROM deliveries d JOIN users u ON u.id = d.user_id WHERE d.publication_id = p.id
	AND u.account_id = $2))
	ORDER BY p.id DESC LIMIT $3`

// PublicationsNamed lists publications of a name, the newest first; only those
// of an account, unless it is "".
func (q *Q) PublicationsNamed(name, account string, limit int) ([]PublicationRow, error) {
	return collect(q, "PublicationsNamed", scanPublication, publicationColumns+` WHERE p.name = $1`+toAccount, name,
		account, limit)
}

// contents is the range of the SHA-256 sums that begin with some hexadecimal digits.
func contents(digits string) (from, to []byte) {
	from, _ = hex.DecodeString(digits + strings.Repeat("0", 64-len(digits))) // the caller has checked them
	to, _ = hex.DecodeString(digits + strings.Repeat("f", 64-len(digits)))
	return from, to
}

// PublicationsWithContent is PublicationsNamed by content: the first digits of its SHA-256, lower-case hexadecimal.
func (q *Q) PublicationsWithContent(digits, account string, limit int) ([]PublicationRow, error) {
	from, to := contents(digits)
	return collect(q, "PublicationsWithContent", scanPublication,
		publicationColumns+` WHERE p.sha256 >= $1 AND p.sha256 <= $4`+toAccount, from, account, limit, to)
}

// DropsWithContent lists drops with a content, by the first digits of its SHA-256, the newest first; only those of an
// account, unless it is "".
func (q *Q) DropsWithContent(digits, account string, limit int) ([]model.Drop, error) {
	from, to := contents(digits)
	return collect(q, "DropsWithContent", scanDrop, dropColumns+` WHERE d.sha256 >= $1 AND d.sha256 <= $2
		AND ($3 = '' OR u.account_id = $3) ORDER BY d.id DESC LIMIT $4`, from, to, account, limit)
}

// DropsNamed lists drops that have a name or had it, the newest first; only those of an account, unless it is "".
func (q *Q) DropsNamed(name, account string, limit int) ([]model.Drop, error) {
	return collect(q, "DropsNamed", scanDrop, dropColumns+` WHERE (d.name = $1
		OR d.id IN (SELECT drop_id FROM drop_names WHERE name = $1)) AND ($2 = '' OR u.account_id = $2)
		ORDER BY d.id DESC LIMIT $3`, []byte(name), account, limit)
}

// OldestRecord is when the first publication or drop on record was made; zero if none.
func (q *Q) OldestRecord() (at time.Time, err error) {
	err = q.scanOne("OldestRecord", `SELECT COALESCE(MIN(t), 0)
		FROM (SELECT MIN(published_at) AS t FROM publications UNION ALL SELECT MIN(received_at) FROM drops) o`, nil,
		stampOrZero{&at})
	return at, err
}

// LastLogins returns the times of the latest log-in and the latest failed one on record of a user with some
// names (NamesOf); zero if there is none.
func (q *Q) LastLogins(names []string) (ok, bad time.Time, err error) {
	for _, name := range names {
		for in, latest := range []*time.Time{&bad, &ok} {
			var at time.Time
			err = q.scanOne("LastLogins", `SELECT COALESCE((SELECT at FROM connections WHERE user_name = $1
				AND logged_in = $2 ORDER BY at DESC LIMIT 1), 0)`, []any{name, in}, stampOrZero{&at})
			if err != nil {
				return ok, bad, err
			}
			if at.After(*latest) {
				*latest = at
			}
		}
	}
	return ok, bad, nil
}

// NewestDeliveries lists the deliveries to an account, or to one user of it, the newest first. userID "" is all users.
func (q *Q) NewestDeliveries(account, userID string, limit int) ([]DeliveryRow, error) {
	where, of := ` WHERE u.account_id = $1`, account
	if userID != "" {
		where, of = ` WHERE d.user_id = $1`, userID
	}
	return collect(q, "NewestDeliveries", scanDelivery, deliveryColumns+where+` ORDER BY d.id DESC LIMIT $2`, of, limit)
}

// NewestDrops is NewestDeliveries of what users sent.
func (q *Q) NewestDrops(account, userID string, limit int) ([]model.Drop, error) {
	where, of := ` WHERE u.account_id = $1`, account
	if userID != "" {
		where, of = ` WHERE d.user_id = $1`, userID
	}
	return collect(q, "NewestDrops", scanDrop, dropColumns+where+` ORDER BY d.id DESC LIMIT $2`, of, limit)
}
