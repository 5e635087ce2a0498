package notify

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// SealSecrets encrypts secrets that an earlier version stored in clear. It returns the names of
// the webhooks whose secret cannot be decrypted, because it was sealed under another key.
func (r *Service) SealSecrets(ctx context.Context) (lost []string, err error) {
	list, err := r.o.Store.Read(ctx).Webhooks(model.Paging{})
	if err != nil {
		return nil, err
	}
	for _, w := range list {
		if !r.o.Vault.Sealed(w.Secret) {
			if err := r.seal(ctx, w.Name); err != nil && !fault.Is(err, fault.NotFound) {
				return nil, err
			}
		} else if _, err := r.o.Vault.Open(w.Secret, w.Name); err != nil {
			lost = append(lost, w.Name)
		}
	}
	return lost, nil
}

func (r *Service) seal(ctx context.Context, name string) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		w, err := tx.Webhook(name)
		if err != nil {
			return err
		}
		for _, secret := range []*string{&w.Secret, &w.OldSecret} {
			if !r.o.Vault.Sealed(*secret) {
				*secret = r.o.Vault.Seal(*secret, name)
			}
		}
		tx.Unaudited("the secret is the same, sealed")
		return tx.SetWebhook(w)
	})
}

// unsealed returns a webhook with decrypted secrets for signing. An old secret that cannot be
// decrypted is left out, since the receiver should have the new one by now.
func (r *Service) unsealed(w model.Webhook) (model.Webhook, error) {
	var err error
	if w.Secret, err = r.o.Vault.Open(w.Secret, w.Name); err != nil {
		return w, &fault.Error{Op: "notify.unsealed", Kind: fault.Unavailable, Err: err,
			Public: "The secret of the webhook cannot be opened: it was sealed under another secrets.key.",
			Hint:   "restore secrets.key from the backup, or make a new secret",
			Action: model.Do("edit-webhook", "name", w.Name, "rotate_secret", "true")}
	}
	if w.OldSecret, err = r.o.Vault.Open(w.OldSecret, w.Name); err != nil {
		w.OldSecret = ""
	}
	return w, nil
}
