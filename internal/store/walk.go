package store

import (
	"database/sql"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

// Walk is a directory that left a staging folder, and whose files are not all received yet.
type Walk struct {
	DirID, UserID        string
	After                string // files up to this name are received
	Fingerprint, Address string // of who moved it
}

// AddWalk notes that the files of a directory, and of those below it, are to be received.
func (tx *Tx) AddWalk(w Walk, at time.Time) error {
	_, err := tx.book("AddWalk", `INSERT INTO unreceived (dir_id, user_id, after, fingerprint, address, at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (dir_id) DO UPDATE SET after = excluded.after, fingerprint = excluded.fingerprint,
		address = excluded.address, at = excluded.at`,
		w.DirID, w.UserID, []byte(w.After), w.Fingerprint, w.Address, micros(at))
	return err
}

// NextWalk finds a directory of a user whose files are to be received; NotFound if there is
// none.
func (tx *Tx) NextWalk(userID string) (Walk, error) {
	return one(&tx.Q, "NextWalk", func(r *sql.Rows) (w Walk, err error) {
		var after []byte
		err = r.Scan(&w.DirID, &w.UserID, &after, &w.Fingerprint, &w.Address)
		w.After = string(after)
		return w, err
	}, `SELECT dir_id, user_id, after, fingerprint, address FROM unreceived WHERE user_id = $1 ORDER BY dir_id LIMIT 1`,
		userID)
}

// EndWalk records that the files directly in a directory are received. Its subdirectories are walked
// next, except staging folders.
func (tx *Tx) EndWalk(w Walk, at time.Time) error {
	if _, err := tx.book("EndWalk", `INSERT INTO unreceived (dir_id, user_id, after, fingerprint, address, at)
		SELECT id, user_id, $2, $3, $4, $5 FROM dirs WHERE parent_id = $1 AND staging = 0 ON CONFLICT (dir_id) DO NOTHING`,
		w.DirID, []byte{}, w.Fingerprint, w.Address, micros(at)); err != nil {
		return err
	}
	return tx.DropWalk(w.DirID)
}

// DropWalk deletes a walk, whether or not its files are received.
func (tx *Tx) DropWalk(dirID string) error {
	_, err := tx.book("DropWalk", `DELETE FROM unreceived WHERE dir_id = $1`, dirID)
	return err
}

// Arriving is a file that is to be received.
type Arriving struct {
	Name, VersionID string
	Size            int64
	SHA256          []byte
}

// ArrivingIn lists files of a directory that are neither drops nor deliveries, with names after a name, in byte
// order.
func (q *Q) ArrivingIn(dir, after string, limit int) ([]Arriving, error) {
	return collect(q, "ArrivingIn", func(r *sql.Rows) (a Arriving, err error) {
		var name []byte
		err = r.Scan(&name, &a.VersionID, &a.Size, &a.SHA256)
		a.Name = string(name)
		return a, err
	}, `SELECT f.name, f.version_id, b.size, b.sha256 FROM files f JOIN versions v ON v.id = f.version_id
		JOIN blobs b ON b.id = v.blob_id
		WHERE f.dir_id = $1 AND f.name > $2 AND NOT EXISTS (SELECT 1 FROM drops d WHERE d.id = f.version_id)
			AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.version_id = f.version_id) ORDER BY f.name LIMIT $3`, dir,
		[]byte(after), limit)
}

// MovedDir is a directory that was renamed and whose unclaimed drops may still have the old path.
type MovedDir struct{ ID, UserID, From, To string }

// AddMoved notes that the drops below a directory are to follow its rename.
func (tx *Tx) AddMoved(m MovedDir) error {
	_, err := tx.book("AddMoved", `INSERT INTO moved (id, user_id, old_path, new_path) VALUES ($1, $2, $3, $4)`, m.ID,
		m.UserID, []byte(m.From), []byte(m.To))
	return err
}

// NextMoved finds a user's oldest rename of a directory that drops still have to follow; NotFound if
// there is none.
func (tx *Tx) NextMoved(userID string) (MovedDir, error) {
	return one(&tx.Q, "NextMoved", func(r *sql.Rows) (m MovedDir, err error) {
		var from, to []byte
		err = r.Scan(&m.ID, &m.UserID, &from, &to)
		m.From, m.To = string(from), string(to)
		return m, err
	}, `SELECT id, user_id, old_path, new_path FROM moved WHERE user_id = $1 ORDER BY id LIMIT 1`, userID)
}

// FollowMoved gives up to limit unclaimed drops the new path of a directory, and returns how many had
// the old one. A result below limit means that none is left; then the rename is deleted. Drops that
// came after the rename are left alone.
func (tx *Tx) FollowMoved(m MovedDir, limit int) (int, error) {
	type row struct{ id, path string }
	list, err := collect(&tx.Q, "FollowMoved", func(r *sql.Rows) (out row, err error) {
		var p []byte
		err = r.Scan(&out.id, &p)
		out.path = string(p)
		return out, err
	}, `SELECT id, path FROM (SELECT id, path FROM drops WHERE user_id = $1 AND state IN ('new', 'unscanned') AND path > $2
		AND path < $3 AND id <= $4 LIMIT $5) d ORDER BY id`,
		m.UserID, []byte(m.From+"/"), []byte(m.From+"0"), m.ID, limit) // '0' follows '/'
	if err != nil {
		return 0, err
	}
	for _, d := range list {
		state, err := tx.LockDropState(d.id)
		if err != nil {
			return 0, err
		}
		if state != model.DropNew && state != model.DropUnscanned {
			continue // it was claimed meanwhile
		}
		if err := tx.bookOne("FollowMoved", `UPDATE drops SET path = $2 WHERE id = $1`, d.id,
			[]byte(m.To+strings.TrimPrefix(d.path, m.From))); err != nil {
			return 0, err
		}
	}
	if len(list) == limit {
		return len(list), nil
	}
	_, err = tx.book("FollowMoved", `DELETE FROM moved WHERE id = $1`, m.ID)
	return len(list), err
}

// UnclaimedBelow reports whether a user has unclaimed drops below a directory.
func (q *Q) UnclaimedBelow(userID, dir string) (bool, error) {
	var n int64
	err := q.scanOne("UnclaimedBelow", `SELECT COUNT(*)
		FROM (SELECT 1 FROM drops WHERE user_id = $1 AND state IN ('new', 'unscanned') AND path > $2 AND path < $3
		LIMIT 1) d`,
		[]any{userID, []byte(dir + "/"), []byte(dir + "0")}, &n)
	return n > 0, err
}

// Walkers lists the users with work left from renames of directories (Walk, MovedDir).
func (q *Q) Walkers() ([]string, error) {
	return collect(q, "Walkers", scanString, `SELECT user_id FROM unreceived UNION SELECT user_id FROM moved`)
}
