package mailbox

import (
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Gone is told that a name no longer shows a version, because a newer one replaced
// it or it was removed. held says that somebody still needs the version.
type Gone func(tx *store.Tx, versionID string, replaced bool) (held bool, err error)

// replaceGrace is how long a version may be dropped again when its own
// uploader replaces it: people upload a file, see a mistake, upload again.
const replaceGrace = time.Hour

// replaced decides what becomes of the version that a newer one replaces: one of
// the last hour that nobody needs is dropped.
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

// letGoAtOnce is how many versions one transaction lets go of.
const letGoAtOnce = 100

// LetGo drops those versions of a removed file that nobody needs any more, from the
// one before on; "" begins with the newest. There may be any number, so it returns
// where to go on, "" at the end.
func (b *Box) LetGo(fileID, before string, now time.Time, gone Gone) (last string, err error) {
	ids, err := b.tx.VersionIDs(fileID, before, letGoAtOnce)
	if err != nil || len(ids) == 0 {
		return "", err
	}
	if err := b.tx.LockDrops(ids); err != nil {
		return "", err
	}
	var free []string
	for _, id := range slices.Sorted(slices.Values(ids)) { // what is held of each is held in this order
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

// Drop deletes versions and lets go of their bytes. The caller holds the mailboxes
// that they are in. It comes last of what a transaction does with them: bytes are
// shared between mailboxes, and held in the order of their ids.
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
