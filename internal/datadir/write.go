package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// WriteNew writes and syncs a new file. It fails with fs.ErrExist if path exists.
func WriteNew(path string, b []byte, mode fs.FileMode) error {
	return write(path, b, os.O_EXCL, mode)
}

// Replace writes a file durably. After a crash, path has either the old content or the new.
func Replace(path string, b []byte, mode fs.FileMode) error {
	fresh := path + ".new"
	if err := write(fresh, b, os.O_TRUNC, mode); err != nil {
		return err
	}
	return errors.Join(os.Rename(fresh, path), SyncDir(filepath.Dir(path)))
}

func write(path string, b []byte, flag int, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// NewDir makes a folder: it calls fill to write the files into dir + ".new", and then renames that
// to dir. An existing dir is renamed to dir + ".replaced".
func NewDir(dir string, fill func(tmp string) error) error {
	tmp, old := dir+".new", dir+".replaced"
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o700)); err != nil {
		return err
	}
	if err := errors.Join(fill(tmp), SyncDir(tmp)); err != nil {
		return err
	}
	if there, err := Exists(dir); err != nil {
		return err
	} else if there {
		if err := errors.Join(os.RemoveAll(old), os.Rename(dir, old)); err != nil {
			return err
		}
	}
	return errors.Join(os.Rename(tmp, dir), SyncDir(filepath.Dir(dir)))
}

// SyncDir makes changes to the names in a folder durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Exists reports whether there is a file or folder at a path.
func Exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Make makes a folder with a mode, whatever the umask is, unless it is there.
func Make(path string, mode fs.FileMode) error {
	_, absent := os.Stat(path)
	err := os.MkdirAll(path, mode)
	if err == nil && absent != nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		return fault.E("datadir.Make", fault.Invalid, "The folder %s cannot be made: %v.", path, fault.InWords(err))
	}
	return nil
}

// Probe writes a small file to the disk. It fails, or does not return, if the disk does.
func (d *Dir) Probe() error {
	path := filepath.Join(d.Path, "alive")
	if err := Replace(path, []byte("The disk can be written.\n"), 0o600); err != nil {
		return fault.E("datadir.Probe", fault.Unavailable, "The data folder cannot be written: %v.", fault.InWords(err))
	}
	return nil
}
