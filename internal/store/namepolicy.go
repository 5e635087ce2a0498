package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// NamePolicies lists the file name rules of users and folders that differ from the configuration.
func (q *Q) NamePolicies() ([]model.NamePolicy, error) {
	return collect(q, "NamePolicies", func(r *sql.Rows) (p model.NamePolicy, err error) {
		var lists [3]sql.NullString
		var grace sql.NullInt64
		if err := r.Scan(&p.UserID, &p.User, &p.Folder, &lists[0], &lists[1], &lists[2], &grace); err != nil {
			return p, err
		}
		for i, to := range []*[]string{&p.Temporary, &p.Doubtful, &p.Ignored} {
			if lists[i].Valid {
				if err := json.Unmarshal([]byte(lists[i].String), to); err != nil {
					return p, err
				}
			}
		}
		if grace.Valid {
			d := time.Duration(grace.Int64) * time.Microsecond
			p.Grace, p.GraceText = &d, d.String()
		}
		return p, nil
	}, `SELECT p.user_id, COALESCE(u.name, ''), p.folder, p.temporary, p.doubtful, p.ignored, p.grace
		FROM name_policies p LEFT JOIN users u ON u.id = p.user_id ORDER BY p.folder, u.name`)
}

// PutNamePolicy records or replaces the file name rules for a user, for a folder, or for a user's
// folder.
func (tx *Tx) PutNamePolicy(p model.NamePolicy, actor string, at time.Time) error {
	lists := make([]any, 3)
	for i, from := range [][]string{p.Temporary, p.Doubtful, p.Ignored} {
		if from != nil {
			text, err := json.Marshal(from)
			if err != nil {
				return fault.Wrap("store.PutNamePolicy", fault.Internal, err)
			}
			lists[i] = string(text)
		}
	}
	var grace any
	if p.Grace != nil {
		grace = p.Grace.Microseconds()
	}
	_, err := tx.exec("PutNamePolicy", `INSERT INTO name_policies (user_id, folder, temporary, doubtful, ignored, grace,
		created_at, actor) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (user_id, folder) DO UPDATE SET temporary = excluded.temporary, doubtful = excluded.doubtful,
		ignored = excluded.ignored, grace = excluded.grace,
		actor = excluded.actor`, p.UserID, p.Folder, lists[0], lists[1], lists[2], grace, micros(at),
		actor)
	return err
}

// RemoveNamePolicy deletes the file name rules for a user, for a folder, or for a user's folder.
func (tx *Tx) RemoveNamePolicy(userID, folder string) error {
	return tx.execOne("RemoveNamePolicy", `DELETE FROM name_policies WHERE user_id = $1 AND folder = $2`, userID, folder)
}
