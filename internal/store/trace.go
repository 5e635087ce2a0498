package store

import (
	"time"
	"unicode/utf8"

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

// PublicationsWithContent is PublicationsNamed by content.
func (q *Q) PublicationsWithContent(sha256 []byte, account string, limit int) ([]PublicationRow, error) {
	return collect(q, "PublicationsWithContent", scanPublication, publicationColumns+` WHERE p.sha256 = $1`+toAccount,
		sha256, account, limit)
}

// NamesLike lists up to limit names of publications that begin with a prefix: of those to an account
// or to all accounts, or of every one if account is "".
func (q *Q) NamesLike(prefix, account string, limit int) ([]string, error) {
	return collect(q, "NamesLike", scanString, `SELECT DISTINCT name FROM publications WHERE SUBSTR(name, 1, $2) = $1
		AND ($4 = '' OR account_id IN ('', $4)) ORDER BY name LIMIT $3`,
		prefix, utf8.RuneCountInString(prefix), limit, account)
}

// OldestRecord is when the first publication or drop on record was made; zero if none.
func (q *Q) OldestRecord() (at time.Time, err error) {
	err = q.scanOne("OldestRecord", `SELECT COALESCE(MIN(t), 0)
		FROM (SELECT MIN(published_at) AS t FROM publications UNION ALL SELECT MIN(received_at) FROM drops) o`, nil,
		stampOrZero{&at})
	return at, err
}

// LastLogins returns the times of a user's latest log-in and latest failed log-in on record; zero if
// there is none.
func (q *Q) LastLogins(user string) (ok, bad time.Time, err error) {
	last := func(in int64) (at time.Time, err error) {
		err = q.scanOne("LastLogins", `SELECT COALESCE((SELECT at FROM connections WHERE user_name = $1 AND logged_in = $2
			ORDER BY at DESC LIMIT 1), 0)`, []any{user, in}, stampOrZero{&at})
		return at, err
	}
	if ok, err = last(1); err != nil {
		return ok, bad, err
	}
	bad, err = last(0)
	return ok, bad, err
}

// NewestDeliveries lists an account's deliveries, the newest first.
func (q *Q) NewestDeliveries(account string, limit int) ([]DeliveryRow, error) {
	return collect(q, "NewestDeliveries", scanDelivery,
		deliveryColumns+` WHERE u.account_id = $1 ORDER BY d.id DESC LIMIT $2`, account, limit)
}

// NewestDrops lists what an account's users sent, the newest first.
func (q *Q) NewestDrops(account string, limit int) ([]model.Drop, error) {
	return collect(q, "NewestDrops", scanDrop, dropColumns+` WHERE u.account_id = $1 ORDER BY d.id DESC LIMIT $2`, account,
		limit)
}
