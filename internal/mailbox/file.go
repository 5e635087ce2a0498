package mailbox

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Upload is new content that the mailbox's user brought, and the name that is to
// show it.
type Upload struct {
	File    store.File    // where, and how it looks; FileID is that of a file without history
	Old     *store.File   // what the name shows now; nil: nothing
	Content store.Content // StoredAt is the time of the upload
	Actor   string
	Class   string // of the retention policy
	Limits  model.StorageLimits
}

// Put stores an upload: its content, a version, and the name that shows it. What
// the name showed becomes history. The content's row fails if the sweep took the
// bytes for an orphan's.
func (b *Box) Put(u Upload, gone Gone) error {
	c, f := u.Content, u.File
	if err := b.tx.AddBlob(store.Blob{ID: c.BlobID, Key: c.Key, Size: c.Size, SHA256: c.SHA256, Owner: b.user}, 1,
		c.StoredAt); err != nil {
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

// File finds what a name shows; nil is nothing.
func (b *Box) File(dir, name string) (*store.File, error) {
	f, err := b.tx.File(dir, name)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &f, err
}

// Remove takes a name away. The versions behind it stay until somebody lets go of
// them.
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

// MoveOver makes a file's bytes the newest version of another one, old, whose name
// shows them from now on. The history of both is that of the name.
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
