package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const operatorColumns = `SELECT o.id, o.email, o.name, o.role, o.password, o.totp, o.totp_step, o.subject, o.link_hash,
	o.link_until, o.created_at, o.created_by, o.joined_at, o.last_at, o.last_from, o.last_method, o.refused_at,
	o.refused_from, o.refused_for, o.disabled_at, o.disabled_by, o.disabled_for,
	(SELECT COUNT(*) FROM passkeys p WHERE p.operator_id = o.id) FROM operators o`

func scanOperator(r *sql.Rows) (o model.Operator, err error) {
	err = r.Scan(&o.ID, &o.Email, &o.Name, &o.Role, &o.Password, &o.TOTP, &o.TOTPStep, &o.Subject, &o.LinkHash,
		stampPtr{&o.LinkUntil}, stamp{&o.CreatedAt}, &o.CreatedBy, stampPtr{&o.JoinedAt}, stampPtr{&o.LastAt}, &o.LastFrom,
		&o.LastMethod, stampPtr{&o.RefusedAt}, &o.RefusedFrom, &o.RefusedFor, stampPtr{&o.DisabledAt}, &o.DisabledBy,
		&o.DisabledFor, &o.Passkeys)
	o.Complete()
	return o, err
}

// Operators lists operators, the newest first, one page of them.
func (q *Q) Operators(f model.OperatorFilter) ([]model.Operator, error) {
	return collect(q, "Operators", scanOperator, operatorColumns+` WHERE o.id < $1 AND ($2 = '' OR o.role = $2)
		AND ($3 = '' OR $3 = CASE WHEN o.disabled_at IS NOT NULL THEN 'disabled' WHEN o.joined_at IS NULL THEN 'invited'
			ELSE 'active' END)
		ORDER BY o.id DESC LIMIT $4`, before(f.Paging), string(f.Role), string(f.In), most(f.Paging))
}

// Operator finds an operator by id or e-mail address.
func (q *Q) Operator(emailOrID string) (model.Operator, error) {
	return one(q, "Operator", scanOperator, operatorColumns+` WHERE o.id = $1 OR o.email <> '' AND LOWER(o.email) = $2`,
		emailOrID, valid.Fold(emailOrID))
}

// OperatorBySubject finds an operator by its subject at the single sign-on.
func (q *Q) OperatorBySubject(subject string) (model.Operator, error) {
	return one(q, "OperatorBySubject", scanOperator, operatorColumns+` WHERE o.subject = $1 AND o.subject <> ''`, subject)
}

// OperatorByLink finds an operator by the hash of its link to join.
func (q *Q) OperatorByLink(hash string) (model.Operator, error) {
	return one(q, "OperatorByLink", scanOperator, operatorColumns+` WHERE o.link_hash = $1 AND o.link_hash <> ''`, hash)
}

// OperatorsUnused lists operators who have joined, are not disabled, and have not signed in, nor been
// invited again, since a time.
func (q *Q) OperatorsUnused(since time.Time, limit int) ([]model.Operator, error) {
	return collect(q, "OperatorsUnused", scanOperator, operatorColumns+` WHERE o.disabled_at IS NULL
		AND o.joined_at < $1 AND COALESCE(o.last_at, o.joined_at) < $1 AND COALESCE(o.link_until, 0) < $1
		ORDER BY o.id LIMIT $2`, micros(since), limit)
}

// CountAccess returns how many operators there are, whether the first one waits to join, and how many API
// tokens work.
func (q *Q) CountAccess(now time.Time) (people, waiting, tokens int64, err error) {
	err = q.scanOne("CountAccess", `SELECT (SELECT COUNT(*) FROM operators WHERE email <> ''),
		(SELECT COUNT(*) FROM operators WHERE email = ''),
		(SELECT COUNT(*) FROM tokens WHERE revoked_at IS NULL AND expires_at > $1)`, []any{micros(now)}, &people, &waiting,
		&tokens)
	return people, waiting, tokens, err
}

// AddOperator records an operator; Exists if one has its address.
func (tx *Tx) AddOperator(o model.Operator) error {
	_, err := tx.exec("AddOperator", `INSERT INTO operators (id, email, name, role, password, totp, totp_step, subject,
		link_hash, link_until, created_at, created_by, joined_at, last_from, last_method, refused_from, refused_for,
		disabled_by, disabled_for) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '', '', '', '', '', '')`,
		o.ID, o.Email, o.Name, o.Role, o.Password, o.TOTP, o.TOTPStep, o.Subject, o.LinkHash, timeNull(o.LinkUntil),
		micros(o.CreatedAt), o.CreatedBy, timeNull(o.JoinedAt))
	return err
}

