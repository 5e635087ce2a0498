package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

var eventInserts = inserts(4, `INSERT INTO outbox (id, at, type, body) VALUES`, "")

// Emit writes events in the transaction of the change that they report.
func (tx *Tx) Emit(events ...model.Event) error {
	rows := make([][]any, len(events))
	for i, e := range events {
		body, err := json.Marshal(e)
		if err != nil {
			return fault.Wrap("store.Emit", fault.Internal, err)
		}
		rows[i] = []any{e.ID, micros(e.At), e.Type, string(body)}
	}
	return insert(tx.book, "Emit", &eventInserts, rows)
}

// Outbox lists events to hand out, the oldest first, and holds their rows. Rows held by other
// transactions, and events whose next try is after now, are left out. An event whose body cannot be
// read has only its ID.
func (tx *Tx) Outbox(now time.Time, limit int) ([]model.Event, error) {
	lock := tx.s.dialect.lock
	if lock != "" {
		lock += " SKIP LOCKED"
	}
	return collect(&tx.Q, "Outbox", func(r *sql.Rows) (e model.Event, err error) {
		var id, body string
		if err = r.Scan(&id, &body); err == nil && json.Unmarshal([]byte(body), &e) != nil {
			e = model.Event{}
		}
		e.ID = id
		return e, err
	}, `SELECT id, body FROM outbox WHERE retry_at <= $1 ORDER BY id LIMIT $2 `+lock, micros(now), limit)
}

