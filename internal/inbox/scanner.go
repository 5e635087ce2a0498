package inbox

import (
	"context"
	"strconv"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// A drop that arrived while a scanner was configured waits for one, whatever the configuration
// says later. Losing the setting must not hand on unscanned files.

// warnUnscanned logs at the start that drops wait for a scanner although none is configured.
func (r *Service) warnUnscanned(ctx context.Context) error {
	waiting, err := r.o.Store.Read(ctx).Unscanned()
	if err != nil {
		return err
	}
	for name, n := range waiting {
		if r.o.Scanner == "" {
			r.o.Log.Warn("received files wait for a scanner, and inbox.scanner names none; they can be handed on unscanned",
				"operation", "clear-drops", "files", n, "scanner", name)
		}
	}
	return nil
}

// clearBatch is how many drops one transaction hands on.
const clearBatch = 500

// Clear hands on, unscanned, every drop that waits for a scanner, and returns their number. The
// operator gives a reason. It is a Conflict while a scanner is configured.
func (r *Service) Clear(ctx context.Context, actor, reason string) (total int64, err error) {
	const op = "inbox.Clear"
	if err := valid.CheckLabel("reason", reason); err != nil {
		return 0, err
	}
	if r.o.Scanner != "" {
		return 0, fault.E(op, fault.Conflict, "The scanner %s is configured, and the files wait for it.", r.o.Scanner).
			WithHint("take inbox.scanner out of the configuration first, if nothing is to be scanned any more")
	}
	for {
		n, err := store.Change(ctx, r.o.Store, func(tx *store.Tx) (int64, error) {
			n, err := tx.ClearSome(clearBatch)
			if err != nil || n == 0 {
				return n, err
			}
			return n, tx.Audit(model.AuditRow{ID: r.o.IDs.New(), At: r.now(), Actor: actor, Action: "drop.unscan",
				Subject: "scanner", Detail: map[string]string{"drops": strconv.FormatInt(n, 10), "reason": reason}})
		})
		if total += n; err != nil || n < clearBatch {
			return total, err
		}
	}
}
