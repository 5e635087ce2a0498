package account

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// AddKeys reads the public keys in n.Text and enrols them for a user, all or none. A key of
// another user is refused, unless both users belong to the same vendor. A private key is
// refused and not stored; it is burned, flagged or barred, as KeyExposed says.
func (r *Service) AddKeys(ctx context.Context, actor, user string, n model.NewKey) ([]model.Key, error) {
	const op = "account.AddKeys"
	text := []byte(n.Text)
	if keys.LooksPrivate(text) {
		return nil, r.refusePrivate(ctx, actor, user, keys.Examine(text))
	}
	found, err := keys.Read(text)
	if err != nil {
		return nil, err
	}
	if n.Replaces != "" && len(found) != 1 {
		return nil, fault.E(op, fault.Invalid, "There are %d keys in this file; one key replaces one.", len(found))
	}
	for _, p := range found {
		if err := r.policy.Load().accepts(p); err != nil {
			return nil, err
		}
	}
	if err := r.policy.Load().checkMaker(user, n.Origin); err != nil {
		return nil, err
	}
	return store.Change(ctx, r.store,
		func(tx *store.Tx) ([]model.Key, error) { return r.enrolAll(tx, actor, user, n, found) })
}

// enrolAll enrols keys in the transaction, with one audit row each.
func (r *Service) enrolAll(tx *store.Tx, actor, user string, n model.NewKey,
	found []keys.Public) (added []model.Key, err error) {
	const op = "account.AddKeys"
	u, err := tx.User(user)
	if err != nil {
		return nil, fault.Missing(op, err, "There is no user %q.", user)
	}
	// The mailbox's row is the lock of the user: two concurrent additions must not both find room
	// for one more key. The counter's row is the lock of all enrolments: two users must not both
	// find that a key has no holder.
	if _, err := tx.LockMailbox(u.ID); err != nil {
		return nil, err
	}
	if err := tx.Count("keys_enrolled", int64(len(found))); err != nil {
		return nil, err
	}
	holder, err := r.checkPeople(tx, u, n)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		k := r.newKey(u, n, p, holder)
		if err := r.mayHold(tx, u, k.Fingerprint, n.Replaces != ""); err != nil {
			return nil, err
		}
		if err := tx.AddKey(u.ID, k); err != nil {
			return nil, err
		}
		if err := tx.DropPending(u.ID, k.Fingerprint); err != nil {
			return nil, err
		}
		row := model.AuditRow{ID: r.ids.New(), At: k.CreatedAt, Actor: actor, Action: "key.add", Subject: u.Name, User: u.ID,
			Detail: map[string]string{"fingerprint": k.Fingerprint, "type": k.Type, "comment": k.Comment,
				"origin": string(k.Origin), "holder": k.Holder, "format": p.Format}}
		if n.ConfirmedBy != "" {
			row.Detail["confirmed_by"] = n.ConfirmedBy
		}
		if n.Replaces != "" {
			row.Action, row.Detail["replaces"] = "key.rotate", n.Replaces
			if err := r.retire(tx, u, n.Replaces, k); err != nil {
				return nil, err
			}
		}
		if err := r.record(tx, row); err != nil {
			return nil, err
		}
		added = append(added, k)
	}
	return added, nil
}

// newKey returns the record of a key that is to be enrolled.
func (r *Service) newKey(u model.User, n model.NewKey, p keys.Public, holder model.Contact) model.Key {
	k := model.Key{ID: r.ids.New(), User: u.Name, Fingerprint: p.Fingerprint, MD5: p.MD5, Type: p.Type, Bits: p.Bits,
		Public: p.Line, Comment: p.Comment, Origin: model.OriginSubmitted, Holder: holder.Email, HolderID: holder.ID,
		State: model.KeyActive, CreatedAt: r.now(),
		ExpiresAt: n.ExpiresAt}
	if n.Origin != "" {
		k.Origin = n.Origin
	}
	if k.ExpiresAt == nil && r.policy.Load().KeyExpiry > 0 {
		at := k.CreatedAt.Add(r.policy.Load().KeyExpiry)
		k.ExpiresAt = &at
	}
	return k
}

// checkPeople checks what an enrolment requires of contacts. The holder must be a contact of
// the user. An issued key needs two contacts. After a freeze, a second contact must confirm the
// key.
func (r *Service) checkPeople(tx *store.Tx, u model.User, n model.NewKey) (holder model.Contact, err error) {
	const op = "account.AddKeys"
	if n.ExpiresAt != nil && !n.ExpiresAt.After(r.now()) {
		return holder, fault.E(op, fault.Invalid, "The key would have expired already.")
	}
	if n.Holder != "" {
		if holder, err = personOf(&tx.Q, u, n.Holder); err != nil {
			return holder, err
		}
	}
	list, err := people(&tx.Q, u)
	if err != nil {
		return holder, err
	}
	if err := r.EnoughContacts(u, list); err != nil {
		return holder, err
	}
	if n.Origin == model.OriginIssued {
		if len(mails(list)) < 2 {
			return holder, fault.E(op, fault.Conflict,
				"User %s has %d contacts; two are needed before a key is issued, so that "+
					"key file and passphrase go to different people.", u.Name, len(mails(list))).
				WithAction("add-contact", "account", u.Account)
		}
	}
	return holder, r.checkConfirmed(tx, u, n.ConfirmedBy)
}

