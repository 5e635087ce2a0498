package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// RequestFill is a subscription of an approved request that still needs earlier files.
type RequestFill struct {
	Request, Feed, User, Actor string
	Days                       int
	At                         time.Time // when the log-in was made
}

// RequestFills lists subscriptions that still need earlier files.
func (q *Q) RequestFills(most int) ([]RequestFill, error) {
	return collect(q, "RequestFills", func(r *sql.Rows) (f RequestFill, err error) {
		err = r.Scan(&f.Request, &f.Feed, &f.User, &f.Actor, &f.Days, stamp{&f.At})
		return f, err
	}, `SELECT f.request_id, f.feed, COALESCE(u.name, ''), f.actor, f.days, r.since FROM request_fills f
		JOIN requests r ON r.id = f.request_id LEFT JOIN users u ON u.id = r.user_id ORDER BY f.request_id, f.feed LIMIT $1`,
		most)
}

// AddRequestFill records that a subscription needs earlier files.
func (tx *Tx) AddRequestFill(f RequestFill) error {
	_, err := tx.book("AddRequestFill", `INSERT INTO request_fills (request_id, feed, days, actor)
		VALUES ($1, $2, $3, $4)`, f.Request, f.Feed, f.Days, f.Actor)
	return err
}

// RequestFilled records that a subscription has its earlier files.
func (tx *Tx) RequestFilled(request, feed string) error {
	_, err := tx.book("RequestFilled", `DELETE FROM request_fills WHERE request_id = $1 AND feed = $2`, request, feed)
	return err
}

// FirstUse returns whether a user has logged in since a time, with one such time, and when a file of it was
// first received or downloaded in full since then. Zero: not yet.
func (q *Q) FirstUse(userID string, since time.Time) (login, file time.Time, err error) {
	err = q.scanOne("FirstUse", `SELECT
		COALESCE((SELECT MIN(last_used_at) FROM keys WHERE user_id = $1 AND last_used_at >= $2), 0),
		COALESCE((SELECT MIN(at) FROM (SELECT MIN(received_at) AS at FROM drops WHERE user_id = $1 AND received_at >= $2
			UNION ALL SELECT MIN(collected_at) AS at FROM deliveries WHERE user_id = $1 AND collected_at >= $2) f), 0)`,
		[]any{userID, micros(since)}, stampOrZero{&login}, stampOrZero{&file})
	return login, file, err
}

// alike is how an expression compares names that people confuse: l, 1, I and i; O and 0; rn and m; vv and w;
// without separators.
func alike(column string) string {
	for _, r := range confusable {
		column = `REPLACE(` + column + `, '` + r[0] + `', '` + r[1] + `')`
	}
	return column
}

// confusable are letters that look like others, with what stands for both. The order counts.
var confusable = [][2]string{{"-", ""}, {"_", ""}, {".", ""}, {"+", ""}, {"@", ""}, {" ", ""}, {"0", "o"}, {"1", "l"},
	{"i", "l"}, {"rn", "m"}, {"vv", "w"}}

// NamesAlike lists up to most usernames and account IDs that look like a name, but for the name itself.
func (q *Q) NamesAlike(name string, most int) ([]string, error) {
	return collect(q, "NamesAlike", scanString, `SELECT name FROM users WHERE `+alike("folded")+` = `+alike("$1")+`
		AND folded <> $1 UNION SELECT id FROM accounts WHERE `+alike("folded")+` = `+alike("$1")+` AND folded <> $1
		ORDER BY 1 LIMIT $2`, valid.Fold(name), most)
}
