// Package disk keeps blobs as files of one file system. Stages lie beside
// them, in staging/, so that a commit is a rename.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

const (
	stagingDir = "staging"
	noteTail   = ".note"
)

// Store keeps blobs below one folder.
type Store struct {
	root    string
	sys     System
	staging *dir

	mu   sync.Mutex
	dirs map[string]*dir // folders in use

	settled atomic.Bool // a sync of staging is scheduled
	closing chan struct{}
	work    sync.WaitGroup

	freeMu sync.Mutex
	free   int64
	freeAt time.Time
	clock  exchange.Clock
}

// Open opens the store in a folder, which is made if it is missing. Only one process may use a folder.
func Open(root string, clock exchange.Clock) (*Store, error) { return OpenOn(OS{}, root, clock) }

// OpenOn is Open with another System.
func OpenOn(sys System, root string, clock exchange.Clock) (*Store, error) {
	s := &Store{root: root, sys: sys, dirs: map[string]*dir{}, closing: make(chan struct{}), clock: clock}
	if err := s.makeRoot(); err != nil {
		return nil, wrap("Open", err)
	}
	var err error
	if s.staging, err = s.folder(filepath.Join(root, stagingDir)); err != nil {
		return nil, wrap("Open", err)
	}
	return s, wrap("Open", s.staging.sync())
}

