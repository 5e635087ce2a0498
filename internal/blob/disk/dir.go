package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// dir makes a folder's entries durable. Those who wait at the same time share
// one sync: it starts after the last of them came.
type dir struct {
	path    string
	running sync.Mutex // one sync at a time

	mu   sync.Mutex
	next *round // the sync that has not begun
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
	d.next = nil // who comes now needs the next one
	d.mu.Unlock()
	r.err = syncDir(d.path)
	d.running.Unlock()
	close(r.done)
	return r.err
}

// folder finds a folder, making it and its parents durable if they are new.
func (s *Store) folder(path string) (*dir, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.folderLocked(path)
}

func (s *Store) folderLocked(path string) (*dir, error) {
	if d := s.dirs[path]; d != nil {
		return d, nil
	}
	d := &dir{path: path}
	if path != s.root {
		parent, err := s.folderLocked(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		if err := os.Mkdir(path, 0o700); err == nil {
			if err := syncDir(parent.path); err != nil {
				return nil, err
			}
		} else if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	s.dirs[path] = d
	return d, nil
}

// syncPath syncs one file or folder by its path.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncDir(path string) error { return syncPath(path) }
