package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const requestColumns = `SELECT r.id, r.reference, r.state, r.since, r.waits_for, r.due_at, r.owner, r.channel,
	r.created_at, r.first_name, r.last_name, r.email, r.phone, r.company, r.account_number, r.username, r.key, r.feeds,
	r.types, r.message, r.language, r.source, r.verified_at, r.verified, r.approver, r.approval, r.account_id,
	COALESCE(u.name, ''), r.user_id, r.contact_id, r.reason, r.reminded_at, r.reminders
	FROM requests r LEFT JOIN users u ON u.id = r.user_id`

func scanRequest(r *sql.Rows) (q model.Request, err error) {
	var key, feeds, types, approval string
	if err := r.Scan(&q.ID, &q.Reference, &q.State, stamp{&q.Since}, &q.WaitsFor, stampPtr{&q.Due}, &q.Owner, &q.Channel,
		stamp{&q.CreatedAt}, &q.FirstName, &q.LastName, &q.Email, &q.Phone, &q.Company, &q.AccountNumber, &q.Username, &key,
		&feeds, &types, &q.Message, &q.Language, &q.From, stampPtr{&q.VerifiedAt}, &q.Verified, &q.Approver, &approval,
		&q.Account, &q.User, &q.UserID, &q.Contact, &q.Reason, stampPtr{&q.RemindedAt}, &q.Reminders); err != nil {
		return q, err
	}
	q.Feeds, q.Types = list(feeds), list(types)
	if approval != "" {
		q.Approval = &model.Approval{}
		if err := json.Unmarshal([]byte(approval), q.Approval); err != nil {
			return q, err
		}
	}
	return q, json.Unmarshal([]byte(key), &q.Key)
}

// Request finds a request by its id or its reference.
func (q *Q) Request(id string) (model.Request, error) {
	return one(q, "Request", scanRequest, requestColumns+` WHERE r.id = $1 OR r.reference = $2`, id, valid.Fold(id))
}

// Conditions that indexes have. Both databases use such an index only for exactly its words.
const (
	requestOpen  = `CASE WHEN r.state IN ('new', 'asked', 'approved', 'ready', 'entered') THEN 1 ELSE 0 END = 1`
	requestWaits = `CASE WHEN r.waits_for = 'second_operator' THEN 'operator' ELSE r.waits_for END`
)

// choice collects the conditions of a query that depend on what is asked. A condition that is always there,
// but true for an empty value, would keep databases from their indexes.
type choice struct {
	where []string
	args  []any
}

// and adds a condition; its %s is the place of the value.
func (c *choice) and(condition string, value any) {
	c.args = append(c.args, value)
	c.where = append(c.where, fmt.Sprintf(condition, "$"+strconv.Itoa(len(c.args))))
}

// Requests lists requests, the newest first unless the order is turned, one page of them. Those that wait
// for an operator since before now are late. Texts that no request can have find none: PostgreSQL refuses some.
func (q *Q) Requests(f model.RequestFilter, now time.Time) ([]model.Request, error) {
	page := pageOf("r.id", f.Paging, !f.Reverse)
	c := choice{where: []string{page.after}, args: []any{page.cursor, most(f.Paging)}}
	for _, one := range []struct {
		asked     bool
		condition string
		value     any
	}{{f.In != "", `r.state = %s`, f.In}, {f.WaitsFor != "", requestWaits + ` = %s`, f.WaitsFor},
		{f.Late, `r.waits_for IN ('operator', 'second_operator') AND r.due_at < %s`, micros(now)},
		{f.Owner != "", `r.owner <> '' AND r.owner = %s`, valid.Printable(f.Owner)},
		{f.Number != "", `(LOWER(r.account_number) = %[1]s OR LOWER(r.account_id) = %[1]s)`,
			valid.Fold(valid.Printable(f.Number))},
		{f.Email != "", `LOWER(r.email) = %s`, valid.Fold(valid.Printable(f.Email))},
		{f.Text != "", requestHas(`%s`), requestText(f.Text)},
		{!f.Since.IsZero(), `r.id >= %s`, firstID(f.Since, "")},
		{!f.Until.IsZero(), `r.id < %s`, firstID(f.Until, lastID)}} {
		if one.asked {
			c.and(one.condition, one.value)
		}
	}
	if f.Open {
		c.where = append(c.where, requestOpen)
	}
	return collect(q, "Requests", scanRequest, requestColumns+` WHERE `+strings.Join(c.where, ` AND `)+page.order+
		` LIMIT $2`, c.args...)
}

