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
	// linked is the second name that Sync or Commit gave the file, "" if none; named means that a sync
	// of its folder covered it.
	linked string
	named  bool
	// noted: Sync has made something durable, which stays recoverable as a stage until Settle. beside:
	// the note is a separate file.
	noted, beside bool
	// saved is the generation that the last sync covered. lost is set once a sync failed: the kernel
	// may have dropped the pages and would report success for the next sync, so the stage is not
	// trusted any more.
	saved int64
	lost  error

	// mu is held for reading while the file is read or written, and for writing while file or sealed
	// changes.
	mu        sync.RWMutex
	file      File
	sealed    bool // Commit has begun, has not failed and was not reverted
	committed bool // Commit succeeded and was not reverted

	// generation grows when a change of the file begins and again when it ends, so that a sync can
	// tell whether the file changed meanwhile.
	generation atomic.Int64
	// reach is the greatest size that the file has had; on the disk it may have that size already.
	// behind is set by a change below reach since the last Sync.
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

// change runs do, which changes the file between two offsets. If the stage is sealed, it fails with
// ErrSealed.
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

// Sync writes data, note and the name under key in one journal commit. If a note reaches the disk
// before its bytes, the file's size shows it, since the size grows only once the bytes are there. For
// bytes below reach the size shows nothing, so they are synced first. The folder of the stage's own
// name is not synced: on ext4, xfs and btrfs the fsync of a new file also writes its name. If it did
// not, an unfinished upload would be lost, but no stored file.
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

// prepare gives the file its second name, which Commit will need, or removes it if key is "". It
// returns the folder if that has to be synced, else nil.
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
			err = nil // left by a commit of an earlier process that got no row
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

// Commit renames first and syncs afterwards. A crash in between leaves a file without a row, which the
// sweep removes. In this order, ext4 and xfs write the rename and the file's own metadata in one
// journal commit instead of two. A file that Sync made durable gets a second name instead: until
// Settle it is also found as a stage, so that a crash before its row is written leaves the unfinished
// upload.
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

// seal waits for changes under way, refuses later ones, and checks the size.
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
	_ = g.file.Chmod(stageMode) // its descriptor can write, whatever the mode is
	g.sealed = false
}

// name gives the file its name under key, and makes the bytes and the name durable.
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

// readOnly replaces the descriptor with one that cannot write, so that nothing in this process can
// change committed bytes.
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

// withFolder syncs a file and, unless d is nil, the folder of its name at the same time: one journal
// commit then has both.
func withFolder(d *dir, file func() error) error {
	if d == nil {
		return file()
	}
	folder := make(chan error, 1)
	go func() { folder <- d.sync() }()
	err := file()
	return errors.Join(err, <-folder)
}

// Settle removes the stage's name, if Commit left it. It does not wait until that is durable: if a
// power loss brings the name back, the row shows that it was committed.
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

// takeBack renames a committed file back to its name as a stage.
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

// Revert moves the file back and opens it for writing again. A file that Sync made durable kept its
// name as a stage and is not moved.
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

// datasync makes the content and the size durable (fdatasync). Once it failed, every later sync fails
// with ErrLost.
func (g *stage) datasync() error { return g.sync(File.Datasync) }

// fullsync is datasync with all metadata of the file (fsync).
func (g *stage) fullsync() error { return g.sync(File.Sync) }

// sync calls how, unless nothing changed since the last sync. A change under way increments the
// generation again when it ends, so it does not count as synced.
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
