package mailbox

import (
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Arrivals are contents that are stored together.
type Arrivals struct {
	Files    []store.File    // the new rows; the FileID of one that replaces another is not used
	Old      []*store.File   // what the names show now, in the same order; nil: nothing
	Contents []store.Content // in the same order; StoredAt is where the clock of retention begins
	Classes  []string        // of retention, in the same order
	Actor    string
	At       time.Time
	Limits   model.StorageLimits
}

// PutAll stores contents as Put does one, with a few statements for all of them.
func (b *Box) PutAll(a Arrivals, gone Gone) error {
	if err := b.replacedAll(a.Old, a.At, gone); err != nil {
		return err
	}
	blobs, versions := make([]store.Blob, len(a.Files)), make([]store.Version, len(a.Files))
	var add store.Counts
	var fresh, again []store.File
	for i, c := range a.Contents {
		f := a.Files[i]
		if old := a.Old[i]; old != nil {
			f.FileID = old.FileID
			add.Bytes, add.Files = add.Bytes-old.Size, add.Files-1
			again = append(again, f)
		} else {
			fresh = append(fresh, f)
		}
		blobs[i] = store.Blob{ID: c.BlobID, Key: c.Key, Size: c.Size, SHA256: c.SHA256, Owner: b.user}
		versions[i] = store.Version{ID: f.VersionID, FileID: f.FileID, UserID: b.user, BlobID: c.BlobID,
			HashState: c.HashState, Actor: a.Actor, StoredAt: c.StoredAt, Class: a.Classes[i]}
		add.Bytes, add.Files = add.Bytes+f.Size, add.Files+1
		add.KeptBytes, add.KeptContents = add.KeptBytes+c.Size, add.KeptContents+1
	}
	if err := b.tx.AddBlobs(blobs, a.At); err != nil {
		return err
	}
	if err := b.tx.AddVersions(versions); err != nil {
		return err
	}
	if err := b.tx.AddFiles(fresh); err != nil {
		return err
	}
	for _, f := range again {
		if err := b.tx.PutFile(f); err != nil {
			return err
		}
	}
	return b.count(add, a.Limits)
}

// replacedAll is replaced for many versions. Locks are taken in the order of their ids.
func (b *Box) replacedAll(old []*store.File, now time.Time, gone Gone) error {
	var ids, free []string
	for _, f := range old {
		if f != nil {
			ids = append(ids, f.VersionID)
		}
	}
	slices.Sort(ids)
	if len(ids) == 0 {
		return nil
	}
	if err := b.tx.LockDrops(ids); err != nil {
		return err
	}
	for _, id := range ids {
		held, err := gone(b.tx, id, true)
		if err != nil {
			return err
		}
		c, err := b.tx.Content(id)
		if err != nil {
			return err
		}
		if !held && now.Sub(c.StoredAt) < replaceGrace {
			free = append(free, id)
		}
	}
	return Drop(b.tx, free, now)
}
