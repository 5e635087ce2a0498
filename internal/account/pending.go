package account

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// pendingKept is how many unknown keys are kept per user; the newest stay.
const pendingKept = 5

// Offered records an unknown key that a client offered for an existing user. It waits until an
// operator approves it by its fingerprint. The client has not proven that it has the private
// key. Keys that could not be enrolled are not recorded.
func (r *Service) Offered(ctx context.Context, p model.PendingKey) error {
	if r.policy.Load().KeysBy == model.KeysByOperator {
		return nil // it could never be approved
	}
	found, err := keys.Read([]byte(p.Public))
	if err != nil {
		return nil // not a key that can be enrolled
	}
	if err := r.policy.Load().accepts(found[0]); err != nil {
		return nil
	}
	p.Type, p.Bits, p.Fingerprint, p.Public, p.LastAt = found[0].Type, found[0].Bits, found[0].Fingerprint, found[0].Line,
		r.now()
	return r.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Burned(p.Fingerprint); !fault.Is(err, fault.NotFound) {
			return err
		}
		if holders, err := tx.KeyHolders(p.Fingerprint); err != nil || len(holders) > 0 {
			return err
		}
		return tx.AddPending(p, pendingKept)
	})
}

// PendingKeys lists the keys that wait for approval, of one user or of all.
func (r *Service) PendingKeys(ctx context.Context, f model.OfUserFilter) ([]model.PendingKey, error) {
	id := ""
	if f.User != "" {
		u, err := r.User(ctx, f.User)
		if err != nil {
			return nil, err
		}
		id = u.ID
	}
	return r.store.Read(ctx).PendingKeys(id, f.Paging)
}

// ApproveKey enrols a key that waits for approval. The operator has compared its fingerprint
// with the one that a contact read out.
func (r *Service) ApproveKey(ctx context.Context, actor, user string, a model.ApproveKey) ([]model.Key, error) {
	u, err := r.User(ctx, user)
	if err != nil {
		return nil, err
	}
	p, err := r.store.Read(ctx).PendingKey(u.ID, a.Fingerprint)
	if err != nil {
		return nil, fault.Missing("account.ApproveKey", err, "No key %q waits for user %q.", valid.Printable(a.Fingerprint),
			user)
	}
	return r.AddKeys(ctx, actor, user, model.NewKey{Text: p.Public, Holder: a.Holder, ConfirmedBy: a.ConfirmedBy})
}

// RefuseKey removes a key from the list of those that wait for approval.
func (r *Service) RefuseKey(ctx context.Context, actor, user, fingerprint string) error {
	refused := model.AuditRow{Actor: actor, Action: "key.refuse", Subject: user}
	return r.write(ctx, refused, func(tx *store.Tx, row *model.AuditRow) error {
		u, err := tx.User(user)
		if err != nil {
			return fault.Missing("account.RefuseKey", err, "There is no user %q.", user)
		}
		if _, err := tx.PendingKey(u.ID, fingerprint); err != nil {
			return fault.Missing("account.RefuseKey", err, "No key %q waits for user %q.", valid.Printable(fingerprint), user)
		}
		row.User, row.Detail = u.ID, map[string]string{"fingerprint": fingerprint}
		return tx.DropPending(u.ID, fingerprint)
	})
}
