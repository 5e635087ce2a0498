package account

import (
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// FeedDirs makes directories for delivered files.
//
// With rights, the last one is that of a subscription: a new one gets them. One that is there
// already keeps what the operator gave it beside, such as a partner's own folder for uploads,
// which may be read then, too; of one in which nobody else may write, what may be removed is
// as the rights say.
//
// Without rights it is a dated folder below: it has those of the subscription's folder, but
// never more than to look where the partner may write.
func FeedDirs(ids *exchange.IDs, clock exchange.Clock) func(tx *store.Tx, userID, path string, rights *exchange.Rights) (string, error) {
	const look = exchange.Read | exchange.List
	return func(tx *store.Tx, userID, path string, rights *exchange.Rights) (string, error) {
		now := exchange.Micros(clock())
		names, have, err := lockDirs(tx, userID, path)
		if err != nil {
			return "", err
		}
		granted := exchange.Rights(0)
		for _, d := range have {
			if d.Rights != nil {
				granted = *d.Rights
			}
		}
		isNew := len(have) <= len(names)
		switch {
		case isNew && rights == nil && granted&exchange.Write != 0:
			only := look
			return makeMissing(tx, ids, userID, names, have, &only, false, now)
		case isNew || rights == nil:
			return makeMissing(tx, ids, userID, names, have, rights, false, now)
		}
		dir, want := have[len(names)], granted|look
		if granted&exchange.Write == 0 {
			want = want&^(exchange.Delete|exchange.Rename) | *rights
		}
		if dir.Fixed && dir.Rights != nil && *dir.Rights == want {
			return dir.ID, nil
		}
		return dir.ID, tx.SetDirRights(dir.ID, want)
	}
}
