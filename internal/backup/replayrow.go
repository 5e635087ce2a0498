package backup

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// row is the audit row of a change that no service has.
func (s Services) row(action, subject string, detail map[string]string) model.AuditRow {
	return model.AuditRow{ID: s.IDs.New(), At: s.now(), Actor: replayer, Action: action, Subject: subject, Detail: detail}
}

func (s Services) now() time.Time { return s.Clock().UTC().Truncate(time.Microsecond) }

func (s Services) webhookOff(ctx context.Context, row proof.JournalRow) error {
	return s.Store.Write(ctx, func(tx *store.Tx) error {
		w, err := tx.Webhook(row.Subject)
		if err != nil || !w.Enabled {
			return err
		}
		w.Enabled, w.Note = false, "it was switched off or removed after the backup was made"
		if err := tx.SetWebhook(w); err != nil {
			return err
		}
		return tx.Audit(s.row("webhook.off", row.Subject, map[string]string{"why": replayWhy}))
	})
}

// endpointClosed closes a listener with old algorithms that was closed after the backup was made.
func (s Services) endpointClosed(ctx context.Context, row proof.JournalRow) error {
	return s.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.CloseEndpoint(row.Subject, s.now()); err != nil {
			return err
		}
		return tx.Audit(s.row(row.Action, row.Subject, map[string]string{"why": replayWhy}))
	})
}

// feedStep ends a subscription that was ended after the backup was made.
func (s Services) feedStep(ctx context.Context, row proof.JournalRow) doing {
	if row.Action != "feed.unsubscribe" {
		return doing{} // what was given after the backup is not given by a replay
	}
	return doing{"unsubscribed", func() error {
		return s.Store.Write(ctx, func(tx *store.Tx) error {
			if err := tx.EndSubscription(row.Subject, row.User); err != nil {
				return err
			}
			audited := s.row(row.Action, row.Subject, map[string]string{"user": row.Detail["user"], "why": replayWhy})
			audited.User = row.User
			return tx.Audit(audited)
		})
	}}
}

// contactGone removes a contact, or records that it has left if something of it must stay on record.
func (s Services) contactGone(ctx context.Context, row proof.JournalRow) error {
	id := row.Detail["contact"]
	if row.Action == "contact.remove" {
		if err := s.Accounts.RemoveContact(ctx, replayer, id); !fault.Is(err, fault.Conflict) {
			return err
		}
	}
	_, err := s.Accounts.ContactLeaves(ctx, replayer, id)
	return err
}

// networksStep sets the networks of a user or an account as they were set after the backup was made. If they were
// opened to all, those of the backup stay.
func (s Services) networksStep(ctx context.Context, row proof.JournalRow) doing {
	networks := strings.Fields(row.Detail["allow_ips"])
	if len(networks) == 0 {
		return doing{}
	}
	return doing{"limited to " + strings.Join(networks, ", "), func() error {
		if row.Action == "account.set" {
			a, err := s.Store.Read(ctx).Account(row.Subject)
			if err == nil {
				err = narrower(a.AllowIPs, networks)
			}
			if err == nil {
				_, err = s.Accounts.SetAccount(ctx, replayer, row.Subject, model.EditAccount{AllowIPs: &networks})
			}
			return err
		}
		u, err := s.Store.Read(ctx).UserByID(row.User)
		if err == nil {
			err = narrower(u.AllowIPs, networks)
		}
		if err == nil {
			_, err = s.Accounts.SetUser(ctx, replayer, u.Name, model.EditUser{AllowIPs: &networks})
		}
		return err
	}}
}

// narrower fails as Denied if networks let somebody in whom those of the backup do not: a replay only restricts.
func narrower(have, networks []string) error {
	if len(have) == 0 {
		return nil // all may log in
	}
	for _, text := range networks {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return fault.E("backup.narrower", fault.Denied, "%q is not a network.", valid.Printable(text))
		}
		if !slices.ContainsFunc(have, func(h string) bool {
			p, err := netip.ParsePrefix(h)
			return err == nil && p.Bits() <= n.Bits() && p.Contains(n.Addr())
		}) {
			return fault.E("backup.narrower", fault.Denied, "Its networks are %s in the backup, and %s is none of them.",
				strings.Join(have, ", "), text)
		}
	}
	return nil
}

// keyRetired revokes the record that one user has of a key; others may have the same key.
func (s Services) keyRetired(ctx context.Context, row proof.JournalRow) error {
	return s.Store.Write(ctx, func(tx *store.Tx) error {
		list, err := tx.Keys(row.User)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(k model.Key) bool {
			return k.Fingerprint == row.Detail["fingerprint"] && k.RevokedAt == nil
		})
		if i < 0 {
			return fault.Wrap("backup.keyRetired", fault.NotFound, nil)
		}
		if err := tx.RevokeKey(list[i].ID, replayWhy, s.now()); err != nil {
			return err
		}
		audited := s.row(row.Action, row.Subject, map[string]string{"fingerprint": list[i].Fingerprint, "why": replayWhy})
		audited.User = row.User
		return tx.Audit(audited)
	})
}
