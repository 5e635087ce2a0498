package account

import (
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// FeedDirs makes directories for delivered files. With rights, the last one is that of a
// subscription: a new one gets them. One that is there already keeps what the operator gave
// it beside, such as a partner's own folder for uploads, which may be read then, too; of one
// in which nobody else may write, what may be removed is as the rights say.
func FeedDirs(ids *exchange.IDs, clock exchange.Clock) func(tx *store.Tx, userID, path string, rights *exchange.Rights) (string, error) {
	return func(tx *store.Tx, userID, path string, rights *exchange.Rights) (string, error) {
		now := exchange.Micros(clock())
		if rights == nil {
			return MakeDirs(tx, ids, userID, path, nil, false, now)
		}
		if _, err := tx.LockMailbox(userID); err != nil {
			return "", err
		}
		names := store.SplitPath(path)
		have, err := tx.Walk(userID, names)
		if err != nil {
			return "", err
		}
		if len(have) <= len(names) { // it is new
			return MakeDirs(tx, ids, userID, path, rights, false, now)
		}
		granted := exchange.Rights(0)
		for _, d := range have {
			if d.Rights != nil {
				granted = *d.Rights
			}
		}
		dir, look := have[len(names)], exchange.Read|exchange.List
		want := granted | look
		if granted&exchange.Write == 0 {
			want = want&^(exchange.Delete|exchange.Rename) | *rights
		}
		if err := tx.InheritBelow(dir.ID, look); err != nil { // dated folders of earlier releases
			return "", err
		}
		if dir.Fixed && dir.Rights != nil && *dir.Rights == want {
			return dir.ID, nil
		}
		return dir.ID, tx.SetDirRights(dir.ID, want)
	}
}
