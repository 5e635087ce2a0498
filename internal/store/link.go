package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const linkColumns = `SELECT l.id, l.kind, COALESCE(u.name, ''), c.email, l.fingerprint, l.state, l.created_at,
	l.expires_at,
	l.ended_at, l.opened_from, l.user_id, l.contact_id FROM links l JOIN contacts c ON c.id = l.contact_id LEFT
	JOIN users u ON u.id = l.user_id`

func scanLink(r *sql.Rows) (l model.Link, err error) {
	err = r.Scan(&l.ID, &l.Kind, &l.User, &l.Contact, &l.Fingerprint, &l.State, stamp{&l.CreatedAt}, stamp{&l.ExpiresAt},
		stampPtr{&l.EndedAt}, &l.OpenedFrom, &l.UserID, &l.ContactID)
	return l, err
}

// Links lists one-time links, the newest first, one page of them.
func (q *Q) Links(f model.OfUserFilter) ([]model.Link, error) {
	return collect(q, "Links", scanLink, linkColumns+` WHERE ($1 = '' OR u.folded = $1) AND l.id < $2 ORDER BY l.id DESC
		LIMIT $3`,
		valid.Fold(f.User), before(f.Paging), most(f.Paging))
}

// Link finds one link by its id.
func (q *Q) Link(id string) (model.Link, error) {
	return one(q, "Link", scanLink, linkColumns+` WHERE l.id = $1`, id)
}

// LinksOfKey lists the waiting and the opened links that hand over a key. Revoked and expired links
// delivered nothing.
func (q *Q) LinksOfKey(fingerprint string) ([]model.Link, error) {
	return collect(q, "LinksOfKey", scanLink, linkColumns+` WHERE l.fingerprint = $1 AND l.state IN ('waiting', 'opened')
		ORDER BY l.id`, fingerprint)
}

// LinkByToken finds a link by the hash of its token.
func (q *Q) LinkByToken(token []byte) (model.Link, error) {
	return one(q, "LinkByToken", scanLink, linkColumns+` WHERE l.token = $1`, token)
}

// AddLink records a waiting link with the hash of its token and its sealed content.
func (tx *Tx) AddLink(l model.Link, token, sealed []byte) error {
	_, err := tx.exec("AddLink", `INSERT INTO links (id, token, kind, user_id, contact_id, fingerprint, sealed, state,
		created_at, expires_at, opened_from)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $9, '')`, l.ID, token, l.Kind, l.UserID, l.ContactID,
		l.Fingerprint,
		sealed, micros(l.CreatedAt), micros(l.ExpiresAt))
	return err
}

// OpenLink marks a waiting link as opened, erases its sealed content and returns it. If the link is
// not waiting any more, or has expired, it is NotFound.
func (tx *Tx) OpenLink(token []byte, from string, at time.Time) (sealed []byte, err error) {
	var id string
	if err := tx.scanOne("OpenLink", `SELECT id, sealed FROM links WHERE token = $1 AND state = 'waiting'
		AND expires_at > $2 `+tx.s.dialect.lock,
		[]any{token, micros(at)}, &id, &sealed); err != nil {
		return nil, err
	}
	if err := tx.take(rankLink, id); err != nil {
		return nil, err
	}
	return sealed, tx.execOne("OpenLink", `UPDATE links SET state = 'opened', sealed = NULL, ended_at = $2,
		opened_from = $3
		WHERE token = $1 AND state = 'waiting'`, token, micros(at), from)
}

// LockLink holds a link's row until the transaction ends, after waiting for other transactions that
// change it, and returns its state.
func (tx *Tx) LockLink(token []byte) (state model.LinkState, err error) {
	var id string
	if err := tx.scanOne("LockLink", `SELECT id, state FROM links WHERE token = $1 `+tx.s.dialect.lock, []any{token}, &id,
		&state); err != nil {
		return "", err
	}
	return state, tx.take(rankLink, id)
}

// RevokeLink ends a waiting link and erases its content.
func (tx *Tx) RevokeLink(id string, at time.Time) error {
	if err := tx.take(rankLink, id); err != nil {
		return err
	}
	return tx.execOne("RevokeLink", `UPDATE links SET state = 'revoked', sealed = NULL, ended_at = $2 WHERE id = $1
		AND state = 'waiting'`, id, micros(at))
}

