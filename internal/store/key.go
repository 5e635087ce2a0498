package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/model"
)

const keyColumns = `SELECT k.id, u.name, k.fingerprint, k.type, k.bits, k.public, k.comment, k.origin,
	k.holder, COALESCE(h.email, ''), k.flag, k.created_at, k.expires_at, k.retires_at, COALESCE(n.fingerprint, ''),
	k.frozen_at, k.frozen_by, COALESCE(f.email, ''), k.last_used_at, k.last_address, k.last_client, k.revoked_at,
	COALESCE(k.revoked_why, ''),
	CASE WHEN b.fingerprint IS NULL THEN 0 ELSE 1 END
	FROM keys k JOIN users u ON u.id = k.user_id
	LEFT JOIN contacts h ON h.id = k.holder
	LEFT JOIN contacts f ON f.id = k.frozen_by
	LEFT JOIN keys n ON n.id = k.replaced_by
	LEFT JOIN burned_keys b ON b.fingerprint = k.fingerprint`

func scanKey(r *sql.Rows) (k model.Key, err error) {
	err = r.Scan(&k.ID, &k.User, &k.Fingerprint, &k.Type, &k.Bits, &k.Public, &k.Comment, &k.Origin,
		&k.HolderID, &k.Holder, &k.Flag, stamp{&k.CreatedAt}, stampPtr{&k.ExpiresAt}, stampPtr{&k.RetiresAt},
		&k.ReplacedBy, stampPtr{&k.FrozenAt}, &k.FrozenByID, &k.FrozenBy, stampPtr{&k.LastUsedAt}, &k.LastAddress,
		&k.LastClient, stampPtr{&k.RevokedAt}, &k.RevokedWhy, &k.Burned)
	return k, err
}

// Keys lists a user's keys, the oldest first, revoked ones included.
func (q *Q) Keys(userID string) ([]model.Key, error) {
	return collect(q, "Keys", scanKey, keyColumns+` WHERE k.user_id = $1 ORDER BY k.id`, userID)
}

// KeysOf lists every key with a fingerprint, of any user, revoked ones included.
func (q *Q) KeysOf(fingerprint string) ([]model.Key, error) {
	return collect(q, "KeysOf", scanKey, keyColumns+` WHERE k.fingerprint = $1 ORDER BY k.id`, fingerprint)
}

// KeyHolders lists every key with a fingerprint that is not revoked.
func (q *Q) KeyHolders(fingerprint string) ([]model.Key, error) {
	return collect(q, "KeyHolders", scanKey, keyColumns+` WHERE k.fingerprint = $1 AND k.revoked_at IS NULL ORDER BY k.id`,
		fingerprint)
}

// KeysHeldBy lists the keys, not revoked, whose private half a contact has.
func (q *Q) KeysHeldBy(contactID string) ([]model.Key, error) {
	return collect(q, "KeysHeldBy", scanKey, keyColumns+` WHERE k.holder = $1 AND k.holder <> '' AND k.revoked_at IS NULL
		ORDER BY k.id`, contactID)
}

// KeysDue lists up to limit keys with ids above after that are not revoked and need attention: they
// expire or retire before by, or were made before old.
func (q *Q) KeysDue(by, old time.Time, after string, limit int) ([]model.Key, error) {
	return collect(q, "KeysDue", scanKey, keyColumns+` WHERE k.id > $3 AND k.revoked_at IS NULL
		AND (k.expires_at < $1 OR k.retires_at < $1 OR k.created_at < $2) ORDER BY k.id LIMIT $4`,
		micros(by), micros(old), after, limit)
}

// KeysEnding lists up to limit keys that are not revoked and whose retirement is due, or that have
// expired without a notice of it (key.expired) yet.
func (q *Q) KeysEnding(now time.Time, limit int) ([]model.Key, error) {
	return collect(q, "KeysEnding", scanKey, keyColumns+` WHERE k.revoked_at IS NULL
		AND (k.retires_at <= $1 OR (k.expires_at <= $1
		AND NOT EXISTS (SELECT 1 FROM notices x WHERE x.user_id = k.user_id AND x.kind = 'key.expired'
		AND x.fingerprint = k.fingerprint
		AND x.at >= k.expires_at))) ORDER BY k.id LIMIT $2`, micros(now), limit)
}

