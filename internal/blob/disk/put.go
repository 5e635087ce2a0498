package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sallyport-sftp/sallyport/internal/blob"
)

// Put writes blobs in staging, and renames them once their bytes are durable, so that a name never shows
// a part. Two syncs of the whole file system make the bytes and then the names durable: a sync for each of
// many small files would take longer than all the rest, and would hold up whoever syncs beside it.
func (s *Store) Put(list []blob.Whole) (err error) {
	all, err := s.sys.Everything(s.root)
	if err != nil {
		return wrap("Put", err)
	}
	defer all.Close()
	defer func() {
		if err != nil {
			for _, b := range list { // those that have their names stay: they are whole
				_ = s.sys.Remove(s.stagePath(blob.ID(b.Key)))
			}
		}
	}()
	for _, b := range list {
		if err := s.write(b); err != nil {
			return wrap("Put", err)
		}
	}
	if err := all.Sync(); err != nil {
		return wrap("Put", err)
	}
	for _, b := range list {
		path := filepath.Join(s.root, filepath.FromSlash(b.Key))
		if _, err := s.folder(filepath.Dir(path)); err != nil {
			return wrap("Put", err)
		}
		if err := s.sys.Rename(s.stagePath(blob.ID(b.Key)), path); err != nil {
			return wrap("Put", err)
		}
	}
	return wrap("Put", all.Sync())
}

// write makes the file of a blob in staging. One that an earlier try left is replaced.
func (s *Store) write(b blob.Whole) error {
	path := s.stagePath(blob.ID(b.Key))
	if err := s.sys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := s.sys.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, sealedMode)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b.Bytes, 0)
	return errors.Join(err, f.Close())
}
