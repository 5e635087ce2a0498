package mailbox

import (
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Gone is called when a name no longer shows a version, because a newer one replaced it or it was
// removed. held means that the version is still needed and must stay.
type Gone func(tx *store.Tx, versionID string, replaced bool) (held bool, err error)

// replaceGrace is the age up to which a version is dropped when a newer one replaces it: people upload
// a file, see a mistake, and upload it again.
const replaceGrace = time.Hour

// replaced drops the version that a newer one replaces, if it is younger than replaceGrace and not
// needed any more.
func (b *Box) replaced(old store.File, now time.Time, gone Gone) error {
	held, err := gone(b.tx, old.VersionID, true)
	if err != nil || held {
		return err
	}
	c, err := b.tx.Content(old.VersionID)
	if err != nil {
		return err
	}
	if now.Sub(c.StoredAt) < replaceGrace {
		return Drop(b.tx, []string{old.VersionID}, now)
	}
	return nil
}

// letGoAtOnce is how many versions LetGo reads in one transaction.
const letGoAtOnce = 100

// LetGo drops those versions of a removed file that are not needed any more. One call looks at up to
// letGoAtOnce versions older than before; "" begins with the newest. It returns before for the next
// call, "" at the end.
func (b *Box) LetGo(fileID, before string, now time.Time, gone Gone) (last string, err error) {
	ids, err := b.tx.VersionIDs(fileID, before, letGoAtOnce)
	if err != nil || len(ids) == 0 {
		return "", err
	}
	if err := b.tx.LockDrops(ids); err != nil {
		return "", err
	}
	var free []string
	for _, id := range slices.Sorted(slices.Values(ids)) { // gone may take locks for each version, in the order of ids
		held, err := gone(b.tx, id, false)
		if err != nil {
			return "", err
		}
		if !held {
			free = append(free, id)
		}
	}
	if len(ids) == letGoAtOnce {
		last = ids[len(ids)-1]
	}
	return last, Drop(b.tx, free, now)
}

// Drop deletes versions and releases their bytes. The caller holds the mailboxes of these versions. It
// must come last of what a transaction does with them: bytes are shared between mailboxes, and their
// rows are held in the order of their ids.
func Drop(tx *store.Tx, versions []string, now time.Time) error {
	blobs := make([]string, 0, len(versions))
	for _, id := range slices.Sorted(slices.Values(versions)) {
		blob, err := tx.DropVersion(id)
		if err != nil {
			return err
		}
		blobs = append(blobs, blob)
	}
	slices.Sort(blobs)
	for _, id := range blobs {
		if err := tx.ReleaseBlob(id, now); err != nil {
			return err
		}
	}
	return nil
}