// requestHas selects requests with a text in what people know of them. Its parameter is what requestText returns.
func requestHas(parameter string) string {
	return `LOWER(` + strings.Join([]string{"r.reference", "r.first_name || ' ' || r.last_name", "r.email", "r.company",
		"r.account_number", "r.account_id"}, ` || '  ' || `) + `) LIKE ` + parameter + ` ESCAPE '!'`
}

// requestText returns the pattern of a text that is looked for. Two spaces are between two columns, and in no text.
func requestText(text string) string {
	words := strings.Join(strings.Fields(valid.Fold(valid.Printable(text))), " ")
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(words) + "%"
}

// RequestCounts counts requests that wait.
func (q *Q) RequestCounts(owner string, now time.Time) (c model.RequestCounts, err error) {
	count := func(where string) string { return `(SELECT COUNT(*) FROM requests r WHERE ` + where + `)` }
	err = q.scanOne("RequestCounts", `SELECT `+strings.Join([]string{count(requestWaits + ` = 'operator'`),
		count(`r.waits_for IN ('operator', 'second_operator') AND r.due_at < $1`),
		count(`r.state IN ('asked', 'ready', 'entered')`), count(`r.state = 'unverified'`), count(requestOpen),
		count(`r.owner <> '' AND r.owner = $2 AND ` + requestOpen)}, `, `),
		[]any{micros(now), owner}, &c.Operator, &c.Late, &c.Requester, &c.Unverified, &c.Open, &c.Owned)
	return c, err
}

// RequestsLike lists requests with a text in their reference, name, address, company or account number, the
// newest first.
func (q *Q) RequestsLike(text string, most int) ([]model.Request, error) {
	return collect(q, "RequestsLike", scanRequest, requestColumns+` WHERE `+requestHas("$1")+`
		ORDER BY r.id DESC LIMIT $2`, requestText(text), most)
}

// RelatedRequests lists other requests of a request's address, account number or key, the newest first.
func (q *Q) RelatedRequests(r model.Request, most int) ([]model.Request, error) {
	return collect(q, "RelatedRequests", scanRequest, requestColumns+` WHERE r.id <> $1 AND r.state <> 'unverified'
		AND (LOWER(r.email) = $2 OR $3 <> '' AND LOWER(r.account_number) = $3 OR r.fingerprint = $4)
		ORDER BY r.id DESC LIMIT $5`, r.ID, valid.Fold(r.Email), valid.Fold(r.AccountNumber), r.Key.Fingerprint, most)
}

// DueRequests lists requests that wait for somebody since before now, the longest first.
func (q *Q) DueRequests(now time.Time, most int) ([]model.Request, error) {
	return collect(q, "DueRequests", scanRequest, requestColumns+` WHERE r.due_at < $1 ORDER BY r.due_at, r.id LIMIT $2`,
		micros(now), most)
}

// LateRequests lists requests that wait for an operator since before now, the longest first.
func (q *Q) LateRequests(now time.Time, most int) ([]model.Request, error) {
	return collect(q, "LateRequests", scanRequest, requestColumns+` WHERE r.due_at < $1
		AND r.waits_for IN ('operator', 'second_operator') ORDER BY r.due_at, r.id LIMIT $2`, micros(now), most)
}