// RevokeLinksOf ends a contact's waiting links.
func (tx *Tx) RevokeLinksOf(contactID string, at time.Time) error {
	if _, err := tx.lockRows("RevokeLinksOf", rankLink,
		`SELECT id FROM links WHERE contact_id = $1 AND state = 'waiting' ORDER BY id`, contactID); err != nil {
		return err
	}
	_, err := tx.exec("RevokeLinksOf", `UPDATE links SET state = 'revoked', sealed = NULL, ended_at = $2
		WHERE contact_id = $1 AND state = 'waiting'`, contactID, micros(at))
	return err
}

// RevokeLinksOfKey ends the waiting links that hand a key over.
func (tx *Tx) RevokeLinksOfKey(fingerprint string, at time.Time) error {
	if _, err := tx.lockRows("RevokeLinksOfKey", rankLink,
		`SELECT id FROM links WHERE fingerprint = $1 AND state = 'waiting' ORDER BY id`, fingerprint); err != nil {
		return err
	}
	_, err := tx.exec("RevokeLinksOfKey", `UPDATE links SET state = 'revoked', sealed = NULL, ended_at = $2
		WHERE fingerprint = $1 AND state = 'waiting'`, fingerprint, micros(at))
	return err
}

// ExpireLinks marks up to 1,000 overdue links as expired and returns those that this call changed.
func (tx *Tx) ExpireLinks(now time.Time) ([]model.Link, error) {
	over, err := collect(&tx.Q, "ExpireLinks", scanLink,
		linkColumns+` WHERE l.state = 'waiting' AND l.expires_at <= $1 ORDER BY l.id LIMIT 1000`, micros(now))
	if err != nil || len(over) == 0 {
		return nil, err
	}
	var ended []model.Link
	for _, l := range over {
		if err := tx.take(rankLink, l.ID); err != nil {
			return nil, err
		}
		n, err := tx.exec("ExpireLinks", `UPDATE links SET state = 'expired', sealed = NULL, ended_at = expires_at
			WHERE id = $1 AND state = 'waiting'`, l.ID)
		if err != nil {
			return nil, err
		}
		if n > 0 { // else another node expired it, or it was opened meanwhile
			ended = append(ended, l)
		}
	}
	return ended, nil
}

const noticeColumns = `SELECT n.id, n.at, n.kind, COALESCE(u.name, ''), n.user_id, n.fingerprint, n.mark, n.roles,
	n.text, n.done_at
	FROM notices n LEFT JOIN users u ON u.id = n.user_id`

func scanNotice(r *sql.Rows) (n model.Notice, err error) {
	var roles string
	err = r.Scan(&n.ID, stamp{&n.At}, &n.Kind, &n.User, &n.UserID, &n.Fingerprint, &n.Mark, &roles, &n.Text,
		stampPtr{&n.DoneAt})
	n.Roles = list(roles)
	return n, err
}

// Notices lists notices for people, the oldest first, one page of them.
func (q *Q) Notices(f model.NoticeFilter) ([]model.Notice, error) {
	return collect(q, "Notices", scanNotice, noticeColumns+` WHERE ($1 = 1 OR n.done_at IS NULL) AND n.id > $2
		ORDER BY n.id LIMIT $3`,
		flag(f.All), f.Cursor, most(f.Paging))
}

// NoticedAt returns when a notice about a user was made; zero if it was not.
func (q *Q) NoticedAt(userID, kind, mark string) (at time.Time, err error) {
	err = q.scanOne("NoticedAt", `SELECT COALESCE((SELECT MIN(at) FROM notices WHERE user_id = $1 AND kind = $2
		AND fingerprint = '' AND mark = $3), 0)`, []any{userID, kind, mark}, stampOrZero{&at})
	return at, err
}

// AddNotice records a notice, unless there is one with the same user, kind, fingerprint and mark. It
// reports whether it was new.
func (tx *Tx) AddNotice(n model.Notice) (bool, error) {
	rows, err := tx.book("AddNotice", `INSERT INTO notices (id, at, kind, user_id, fingerprint, mark, roles, text)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_id, kind, fingerprint, mark) DO NOTHING`,
		n.ID, micros(n.At), n.Kind, n.UserID, n.Fingerprint, n.Mark, jsonList(n.Roles), n.Text)
	return rows > 0, err
}

// NoticeDone marks an open notice as done; NotFound if it was done already.
func (tx *Tx) NoticeDone(id string, at time.Time) error {
	return tx.execOne("NoticeDone", `UPDATE notices SET done_at = $2 WHERE id = $1 AND done_at IS NULL`, id, micros(at))
}
