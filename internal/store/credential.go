package store

import (
	"database/sql"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Credential is the result of looking up a username and a key. Missing parts are empty, so that an
// unknown user takes as long as a known one.
type Credential struct {
	User         model.User
	AccountState model.AccountState
	ClosedFrom   model.AccountState // of a closed account: its state before
	FilesUntil   *time.Time         // of a closed account
	AccountIPs   []string
	Region       string
	Key          model.Key
	KeyElsewhere bool // any user, also this one, has this key and it is not revoked
	KeyBurned    bool
	KeyPending   bool // it waits for an operator's approval for this user
	Revocation   int64
}

// Credential looks up a user by name, the user's account, and the user's record of a key. It always is
// one query, whether or not they exist.
func (q *Q) Credential(name, fingerprint string) (c Credential, err error) {
	var created sql.NullInt64
	var expires, revoked, retires, frozen, until *time.Time
	var enabled sql.NullBool
	var uid, uname, kind, account, vendor, start, ips, state, accountIPs, region, closedFrom, kid, kfp sql.NullString
	err = q.scanOne("Credential", `SELECT (SELECT value FROM counters WHERE name = 'revocation'),
		u.id, u.name, u.kind, u.account_id, u.vendor, u.enabled, u.start_dir, u.allow_ips, u.created_at, a.state, a.allow_ips,
		a.region, a.closed_from, a.files_until,
		k.id, k.fingerprint, k.expires_at, k.revoked_at, k.retires_at, k.frozen_at,
		EXISTS (SELECT 1 FROM keys o WHERE o.fingerprint = $2 AND o.revoked_at IS NULL),
		EXISTS (SELECT 1 FROM burned_keys b WHERE b.fingerprint = $2),
		EXISTS (SELECT 1 FROM pending_keys p WHERE p.user_id = u.id AND p.fingerprint = $2)
		FROM (SELECT 1 AS one) o
		LEFT JOIN users u ON u.folded = $1
		LEFT JOIN accounts a ON a.id = u.account_id
		LEFT JOIN keys k ON k.user_id = u.id AND k.fingerprint = $2
		ORDER BY k.revoked_at IS NULL DESC, k.id DESC LIMIT 1`,
		[]any{valid.Fold(name), fingerprint}, &c.Revocation, &uid, &uname, &kind, &account, &vendor, &enabled, &start, &ips,
		&created, &state, &accountIPs, &region, &closedFrom, stampPtr{&until},
		&kid, &kfp, stampPtr{&expires}, stampPtr{&revoked}, stampPtr{&retires}, stampPtr{&frozen}, &c.KeyElsewhere,
		&c.KeyBurned, &c.KeyPending)
	c.User = model.User{ID: uid.String, Name: uname.String, Kind: model.UserKind(kind.String), Account: account.String,
		Vendor: vendor.String, Enabled: enabled.Bool, StartDir: start.String, AllowIPs: list(ips.String),
		CreatedAt: fromMicros(created.Int64)}
	c.ClosedFrom, c.FilesUntil = model.AccountState(closedFrom.String), until
	c.AccountState, c.AccountIPs, c.Region = model.AccountState(state.String), list(accountIPs.String), region.String
	c.Key = model.Key{ID: kid.String, Fingerprint: kfp.String, ExpiresAt: expires, RevokedAt: revoked,
		RetiresAt: retires, FrozenAt: frozen}
	return c, err
}
