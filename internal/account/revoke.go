package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// RevokeKey revokes a key for every user that holds it, and ends their sessions. With burn the
// key can never be enrolled again, and it need not be enrolled now.
func (r *Service) RevokeKey(ctx context.Context, actor, fingerprint, reason string,
	burn bool) (out model.Revoked, err error) {
	if err := valid.CheckLabel("reason", reason); err != nil {
		return out, fault.InField("reason", err)
	}
	if burn && !valid.IsFingerprint(fingerprint) {
		return out, fault.E("account.RevokeKey", fault.Invalid, "%q is not a fingerprint.", valid.Printable(fingerprint)).
			WithHint("SHA256:… as key list shows it")
	}
	row := model.AuditRow{Actor: actor, Action: "key.revoke", Subject: fingerprint}
	return change(ctx, r, row, func(tx *store.Tx, row *model.AuditRow) (out model.Revoked, err error) {
		row.Detail = map[string]string{"reason": reason}
		if burn {
			row.Action = "key.burn"
			if err := tx.Burn(model.BurnedKey{Fingerprint: fingerprint, How: model.BurnReported, Why: reason, Actor: actor,
				At: row.At}); err != nil {
				return out, err
			}
		}
		if out, err = r.revokeAll(tx, row, fingerprint, reason); err != nil {
			return out, err
		}
		if len(out.Keys) == 0 && !burn {
			return out, noSuchKey(fingerprint)
		}
		out.Burned = burn
		return out, nil
	})
}

// revokeAll revokes every user's record of a key, and adds the users to the audit row.
func (r *Service) revokeAll(tx *store.Tx, row *model.AuditRow, fingerprint,
	reason string) (out model.Revoked, err error) {
	holders, err := tx.KeyHolders(fingerprint)
	if err != nil {
		return out, err
	}
	for i, k := range holders {
		u, err := tx.User(k.User)
		if err != nil {
			return out, err
		}
		if err := r.revokeOne(tx, u, k, reason, row.At); err != nil {
			return out, err
		}
		row.Detail["user."+u.Name] = k.Type
		row.User = u.ID
		holders[i].RevokedAt, holders[i].RevokedWhy, holders[i].State = &row.At, reason, model.KeyRevoked
		rest, err := r.judged(tx.Keys(u.ID))
		if err != nil {
			return out, err
		}
		if !slices.ContainsFunc(rest,
			func(k model.Key) bool { return k.State == model.KeyActive || k.State == model.KeyRetiring }) {
			out.Warnings = append(out.Warnings,
				fmt.Sprintf("This was the last key of user %s, who can't log in any more.", u.Name))
		}
	}
	out.Keys = holders
	if err := tx.RevokeLinksOfKey(fingerprint, row.At); err != nil {
		return out, err
	}
	return out, tx.DropPending("", fingerprint)
}

// revokeOne revokes one user's record of a key and ends its sessions.
func (r *Service) revokeOne(tx *store.Tx, u model.User, k model.Key, reason string, at time.Time) error {
	if err := tx.RevokeKey(k.ID, reason, at); err != nil {
		return err
	}
	return tx.Revoke(store.Revocation{UserID: u.ID, Fingerprint: k.Fingerprint, Reason: reason}, at)
}

// KeyExposed handles private keys that were sent for a user. A readable private key is burned
// at once. An encrypted file proves nothing, since anyone can make one around another person's
// public key. So a key that some user holds is only flagged, and a key that no user holds is
// barred.
func (r *Service) KeyExposed(ctx context.Context, actor, user string, files []keys.Exposed) (model.Exposure, error) {
	return store.Change(ctx, r.store, func(tx *store.Tx) (out model.Exposure, err error) {
		var fingerprints []string
		for _, f := range files {
			if f.Key.Fingerprint != "" {
				fingerprints = append(fingerprints, f.Key.Fingerprint)
			}
		}
		if err := tx.LockKeys(fingerprints); err != nil { // lock all before changing the first
			return out, err
		}
		out = model.Exposure{Advice: r.privateKeyAdvice(&tx.Q, user), Burned: []string{}, Flagged: []string{},
			Barred: []string{}, Users: []string{}}
		for _, f := range files {
			if f.Key.Fingerprint == "" {
				continue
			}
			if err := r.exposed(tx, actor, user, f, &out); err != nil {
				return out, err
			}
		}
		slices.Sort(out.Users)
		out.Users = slices.Compact(out.Users)
		if len(out.Burned)+len(out.Flagged)+len(out.Barred) > 0 {
			return out, nil
		}
		formats := make([]string, len(files))
		for i, f := range files {
			formats[i] = f.Format
		}
		return out, r.record(tx, model.AuditRow{ID: r.ids.New(), At: r.now(), Actor: actor, Action: "key.exposed",
			Subject: user, Detail: map[string]string{"formats": strings.Join(formats, ", "), "done": "refused"}})
	})
}

