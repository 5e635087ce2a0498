package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Intervals and bounds of the keeper (defaults.md).
const (
	keepEvery   = time.Minute
	noticeEvery = time.Hour
	oldAge      = 730 * 24 * time.Hour // 24 months
	keeperName  = "system:keeper"
	keeperBatch = 500 // keys per transaction
)

// expiryMarks are the times before a key's expiry at which its people are notified, shortest
// first.
var expiryMarks = []struct {
	before time.Duration
	name   string
}{{24 * time.Hour, "1 day"}, {7 * 24 * time.Hour, "7 days"}, {30 * 24 * time.Hour, "30 days"}}

// Keep retires replaced keys, ends the sessions of expired keys and of closed accounts whose last day is
// over, and creates notices, until ctx ends. Several nodes may run it at once; each step takes effect once.
func (r *Service) Keep(ctx context.Context, log *slog.Logger) {
	var noticed time.Time
	do := func(ctx context.Context) error {
		err := errors.Join(r.RetireKeys(ctx), r.EndClosed(ctx))
		if now := r.now(); now.Sub(noticed) >= noticeEvery {
			noticed = now
			err = errors.Join(err, r.NoteKeys(ctx))
		}
		return err
	}
	exchange.Task{Every: keepEvery, Do: do, Failure: "keys could not be retired, sessions ended, or notices made",
		Log: log}.Run(ctx)
}

// RetireKeys revokes the keys whose overlap with their successor is over, and ends the sessions
// of expired keys.
func (r *Service) RetireKeys(ctx context.Context) error {
	now := r.now()
	due, err := r.store.Read(ctx).KeysEnding(now, keeperBatch)
	if err != nil {
		return err
	}
	for _, k := range due {
		if err := r.end(ctx, k, now); err != nil {
			return err
		}
	}
	return nil
}

