package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Uncollected lists the accounts that have deliveries which were not downloaded in full, by id, one
// page of them, without their contacts. Closed accounts are left out, because nobody can log in.
func (q *Q) Uncollected(f model.UncollectedFilter) ([]model.Uncollected, error) {
	late, args := "", []any{f.Cursor, f.Feed, valid.Fold(f.Account), valid.Fold(f.User), most(f.Paging)}
	if !f.Before.IsZero() {
		late, args = ` AND d.published_at < $6`, append(args, micros(f.Before))
	}
	return collect(q, "Uncollected", scanUncollected, `SELECT a.id, a.name, a.state, COUNT(*),
		CAST(SUM(p.size) AS BIGINT), MIN(d.published_at), MAX(r.at)
		FROM deliveries d JOIN publications p ON p.id = d.publication_id JOIN users u ON u.id = d.user_id
		JOIN accounts a ON a.id = u.account_id LEFT JOIN reminders r ON r.account_id = a.id
		WHERE d.state IN ('published', 'opened') AND d.taken_at IS NULL AND a.state <> 'closed' AND a.id > $1
		AND ($2 = '' OR p.feed = $2) AND ($3 = '' OR a.folded = $3) AND ($4 = '' OR u.folded = $4)`+late+`
		GROUP BY a.id, a.name, a.state ORDER BY a.id LIMIT $5`, args...)
}

func scanUncollected(r *sql.Rows) (u model.Uncollected, err error) {
	err = r.Scan(&u.Account, &u.Name, &u.State, &u.Files, &u.Bytes, stamp{&u.OldestAt}, stampPtr{&u.RemindedAt})
	return u, err
}

// Reminded records that an account's people are reminded, unless they were after a time. It reports
// whether it did.
func (tx *Tx) Reminded(account string, at, unlessAfter time.Time) (bool, error) {
	n, err := tx.exec("Reminded", `INSERT INTO reminders (account_id, at) VALUES ($1, $2)
		ON CONFLICT (account_id) DO UPDATE SET at = EXCLUDED.at WHERE reminders.at <= $3`, account, micros(at),
		micros(unlessAfter))
	return n > 0, err
}
