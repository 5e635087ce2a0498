package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteNew writes a file that does not exist yet, and syncs it. It fails with fs.ErrExist if it exists.
func WriteNew(path string, b []byte, mode fs.FileMode) error {
	return write(path, b, os.O_EXCL, mode)
}

// Replace puts a file in place, durably, and whole or not at all.
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

// NewDir has fill write the files of a new folder beside dir, and gives it dir's name once they are
// written. What had that name before goes to dir + ".replaced".
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

// SyncDir makes a folder's names durable.
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
