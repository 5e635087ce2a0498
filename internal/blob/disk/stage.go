package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/blob"
)

// stage is a file in staging/, until Commit renames it.
type stage struct {
	store *Store
	id    string
	file  *os.File
	path  string
	noted bool
	// lost is set once a sync failed: the kernel may have dropped the pages
	// and would call the next sync a success, so nothing here is trusted again.
	lost error
}

func (g *stage) ID() string { return g.id }

func (g *stage) ReadAt(p []byte, off int64) (int, error) { return g.file.ReadAt(p, off) }

func (g *stage) WriteAt(p []byte, off int64) (int, error) {
	n, err := g.file.WriteAt(p, off)
	return n, wrap("WriteAt", err)
}

func (g *stage) Truncate(size int64) error { return wrap("Truncate", g.file.Truncate(size)) }

// Fill shares the blob's extents where the file system can (FICLONE), else
// the kernel copies (copy_file_range, by io.Copy).
func (g *stage) Fill(from blob.Reader) error {
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

// Sync writes the data back, then replaces the note by rename, so that a note
// never speaks of bytes that are not there.
func (g *stage) Sync(_ int64, note []byte) error {
	if err := g.datasync(); err != nil {
		return wrap("Sync", err)
	}
	tmp := g.path + noteTail + ".new"
	err := os.WriteFile(tmp, note, 0o600)
	if err == nil {
		err = syncPath(tmp)
	}
	if err == nil {
		err = os.Rename(tmp, g.path+noteTail)
	}
	if err == nil {
		g.noted = true
		err = syncDir(filepath.Dir(g.path))
	}
	return wrap("Sync", err)
}

// Commit renames first and syncs afterwards. A crash in between leaves a file
// that no row speaks of, which the sweep removes; and ext4 and xfs then write
// the rename and the file's own metadata in one journal commit instead of two.
func (g *stage) Commit(key string) error {
	path := filepath.Join(g.store.root, filepath.FromSlash(key))
	d, err := g.store.folder(filepath.Dir(path))
	if err != nil {
		return wrap("Commit", err)
	}
	if err := os.Rename(g.path, path); err != nil {
		return wrap("Commit", err)
	}
	if err = g.datasync(); err == nil {
		err = d.sync()
	}
	if err != nil {
		return wrap("Commit", errors.Join(err, os.Rename(path, g.path)))
	}
	if g.noted {
		_ = os.Remove(g.path + noteTail) // a note without a stage is ignored
	}
	g.path = path
	return nil
}

// Revert moves the file back. Its note went with the commit, so it does not
// survive a crash until the next Sync.
func (g *stage) Revert() error {
	back := g.store.stagePath(g.id)
	if err := os.Rename(g.path, back); err != nil {
		return wrap("Revert", err)
	}
	g.path, g.noted = back, false
	return nil
}

func (g *stage) Discard() error {
	err := os.Remove(g.path)
	if g.noted {
		err = errors.Join(err, os.Remove(g.path+noteTail))
	}
	return wrap("Discard", err)
}

func (g *stage) Close() error { return wrap("Close", g.file.Close()) }

// datasync makes the content and the size durable, or never again.
func (g *stage) datasync() error {
	if g.lost != nil {
		return g.lost
	}
	for {
		err := unix.Fdatasync(int(g.file.Fd()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			g.lost = errors.Join(blob.ErrLost, err)
		}
		return g.lost
	}
}
