package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Files of stages take writes; committed ones are read-only.
const (
	stageMode  = 0o600
	sealedMode = 0o400
)

// stage is a file in staging/, until Commit gives it its key's name.
type stage struct {
	store *Store
	id    string

	// ops is held by Sync, Commit, Settle, Revert and Discard, from start to
	// end. It guards what follows, up to mu.
	ops  sync.Mutex
	path string // where the bytes are now
	// linked is the second name that Sync gave the file, "" if none; named says
	// that a sync of its folder covered it.
	linked string
	named  bool
	// noted: Sync has made something durable, which stays recoverable as a stage
	// until Settle. beside: its note is a file of its own.
	noted, beside bool
	// saved is the generation that the last sync covered. lost is set once a sync
	// failed: the kernel may have dropped the pages and would call the next sync a
	// success, so nothing here is trusted again.
	saved int64
	lost  error

	// mu is held for reading while bytes move, and for writing while the file or
	// the seal changes.
	mu        sync.RWMutex
	file      File
	sealed    bool // Commit has begun, and was not taken back
	committed bool // Commit succeeded, and was not taken back

	// generation grows when a change of the file begins and again when it ends,
	// so that a sync knows whether anything moved beside it.
	generation atomic.Int64
	// reach is the longest that the file has been: on the disk it may be as long
	// already. behind is set by a change within it since the last Sync.
	reach  atomic.Int64
	behind atomic.Bool
}

func (g *stage) ID() string { return g.id }

func (g *stage) ReadAt(p []byte, off int64) (int, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.file.ReadAt(p, off)
}

func (g *stage) WriteAt(p []byte, off int64) (n int, err error) {
	err = g.change("WriteAt", off, off+int64(len(p)), func() error {
		n, err = g.file.WriteAt(p, off)
		return err
	})
	return n, err
}

func (g *stage) Truncate(size int64) error {
	return g.change("Truncate", size, size, func() error { return g.file.Truncate(size) })
}

// Fill shares the blob's extents where the file system can.
func (g *stage) Fill(from blob.Reader, n int64) error {
	return g.change("Fill", 0, n, func() error {
		if r, ok := from.(*reader); ok {
			return g.file.CopyFrom(r.file, n)
		}
		return g.file.CopyFrom(from, n)
	})
}

// change makes a change of the file from an offset to another, unless it is sealed.
func (g *stage) change(op string, from, to int64, do func() error) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.sealed {
		return sealed(op)
	}
	g.generation.Add(1)
	defer g.generation.Add(1)
	if from < g.reach.Load() {
		g.behind.Store(true)
	}
	for was := g.reach.Load(); was < to && !g.reach.CompareAndSwap(was, to); was = g.reach.Load() {
	}
	return wrap(op, do())
}

func sealed(op string) error {
	return fault.Wrap("disk."+op, fault.Conflict, blob.ErrSealed)
}

// Sync writes data and note in one journal commit, together with the name that
// Commit will want. A note that reached the disk before its bytes is found out
// by the file's size, which grows only once they are there; so bytes within
// what the file has reached before, where the size says nothing, are written back
// first. The stage's own name is left to the file's sync, which carries the names of a
// new file on ext4, xfs and btrfs: without it, a partial is lost and no file.
func (g *stage) Sync(_ int64, note []byte, key string) error {
	g.ops.Lock()
	defer g.ops.Unlock()
	if g.isSealed() {
		return sealed("Sync")
	}
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
		err = withFolder(d, g.fullsync)
	}
	if err != nil {
		return wrap("Sync", err)
	}
	g.named = g.linked != ""
	return nil
}

// prepare gives the file its second name, the one that Commit will want, or
// takes it away. The folder is returned if it has to be synced.
func (g *stage) prepare(key string) (*dir, error) {
	path := ""
	if key != "" {
		path = filepath.Join(g.store.root, filepath.FromSlash(key))
	}
	if path != g.linked && g.linked != "" {
		if err := g.store.sys.Remove(g.linked); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		g.linked, g.named = "", false
	}
	if path == "" {
		return nil, nil
	}
	d, err := g.store.folder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if g.linked == "" {
		err := g.store.sys.Link(g.path, path)
		if errors.Is(err, fs.ErrExist) && sameFile(g.path, path) {
			err = nil // a commit of an earlier process, which got no row
		}
		if err != nil {
			return nil, err
		}
		g.linked = path
	}
	if g.named && !d.suspect() {
		return nil, nil
	}
	return d, nil
}

// Commit renames first and syncs afterwards. A crash in between leaves a file
// that no row speaks of, which the sweep removes; and ext4 and xfs then write
// the rename and the file's own metadata in one journal commit instead of two.
// A file that a Sync made durable gets a second name instead: until Settle it is
// found as a stage, too, so that a crash before its row leaves the partial.
func (g *stage) Commit(key string, size int64) error {
	g.ops.Lock()
	defer g.ops.Unlock()
	if err := g.seal(size); err != nil {
		return err
	}
	err := g.name(key)
	if err == nil {
		err = g.readOnly()
	}
	if err != nil {
		g.unseal()
		return wrap("Commit", err)
	}
	return nil
}