// exposed handles one exposed private key.
func (r *Service) exposed(tx *store.Tx, actor, user string, f keys.Exposed, out *model.Exposure) error {
	fp := f.Key.Fingerprint
	holders, err := tx.KeyHolders(fp)
	if err != nil {
		return err
	}
	row := model.AuditRow{ID: r.ids.New(), At: r.now(), Actor: actor, Action: "key.burn", Subject: fp,
		Detail: map[string]string{"sent_for": user, "format": f.Format}}
	for _, k := range holders {
		out.Users = append(out.Users, k.User)
	}
	burned := model.BurnedKey{Fingerprint: fp, How: model.BurnExposed, Why: "its private half was sent to us",
		Actor: actor, At: row.At}
	switch {
	case f.Proven:
		out.Burned = append(out.Burned, fp)
		if err := tx.Burn(burned); err != nil {
			return err
		}
		if _, err := r.revokeAll(tx, &row, fp, burned.Why); err != nil {
			return err
		}
		for _, k := range holders {
			if err := r.noticeHolder(tx, k, "key.burned", "sent",
				fmt.Sprintf("The private half of the key %s of user %s was sent to us, so the key is blocked. "+
					"Please make a new pair and send the public file. Please stop using the old key everywhere.", fp,
					k.User)); err != nil {
				return err
			}
		}
	case len(holders) > 0:
		out.Flagged = append(out.Flagged, fp)
		row.Action = "key.flag"
		for _, k := range holders {
			k.Flag = "an encrypted private key file with this public half was sent on " + row.At.Format(time.DateOnly)
			if err := tx.SetKey(k); err != nil {
				return err
			}
			if err := r.noticeHolder(tx, k, "key.flagged", row.At.Format(time.DateOnly),
				fmt.Sprintf("Somebody sent us an encrypted private key file for the key %s of user %s. "+
					"If it was you, please make a new pair, since the file has left your computer. If it was not, please tell us.", fp,
					k.User)); err != nil {
				return err
			}
		}
	default:
		out.Barred = append(out.Barred, fp)
		row.Action = "key.bar"
		burned.How, burned.Why = model.BurnSuspected, "an encrypted private key file with it was sent to us"
		if err := tx.Burn(burned); err != nil {
			return err
		}
		if err := tx.DropPending("", fp); err != nil {
			return err
		}
	}
	return r.record(tx, row)
}

// refusePrivate handles private keys that came in place of public ones, and returns the error
// for the sender.
func (r *Service) refusePrivate(ctx context.Context, actor, user string, files []keys.Exposed) error {
	out, err := r.KeyExposed(ctx, actor, user, files)
	if err != nil {
		return err
	}
	e := fault.E("account.refusePrivate", fault.Invalid, "%s", out.Advice)
	if done := out.Done(); done != "" {
		return e.WithHint("%s", done)
	}
	return e
}

// privateKeyAdvice returns the advice for the sender of a private key.
func (r *Service) privateKeyAdvice(q *store.Q, user string) string {
	help := r.policy.Load().Help
	if u, err := q.User(user); err == nil {
		help = r.help(q, u.Account)
	}
	if help == "" {
		return keys.PrivateKeyAdvice
	}
	return keys.PrivateKeyAdvice + " If the old key works here, tell us (" + help + "): we will replace it today."
}

// BurnedKeys lists the keys that can never be enrolled, newest first.
func (r *Service) BurnedKeys(ctx context.Context, f model.EveryFilter) ([]model.BurnedKey, error) {
	return r.store.Read(ctx).BurnedKeys(f.Paging)
}

// PrivateKeySent handles private keys that were sent where a public key was asked for, as KeyExposed does. sent
// says where that was. It returns the error for the sender.
func (r *Service) PrivateKeySent(ctx context.Context, actor, sent string, text []byte) error {
	return r.refusePrivate(ctx, actor, sent, keys.Examine(text))
}
