// Package identity is what a deployment is known by: its SSH host keys, the key that signs receipts, reports and
// checkpoints, and the key under which the database's secrets are sealed. All are made once and never replaced
// in silence.
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
	Host  string // names a new signing key
	Node  string // the process, for the audit log
	// NewSigningKey and NewHostKeys say why keys that are lost are replaced; ""
	// refuses to go on without them.
	NewSigningKey, NewHostKeys string
}

// recordReplaced remembers what the deployment is known by from now on, with the
// audit row that says so.
func (k Keeper) recordReplaced(ctx context.Context, action, setting, value string, detail map[string]string) error {
	return k.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetSetting(setting, value); err != nil {
			return err
		}
		return tx.Audit(model.AuditRow{ID: k.IDs.New(), At: k.Clock().UTC(), Actor: "system:node", Action: action,
			Subject: k.Node, Detail: detail})
	})
}
