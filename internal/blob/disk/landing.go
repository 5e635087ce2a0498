package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
)

// landingHead begins the names of landing folders, which are in staging.
const landingHead = "landing-"

func (s *Store) landing(run string) string { return filepath.Join(s.staging.path, landingHead+run) }

// Landing makes the folder of a run, with the file that the run locks.
func (s *Store) Landing(run string) (string, error) {
	path := s.landing(run)
	if err := s.sys.Mkdir(path, 0o700); err != nil {
		return "", wrap("Landing", err)
	}
	f, err := os.OpenFile(filepath.Join(path, blob.LandingLock), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = f.Close()
	}
	return path, wrap("Landing", err)
}

// Abandoned lists the runs whose folders are not locked.
func (s *Store) Abandoned() (runs []string, err error) {
	entries, err := os.ReadDir(s.staging.path)
	if err != nil {
		return nil, wrap("Abandoned", err)
	}
	for _, e := range entries {
		run, is := strings.CutPrefix(e.Name(), landingHead)
		if is && e.IsDir() && !s.inUse(filepath.Join(s.staging.path, e.Name(), blob.LandingLock)) {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// lockTime is how long a run may take to lock its folder after it was made.
const lockTime = time.Minute

// inUse reports whether a run has locked a file, or is about to: then nothing is written in it yet.
func (s *Store) inUse(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close() // releases the lock
	if info, err := f.Stat(); err == nil && info.Size() == 0 && s.clock().Sub(info.ModTime()).Abs() < lockTime {
		return true
	}
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}

// RemoveLanding removes a run's folder. Names that other folders have for the same bytes stay.
func (s *Store) RemoveLanding(run string) error {
	return wrap("RemoveLanding", os.RemoveAll(s.landing(run)))
}

// Land renames files of a run to their keys. One sync of the whole file system makes the bytes, the modes and the names
// durable, because a sync for each of many small files would take longer than all the rest.
func (s *Store) Land(run string, files []blob.Landed) error {
	all, err := s.sys.Everything(s.root)
	if err != nil {
		return wrap("Land", err)
	}
	defer all.Close()
	for i, f := range files {
		if err := s.land(run, f); err != nil {
			return wrap("Land", errors.Join(err, s.TakeBack(run, files[:i])))
		}
	}
	if err := all.Sync(); err != nil {
		return wrap("Land", errors.Join(err, s.TakeBack(run, files)))
	}
	return nil
}

func (s *Store) land(run string, f blob.Landed) error {
	from, to := filepath.Join(s.landing(run), f.Name), filepath.Join(s.root, filepath.FromSlash(f.Key))
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", f.Name)
	case info.Size() != f.Size:
		return fmt.Errorf("%s has %d bytes, not %d", f.Name, info.Size(), f.Size)
	case owner == nil || int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user", f.Name)
	case info.Mode().Perm() != sealedMode:
		return fmt.Errorf("%s has the mode %s", f.Name, info.Mode())
	}
	if _, err := s.folder(filepath.Dir(to)); err != nil {
		return err
	}
	return s.sys.Rename(from, to)
}

// TakeBack renames landed files back. Files that are in the folder already stay there.
func (s *Store) TakeBack(run string, files []blob.Landed) (err error) {
	for _, f := range files {
		back := s.sys.Rename(filepath.Join(s.root, filepath.FromSlash(f.Key)), filepath.Join(s.landing(run), f.Name))
		if !errors.Is(back, fs.ErrNotExist) {
			err = errors.Join(err, back)
		}
	}
	return wrap("TakeBack", err)
}
