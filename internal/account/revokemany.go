package account

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// RevokeKeys revokes one key, every key that a contact holds, or every key of a user, and ends their
// sessions. All keys are revoked in one transaction, each with an audit row of its own.
func (r *Service) RevokeKeys(ctx context.Context, actor string, in model.RevokeKey) (out model.Revoked, err error) {
	given := 0
	for _, s := range []string{in.Fingerprint, in.Holder, in.User} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return out, fault.E("account.RevokeKeys", fault.Invalid, "Name a key, a contact or a user, and one of them alone.").
			WithField("fingerprint")
	}
	if in.Fingerprint != "" {
		return r.RevokeKey(ctx, actor, in.Fingerprint, in.Reason, in.Burn)
	}
	if err := valid.CheckLabel("reason", in.Reason); err != nil {
		return out, fault.InField("reason", err)
	}
	return store.Change(ctx, r.store, func(tx *store.Tx) (out model.Revoked, err error) {
		list, err := keysToRevoke(&tx.Q, in)
		if err != nil {
			return out, err
		}
		if err := tx.LockKeys(list); err != nil { // lock all before changing the first
			return out, err
		}
		for _, fingerprint := range list {
			one, err := r.revokeInTurn(tx, actor, fingerprint, in)
			if err != nil {
				return out, err
			}
			out.Keys = append(out.Keys, one.Keys...)
			out.Warnings = append(out.Warnings, one.Warnings...)
		}
		slices.SortStableFunc(out.Keys, func(a, b model.Key) int { // as people read them
			return cmp.Or(strings.Compare(a.User, b.User), a.CreatedAt.Compare(b.CreatedAt))
		})
		out.Burned = in.Burn
		if in.Holder != "" {
			rest, err := r.stillWork(&tx.Q, out.Keys)
			if err != nil {
				return out, err
			}
			out.Warnings = append(out.Warnings, rest...)
		}
		return out, nil
	})
}

// revokeInTurn revokes one of several keys, with its audit row.
func (r *Service) revokeInTurn(tx *store.Tx, actor, fingerprint string, in model.RevokeKey) (model.Revoked, error) {
	row := model.AuditRow{ID: r.ids.New(), At: r.now(), Actor: actor, Action: "key.revoke", Subject: fingerprint,
		Detail: map[string]string{"reason": in.Reason, "holder": in.Holder}}
	if in.Burn {
		row.Action = "key.burn"
		if err := tx.Burn(model.BurnedKey{Fingerprint: fingerprint, How: model.BurnReported, Why: in.Reason, Actor: actor,
			At: row.At}); err != nil {
			return model.Revoked{}, err
		}
	}
	out, err := r.revokeAll(tx, &row, fingerprint, in.Reason)
	if err != nil {
		return out, err
	}
	return out, r.record(tx, row)
}

// stillNamed is how many keys a warning names.
const stillNamed = 10

// stillWork says which keys of the accounts concerned still work after a person's keys were revoked. What is on a lost
// laptop may be a key that nobody has said who holds.
func (r *Service) stillWork(q *store.Q, revoked []model.Key) (out []string, err error) {
	seen := map[string]bool{}
	for _, k := range revoked {
		u, err := q.User(k.User)
		if err != nil {
			return nil, err
		}
		if seen[u.Account] {
			continue
		}
		seen[u.Account] = true
		text, err := r.stillWorkOf(q, u.Account)
		if err != nil {
			return nil, err
		}
		out = append(out, text...)
	}
	return out, nil
}

func (r *Service) stillWorkOf(q *store.Q, account string) ([]string, error) {
	users, err := q.Users(model.UserFilter{Account: account})
	if err != nil {
		return nil, err
	}
	var named []string
	all, nobodys := 0, 0
	for _, u := range users {
		keys, err := q.Keys(u.ID)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if s := k.StateAt(r.now()); s != model.KeyActive && s != model.KeyRetiring {
				continue
			}
			all++
			holder := "held by " + k.Holder
			if k.Holder == "" {
				holder = "no holder is noted"
				nobodys++
			}
			if len(named) < stillNamed {
				named = append(named, fmt.Sprintf("%s of %s (%s)", k.Fingerprint, u.Name, holder))
			}
		}
	}
	if all == 0 {
		return nil, nil
	}
	text := fmt.Sprintf("These keys of account %s still work: %s", account, strings.Join(named, ", "))
	if all > len(named) {
		text += fmt.Sprintf(" and %d more", all-len(named))
	}
	text += "."
	if nobodys > 0 {
		text += " A key without a holder may be this person's, too: it was not revoked."
	}
	return []string{text}, nil
}

// keysToRevoke returns the fingerprints of a contact's or a user's keys, revoked ones left out. It
// fails with NotFound if there are none.
func keysToRevoke(q *store.Q, in model.RevokeKey) (list []string, err error) {
	const op = "account.RevokeKeys"
	var found []model.Key
	whose, user := "", ""
	if in.Holder != "" {
		c, err := contactNamed(q, in.Holder)
		if err != nil {
			return nil, err
		}
		if found, err = q.KeysHeldBy(c.ID); err != nil {
			return nil, err
		}
		whose = c.Name + " <" + c.Email + "> is not known to hold a key."
	} else {
		u, err := q.User(in.User)
		if err != nil {
			return nil, fault.Missing(op, err, "There is no user %q.", valid.Printable(in.User))
		}
		if found, err = q.Keys(u.ID); err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(k model.Key) bool { return k.RevokedAt != nil })
		whose = "User " + u.Name + " has no key that works."
		user = u.Name
	}
	for _, k := range found {
		list = append(list, k.Fingerprint)
	}
	slices.Sort(list)
	if list = slices.Compact(list); len(list) == 0 {
		return nil, fault.E(op, fault.NotFound, "%s", whose).WithAction("list-keys", "user", user)
	}
	return list, nil
}