// seal keeps changes away and checks the size. Whatever was under way is over.
func (g *stage) seal(size int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed {
		return sealed("Commit")
	}
	info, err := g.file.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("the stage has %d bytes, not %d", info.Size(), size)
	}
	if err == nil {
		err = g.file.Chmod(sealedMode)
	}
	if err != nil {
		return wrap("Commit", err)
	}
	g.sealed = true
	return nil
}

func (g *stage) isSealed() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.sealed
}

func (g *stage) unseal() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.file.Chmod(stageMode) // it is open for writing all the same
	g.sealed = false
}

// name gives the bytes the key's name and makes both durable.
func (g *stage) name(key string) error {
	path := filepath.Join(g.store.root, filepath.FromSlash(key))
	if g.noted {
		d, err := g.prepare(key)
		if err == nil {
			err = withFolder(d, g.datasync)
		}
		g.named = g.named || err == nil
		return err
	}
	d, err := g.store.folder(filepath.Dir(path))
	if err == nil {
		err = g.store.sys.Rename(g.path, path)
	}
	if err != nil {
		return err
	}
	if err := withFolder(d, g.datasync); err != nil {
		if back := g.store.sys.Rename(path, g.path); back != nil {
			g.path = path // Discard finds it there
			g.lost = errors.Join(blob.ErrLost, err, back)
		}
		return err
	}
	g.path = path
	return nil
}

// readOnly trades the descriptor for one that cannot write: by construction
// nothing in this process changes committed bytes.
func (g *stage) readOnly() error {
	f, err := g.store.sys.OpenFile(g.path, os.O_RDONLY, 0)
	if err != nil {
		return errors.Join(err, g.takeBack())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.file.Close() // what it wrote is synced
	g.file, g.committed = f, true
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

// Settle takes the stage's name away where Commit left it. Nobody waits until
// that is durable: if a power loss brings the name back, the row says what it is.
func (g *stage) Settle() error {
	g.ops.Lock()
	defer g.ops.Unlock()
	if !g.noted {
		return nil
	}
	err := g.store.sys.Remove(g.path)
	if g.beside {
		err = errors.Join(err, g.store.removeNote(g.id))
	}
	if err != nil {
		return wrap("Settle", err)
	}
	g.path, g.linked, g.noted = g.linked, "", false
	g.store.syncStagingSoon()
	return nil
}

// takeBack gives a renamed file its name as a stage again.
func (g *stage) takeBack() error {
	back := g.store.stagePath(g.id)
	if g.path == back {
		return nil
	}
	if err := g.store.sys.Rename(g.path, back); err != nil {
		return err
	}
	g.path = back
	return nil
}

// Revert moves the file back, and opens it for writing again. What Sync had
// made durable was never anything but a stage's.
func (g *stage) Revert() error {
	g.ops.Lock()
	defer g.ops.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.committed {
		return nil
	}
	if err := g.file.Chmod(stageMode); err != nil {
		return wrap("Revert", err)
	}
	f, err := g.store.sys.OpenFile(g.path, os.O_RDWR, 0)
	if err != nil {
		return wrap("Revert", err)
	}
	if err := g.takeBack(); err != nil {
		return wrap("Revert", errors.Join(err, f.Close()))
	}
	_ = g.file.Close() // it was read-only
	g.file, g.sealed, g.committed = f, false, false
	return nil
}

func (g *stage) Discard() error {
	g.ops.Lock()
	defer g.ops.Unlock()
	if g.isSealed() {
		return sealed("Discard")
	}
	_, err := g.prepare("")
	err = errors.Join(err, g.store.sys.Remove(g.path))
	if g.beside {
		err = errors.Join(err, g.store.removeNote(g.id))
	}
	return wrap("Discard", err)
}

func (g *stage) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return wrap("Close", g.file.Close())
}

// datasync makes the content and the size durable, or never again.
func (g *stage) datasync() error { return g.sync(File.Datasync) }

// fullsync is datasync with all that the file system knows of the file.
func (g *stage) fullsync() error { return g.sync(File.Sync) }

// sync syncs unless nothing changed since the last one. A change under way
// leaves another generation behind when it ends, so it is never taken for saved.
func (g *stage) sync(how func(File) error) error {
	now := g.generation.Load()
	if g.lost != nil || now == g.saved {
		return g.lost
	}
	if err := how(g.file); err != nil {
		g.lost = errors.Join(blob.ErrLost, err)
		return g.lost
	}
	g.saved = now
	return nil
}