// end revokes or expires one key. It does nothing if another node was faster.
func (r *Service) end(ctx context.Context, k model.Key, now time.Time) error {
	retired := model.AuditRow{Actor: keeperName, Action: "key.retire", Subject: k.User}
	err := r.write(ctx, retired, func(tx *store.Tx, row *model.AuditRow) error {
		u, live, err := liveKey(tx, k.User, k.Fingerprint)
		if err != nil {
			return err
		}
		row.User, row.Detail = u.ID, map[string]string{"fingerprint": k.Fingerprint}
		if live.RetiresAt != nil && !now.Before(*live.RetiresAt) {
			row.Detail["replaced_by"] = live.ReplacedBy
			return r.revokeOne(tx, u, live, "replaced by "+live.ReplacedBy, row.At)
		}
		row.Action = "key.expire"
		if live.ExpiresAt == nil || now.Before(*live.ExpiresAt) {
			return errNothingToDo
		}
		text := fmt.Sprintf(
			"The key %s of user %s expired on %s and does not work any more. Please make a new pair and send the public file.",
			live.Fingerprint, u.Name, live.ExpiresAt.Format(time.DateOnly))
		fresh, err := r.addNotice(tx, live, u, "key.expired", live.ExpiresAt.Format(time.RFC3339), text)
		if err == nil && !fresh {
			err = errNothingToDo
		}
		if err != nil {
			return err
		}
		return tx.Revoke(store.Revocation{UserID: u.ID, Fingerprint: live.Fingerprint, Reason: "the key expired"}, row.At)
	})
	if err == errNothingToDo || fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// errNothingToDo rolls back a transaction of the keeper that has nothing to change.
var errNothingToDo = fault.E("account.end", fault.Conflict, "nothing to do")

// NoteKeys creates notices for keys that expire soon and for old keys.
func (r *Service) NoteKeys(ctx context.Context) error {
	now := r.now()
	for after := ""; ; {
		due, err := r.store.Read(ctx).KeysDue(now.Add(expiryMarks[len(expiryMarks)-1].before), now.Add(-oldAge), after,
			keeperBatch)
		if err != nil || len(due) == 0 {
			return err
		}
		err = r.store.Write(ctx, func(tx *store.Tx) error {
			for _, k := range due {
				if err := r.noticeAge(tx, k, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		after = due[len(due)-1].ID
	}
}

func (r *Service) noticeAge(tx *store.Tx, k model.Key, now time.Time) error {
	if k.RetiresAt != nil {
		return nil // its successor is enrolled already
	}
	if k.ExpiresAt != nil && now.Before(*k.ExpiresAt) {
		for _, m := range expiryMarks {
			if now.Add(m.before).Before(*k.ExpiresAt) {
				continue
			}
			return r.noticeHolder(tx, k, "key.expiring", m.name+" before "+k.ExpiresAt.Format(time.RFC3339),
				fmt.Sprintf("The key %s of user %s works until %s. Please make a new pair before then and send the public file; "+
					"both keys work until the old one ends.",
					k.Fingerprint, k.User, k.ExpiresAt.Format(time.DateOnly)))
		}
	}
	if now.Sub(k.CreatedAt) >= oldAge {
		return r.noticeHolder(tx, k, "key.old", "24 months",
			fmt.Sprintf("The key %s of user %s has been in use since %s. Nothing is wrong with it; "+
				"a new pair now and then keeps a lost copy from mattering.", k.Fingerprint, k.User,
				k.CreatedAt.Format(time.DateOnly)))
	}
	return nil
}

// noticeHolder creates a notice for a key's people, at most once for each mark.
func (r *Service) noticeHolder(tx *store.Tx, k model.Key, kind, mark, text string) error {
	u, err := tx.User(k.User)
	if err != nil {
		return err
	}
	_, err = r.addNotice(tx, k, u, kind, mark, text)
	return err
}

func (r *Service) addNotice(tx *store.Tx, k model.Key, u model.User, kind, mark, text string) (bool, error) {
	if help := r.help(&tx.Q, u.Account); help != "" {
		text += " Help: " + help + "."
	}
	return tx.AddNotice(model.Notice{ID: r.ids.New(), At: r.now(), Kind: kind, UserID: u.ID, Fingerprint: k.Fingerprint,
		Mark: mark, Roles: []string{model.RoleTechnical, model.RoleSecurity}, Text: text})
}

// help returns the help contact for an account's people.
func (r *Service) help(q *store.Q, account string) string {
	if a, err := q.Account(account); err == nil && r.policy.Load().Regions[a.Region] != "" {
		return r.policy.Load().Regions[a.Region]
	}
	return r.policy.Load().Help
}

// Notices lists notices with their recipients: present contacts with a fitting role, and the
// key's holder.
func (r *Service) Notices(ctx context.Context, f model.NoticeFilter) ([]model.Notice, error) {
	q := r.store.Read(ctx)
	list, err := q.Notices(f)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].To, err = recipients(q, list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// recipients returns the addresses that a notice goes to, without duplicates.
func recipients(q *store.Q, n model.Notice) ([]string, error) {
	u, err := q.User(n.User)
	if fault.Is(err, fault.NotFound) {
		return []string{}, nil
	} else if err != nil {
		return nil, err
	}
	who, err := people(q, u)
	if err != nil {
		return nil, err
	}
	records, err := q.KeysOf(n.Fingerprint)
	if err != nil {
		return nil, err
	}
	who = slices.DeleteFunc(who, func(c model.Contact) bool {
		holds := slices.ContainsFunc(records, func(k model.Key) bool { return k.User == u.Name && k.HolderID == c.ID })
		return !holds && !fits(c, n.Roles)
	})
	return append([]string{}, mails(who)...), nil
}

func fits(c model.Contact, roles []string) bool {
	for _, have := range c.Roles {
		for _, want := range roles {
			if have == want {
				return true
			}
		}
	}
	return false
}

// NoticeDone records that a notice was passed on.
func (r *Service) NoticeDone(ctx context.Context, actor, id string) error {
	done := model.AuditRow{Actor: actor, Action: "notice.done", Subject: id}
	return r.write(ctx, done, func(tx *store.Tx, row *model.AuditRow) error {
		return fault.Missing("account.NoticeDone", tx.NoticeDone(id, row.At), "There is no open notice %q.",
			valid.Printable(id))
	})
}