// RequestsIn lists requests in a state, with ids after one.
func (q *Q) RequestsIn(s model.RequestState, after string, most int) ([]model.Request, error) {
	return collect(q, "RequestsIn", scanRequest, requestColumns+` WHERE r.state = $1 AND r.id > $2 ORDER BY r.id LIMIT $3`,
		s, after, most)
}

// RequestLoad is how many requests there are, for limits.
type RequestLoad struct {
	Unverified  int64 // whose address is not confirmed
	Waiting     int64 // of an address, that are not decided
	SentAddress int64 // of an address, since a time
	Sent        int64 // since another time
}

// RequestLoad counts the requests of an address since day, and those of all since hour.
func (q *Q) RequestLoad(email string, day, hour time.Time) (l RequestLoad, err error) {
	err = q.scanOne("RequestLoad", `SELECT (SELECT COUNT(*) FROM requests WHERE state = 'unverified'),
		(SELECT COUNT(*) FROM requests WHERE LOWER(email) = $1
			AND state IN ('unverified', 'new', 'asked', 'approved')),
		(SELECT COUNT(*) FROM requests WHERE LOWER(email) = $1 AND id >= $2),
		(SELECT COUNT(*) FROM requests WHERE id >= $3)`,
		[]any{valid.Fold(email), firstID(day, ""), firstID(hour, "")}, &l.Unverified, &l.Waiting, &l.SentAddress, &l.Sent)
	return l, err
}

// RequestSteps lists a request's history, the oldest step first.
func (q *Q) RequestSteps(id string) ([]model.RequestStep, error) {
	return collect(q, "RequestSteps", scanRequestStep, `SELECT id, at, actor, action, state, text FROM request_steps
		WHERE request_id = $1 ORDER BY id`, id)
}

func scanRequestStep(r *sql.Rows) (s model.RequestStep, err error) {
	err = r.Scan(&s.ID, stamp{&s.At}, &s.Actor, &s.Action, &s.State, &s.Text)
	return s, err
}

// AddRequest records a request.
func (tx *Tx) AddRequest(r model.Request) error {
	if err := tx.take(rankRequest, r.ID); err != nil {
		return err
	}
	key, _ := json.Marshal(r.Key) // plain values marshal
	_, err := tx.exec("AddRequest", `INSERT INTO requests (id, reference, state, since, waits_for, due_at, owner, channel,
		created_at, first_name, last_name, email, phone, company, account_number, username, fingerprint, key, feeds, types,
		message, language, source, verified_at, verified, approver, approval, account_id, user_id, contact_id, reason,
		reminders)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
		$24, $25, '', '', '', '', '', '', 0)`,
		r.ID, r.Reference, r.State, micros(r.Since), r.WaitsFor, timeNull(r.Due), r.Owner, r.Channel, micros(r.CreatedAt),
		r.FirstName, r.LastName, r.Email, r.Phone, r.Company, r.AccountNumber, r.Username, r.Key.Fingerprint, string(key),
		jsonList(r.Feeds), jsonList(r.Types), r.Message, r.Language, r.From, timeNull(r.VerifiedAt), r.Verified)
	return err
}

// LockRequest holds a request's row until the transaction ends, and returns it.
func (tx *Tx) LockRequest(id string) (model.Request, error) {
	if err := tx.take(rankRequest, id); err != nil {
		return model.Request{}, err
	}
	if _, err := collect(&tx.Q, "LockRequest", scanString, `SELECT id FROM requests WHERE id = $1 `+tx.s.dialect.lock,
		id); err != nil {
		return model.Request{}, err
	}
	return one(&tx.Q, "LockRequest", scanRequest, requestColumns+` WHERE r.id = $1`, id)
}