// mails returns the addresses of contacts, without duplicates.
func mails(list []model.Contact) (out []string) {
	for _, c := range list {
		if !slices.ContainsFunc(out, func(m string) bool { return strings.EqualFold(m, c.Email) }) {
			out = append(out, c.Email)
		}
	}
	return out
}

// mayHold checks that the user has room for another key, that this one is not burned, and that
// no other user has it.
func (r *Service) mayHold(tx *store.Tx, u model.User, fingerprint string, replaces bool) error {
	const op = "account.AddKeys"
	if b, err := tx.Burned(fingerprint); err == nil {
		return fault.E(op, fault.Denied, "This key can't be used here.").
			WithHint("it was blocked for ever on %s: %s; a new pair is needed", b.At.Format(time.DateOnly), b.Why)
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	have, err := tx.Keys(u.ID)
	if err != nil {
		return err
	}
	live := 0
	for _, k := range have {
		if k.RevokedAt == nil && k.RetiresAt == nil {
			live++
		}
	}
	if replaces {
		live-- // the replaced key makes room
	}
	holders, err := tx.KeyHolders(fingerprint)
	if err != nil {
		return err
	}
	for _, h := range holders {
		if h.User == u.Name {
			return fault.E(op, fault.Exists, "The user %q has this key already.", u.Name)
		}
		other, err := tx.User(h.User)
		if err != nil {
			return err
		}
		if u.Vendor == "" || other.Vendor != u.Vendor {
			return fault.E(op, fault.Denied, "This key can't be used here.").
				WithHint("it belongs to user %s; every user needs a key of its own", h.User)
		}
		if h.FrozenAt != nil {
			return fault.E(op, fault.Denied, "This key can't be used here.").
				WithHint("it is frozen at the word of %s; a second contact must thaw it first", h.FrozenBy).
				WithAction("thaw-key", "fingerprint", fingerprint)
		}
	}
	if live >= r.policy.Load().MaxKeys {
		return fault.E(op, fault.Busy, "The user %q has %d keys, and no more are allowed.", u.Name, live).
			WithHint("revoke one first").WithAction("revoke-key")
	}
	return nil
}

// Keys lists a user's keys, including revoked ones.
func (r *Service) Keys(ctx context.Context, user string) ([]model.Key, error) {
	u, err := r.User(ctx, user)
	if err != nil {
		return nil, err
	}
	return r.judged(r.store.Read(ctx).Keys(u.ID))
}

// Key returns every user's record of a fingerprint. It returns NotFound if there is none.
func (r *Service) Key(ctx context.Context, fingerprint string) ([]model.Key, error) {
	list, err := r.judged(r.store.Read(ctx).KeysOf(fingerprint))
	if err == nil && len(list) == 0 {
		err = noSuchKey(fingerprint)
	}
	return list, err
}

func noSuchKey(fingerprint string) error {
	return fault.E("account.Key", fault.NotFound, "No user has the key %q.", valid.Printable(fingerprint)).
		WithAction("list-keys")
}

// judged sets the current state of each key. It passes err through.
func (r *Service) judged(list []model.Key, err error) ([]model.Key, error) {
	for i := range list {
		list[i].State = list[i].StateAt(r.now())
	}
	return list, err
}

// SetKey changes the holder, the expiry or the flag of a user's key.
func (r *Service) SetKey(ctx context.Context, actor, user string, e model.EditKey) (model.Key, error) {
	row := model.AuditRow{Actor: actor, Action: "key.set", Subject: user}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (model.Key, error) {
		u, k, err := liveKey(tx, user, e.Fingerprint)
		if err != nil {
			return k, err
		}
		row.User, row.Detail = u.ID, map[string]string{"fingerprint": e.Fingerprint}
		if e.Holder != nil {
			k.Holder, k.HolderID = "", ""
			if *e.Holder != "" {
				c, err := personOf(&tx.Q, u, *e.Holder)
				if err != nil {
					return k, err
				}
				k.Holder, k.HolderID = c.Email, c.ID
			}
			row.Detail["holder"] = k.Holder
		}
		if e.ExpiresAt != nil {
			if k.ExpiresAt = e.ExpiresAt; e.ExpiresAt.IsZero() {
				k.ExpiresAt = nil
			}
			row.Detail["expires"] = e.ExpiresAt.Format(time.RFC3339)
		}
		if e.Flag != nil {
			if *e.Flag != "" {
				if err := valid.CheckLabel("flag", *e.Flag); err != nil {
					return k, err
				}
			}
			k.Flag = *e.Flag
			row.Detail["flag"] = k.Flag
		}
		k.State = k.StateAt(row.At)
		return k, tx.SetKey(k)
	})
}

// liveKey finds a user's key that is not revoked.
func liveKey(tx *store.Tx, user, fingerprint string) (u model.User, k model.Key, err error) {
	if u, err = tx.User(user); err != nil {
		return u, k, fault.Missing("account.liveKey", err, "There is no user %q.", user)
	}
	holders, err := tx.KeyHolders(fingerprint)
	if err != nil {
		return u, k, err
	}
	for _, h := range holders {
		if h.User == u.Name {
			return u, h, nil
		}
	}
	return u, k, fault.E("account.liveKey", fault.NotFound, "User %s has no such key.", u.Name).
		WithAction("list-keys", "user", u.Name)
}
