package mailbox

import (
	"cmp"
	"slices"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Forget deletes the rows of dead contents whose bytes are gone, and subtracts them from what their
// owners keep. Contents without a dead row are skipped.
func Forget(tx *store.Tx, dead []store.Blob) error {
	var owners []string
	for _, b := range dead {
		if b.Owner != "" {
			owners = append(owners, b.Owner)
		}
	}
	boxes, err := LockAll(tx, owners) // before blobs are held
	if err != nil {
		return err
	}
	gone := map[string]store.Counts{} // by owner
	for _, b := range slices.SortedFunc(slices.Values(dead),
		func(a, b store.Blob) int { return cmp.Compare(a.ID, b.ID) }) {
		err := tx.ForgetBlob(b.ID)
		if fault.Is(err, fault.NotFound) {
			continue
		} else if err != nil {
			return err
		}
		c := gone[b.Owner]
		c.KeptBytes, c.KeptContents = c.KeptBytes-b.Size, c.KeptContents-1
		gone[b.Owner] = c
	}
	for owner, b := range boxes {
		if err := b.count(gone[owner], model.StorageLimits{}); err != nil {
			return err
		}
	}
	return nil
}
