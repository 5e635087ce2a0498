package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

const announcementColumns = `SELECT id, scope, target, subject, text, from_at, until_at, created_at, actor, ended_at,
	ended_by, mailed, after, done_at FROM announcements`

func scanAnnouncement(r *sql.Rows) (a model.Announcement, err error) {
	err = r.Scan(&a.ID, &a.Scope, &a.Target, &a.Subject, &a.Text, stampPtr{&a.From}, stampPtr{&a.Until},
		stamp{&a.CreatedAt}, &a.Actor, stampPtr{&a.EndedAt}, &a.EndedBy, &a.Mailed, &a.After, stampPtr{&a.DoneAt})
	return a, err
}

// Announcements lists announcements, the newest first, one page of them.
func (q *Q) Announcements(p model.Paging) ([]model.Announcement, error) {
	return collect(q, "Announcements", scanAnnouncement, announcementColumns+` WHERE id < $1 ORDER BY id DESC LIMIT $2`,
		before(p), most(p))
}

// Announcement finds one.
func (q *Q) Announcement(id string) (model.Announcement, error) {
	return one(q, "Announcement", scanAnnouncement, announcementColumns+` WHERE id = $1`, id)
}

// ShownUntil lists announcements that are shown at log-in, now or later.
func (q *Q) ShownUntil(now time.Time) ([]model.Announcement, error) {
	return collect(q, "ShownUntil", scanAnnouncement, announcementColumns+` WHERE until_at > $1 AND ended_at IS NULL
		ORDER BY id`, micros(now))
}

// OpenAnnouncements lists announcements whose mails are not all written.
func (q *Q) OpenAnnouncements() ([]model.Announcement, error) {
	return collect(q, "OpenAnnouncements", scanAnnouncement, announcementColumns+` WHERE done_at IS NULL ORDER BY id`)
}

// AddAnnouncement records an announcement.
func (tx *Tx) AddAnnouncement(a model.Announcement) error {
	_, err := tx.exec("AddAnnouncement", `INSERT INTO announcements (id, scope, target, subject, text, from_at, until_at,
		created_at, actor, ended_by, mailed, after, done_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', 0, '', $10)`,
		a.ID, a.Scope, a.Target, a.Subject, a.Text, timeNull(a.From), timeNull(a.Until), micros(a.CreatedAt), a.Actor,
		timeNull(a.DoneAt))
	return err
}

// EndAnnouncement ends an announcement; NotFound if it has ended, or is over.
func (tx *Tx) EndAnnouncement(id, by string, at time.Time) error {
	return tx.execOne("EndAnnouncement", `UPDATE announcements SET ended_at = $2, ended_by = $3,
		done_at = COALESCE(done_at, $2) WHERE id = $1 AND ended_at IS NULL AND (done_at IS NULL OR until_at > $2)`, id,
		micros(at), by)
}

// Announced records that an announcement was mailed to the contacts up to an id. It is NotFound if
// another node was faster, or the announcement has ended.
func (tx *Tx) Announced(a model.Announcement, upTo string, mails int64, done *time.Time) error {
	return tx.bookOne("Announced", `UPDATE announcements SET after = $3, mailed = mailed + $4, done_at = $5
		WHERE id = $1 AND after = $2 AND done_at IS NULL`, a.ID, a.After, upTo, mails, timeNull(done))
}

// concerned selects the accounts of an announcement's scope, with the target in $1. Closed ones are left
// out.
func concerned(s model.Scope) string {
	accounts := `SELECT a.id FROM accounts a WHERE a.state <> 'closed' AND `
	switch s {
	case model.ScopeRegion:
		return accounts + `a.region = $1`
	case model.ScopeFeed:
		return accounts + `EXISTS (SELECT 1 FROM subscriptions s JOIN users u ON u.id = s.user_id
			WHERE s.feed = $1 AND u.account_id = a.id)`
	case model.ScopeTag:
		return accounts + `(` + tagged("a.tags", "$1") + ` OR EXISTS (SELECT 1 FROM users u WHERE u.account_id = a.id
			AND ` + tagged("u.tags", "$1") + `))`
	}
	return accounts + `$1 = ''`
}

// reached selects one present contact for each address, of the accounts concerned and of the vendors that
// send for them.
func reached(s model.Scope) string {
	return ` WHERE id IN (SELECT MIN(c.id) FROM contacts c WHERE c.left_at IS NULL AND c.bounced_at IS NULL
		AND (c.account_id IN (` + concerned(s) + `) OR c.vendor IN (SELECT u.vendor FROM users u WHERE u.vendor IS NOT NULL
		AND u.enabled = 1 AND u.account_id IN (` + concerned(s) + `))) GROUP BY LOWER(c.email))`
}

// Audience lists contacts whom an announcement concerns, one for each address, with ids after one.
func (q *Q) Audience(s model.Scope, target, after string, most int) ([]model.Contact, error) {
	return collect(q, "Audience", scanContact, contactColumns+reached(s)+` AND id > $2 ORDER BY id LIMIT $3`, target,
		after, most)
}

// AudienceSize counts the contacts and the accounts whom an announcement concerns.
func (q *Q) AudienceSize(s model.Scope, target string) (contacts, accounts int64, err error) {
	err = q.scanOne("AudienceSize", `SELECT (SELECT COUNT(*) FROM contacts`+reached(s)+`),
		(SELECT COUNT(*) FROM (`+concerned(s)+`) n)`, []any{target}, &contacts, &accounts)
	return contacts, accounts, err
}

// Unreached lists accounts whom an announcement concerns, with users and without a contact whom mail
// reaches.
func (q *Q) Unreached(s model.Scope, target string, most int) ([]string, error) {
	return collect(q, "Unreached", scanString, `SELECT n.id FROM (`+concerned(s)+`) n
		WHERE EXISTS (SELECT 1 FROM users u WHERE u.account_id = n.id AND u.kind <> 'service' AND u.enabled = 1)
		AND NOT EXISTS (SELECT 1 FROM contacts c WHERE c.account_id = n.id AND c.left_at IS NULL AND c.bounced_at IS NULL)
		ORDER BY n.id LIMIT $2`, target, most)
}

// Concerns reports whether an account is in an announcement's scope.
func (q *Q) Concerns(s model.Scope, target, account string) (yes bool, err error) {
	err = q.scanOne("Concerns", `SELECT CASE WHEN $2 IN (`+concerned(s)+`) THEN 1 ELSE 0 END`, []any{target, account},
		&yes)
	return yes, err
}