// SetRequest changes where a request is in its life, and what is known of its log-in.
func (tx *Tx) SetRequest(r model.Request) error {
	approval := ""
	if r.Approval != nil {
		text, _ := json.Marshal(r.Approval) // plain values marshal
		approval = string(text)
	}
	return tx.execOne("SetRequest", `UPDATE requests SET state = $2, since = $3, waits_for = $4, due_at = $5, owner = $6,
		verified_at = $7, verified = $8, approver = $9, approval = $10, account_id = $11, user_id = $12, contact_id = $13,
		reason = $14, reminded_at = $15, reminders = $16 WHERE id = $1`, r.ID, r.State, micros(r.Since), r.WaitsFor,
		timeNull(r.Due), r.Owner, timeNull(r.VerifiedAt), r.Verified, r.Approver, approval, r.Account, r.UserID, r.Contact,
		r.Reason, timeNull(r.RemindedAt), r.Reminders)
}

// AddRequestStep adds a step to a request's history.
func (tx *Tx) AddRequestStep(request string, s model.RequestStep) error {
	_, err := tx.exec("AddRequestStep", `INSERT INTO request_steps (id, request_id, at, actor, action, state, text)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, s.ID, request, micros(s.At), s.Actor, s.Action, s.State, s.Text)
	return err
}

// AddRequestLink records the hash of a link's secret.
func (tx *Tx) AddRequestLink(request, purpose string, hash []byte, expires time.Time) error {
	_, err := tx.exec("AddRequestLink", `INSERT INTO request_links (hash, request_id, purpose, expires_at)
		VALUES ($1, $2, $3, $4)`, hash, request, purpose, micros(expires))
	return err
}

// RequestOfLink finds the request that a link is of; NotFound if the link has expired.
func (q *Q) RequestOfLink(hash []byte, now time.Time) (id, purpose string, err error) {
	err = q.scanOne("RequestOfLink", `SELECT request_id, purpose FROM request_links WHERE hash = $1 AND expires_at > $2`,
		[]any{hash, micros(now)}, &id, &purpose)
	return id, purpose, err
}

// EndRequestLinks removes a request's links of a purpose.
func (tx *Tx) EndRequestLinks(request, purpose string) error {
	_, err := tx.exec("EndRequestLinks", `DELETE FROM request_links WHERE request_id = $1 AND purpose = $2`, request,
		purpose)
	return err
}

// StaleRequestLinks reports whether links have expired.
func (q *Q) StaleRequestLinks(now time.Time) (yes bool, err error) {
	err = q.scanOne("StaleRequestLinks", `SELECT CASE WHEN EXISTS (SELECT 1 FROM request_links WHERE expires_at <= $1)
		THEN 1 ELSE 0 END`, []any{micros(now)}, &yes)
	return yes, err
}

// PruneRequestLinks removes links that have expired.
func (tx *Tx) PruneRequestLinks(now time.Time) error {
	_, err := tx.book("PruneRequestLinks", `DELETE FROM request_links WHERE hash IN (SELECT hash FROM request_links
		WHERE expires_at <= $1 LIMIT $2)`, micros(now), pruneAtOnce)
	return err
}

// PruneRequest removes a request with its history and links.
func (tx *Tx) PruneRequest(id string) error {
	for _, table := range []string{"request_fills", "request_links", "request_steps"} {
		if _, err := tx.exec("PruneRequest", `DELETE FROM `+table+` WHERE request_id = $1`, id); err != nil {
			return err
		}
	}
	return tx.execOne("PruneRequest", `DELETE FROM requests WHERE id = $1`, id)
}

// UnconfirmedRequests lists expired requests whose address was never confirmed, from before a time.
func (q *Q) UnconfirmedRequests(before time.Time, most int) ([]string, error) {
	return collect(q, "UnconfirmedRequests", scanString, `SELECT id FROM requests WHERE state IN ('expired', 'rejected',
		'withdrawn') AND verified_at IS NULL AND since < $1 ORDER BY id LIMIT $2`, micros(before), most)
}
