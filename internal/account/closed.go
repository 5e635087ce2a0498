package account

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// closedFor is how long after its last day a closed account is looked at. It exceeds any time for which the
// keeper may not reach the database while sessions go on.
const closedFor = 7 * 24 * time.Hour

// EndClosed ends the sessions of closed accounts whose last day is over: until then their users log in to
// download, and a session that is open then would go on.
func (r *Service) EndClosed(ctx context.Context) error {
	if r.policy.Load().CloseAccess == model.CloseNone {
		return nil
	}
	now := r.now()
	due, err := r.store.Read(ctx).AccountsEnding(now.Add(-closedFor), now, keeperBatch)
	if err != nil {
		return err
	}
	for _, id := range due {
		row := model.AuditRow{Actor: keeperName, Action: "account.end_sessions", Subject: id}
		err := r.write(ctx, row, func(tx *store.Tx, row *model.AuditRow) error {
			a, err := tx.LockAccount(id)
			if err != nil {
				return err
			}
			again, err := tx.AccountEnding(id)
			if err != nil {
				return err
			}
			if !again || a.FilesUntil == nil || now.Before(*a.FilesUntil) {
				return errNothingToDo // another node was faster
			}
			row.Detail = map[string]string{"files_until": a.FilesUntil.Format(time.RFC3339)}
			return endSessions(tx, id, "the closed account's last day is over", nil, row.At)
		})
		if err != nil && err != errNothingToDo && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}
