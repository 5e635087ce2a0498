package backup

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// removeFile removes a file that retention, its owner or an operator removed after the backup was made. A version that
// retention removed goes with its bytes; of the others the name goes, and retention removes what is behind it.
func (s Services) removeFile(ctx context.Context, row proof.JournalRow) error {
	return s.Store.Write(ctx, func(tx *store.Tx) error {
		version := row.Detail["version"]
		state := model.DeliveryExpired
		if row.Action == "delivery.withdraw" {
			state = model.DeliveryWithdrawn
			var err error
			if version, err = tx.VersionOfDelivery(row.Subject); err != nil {
				return err
			}
		}
		k, err := tx.KeptVersion(version)
		if err != nil {
			return err
		}
		if row.Action != "file.expire" && !k.Current {
			return fault.Wrap("backup.removeFile", fault.NotFound, nil) // another version took its name
		}
		box, err := mailbox.Lock(tx, k.UserID)
		if err != nil {
			return err
		}
		if row.Action == "file.expire" && k.Drop != "" {
			if err := tx.LockDrops([]string{version}); err != nil {
				return err
			}
		}
		if k.Current {
			if err := box.Remove(store.File{DirID: k.DirID, Name: k.Name, Size: k.Size}); err != nil {
				return err
			}
		}
		if k.Delivery != "" && row.Action != "file.remove" {
			if err := tx.EndDelivery(version, state, s.now()); err != nil {
				return err
			}
		}
		audited := s.row(row.Action, row.Subject, map[string]string{"version": version, "sha256": k.SHA256, "why": replayWhy})
		audited.User = k.UserID
		if err := tx.Audit(audited); err != nil {
			return err
		}
		if row.Action != "file.expire" {
			return nil
		}
		if k.Drop != "" {
			if err := tx.DropRemoved(version, s.now()); err != nil {
				return err
			}
		}
		return mailbox.Drop(tx, []string{version}, s.now())
	})
}
