package store

import "time"

// SettleRestored ends what a restored database must not go on with: the sessions of operators, sign-ins that have
// begun, jobs, and messages that waited, which may have been sent since. It returns the number of those messages.
func (tx *Tx) SettleRestored(by, why string, at time.Time) (messages int64, err error) {
	const op = "SettleRestored"
	if _, err := tx.exec(op, `UPDATE operator_sessions SET ended_at = $1, ended_by = $2 WHERE ended_at IS NULL`,
		micros(at), by); err != nil {
		return 0, err
	}
	if _, err := tx.exec(op, `DELETE FROM challenges`); err != nil {
		return 0, err
	}
	n, err := tx.exec(op, `UPDATE messages SET state = 'dead', error = $1 WHERE state IN ('new', 'queued')`, why)
	if err != nil {
		return 0, err
	}
	there := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'river_job'`
	if !tx.s.dialect.single {
		there = `SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'river_job'`
	}
	var jobs int64
	if err := tx.scanOne(op, there, nil, &jobs); err != nil || jobs == 0 {
		return n, err
	}
	_, err = tx.exec(op, `DELETE FROM river_job`)
	return n, err
}