// SetOperator changes what an operator is, how it signs in and whether it may. The link that it was
// read with must still be its link: of two who use it at once, the second gets NotFound.
func (tx *Tx) SetOperator(o model.Operator, link string) error {
	return tx.execOne("SetOperator", `UPDATE operators SET email = $3, name = $4, role = $5, password = $6, totp = $7,
		totp_step = $8, subject = $9, link_hash = $10, link_until = $11, joined_at = $12, disabled_at = $13,
		disabled_by = $14, disabled_for = $15 WHERE id = $1 AND link_hash = $2`, o.ID, link, o.Email, o.Name, o.Role,
		o.Password, o.TOTP, o.TOTPStep, o.Subject, o.LinkHash, timeNull(o.LinkUntil), timeNull(o.JoinedAt),
		timeNull(o.DisabledAt), o.DisabledBy, o.DisabledFor)
}

// RemoveOperator removes an operator who has never joined; NotFound if it has.
func (tx *Tx) RemoveOperator(id string) error {
	return tx.execOne("RemoveOperator", `DELETE FROM operators WHERE id = $1 AND joined_at IS NULL`, id)
}

// RemoveFirstOperator removes the first administrator, if it has not joined.
func (tx *Tx) RemoveFirstOperator() error {
	_, err := tx.exec("RemoveFirstOperator", `DELETE FROM operators WHERE email = ''`)
	return err
}

// UseCode records that the code of a step was used; NotFound if that code, or a later one, was used
// before.
func (tx *Tx) UseCode(id string, step int64) error {
	return tx.execOne("UseCode", `UPDATE operators SET totp_step = $2, wrong_codes = 0
		WHERE id = $1 AND totp_step < $2`, id, step)
}

// WrongCode counts a wrong code, and returns how many were wrong since the latest right one.
func (tx *Tx) WrongCode(id string) (n int64, err error) {
	if _, err = tx.book("WrongCode", `UPDATE operators SET wrong_codes = wrong_codes + 1 WHERE id = $1`, id); err != nil {
		return 0, err
	}
	err = tx.scanOne("WrongCode", `SELECT wrong_codes FROM operators WHERE id = $1`, []any{id}, &n)
	return n, err
}

// LockOperator holds an operator until the end of the transaction, and returns it as it is then.
func (tx *Tx) LockOperator(emailOrID string) (o model.Operator, err error) {
	if o, err = tx.Operator(emailOrID); err != nil {
		return o, err
	}
	if _, err := tx.lockRows("LockOperator", rankOperator, `SELECT id FROM operators WHERE id = $1`, o.ID); err != nil {
		return o, err
	}
	return tx.Operator(o.ID)
}

// OperatorSignedIn records a sign-in.
func (tx *Tx) OperatorSignedIn(id, from string, by model.SignInMethod, at time.Time) error {
	return tx.execOne("OperatorSignedIn", `UPDATE operators SET last_at = $2, last_from = $3, last_method = $4
		WHERE id = $1 AND disabled_at IS NULL`, id, micros(at), from, by)
}

// OperatorRefused records why a sign-in was refused.
func (tx *Tx) OperatorRefused(id, from, why string, at time.Time) error {
	_, err := tx.book("OperatorRefused", `UPDATE operators SET refused_at = $2, refused_from = $3, refused_for = $4
		WHERE id = $1`, id, micros(at), from, why)
	return err
}

const passkeyColumns = `SELECT id, operator_id, name, credential, created_at, last_used_at FROM passkeys`

func scanPasskey(r *sql.Rows) (p model.Passkey, err error) {
	err = r.Scan(&p.ID, &p.OperatorID, &p.Name, &p.Credential, stamp{&p.CreatedAt}, stampPtr{&p.LastUsedAt})
	return p, err
}

// Passkeys lists an operator's passkeys.
func (q *Q) Passkeys(operatorID string) ([]model.Passkey, error) {
	return collect(q, "Passkeys", scanPasskey, passkeyColumns+` WHERE operator_id = $1 ORDER BY created_at, id`,
		operatorID)
}

// AddPasskey records a passkey; Exists if it is known.
func (tx *Tx) AddPasskey(p model.Passkey) error {
	_, err := tx.exec("AddPasskey", `INSERT INTO passkeys (id, operator_id, name, credential, created_at)
		VALUES ($1, $2, $3, $4, $5)`, p.ID, p.OperatorID, p.Name, p.Credential, micros(p.CreatedAt))
	return err
}

// PasskeyUsed records a use, with what the credential is afterwards.
func (tx *Tx) PasskeyUsed(id, credential string, at time.Time) error {
	return tx.execOne("PasskeyUsed", `UPDATE passkeys SET credential = $2, last_used_at = $3 WHERE id = $1`, id,
		credential, micros(at))
}

// RemovePasskey removes one of an operator's passkeys; NotFound if it has none of that id.
func (tx *Tx) RemovePasskey(operatorID, id string) error {
	return tx.execOne("RemovePasskey", `DELETE FROM passkeys WHERE operator_id = $1 AND id = $2`, operatorID, id)
}

// RemovePasskeys removes all passkeys of an operator.
func (tx *Tx) RemovePasskeys(operatorID string) error {
	_, err := tx.exec("RemovePasskeys", `DELETE FROM passkeys WHERE operator_id = $1`, operatorID)
	return err
}
