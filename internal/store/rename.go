package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// RenameUser changes a user's name; a taken one is Exists.
func (tx *Tx) RenameUser(userID, name string) error {
	return tx.execOne("RenameUser", `UPDATE users SET name = $2, folded = $3 WHERE id = $1`, userID, name,
		valid.Fold(name))
}

// AddFormerName records that a user had a name until now.
func (tx *Tx) AddFormerName(userID, name string, at time.Time) error {
	_, err := tx.exec("AddFormerName", `INSERT INTO former_names (folded, name, user_id, renamed_at)
		VALUES ($1, $2, $3, $4)`, valid.Fold(name), name, userID, micros(at))
	return err
}

const formerColumns = `SELECT f.name, u.name, f.user_id, f.renamed_at FROM former_names f
	JOIN users u ON u.id = f.user_id`

func scanFormer(r *sql.Rows) (v model.Renamed, err error) {
	err = r.Scan(&v.From, &v.To, &v.UserID, stamp{&v.At})
	return v, err
}

// FormerName finds the user that had a name last; NotFound if nobody had it.
func (q *Q) FormerName(name string) (model.Renamed, error) {
	return one(q, "FormerName", scanFormer, formerColumns+` WHERE f.folded = $1 ORDER BY f.renamed_at DESC LIMIT 1`,
		valid.Fold(name))
}

// FormerNames lists the names that a user had, the newest first.
func (q *Q) FormerNames(userID string) ([]model.Renamed, error) {
	return collect(q, "FormerNames", scanFormer, formerColumns+` WHERE f.user_id = $1 ORDER BY f.renamed_at DESC`, userID)
}

// NamesOf lists the names under which records of a user's connections are: its own first, then former ones
// that nobody else has by now.
func (q *Q) NamesOf(userID string) ([]string, error) {
	return collect(q, "NamesOf", scanString, `SELECT name FROM (SELECT name, 1 AS own FROM users WHERE id = $1
		UNION SELECT f.name, 0 FROM former_names f WHERE f.user_id = $1
		AND NOT EXISTS (SELECT 1 FROM users u WHERE u.folded = f.folded)) n ORDER BY own DESC, name`, userID)
}
