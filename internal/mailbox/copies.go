package mailbox

import (
	"math"
	"path"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Copies place one stored content in several mailboxes. The content belongs to the platform, so the
// mailboxes' quotas do not limit copies.
type Copies struct {
	Blob  string // its id
	Size  int64
	Actor string
	At    time.Time
	IDs   *exchange.IDs

	versions []store.Version
}

// Place is where a copy goes.
type Place struct {
	UserID    string
	Dir, Name string // the directory is made if it is missing
	Beside    string // the file's name if a directory has Name
	Class     func(path string) string
}

// Copy is a copy that was placed.
type Copy struct {
	Path, Version string
	Replaced      string // the version that it replaced, now history; "" for none
}

// Place adds a copy to a mailbox, and holds the mailbox. Refer writes the copy's version and its
// reference to the content.
func (c *Copies) Place(tx *store.Tx, p Place) (out Copy, err error) {
	rows := &Box{tx: tx, user: p.UserID}
	// The update holds the mailbox's row, so that its tree does not change.
	unlimited := model.StorageLimits{QuotaBytes: math.MaxInt64, QuotaFiles: math.MaxInt64}
	if err := rows.count(store.Counts{Bytes: c.Size, Files: 1}, unlimited); err != nil {
		return out, err
	}
	out.Path = path.Join(p.Dir, p.Name)
	spot, err := tx.Spot(p.UserID, store.SplitPath(out.Path))
	if err == nil && spot.Taken {
		out.Path = path.Join(p.Dir, p.Beside)
		spot, err = tx.Spot(p.UserID, store.SplitPath(out.Path))
	}
	if err == nil && spot.DirID == "" {
		spot.DirID, err = rows.FeedDirs(NewDirs{Path: p.Dir, IDs: c.IDs, At: c.At})
	}
	if err != nil {
		return out, err
	}
	f := store.File{DirID: spot.DirID, Name: path.Base(out.Path), FileID: c.IDs.New(), Size: c.Size,
		Mtime: c.At, Mode: 0o644}
	f.VersionID, out.Version = f.FileID, f.FileID
	if spot.Old != nil {
		f.FileID, out.Replaced = spot.Old.FileID, spot.Old.VersionID
		if err := rows.shrink(spot.Old.Size); err != nil {
			return out, err
		}
	}
	c.versions = append(c.versions,
		store.Version{ID: f.VersionID, FileID: f.FileID, UserID: p.UserID, BlobID: c.Blob, Actor: c.Actor,
			StoredAt: f.Mtime, Class: p.Class(out.Path)})
	return out, tx.PutFile(f)
}

// Refer writes the versions of all copies and their references to the content. It must come after
// everything else that the transaction does in mailboxes and with deliveries.
func (c *Copies) Refer(tx *store.Tx) error {
	if err := tx.RefBlob(c.Blob, len(c.versions)); err != nil {
		return err
	}
	return tx.AddVersions(c.versions)
}