// Emitted removes events that were handed out.
func (tx *Tx) Emitted(events []model.Event) error {
	for len(events) > 0 {
		n := min(len(events), sealAtOnce)
		args := make([]any, n)
		marks := make([]string, n)
		for i, e := range events[:n] {
			args[i], marks[i] = e.ID, fmt.Sprintf("$%d", i+1)
		}
		if _, err := tx.book("Emitted", `DELETE FROM outbox WHERE id IN (`+strings.Join(marks, ", ")+`)`,
			args...); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// Postpone counts a failed try to hand out an event and delays the next try to until(tries). It
// returns tries.
func (tx *Tx) Postpone(id string, until func(tries int64) time.Time) (tries int64, err error) {
	if err := tx.scanOne("Postpone", `SELECT tries FROM outbox WHERE id = $1`, []any{id}, &tries); err != nil {
		return 0, err
	}
	tries++
	return tries, tx.bookOne("Postpone", `UPDATE outbox SET tries = $2, retry_at = $3 WHERE id = $1`, id, tries,
		micros(until(tries)))
}

// HasEvents reports whether an event can be handed out now, or a message has no job yet.
func (q *Q) HasEvents(now time.Time) (bool, error) {
	var n int64
	err := q.scanOne("HasEvents", `SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE retry_at <= $1 LIMIT 1) o)
		+ (SELECT COUNT(*) FROM (SELECT 1 FROM messages WHERE state = 'new' LIMIT 1) m)`, []any{micros(now)}, &n)
	return n > 0, err
}

// Queue counts the waiting events and messages and the dead messages, and finds the oldest that waits.
func (q *Q) Queue() (v model.Queue, err error) {
	var events, messages time.Time
	err = q.scanOne("Queue", `SELECT (SELECT COUNT(*) FROM outbox), (SELECT COALESCE(MIN(at), 0) FROM outbox),
		(SELECT COUNT(*) FROM messages WHERE state IN ('new', 'queued')), (SELECT COALESCE(MIN(created_at), 0) FROM messages
		WHERE state IN ('new', 'queued')),
		(SELECT COUNT(*) FROM messages WHERE state = 'dead')`, nil, &v.Events, stampOrZero{&events}, &v.Waiting,
		stampOrZero{&messages}, &v.Dead)
	oldest := events
	if oldest.IsZero() || !messages.IsZero() && messages.Before(oldest) {
		oldest = messages
	}
	if !oldest.IsZero() {
		v.OldestAt = &oldest
	}
	return v, err
}

const webhookColumns = `SELECT name, url, secret, old_secret, events, enabled, created_at, note FROM webhooks`

func scanWebhook(r *sql.Rows) (w model.Webhook, err error) {
	var events string
	err = r.Scan(&w.Name, &w.URL, &w.Secret, &w.OldSecret, &events, &w.Enabled, stamp{&w.CreatedAt}, &w.Note)
	w.Events = list(events)
	return w, err
}

// Webhooks lists receivers by name, with their secrets, one page of them.
func (q *Q) Webhooks(p model.Paging) ([]model.Webhook, error) {
	return collect(q, "Webhooks", scanWebhook, webhookColumns+` WHERE name > $1 ORDER BY name LIMIT $2`, p.Cursor, most(p))
}

// Webhook finds one receiver, with its secrets.
func (q *Q) Webhook(name string) (model.Webhook, error) {
	return one(q, "Webhook", scanWebhook, webhookColumns+` WHERE name = $1`, name)
}

// AddWebhook records a receiver.
func (tx *Tx) AddWebhook(w model.Webhook) error {
	_, err := tx.exec("AddWebhook", `INSERT INTO webhooks (name, url, secret, old_secret, events, enabled, created_at,
		note)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, w.Name, w.URL, w.Secret, w.OldSecret, jsonList(w.Events), flag(w.Enabled),
		micros(w.CreatedAt), w.Note)
	return err
}

// SetWebhook changes a receiver.
func (tx *Tx) SetWebhook(w model.Webhook) error {
	return tx.execOne("SetWebhook", `UPDATE webhooks SET url = $2, secret = $3, old_secret = $4, events = $5, enabled = $6,
		note = $7 WHERE name = $1`,
		w.Name, w.URL, w.Secret, w.OldSecret, jsonList(w.Events), flag(w.Enabled), w.Note)
}

// RemoveWebhook deletes a receiver and its messages, except those that were sent.
func (tx *Tx) RemoveWebhook(name string) error {
	if _, err := tx.exec("RemoveWebhook", `DELETE FROM messages WHERE id IN
		(SELECT id FROM messages WHERE channel = 'webhook' AND target = $1 AND state <> 'sent' ORDER BY id `+
		tx.s.dialect.lock+`)`, name); err != nil {
		return err
	}
	return tx.execOne("RemoveWebhook", `DELETE FROM webhooks WHERE name = $1`, name)
}

const messageColumns = `SELECT id, channel, target, event_id, kind, ref, contact_id, subject, body, html, state,
	attempts, error,
	created_at, tried_at, sent_at FROM messages`

func scanMessage(r *sql.Rows) (m model.Message, err error) {
	err = r.Scan(&m.ID, &m.Channel, &m.Target, &m.EventID, &m.Kind, &m.Ref, &m.ContactID, &m.Subject, &m.Body, &m.HTML,
		&m.State, &m.Attempts, &m.Error, stamp{&m.CreatedAt}, stampPtr{&m.TriedAt}, stampPtr{&m.SentAt})
	return m, err
}

// AddMessage records something to send.
func (tx *Tx) AddMessage(m model.Message) error {
	_, err := tx.book("AddMessage", `INSERT INTO messages (id, channel, target, event_id, kind, ref, contact_id, subject,
		body, html, state, attempts, error, created_at, files, secret)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'new', 0, '', $11, $12, $13)`, m.ID, m.Channel, m.Target, m.EventID,
		m.Kind, m.Ref, m.ContactID, m.Subject, m.Body, m.HTML, micros(m.CreatedAt), messageFiles(m.Files), m.Secret)
	return err
}

// storedFile is a file of a message as it is stored.
type storedFile struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Content []byte `json:"content"`
}

func messageFiles(list []model.MessageFile) string {
	if len(list) == 0 {
		return ""
	}
	kept := make([]storedFile, len(list))
	for i, f := range list {
		kept[i] = storedFile(f)
	}
	text, _ := json.Marshal(kept) // texts and bytes always marshal
	return string(text)
}

// Enclosed finds what a message has besides its text: its files, and its sealed secret.
func (q *Q) Enclosed(id string) (files []model.MessageFile, secret string, err error) {
	var text string
	if err := q.scanOne("Enclosed", `SELECT files, secret FROM messages WHERE id = $1`, []any{id}, &text,
		&secret); err != nil || text == "" {
		return nil, secret, err
	}
	var kept []storedFile
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return nil, "", fault.Wrap("store.Enclosed", fault.Internal, err)
	}
	for _, f := range kept {
		files = append(files, model.MessageFile(f))
	}
	return files, secret, nil
}

// ForgetSecrets erases the secrets of messages that were made before a time.
func (tx *Tx) ForgetSecrets(before time.Time) error {
	_, err := tx.book("ForgetSecrets", `UPDATE messages SET secret = '' WHERE id IN (SELECT id FROM messages
		WHERE secret <> '' AND created_at < $1 ORDER BY id `+tx.s.dialect.lock+`)`, micros(before))
	return err
}

// Message finds one message.
func (q *Q) Message(id string) (model.Message, error) {
	return one(q, "Message", scanMessage, messageColumns+` WHERE id = $1`, id)
}

// Messages lists messages, the newest first, one page of them.
func (q *Q) Messages(f model.MessageFilter) ([]model.Message, error) {
	page := pageOf("id", f.Paging, !f.Reverse)
	args := []any{page.cursor, f.Channel, f.State, f.Target, most(f.Paging)}
	span := ""
	if f.Span != (model.Span{}) {
		args = append(args, firstID(f.Since, ""), firstID(f.Until, lastID))
		span = ` AND id >= $6 AND id < $7`
	}
	return collect(q, "Messages", scanMessage, messageColumns+` WHERE `+page.after+` AND ($2 = '' OR channel = $2)
		AND ($3 = '' OR state = $3) AND ($4 = '' OR target = $4)`+span+page.order+` LIMIT $5`, args...)
}

// Tried records the result of a try to send. Once a message is sent, its secret is erased.
func (tx *Tx) Tried(id string, state model.MessageState, fault string, at time.Time) error {
	tried, sent := micros(at), any(nil)
	if state == model.MessageSent {
		sent = tried
	}
	return tx.bookOne("Tried", `UPDATE messages SET state = $2, error = $3, attempts = attempts + 1, tried_at = $4,
		sent_at = $5, secret = CASE WHEN $2 = 'sent' THEN '' ELSE secret END WHERE id = $1`,
		id, state, fault, tried, sent)
}

// Resend makes a dead, bounced or sent message new again; otherwise it is NotFound.
func (tx *Tx) Resend(id string) error {
	return tx.execOne("Resend", `UPDATE messages SET state = 'new', attempts = 0, error = '' WHERE id = $1
		AND state IN ('dead', 'bounced', 'sent')`, id)
}

// Bounced marks the mails sent to an address and made since a time as bounced, and returns how many.
func (tx *Tx) Bounced(address string, since time.Time, fault string) (int64, error) {
	return tx.exec("Bounced", `UPDATE messages SET state = 'bounced', error = $3 WHERE id IN (SELECT id FROM messages
		WHERE channel = 'mail' AND LOWER(target) = LOWER($1) AND created_at >= $2 AND state = 'sent' ORDER BY id `+
		tx.s.dialect.lock+`)`, address, micros(since), fault)
}

// ReturnedMail marks one mail as bounced.
func (tx *Tx) ReturnedMail(id, fault string) error {
	return tx.execOne("ReturnedMail", `UPDATE messages SET state = 'bounced', error = $2 WHERE id = $1
		AND channel = 'mail'`, id, fault)
}

// Requeue makes up to pruneAtOnce messages new that were queued before a time and not tried since, so
// that they get another job. It returns how many.
func (tx *Tx) Requeue(before time.Time) (int64, error) {
	return tx.book("Requeue", `UPDATE messages SET state = 'new' WHERE id IN
		(SELECT id FROM messages WHERE state = 'queued' AND queued_at < $1 AND COALESCE(tried_at, 0) < $1 ORDER BY id
		LIMIT $2 `+tx.s.dialect.lock+`)`, micros(before), pruneAtOnce)
}

// PruneMessages removes up to pruneAtOnce messages from before a time that are sent, dead or bounced.
func (tx *Tx) PruneMessages(before time.Time) (int64, error) {
	return tx.book("PruneMessages", `DELETE FROM messages WHERE id IN
		(SELECT id FROM messages WHERE created_at < $1 AND state IN ('sent', 'dead', 'bounced') ORDER BY id LIMIT $2 `+
		tx.s.dialect.lock+`)`, micros(before), pruneAtOnce)
}

// NoticeMailed marks an open notice as told by mail; NotFound if it was done already.
func (tx *Tx) NoticeMailed(id string, at time.Time) error {
	return tx.bookOne("NoticeMailed", `UPDATE notices SET done_at = $2, mailed_at = $2 WHERE id = $1 AND done_at IS NULL`,
		id, micros(at))
}

// Jobs is the pool that the job library works on; it is closed with the store.
func (s *Store) Jobs() *sql.DB { return s.jobs }

// BeginJobs begins a transaction on the job library's pool, fenced like those
// of Write. The caller's context should have a deadline.
func (s *Store) BeginJobs(ctx context.Context) (*sql.Tx, error) {
	const op = "BeginJobs"
	tx, err := s.jobs.BeginTx(ctx, nil)
	if err == nil && s.lease != nil {
		err = s.lease.join(ctx, tx)
	}
	if err != nil && tx != nil {
		_ = tx.Rollback()
	}
	return tx, s.wrap(op, err)
}

// Single reports whether the database has one writer at a time: SQLite.
func (s *Store) Single() bool { return s.dialect.single }

// NewMessages lists messages that have no job yet, in the job library's own
// transaction, which then makes their jobs and marks them queued.
func (s *Store) NewMessages(ctx context.Context, tx *sql.Tx, limit int) (ids, channels []string, err error) {
	lock := s.dialect.lock
	if lock != "" {
		lock += " SKIP LOCKED"
	}
	rows, err := tx.QueryContext(ctx, `SELECT id, channel FROM messages WHERE state = 'new' ORDER BY id LIMIT $1 `+lock,
		limit)
	if err != nil {
		return nil, nil, s.wrap("NewMessages", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, channel string
		if err := rows.Scan(&id, &channel); err != nil {
			return nil, nil, s.wrap("NewMessages", err)
		}
		ids, channels = append(ids, id), append(channels, channel)
	}
	return ids, channels, s.wrap("NewMessages", rows.Err())
}

// QueuedMessage marks a new message as queued at a time.
func (s *Store) QueuedMessage(ctx context.Context, tx *sql.Tx, id string, at time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE messages SET state = 'queued', queued_at = $2 WHERE id = $1 AND state = 'new'`,
		id, micros(at))
	return s.wrap("QueuedMessage", err)
}

// Digest is one entry of the hourly digest for a user's technical contacts.
type Digest struct {
	ID, UserID, Kind, Detail string
	At                       time.Time
}

// AddDigest adds an entry to a user's next digest.
func (tx *Tx) AddDigest(d Digest) error {
	_, err := tx.book("AddDigest", `INSERT INTO digests (id, user_id, at, kind, detail) VALUES ($1, $2, $3, $4, $5)`, d.ID,
		d.UserID, micros(d.At), d.Kind, d.Detail)
	return err
}

// DigestUsers lists up to limit users, with ids above after, that have digest entries of a kind from
// before a time.
func (q *Q) DigestUsers(kind string, before time.Time, after string, limit int) ([]string, error) {
	return collect(q, "DigestUsers", scanString, `SELECT DISTINCT user_id FROM digests WHERE id < $1 AND kind = $3
		AND user_id > $4 ORDER BY user_id LIMIT $2`, exchange.FirstID(before), limit, kind, after)
}

// TakeDigest deletes a user's digest entries of a kind from before a time. It returns the first limit
// of them, and how many there were.
func (tx *Tx) TakeDigest(userID string, before time.Time, kind string,
	limit int) (list []Digest, total int64, err error) {
	edge := exchange.FirstID(before)
	list, err = collect(&tx.Q, "TakeDigest", func(r *sql.Rows) (d Digest, err error) {
		err = r.Scan(&d.ID, &d.UserID, stamp{&d.At}, &d.Kind, &d.Detail)
		return d, err
	}, `SELECT id, user_id, at, kind, detail FROM digests WHERE user_id = $1 AND id < $2 AND kind = $3 ORDER BY id
		LIMIT $4`, userID, edge, kind, limit)
	if err != nil || len(list) == 0 {
		return nil, 0, err
	}
	total, err = tx.book("TakeDigest", `DELETE FROM digests WHERE user_id = $1 AND id < $2 AND kind = $3`, userID, edge,
		kind)
	return list, total, err
}
