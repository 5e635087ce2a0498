package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
)

// dir makes a folder's entries durable. Concurrent callers share one sync, which starts after the last
// of them has called.
type dir struct {
	sys    System
	path   string
	parent *dir // nil: the store's root

	making  sync.Mutex // held while the folder is made and its name synced
	durable bool       // its own name is durable; guarded by making

	running sync.Mutex // one sync at a time

	mu     sync.Mutex
	next   *round // the next sync, which has not begun; nil: none
	failed bool   // the last sync failed: entries that it covered may be lost
}

type round struct {
	done chan struct{}
	err  error
}

func (d *dir) sync() error {
	d.mu.Lock()
	r := d.next
	leader := r == nil
	if leader {
		r = &round{done: make(chan struct{})}
		d.next = r
	}
	d.mu.Unlock()
	if !leader {
		<-r.done
		return r.err
	}
	d.running.Lock()
	d.mu.Lock()
	d.next = nil // later callers need another sync
	d.mu.Unlock()
	r.err = d.sys.SyncDir(d.path)
	d.mu.Lock()
	d.failed = r.err != nil
	d.mu.Unlock()
	d.running.Unlock()
	close(r.done)
	return r.err
}

// suspect reports whether the last sync failed.
func (d *dir) suspect() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// exist makes the folder if it is missing, and its name durable. A folder that
// an earlier process made may have a name that was never synced, so the parent
// is synced when a process first uses a folder.
func (d *dir) exist() error {
	d.making.Lock()
	defer d.making.Unlock()
	if d.durable {
		return nil
	}
	if d.parent != nil {
		if err := d.parent.exist(); err != nil {
			return err
		}
		if err := d.sys.Mkdir(d.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := d.parent.sync(); err != nil {
			return err
		}
	}
	d.durable = true
	return nil
}

// folder finds a folder below the root, making it and its parents durable if
// this process has not used them yet.
func (s *Store) folder(path string) (*dir, error) {
	s.mu.Lock()
	d := s.folderLocked(path)
	s.mu.Unlock()
	return d, d.exist()
}

func (s *Store) folderLocked(path string) *dir {
	if d := s.dirs[path]; d != nil {
		return d
	}
	d := &dir{sys: s.sys, path: path}
	if path != s.root {
		d.parent = s.folderLocked(filepath.Dir(path))
	}
	s.dirs[path] = d
	return d
}