// AddKey records a key of a user.
func (tx *Tx) AddKey(userID string, k model.Key) error {
	_, err := tx.exec("AddKey", `INSERT INTO keys (id, user_id, fingerprint, type, bits, public, comment, origin, holder,
		created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, k.ID, userID, k.Fingerprint, k.Type, k.Bits, k.Public,
		k.Comment,
		k.Origin, k.HolderID, micros(k.CreatedAt), timeNull(k.ExpiresAt))
	return err
}

// SetKey changes a key's holder, flag and expiry, and whether it is frozen.
func (tx *Tx) SetKey(k model.Key) error {
	if err := tx.take(rankKey, k.ID); err != nil {
		return err
	}
	return tx.execOne("SetKey", `UPDATE keys SET holder = $2, flag = $3, expires_at = $4, frozen_at = $5, frozen_by = $6
		WHERE id = $1`,
		k.ID, k.HolderID, k.Flag, timeNull(k.ExpiresAt), timeNull(k.FrozenAt), k.FrozenByID)
}

// ReplaceKey makes a key retire at a time, replaced by another key.
func (tx *Tx) ReplaceKey(keyID, byID string, at time.Time) error {
	if err := tx.take(rankKey, keyID); err != nil {
		return err
	}
	return tx.execOne("ReplaceKey", `UPDATE keys SET replaced_by = $2, retires_at = $3 WHERE id = $1
		AND revoked_at IS NULL`,
		keyID, byID, micros(at))
}

// RevokeKey marks a key revoked.
func (tx *Tx) RevokeKey(keyID, why string, at time.Time) error {
	if err := tx.take(rankKey, keyID); err != nil {
		return err
	}
	return tx.execOne("RevokeKey",
		`UPDATE keys SET revoked_at = $2, revoked_why = $3 WHERE id = $1 AND revoked_at IS NULL`, keyID, micros(at),
		why)
}

// KeyUse is a log-in with a key.
type KeyUse struct {
	KeyID, Address, Client string
	At                     time.Time
}

// LockKeys holds the records of some keys that are not revoked, of every user, and the waiting links
// that hand these keys over.
func (tx *Tx) LockKeys(fingerprints []string) error {
	if len(fingerprints) == 0 {
		return nil
	}
	args := make([]any, len(fingerprints))
	for i, f := range fingerprints {
		args[i] = f
	}
	in := ` WHERE fingerprint IN ` + placeholders(1, len(args))
	if _, err := tx.lockRows("LockKeys", rankKey, `SELECT id FROM keys`+in+` AND revoked_at IS NULL ORDER BY id`,
		args...); err != nil {
		return err
	}
	_, err := tx.lockRows("LockKeys", rankLink, `SELECT id FROM links`+in+` AND state = 'waiting' ORDER BY id`, args...)
	return err
}

// KeysUsed records the last log-in with each key. The keys that it replaced retire grace after that
// log-in at the latest.
func (tx *Tx) KeysUsed(list []KeyUse, grace time.Duration) error {
	for len(list) > 0 {
		n := min(len(list), sealAtOnce)
		args := make([]any, n)
		for i, u := range list[:n] {
			args[i] = u.KeyID
		}
		in := placeholders(1, n)
		if _, err := tx.lockRows("KeysUsed", rankKey,
			`SELECT id FROM keys WHERE id IN `+in+` OR replaced_by IN `+in+` ORDER BY id`, args...); err != nil {
			return err
		}
		for _, u := range list[:n] {
			if err := tx.keyUsed(u, grace); err != nil {
				return err
			}
		}
		list = list[n:]
	}
	return nil
}

func (tx *Tx) keyUsed(u KeyUse, grace time.Duration) error {
	if _, err := tx.book("KeyUsed", `UPDATE keys SET last_used_at = $2, last_address = $3, last_client = $4 WHERE id = $1`,
		u.KeyID, micros(u.At), u.Address, u.Client); err != nil {
		return err
	}
	_, err := tx.book("KeyUsed", `UPDATE keys SET retires_at = $2 WHERE replaced_by = $1 AND retires_at > $2`, u.KeyID,
		micros(u.At)+grace.Microseconds())
	return err
}

// Burned finds a burned key; NotFound if the key is not burned.
func (q *Q) Burned(fingerprint string) (model.BurnedKey, error) {
	return one(q, "Burned", func(r *sql.Rows) (b model.BurnedKey, err error) {
		err = r.Scan(&b.Fingerprint, &b.How, &b.Why, &b.Actor, stamp{&b.At})
		return b, err
	}, `SELECT fingerprint, how, why, actor, at FROM burned_keys WHERE fingerprint = $1`, fingerprint)
}

// BurnedKeys lists burned keys, the newest first, one page of them.
func (q *Q) BurnedKeys(p model.Paging) ([]model.BurnedKey, error) {
	at, fingerprint := latest(p)
	return collect(q, "BurnedKeys", func(r *sql.Rows) (b model.BurnedKey, err error) {
		err = r.Scan(&b.Fingerprint, &b.How, &b.Why, &b.Actor, stamp{&b.At})
		return b, err
	}, `SELECT fingerprint, how, why, actor, at FROM burned_keys
		WHERE at < $1 OR at = $1 AND fingerprint < $2 ORDER BY at DESC, fingerprint DESC LIMIT $3`, at, fingerprint, most(p))
}

// Burn bars a fingerprint for ever. A later entry replaces an earlier one only if that was "suspected"
// and the later one is not.
func (tx *Tx) Burn(b model.BurnedKey) error {
	_, err := tx.exec("Burn", `INSERT INTO burned_keys (fingerprint, how, why, actor, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (fingerprint) DO UPDATE SET how = excluded.how, why = excluded.why, actor = excluded.actor,
		at = excluded.at
		WHERE burned_keys.how = 'suspected' AND excluded.how <> 'suspected'`,
		b.Fingerprint, b.How, b.Why, b.Actor, micros(b.At))
	return err
}

const pendingColumns = `SELECT u.name, p.user_id, p.fingerprint, p.type, p.bits, p.public, p.address, p.client,
	p.first_at, p.last_at, p.times
	FROM pending_keys p JOIN users u ON u.id = p.user_id`

func scanPending(r *sql.Rows) (p model.PendingKey, err error) {
	err = r.Scan(&p.User, &p.UserID, &p.Fingerprint, &p.Type, &p.Bits, &p.Public, &p.Address, &p.Client,
		stamp{&p.FirstAt}, stamp{&p.LastAt}, &p.Times)
	return p, err
}

// PendingKeys lists keys that wait for approval, of one user or of all, the newest first, one page of
// them.
func (q *Q) PendingKeys(userID string, p model.Paging) ([]model.PendingKey, error) {
	at, key := latest(p)
	return collect(q, "PendingKeys", scanPending, pendingColumns+` WHERE ($1 = '' OR p.user_id = $1)
		AND (p.last_at < $2 OR p.last_at = $2 AND p.fingerprint || p.user_id < $3)
		ORDER BY p.last_at DESC, p.fingerprint || p.user_id DESC LIMIT $4`, userID, at, key, most(p))
}

// PendingKey finds a user's key that waits for approval.
func (q *Q) PendingKey(userID, fingerprint string) (model.PendingKey, error) {
	return one(q, "PendingKey", scanPending, pendingColumns+` WHERE p.user_id = $1 AND p.fingerprint = $2`, userID,
		fingerprint)
}

// AddPending records that a user's client offered an unknown key, and deletes the user's oldest
// entries beyond keep.
func (tx *Tx) AddPending(p model.PendingKey, keep int) error {
	_, err := tx.book("AddPending", `INSERT INTO pending_keys (user_id, fingerprint, type, bits, public, address, client,
		first_at, last_at, times)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 1) ON CONFLICT (user_id, fingerprint)
		DO UPDATE SET address = excluded.address, client = excluded.client, last_at = excluded.last_at,
		times = pending_keys.times + 1`,
		p.UserID, p.Fingerprint, p.Type, p.Bits, p.Public, p.Address, p.Client, micros(p.LastAt))
	if err != nil {
		return err
	}
	_, err = tx.book("AddPending", `DELETE FROM pending_keys WHERE user_id = $1 AND last_at <
		COALESCE((SELECT last_at FROM pending_keys WHERE user_id = $1 ORDER BY last_at DESC LIMIT 1 OFFSET $2), 0)`, p.UserID,
		keep-1)
	return err
}

// DropPending deletes a key that waits for approval; for every user if userID is "".
func (tx *Tx) DropPending(userID, fingerprint string) error {
	_, err := tx.exec("DropPending", `DELETE FROM pending_keys WHERE fingerprint = $2 AND ($1 = '' OR user_id = $1)`,
		userID, fingerprint)
	return err
}
