package account

import (
	"context"
	"fmt"
	"slices"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// retire starts the period in which a user's old key and the new one both work. The old key
// retires at the end of the period, or soon after the new key's first log-in (store.KeysUsed),
// whichever is earlier.
func (r *Service) retire(tx *store.Tx, u model.User, old string, by model.Key) error {
	const op = "account.retire"
	_, k, err := liveKey(tx, u.Name, old)
	if err != nil {
		return err
	}
	switch k.StateAt(by.CreatedAt) {
	case model.KeyRetiring:
		return fault.E(op, fault.Conflict, "The key %s is being replaced already, by %s.", old, k.ReplacedBy).
			WithHint("revoke one of the two first").WithAction("revoke-key")
	case model.KeyFrozen:
		return fault.E(op, fault.Conflict, "The key %s is frozen, so it can't overlap with another.", old).
			WithHint("add the new key at the word of a second contact, then revoke the frozen one").
			WithAction("add-keys", "user", u.Name, "confirmed_by", "")
	}
	return tx.ReplaceKey(k.ID, by.ID, by.CreatedAt.Add(r.policy.Load().Overlap))
}

// FreezeKey disables a key for every user that holds it, at the request of a contact of any of
// them, and ends their sessions. Only a second contact can undo it or confirm another key.
func (r *Service) FreezeKey(ctx context.Context, actor, fingerprint, by string) ([]model.Key, error) {
	return r.eachHolder(ctx, actor, "key.freeze", fingerprint, by,
		func(tx *store.Tx, u model.User, k *model.Key, c model.Contact, row *model.AuditRow) error {
			if k.FrozenAt != nil {
				return fault.E("account.FreezeKey", fault.Conflict, "The key is frozen already, since %s.",
					k.FrozenAt.Format("2006-01-02 15:04"))
			}
			k.FrozenAt, k.FrozenBy, k.FrozenByID = &row.At, c.Email, c.ID
			if err := r.noticeHolder(tx, *k, "key.frozen", row.ID,
				fmt.Sprintf("At the word of %s (%s) the key %s of user %s does not work any more. "+
					"To go on, a second contact must confirm a new key, or that this one is good.", c.Name, c.Email, k.Fingerprint,
					u.Name)); err != nil {
				return err
			}
			return tx.Revoke(store.Revocation{UserID: u.ID, Fingerprint: k.Fingerprint, Reason: "the key was frozen"}, row.At)
		})
}

// ThawKey enables a frozen key again. The contact must not be the one who froze it.
func (r *Service) ThawKey(ctx context.Context, actor, fingerprint, by string) ([]model.Key, error) {
	const op = "account.ThawKey"
	return r.eachHolder(ctx, actor, "key.thaw", fingerprint, by,
		func(_ *store.Tx, _ model.User, k *model.Key, c model.Contact, _ *model.AuditRow) error {
			if k.FrozenAt == nil {
				return fault.E(op, fault.Conflict, "The key is not frozen.")
			}
			if same(c, *k) {
				return needSecond(op, *k)
			}
			k.FrozenAt, k.FrozenBy, k.FrozenByID = nil, "", ""
			return nil
		})
}

func same(c model.Contact, k model.Key) bool {
	return c.ID == k.FrozenByID || len(mails([]model.Contact{c, {Email: k.FrozenBy}})) == 1
}

func needSecond(op string, k model.Key) error {
	return fault.E(op, fault.Denied, "%s had the key %s frozen; another contact must confirm.", k.FrozenBy, k.Fingerprint).
		WithHint("ask a second contact by phone, and name that one")
}

// eachHolder changes every user's record of a key at the request of a contact.
func (r *Service) eachHolder(ctx context.Context, actor, action, fingerprint, by string,
	fn func(*store.Tx, model.User, *model.Key, model.Contact, *model.AuditRow) error) ([]model.Key, error) {
	row := model.AuditRow{Actor: actor, Action: action, Subject: fingerprint}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) ([]model.Key, error) {
		holders, err := tx.KeyHolders(fingerprint)
		if err != nil {
			return nil, err
		}
		if len(holders) == 0 {
			return nil, noSuchKey(fingerprint)
		}
		// A vendor's key may be held by users of many accounts; a contact of any of them may decide.
		c, err := r.speaker(tx, holders, by)
		if err != nil {
			return nil, err
		}
		row.Detail = map[string]string{"by": c.Email}
		for i := range holders {
			k := &holders[i]
			u, err := tx.User(k.User)
			if err != nil {
				return nil, err
			}
			row.User, row.Detail["user."+u.Name] = u.ID, k.Type
			if err := fn(tx, u, k, c, row); err != nil {
				return nil, err
			}
			if err := tx.SetKey(*k); err != nil {
				return nil, err
			}
		}
		return r.judged(holders, nil)
	})
}

// speaker finds the contact among those of all users that hold a key.
func (r *Service) speaker(tx *store.Tx, holders []model.Key, who string) (c model.Contact, err error) {
	for _, k := range holders {
		u, err := tx.User(k.User)
		if err != nil {
			return c, err
		}
		if c, err = personOf(&tx.Q, u, who); !fault.Is(err, fault.NotFound) {
			return c, err
		}
	}
	return c, fault.E("account.speaker", fault.NotFound, "%q is no contact of whoever holds this key.",
		valid.Printable(who)).
		WithAction("list-contacts")
}

// checkConfirmed requires the confirmation of a second contact if a key of the user was frozen
// and not thawed, and no key was enrolled since.
func (r *Service) checkConfirmed(tx *store.Tx, u model.User, by string) error {
	const op = "account.AddKeys"
	var second *model.Contact
	if by != "" {
		c, err := personOf(&tx.Q, u, by)
		if err != nil {
			return err
		}
		second = &c
	}
	list, err := tx.Keys(u.ID)
	if err != nil {
		return err
	}
	for _, k := range list {
		if k.FrozenAt == nil || slices.ContainsFunc(list,
			func(other model.Key) bool { return other.CreatedAt.After(*k.FrozenAt) }) {
			continue
		}
		if second == nil || same(*second, k) {
			return fault.E(op, fault.Denied, "%s had a key of this user frozen; another contact must confirm a new one.",
				k.FrozenBy).
				WithHint("ask a second contact by phone, and add --confirmed-by CONTACT")
		}
	}
	return nil
}
