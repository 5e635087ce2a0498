package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/blob"
)

// stage is a file in staging/, until Commit renames it.
type stage struct {
	store *Store
	id    string
	file  *os.File
	path  string
	// linked is the second name that Sync gave the file, "" if none.
	linked string
	// beside: the note is a file of its own.
	beside bool
	// synced is how many bytes the last Sync covered; behind is set by a
	// change within them since, unsynced by any change.
	synced           atomic.Int64
	behind, unsynced atomic.Bool
	// lost is set once a sync failed: the kernel may have dropped the pages
	// and would call the next sync a success, so nothing here is trusted again.
	lost error
}

func (g *stage) ID() string { return g.id }

func (g *stage) ReadAt(p []byte, off int64) (int, error) { return g.file.ReadAt(p, off) }

func (g *stage) WriteAt(p []byte, off int64) (int, error) {
	g.changed(off)
	n, err := g.file.WriteAt(p, off)
	return n, wrap("WriteAt", err)
}

func (g *stage) Truncate(size int64) error {
	g.changed(size)
	return wrap("Truncate", g.file.Truncate(size))
}

// changed notes a change from an offset on, before it is made.
func (g *stage) changed(from int64) {
	if from < g.synced.Load() {
		g.behind.Store(true)
	}
	g.unsynced.Store(true)
}

// Fill shares the blob's extents where the file system can (FICLONE), else
// the kernel copies (copy_file_range, by io.Copy).
func (g *stage) Fill(from blob.Reader) error {
	g.changed(0)
	if r, ok := from.(*reader); ok {
		if unix.IoctlFileClone(int(g.file.Fd()), int(r.Fd())) == nil {
			return nil
		}
	}
	if _, err := g.file.Seek(0, io.SeekStart); err != nil {
		return wrap("Fill", err)
	}
	_, err := io.Copy(g.file, io.NewSectionReader(from, 0, from.Size()))
	return wrap("Fill", err)
}

// Sync writes data and note in one journal commit, together with the name that
// Commit will want. A note that reached the disk before its bytes is found out
// by the file's size, which grows only once they are there; so bytes behind
// what was synced before, where the size says nothing, are written back first.
// The stage's own name is left to the file's sync, which carries the names of a
// new file on ext4, xfs and btrfs: without it, a partial is lost and no file.
func (g *stage) Sync(n int64, note []byte, key string) error {
	if g.behind.Swap(false) {
		if err := g.datasync(); err != nil {
			return wrap("Sync", err)
		}
	}
	d, err := g.prepare(key)
	if err == nil {
		err = g.writeNote(note)
	}
	if err == nil {
		g.unsynced.Store(true) // the note is a change, too
		err = withFolder(d, g.fullsync)
	}
	if err == nil {
		g.synced.Store(n)
	}
	return wrap("Sync", err)
}

// prepare gives the file its second name, the one that Commit will want, or
// takes it away. The folder is returned if it has to be synced.
func (g *stage) prepare(key string) (*dir, error) {
	path := ""
	if key != "" {
		path = filepath.Join(g.store.root, filepath.FromSlash(key))
	}
	if path == g.linked {
		return nil, nil
	}
	if g.linked != "" {
		if err := os.Remove(g.linked); err != nil {
			return nil, err
		}
		g.linked = ""
	}
	if path == "" {
		return nil, nil
	}
	d, err := g.store.folder(filepath.Dir(path))
	if err == nil {
		err = os.Link(g.path, path)
	}
	if err == nil {
		g.linked = path
	}
	return d, err
}

// Commit renames first and syncs afterwards. A crash in between leaves a file
// that no row speaks of, which the sweep removes; and ext4 and xfs then write
// the rename and the file's own metadata in one journal commit instead of two.
// A file that a Sync has named already only loses its name as a stage.
func (g *stage) Commit(key string) error {
	path := filepath.Join(g.store.root, filepath.FromSlash(key))
	d, err := g.store.folder(filepath.Dir(path))
	if err != nil {
		return wrap("Commit", err)
	}
	named := g.linked == path
	if named {
		err = os.Remove(g.path)
	} else {
		err = os.Rename(g.path, path)
	}
	if err != nil {
		return wrap("Commit", err)
	}
	if named {
		d = nil
	}
	if err = withFolder(d, g.datasync); err != nil {
		g.linked = ""
		return wrap("Commit", errors.Join(err, os.Rename(path, g.path)))
	}
	g.removeNote()
	g.path, g.linked = path, ""
	return nil
}

// withFolder syncs a file and, if there is one, the folder that names it, at
// the same time: one journal commit then carries both.
func withFolder(d *dir, file func() error) error {
	if d == nil {
		return file()
	}
	folder := make(chan error, 1)
	go func() { folder <- d.sync() }()
	err := file()
	return errors.Join(err, <-folder)
}

// Revert moves the file back. Its note went with the commit, so it does not
// survive a crash until the next Sync.
func (g *stage) Revert() error {
	back := g.store.stagePath(g.id)
	if err := os.Rename(g.path, back); err != nil {
		return wrap("Revert", err)
	}
	g.path = back
	return nil
}

func (g *stage) Discard() error {
	_, err := g.prepare("")
	err = errors.Join(err, os.Remove(g.path))
	g.removeNote()
	return wrap("Discard", err)
}

func (g *stage) Close() error { return wrap("Close", g.file.Close()) }

// datasync makes the content and the size durable, or never again.
func (g *stage) datasync() error { return g.sync(unix.Fdatasync) }

// fullsync is datasync with all that the file system knows of the file.
func (g *stage) fullsync() error { return g.sync(unix.Fsync) }

func (g *stage) sync(how func(fd int) error) error {
	if g.lost != nil || !g.unsynced.Swap(false) {
		return g.lost
	}
	for {
		err := how(int(g.file.Fd()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			g.lost = errors.Join(blob.ErrLost, err)
		}
		return g.lost
	}
}