// makeRoot makes the store's own folder and its name durable. If we may not read the folder above, an
// administrator made the store's folder, and its name counts as durable.
func (s *Store) makeRoot() error {
	above := filepath.Dir(s.root)
	if err := os.MkdirAll(above, 0o700); err != nil {
		return err
	}
	if err := s.sys.Mkdir(s.root, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	err := s.sys.SyncDir(above)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// Close waits for background syncs. Open stages and readers stay usable.
func (s *Store) Close() {
	close(s.closing)
	s.work.Wait()
}

// settleEvery is how often removals from staging are made durable. A sync for each commit would slow
// down small files.
const settleEvery = time.Second

// syncStagingSoon syncs the staging folder within settleEvery.
func (s *Store) syncStagingSoon() {
	if s.settled.Swap(true) {
		return
	}
	s.work.Go(func() {
		select {
		case <-s.closing:
		case <-time.After(settleEvery):
		}
		s.settled.Store(false)
		_ = s.staging.sync() // if the removed names come back, their rows show that they were committed
	})
}

// Stage makes an empty stage.
func (s *Store) Stage(id string) (blob.Stage, error) {
	g, err := s.stage(id, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Reopen opens a stage of an earlier process that has no row. If Sync or Commit gave it a second name
// under key, that name is removed, so that the sweep does not find it.
func (s *Store) Reopen(id, key string) (blob.Stage, error) {
	if err := s.unlink(id, key); err != nil {
		return nil, wrap("Reopen", err)
	}
	if err := s.writable(s.stagePath(id)); err != nil {
		return nil, wrap("Reopen", err)
	}
	g, err := s.stage(id, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	info, err := g.file.Stat()
	if err != nil {
		return nil, wrap("Reopen", errors.Join(err, g.Close()))
	}
	_, besideErr := os.Stat(s.stagePath(id) + noteTail)
	g.noted, g.beside = true, besideErr == nil
	g.reach.Store(info.Size())
	g.generation.Add(1) // the earlier process may not have synced everything
	return g, nil
}

// unlink removes the name that a stage has under a key, if it has one.
func (s *Store) unlink(id, key string) error {
	path := filepath.Join(s.root, filepath.FromSlash(key))
	if key == "" || !sameFile(path, s.stagePath(id)) {
		return nil
	}
	return s.sys.Remove(path)
}

// Discard removes the names of a stage that is not open.
func (s *Store) Discard(id, key string) error {
	err := s.unlink(id, key)
	if removeErr := s.sys.Remove(s.stagePath(id)); !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return wrap("Discard", errors.Join(err, s.removeNote(id)))
}

// writable restores a stage's mode, which an interrupted commit may have changed.
func (s *Store) writable(path string) error {
	f, err := s.sys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(stageMode), f.Close())
}

// Settle removes the names of a stage whose committed bytes have a row.
func (s *Store) Settle(id string) error {
	err := s.sys.Remove(s.stagePath(id))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return wrap("Settle", errors.Join(err, s.removeNote(id), s.staging.sync()))
}

func sameFile(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ia, ib)
}

func (s *Store) stage(id string, flags int) (*stage, error) {
	path := s.stagePath(id)
	f, err := s.sys.OpenFile(path, flags, stageMode)
	if err != nil {
		return nil, wrap("Stage", err)
	}
	return &stage{store: s, id: id, file: f, path: path}, nil
}

func (s *Store) stagePath(id string) string { return filepath.Join(s.root, stagingDir, id) }

// Leftovers lists stages on disk. Notes without a stage are removed.
func (s *Store) Leftovers() ([]blob.Leftover, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, stagingDir))
	if err != nil {
		return nil, wrap("Leftovers", err)
	}
	var out []blob.Leftover
	for _, e := range entries {
		if e.IsDir() {
			continue // a landing folder
		}
		id, isNote := strings.CutSuffix(e.Name(), noteTail)
		path := s.stagePath(id)
		info, err := os.Stat(path)
		if isNote || err != nil || strings.HasSuffix(id, noteTail+".new") {
			if errors.Is(err, fs.ErrNotExist) || strings.HasSuffix(id, noteTail+".new") {
				_ = s.sys.Remove(s.stagePath(e.Name()))
			}
			continue
		}
		note, err := readNote(path)
		out = append(out, blob.Leftover{ID: id, Size: info.Size(), Note: note, Err: wrap("Leftovers", err)})
	}
	return out, nil
}

// Open reads a committed blob.
func (s *Store) Open(key string, size int64) (blob.Reader, error) {
	f, err := s.sys.OpenFile(filepath.Join(s.root, filepath.FromSlash(key)), os.O_RDONLY, 0)
	if err != nil {
		return nil, wrap("Open", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("the blob %s has %d bytes of %d", key, info.Size(), size)
	}
	if err != nil {
		return nil, wrap("Open", errors.Join(err, f.Close()))
	}
	if size < 0 {
		size = info.Size()
	}
	return &reader{f, size}, nil
}

// reader reads the first size bytes of a blob.
type reader struct {
	file File
	size int64
}

func (r *reader) Size() int64  { return r.size }
func (r *reader) Close() error { return r.file.Close() }

func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	if off >= r.size {
		return 0, io.EOF
	}
	if rest := r.size - off; int64(len(p)) > rest {
		n, err := r.file.ReadAt(p[:rest], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return r.file.ReadAt(p, off)
}

// Remove unlinks a blob. Readers that have it open keep it.
func (s *Store) Remove(key string) error {
	err := s.sys.Remove(filepath.Join(s.root, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return wrap("Remove", err)
}

// Walk lists the files below the folder, stages left out.
func (s *Store) Walk(fn func(key string, size int64, modified time.Time) error) error {
	return wrap("Walk", filepath.WalkDir(s.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if e != nil && e.IsDir() && path == s.staging.path {
				return fs.SkipDir
			}
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		} else if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
			return nil // still a stage: Sync or Commit made this second name
		}
		key, err := filepath.Rel(s.root, path)
		if err != nil {
			return err
		}
		return fn(filepath.ToSlash(key), info.Size(), info.ModTime())
	}))
}

// Free asks the file system at most once a second.
func (s *Store) Free() (int64, error) {
	s.freeMu.Lock()
	defer s.freeMu.Unlock()
	if now := s.clock(); s.freeAt.IsZero() || now.Sub(s.freeAt).Abs() > time.Second {
		var st unix.Statfs_t
		if err := unix.Statfs(s.root, &st); err != nil {
			return 0, wrap("Free", err)
		}
		s.free, s.freeAt = int64(st.Bavail)*st.Bsize, now
	}
	return s.free, nil
}

// wrap gives an operating-system error its kind. Paths stay in the cause.
func wrap(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap("disk."+op, fault.NotFound, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap("disk."+op, fault.NoSpace, err)
	case errors.Is(err, syscall.EFBIG):
		return fault.Wrap("disk."+op, fault.TooLarge, err)
	}
	return fault.Wrap("disk."+op, fault.Unavailable, err)
}
