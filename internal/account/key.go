package account

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// AddKey reads a public key that somebody sent and enrols it for a user. One
// key on two users is refused, except users of the same vendor.
func (r *Room) AddKey(ctx context.Context, actor, user string, data []byte) (exchange.Key, error) {
	const op = "account.AddKey"
	p, err := keys.Read(data)
	if err != nil {
		return exchange.Key{}, err
	}
	k := exchange.Key{ID: r.ids.New(), User: user, Fingerprint: p.Fingerprint, Type: p.Type, Bits: p.Bits, Public: p.Line,
		Comment: p.Comment, Origin: "submitted", CreatedAt: r.now()}
	err = r.change(ctx, actor, "key.add", user, func(tx *store.Tx, row *exchange.AuditRow) error {
		u, err := tx.User(user)
		if err != nil {
			return missing(op, err, "There is no user %q.", user)
		}
		row.User = u.ID
		row.Detail = map[string]string{"fingerprint": k.Fingerprint, "type": k.Type, "comment": k.Comment}
		if err := r.mayHold(tx, u, k.Fingerprint); err != nil {
			return err
		}
		return tx.AddKey(u.ID, k)
	})
	return k, err
}

// mayHold checks the number of keys and that nobody else has this one.
func (r *Room) mayHold(tx *store.Tx, u exchange.User, fingerprint string) error {
	const op = "account.AddKey"
	// The mailbox's row is the user's lock: two additions at once must not
	// both see room for one more.
	if _, err := tx.LockMailbox(u.ID); err != nil {
		return err
	}
	have, err := tx.Keys(u.ID)
	if err != nil {
		return err
	}
	live := 0
	for _, k := range have {
		if k.RevokedAt == nil {
			live++
		}
	}
	holders, err := tx.KeyHolders(fingerprint)
	if err != nil {
		return err
	}
	for _, h := range holders {
		if h.User == u.Name {
			return exchange.E(op, exchange.Exists, "The user %q has this key already.", u.Name)
		}
		other, err := tx.User(h.User)
		if err != nil {
			return err
		}
		if u.Vendor == "" || other.Vendor != u.Vendor {
			return exchange.E(op, exchange.Denied, "This key can't be used here.").
				WithHint("it belongs to user %s; every user needs a key of its own", h.User)
		}
	}
	if live >= r.policy.MaxKeys {
		return exchange.E(op, exchange.Busy, "The user %q has %d keys, and no more are allowed.", u.Name, live).
			WithHint("revoke one first: sallyport key revoke FINGERPRINT --reason R")
	}
	return nil
}

// Keys lists a user's keys, revoked ones included.
func (r *Room) Keys(ctx context.Context, user string) ([]exchange.Key, error) {
	u, err := r.User(ctx, user)
	if err != nil {
		return nil, err
	}
	return r.store.Read(ctx).Keys(u.ID)
}

// RevokeKey ends a key for every user that holds it, and their sessions.
func (r *Room) RevokeKey(ctx context.Context, actor, fingerprint, reason string) ([]exchange.Key, error) {
	const op = "account.RevokeKey"
	if err := exchange.CheckLabel("reason", reason); err != nil {
		return nil, err
	}
	var revoked []exchange.Key
	err := r.change(ctx, actor, "key.revoke", fingerprint, func(tx *store.Tx, row *exchange.AuditRow) error {
		holders, err := tx.KeyHolders(fingerprint)
		if err != nil {
			return err
		}
		if len(holders) == 0 {
			return exchange.E(op, exchange.NotFound, "No user has the key %q.", exchange.Printable(fingerprint)).
				WithHint("list them with: sallyport key list USER")
		}
		row.Detail = map[string]string{"reason": reason}
		for i, k := range holders {
			u, err := tx.User(k.User)
			if err != nil {
				return err
			}
			if err := tx.RevokeKey(k.ID, reason, row.At); err != nil {
				return err
			}
			if err := tx.Revoke(store.Revocation{UserID: u.ID, Fingerprint: fingerprint, Reason: reason}, row.At); err != nil {
				return err
			}
			row.Detail["user."+u.Name] = k.Type
			row.User = u.ID
			holders[i].RevokedAt, holders[i].RevokedWhy = &row.At, reason
		}
		revoked = holders
		return nil
	})
	return revoked, err
}
