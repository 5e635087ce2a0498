package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

const reviewColumns = `SELECT id, made_at, made_by, operators, tokens, keys, signed_at, signed_by, note`

// Reviews lists reviews without their content, the newest first, one page of them.
func (q *Q) Reviews(p model.Paging) ([]model.Review, error) {
	return collect(q, "Reviews", func(r *sql.Rows) (v model.Review, err error) {
		err = r.Scan(&v.ID, stamp{&v.MadeAt}, &v.MadeBy, &v.Operators, &v.Tokens, &v.Keys, stampPtr{&v.SignedAt}, &v.SignedBy,
			&v.Note)
		return v, err
	}, reviewColumns+` FROM reviews WHERE id < $1 ORDER BY id DESC LIMIT $2`, before(p), most(p))
}

// Review finds a review by id.
func (q *Q) Review(id string) (model.Review, error) {
	return one(q, "Review", func(r *sql.Rows) (v model.Review, err error) {
		var content string
		err = r.Scan(&v.ID, stamp{&v.MadeAt}, &v.MadeBy, &v.Operators, &v.Tokens, &v.Keys, stampPtr{&v.SignedAt}, &v.SignedBy,
			&v.Note, &content)
		if err == nil {
			err = json.Unmarshal([]byte(content), &v.Access)
		}
		return v, err
	}, reviewColumns+`, content FROM reviews WHERE id = $1`, id)
}

// LastReview returns when access was last signed off; the zero time if it never was.
func (q *Q) LastReview() (at time.Time, err error) {
	err = q.scanOne("LastReview", `SELECT MAX(signed_at) FROM reviews`, nil, stamp{&at})
	return at, err
}

// FirstAccess returns when the first operator or token was made; the zero time if there are none.
func (q *Q) FirstAccess() (at time.Time, err error) {
	err = q.scanOne("FirstAccess", `SELECT MIN(created_at) FROM (SELECT created_at FROM operators WHERE email <> ''
		UNION ALL SELECT created_at FROM tokens) made`, nil, stamp{&at})
	return at, err
}

// AddReview records a review.
func (tx *Tx) AddReview(v model.Review) error {
	content, err := json.Marshal(v.Access)
	if err != nil {
		return err
	}
	_, err = tx.exec("AddReview", `INSERT INTO reviews (id, made_at, made_by, operators, tokens, keys, content, signed_by,
		note) VALUES ($1, $2, $3, $4, $5, $6, $7, '', '')`, v.ID, micros(v.MadeAt), v.MadeBy, v.Operators, v.Tokens, v.Keys,
		string(content))
	return err
}

// SignReview signs a review off; NotFound if that was done before.
func (tx *Tx) SignReview(id, by, note string, at time.Time) error {
	return tx.execOne("SignReview", `UPDATE reviews SET signed_at = $2, signed_by = $3, note = $4
		WHERE id = $1 AND signed_at IS NULL`, id, micros(at), by, note)
}

// AccessOfKeys lists keys that are not revoked, by user: those after a user's name and a key's id, up to
// limit.
func (q *Q) AccessOfKeys(user, id string, limit int) ([]model.Key, error) {
	return collect(q, "AccessOfKeys", scanKey, keyColumns+` WHERE k.revoked_at IS NULL
		AND (u.name > $1 OR u.name = $1 AND k.id > $2) ORDER BY u.name, k.id LIMIT $3`, user, id, limit)
}
