package store

import (
	"database/sql"

	"github.com/sallyport-sftp/sallyport/model"
)

const expectationColumns = `SELECT e.id, e.name, e.user_id, COALESCE(u.name, ''), e.feed, e.account_id, e.glob,
	e.at_least, e.least_bytes, e.least_rows, e.most_bytes, e.days, e.clock, e.zone, e.tell,
	e.created_at, e.checked_at, e.state, e.due_at, e.since, e.changed_at FROM expectations e LEFT
	JOIN users u ON u.id = e.user_id`

func scanExpectation(r *sql.Rows) (e model.Expectation, err error) {
	err = r.Scan(&e.ID, &e.Name, &e.UserID, &e.User, &e.Feed, &e.Account, &e.Glob, &e.AtLeast, &e.LeastBytes, &e.LeastRows,
		&e.MostBytes, &e.Days, &e.Clock, &e.Zone, &e.Tell, stamp{&e.CreatedAt}, stamp{&e.CheckedAt}, &e.State,
		stampPtr{&e.DueAt}, stampPtr{&e.Since}, stampPtr{&e.ChangedAt})
	return e, err
}

// Expectations lists expectations by name, one page of them.
func (q *Q) Expectations(p model.Paging) ([]model.Expectation, error) {
	return collect(q, "Expectations", scanExpectation, expectationColumns+` WHERE e.name > $1 ORDER BY e.name LIMIT $2`,
		p.Cursor, most(p))
}

// ExpectationsOf lists what is expected of a user, by name. The list is shared: do not change it.
func (q *Q) ExpectationsOf(userID string) ([]model.Expectation, error) {
	return recall(q, "expectations of "+userID, func() ([]model.Expectation, error) {
		return collect(q, "ExpectationsOf", scanExpectation, expectationColumns+` WHERE e.user_id = $1 ORDER BY e.name`,
			userID)
	})
}

// Expectation finds one by name.
func (q *Q) Expectation(name string) (model.Expectation, error) {
	return one(q, "Expectation", scanExpectation, expectationColumns+` WHERE e.name = $1`, name)
}

// LockExpectation finds one by id and holds its row.
func (tx *Tx) LockExpectation(id string) (model.Expectation, error) {
	if err := tx.take(rankExpectation, id); err != nil {
		return model.Expectation{}, err
	}
	lock := tx.s.dialect.lock
	if lock != "" {
		lock += " OF e"
	}
	return one(&tx.Q, "LockExpectation", scanExpectation, expectationColumns+` WHERE e.id = $1 `+lock, id)
}

// AddExpectation records an expectation.
func (tx *Tx) AddExpectation(e model.Expectation) error {
	_, err := tx.exec("AddExpectation", `INSERT INTO expectations (id, name, user_id, feed, account_id, glob, at_least,
		days, clock, zone, tell, created_at, checked_at, state, least_bytes, least_rows, most_bytes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`, e.ID, e.Name, e.UserID, e.Feed,
		e.Account, e.Glob, e.AtLeast, e.Days, e.Clock, e.Zone, flag(e.Tell),
		micros(e.CreatedAt), micros(e.CheckedAt), e.State, e.LeastBytes, e.LeastRows, e.MostBytes)
	return err
}

// JudgeExpectation records the result of checking an expectation.
func (tx *Tx) JudgeExpectation(e model.Expectation) error {
	return tx.bookOne("JudgeExpectation", `UPDATE expectations SET checked_at = $2, state = $3, due_at = $4, since = $5,
		changed_at = $6 WHERE id = $1`,
		e.ID, micros(e.CheckedAt), e.State, timeNull(e.DueAt), timeNull(e.Since), timeNull(e.ChangedAt))
}

// RemoveExpectation deletes an expectation; NotFound if there is none.
func (tx *Tx) RemoveExpectation(name string) error {
	return tx.execOne("RemoveExpectation", `DELETE FROM expectations WHERE name = $1`, name)
}
