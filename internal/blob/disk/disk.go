// Package disk keeps blobs as files of one file system. Stages lie beside
// them, in staging/, so that a commit is a rename.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

const (
	staging  = "staging"
	noteTail = ".note"
)

// Store keeps blobs below one folder.
type Store struct {
	root string

	mu   sync.Mutex
	dirs map[string]*dir // folders known to exist and to be durable

	freeMu sync.Mutex
	free   int64
	freeAt time.Time
	clock  exchange.Clock
}

// Open uses the folder, making it if needed. Only one process may.
func Open(root string, clock exchange.Clock) (*Store, error) {
	s := &Store{root: root, dirs: map[string]*dir{}, clock: clock}
	if err := os.MkdirAll(filepath.Join(root, staging), 0o700); err != nil {
		return nil, wrap("Open", err)
	}
	return s, wrap("Open", errors.Join(syncDir(root), syncDir(filepath.Join(root, staging))))
}

// Stage makes an empty stage.
func (s *Store) Stage(id string) (blob.Stage, error) {
	g, err := s.stage(id, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Reopen takes up a stage of an earlier process. A second name that its Sync
// gave it is taken away, lest the sweep find it.
func (s *Store) Reopen(id, key string) (blob.Stage, error) {
	g, err := s.stage(id, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return g, nil
	}
	path := filepath.Join(s.root, filepath.FromSlash(key))
	if sameFile(path, g.path) {
		err = os.Remove(path)
	}
	return g, wrap("Reopen", err)
}

func sameFile(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ia, ib)
}

func (s *Store) stage(id string, flags int) (*stage, error) {
	path := s.stagePath(id)
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, wrap("Stage", err)
	}
	return &stage{store: s, id: id, file: f, path: path}, nil
}

func (s *Store) stagePath(id string) string { return filepath.Join(s.root, staging, id) }

// Leftovers lists stages on disk. Notes without a stage are removed.
func (s *Store) Leftovers() ([]blob.Leftover, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, staging))
	if err != nil {
		return nil, wrap("Leftovers", err)
	}
	var out []blob.Leftover
	for _, e := range entries {
		id, isNote := strings.CutSuffix(e.Name(), noteTail)
		path := s.stagePath(id)
		info, err := os.Stat(path)
		if isNote || err != nil || strings.HasSuffix(id, noteTail+".new") {
			if errors.Is(err, fs.ErrNotExist) || strings.HasSuffix(id, noteTail+".new") {
				_ = os.Remove(s.stagePath(e.Name()))
			}
			continue
		}
		note, err := readNote(path)
		if err != nil {
			return nil, wrap("Leftovers", err)
		}
		out = append(out, blob.Leftover{ID: id, Size: info.Size(), Note: note})
	}
	return out, nil
}

// Open reads a committed blob.
func (s *Store) Open(key string) (blob.Reader, error) {
	f, err := os.Open(filepath.Join(s.root, filepath.FromSlash(key)))
	if err != nil {
		return nil, wrap("Open", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, wrap("Open", errors.Join(err, f.Close()))
	}
	return &reader{File: f, size: info.Size()}, nil
}

type reader struct {
	*os.File
	size int64
}

func (r *reader) Size() int64 { return r.size }

// Remove unlinks a blob. Readers that have it open keep it.
func (s *Store) Remove(key string) error {
	err := os.Remove(filepath.Join(s.root, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return wrap("Remove", err)
}

// Walk lists the files below the folder, stages left out.
func (s *Store) Walk(fn func(key string, size int64, modified time.Time) error) error {
	return wrap("Walk", filepath.WalkDir(s.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if e != nil && e.IsDir() && path == filepath.Join(s.root, staging) {
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
		key, err := filepath.Rel(s.root, path)
		if err != nil {
			return err
		}
		return fn(filepath.ToSlash(key), info.Size(), info.ModTime())
	}))
}

// Free asks the file system, at most once a second.
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
		return exchange.Wrap("disk."+op, exchange.NotFound, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return exchange.Wrap("disk."+op, exchange.NoSpace, err)
	case errors.Is(err, syscall.EFBIG):
		return exchange.Wrap("disk."+op, exchange.TooLarge, err)
	}
	return exchange.Wrap("disk."+op, exchange.Unavailable, err)
}
