// Package identity has the keys that identify a deployment: its SSH host keys, the key that signs
// receipts, reports and checkpoints, and the key that encrypts the database's secrets. They are
// made once, and never replaced silently.
package identity

import (
	"context"
	"log/slog"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Keeper reads the keys in a data folder and compares them with what the database knows.
type Keeper struct {
	Store *store.Store
	Clock exchange.Clock
	IDs   *exchange.IDs
	Log   *slog.Logger
	Data  string // the data folder
	Host  string // name of a new signing key
	Node  string // name of the process, for the audit log
	// NewSigningKey and NewHostKeys are the operator's reasons to replace lost keys. With "", lost
	// keys are an error.
	NewSigningKey, NewHostKeys string
}

// recordReplaced stores the new value of a setting, together with the audit row of the change.
func (k Keeper) recordReplaced(ctx context.Context, action, setting, value string, detail map[string]string) error {
	return k.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetSetting(setting, value); err != nil {
			return err
		}
		return tx.Audit(model.AuditRow{ID: k.IDs.New(), At: k.Clock().UTC(), Actor: "system:node", Action: action,
			Subject: k.Node, Detail: detail})
	})
}
