package mailbox

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Upload is new content that the mailbox's user uploaded, and the name that is to show it.
type Upload struct {
	File    store.File    // the new row; its FileID is used only if Old is nil
	Old     *store.File   // what the name shows now; nil: nothing
	Content store.Content // StoredAt is the time of the upload
	Body    []byte        // the content's bytes, if the database is to have them
	Actor   string
	Class   string // of the retention policy
	Limits  model.StorageLimits
}

// Put stores an upload: its content, a version, and the name that shows it. The version that the name
// showed becomes history or is dropped (replaced). If the sweep claimed the content's bytes as an
// orphan, it fails as Exists.
func (b *Box) Put(u Upload, gone Gone) error {
	c, f := u.Content, u.File
	if err := b.tx.AddBlob(store.Blob{ID: c.BlobID, Key: c.Key, Size: c.Size, SHA256: c.SHA256, Owner: b.user,
		Body: u.Body}, 1, c.StoredAt); err != nil {
		return err
	}
	add := store.Counts{Bytes: f.Size, Files: 1, KeptBytes: c.Size, KeptContents: 1}
	if u.Old != nil {
		f.FileID = u.Old.FileID
		add.Bytes, add.Files = f.Size-u.Old.Size, 0
		if err := b.replaced(*u.Old, c.StoredAt, gone); err != nil {
			return err
		}
	}
	if err := b.tx.AddVersion(store.Version{ID: f.VersionID, FileID: f.FileID, UserID: b.user, BlobID: c.BlobID,
		HashState: c.HashState, Actor: u.Actor, StoredAt: c.StoredAt, Class: u.Class}); err != nil {
		return err
	}
	if err := b.tx.PutFile(f); err != nil {
		return err
	}
	return b.count(add, u.Limits)
}

// File finds the file with a name; nil if there is none.
func (b *Box) File(dir, name string) (*store.File, error) {
	f, err := b.tx.File(dir, name)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &f, err
}

// Remove deletes a name. Its versions stay until LetGo.
func (b *Box) Remove(f store.File) error {
	if err := b.tx.RemoveFile(f.DirID, f.Name); err != nil {
		return err
	}
	return b.shrink(f.Size)
}

// Move gives a file another directory and name; a taken name is Exists.
func (b *Box) Move(f store.File, dir, name string) error { return b.tx.MoveFile(f, dir, name) }

// adoptAtOnce is how many versions may move to another file in one transaction.
const adoptAtOnce = 500

// MoveOver renames f onto the name of another file, old. The current version of f becomes the newest
// version of old, and the versions of both are the history of old. If f has more than adoptAtOnce
// versions, MoveOver fails as Conflict.
func (b *Box) MoveOver(f, old store.File, at time.Time, gone Gone) error {
	older, err := b.tx.VersionIDs(f.FileID, "", adoptAtOnce+1)
	if err != nil {
		return err
	}
	if len(older) > adoptAtOnce {
		return fault.E("mailbox.MoveOver", fault.Conflict,
			"The file has more than %d older versions and cannot take the place of another; remove that one first.", adoptAtOnce)
	}
	if err := b.replaced(old, at, gone); err != nil {
		return err
	}
	if err := b.tx.RemoveFile(f.DirID, f.Name); err != nil {
		return err
	}
	if err := b.tx.AdoptVersions(f.FileID, old.FileID); err != nil {
		return err
	}
	f.DirID, f.Name, f.FileID = old.DirID, old.Name, old.FileID
	if err := b.tx.PutFile(f); err != nil {
		return err
	}
	return b.shrink(old.Size)
}
