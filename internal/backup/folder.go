package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// folder is a place in a file system.
type folder struct {
	root string
	made map[string]bool // folders that exist
}

// cut is the ending of a file that is being written.
const cut = ".cut"

// openFolder opens a folder, or makes it.
func openFolder(root string, make bool) (*folder, error) {
	if make {
		if err := os.MkdirAll(root, 0o700); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = fault.E("backup.openFolder", fault.Invalid, "%s is no folder.", root)
	}
	return &folder{root: filepath.Clean(root), made: map[string]bool{}}, err
}

func (p *folder) path(name string) string { return filepath.Join(p.root, filepath.FromSlash(name)) }

func (p *folder) put(_ context.Context, name string, size int64, r io.Reader) error {
	path := p.path(name)
	dir := filepath.Dir(path)
	if !p.made[dir] {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		p.made[dir] = true
	}
	f, err := os.OpenFile(path+cut, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(plainWriter{f}, r, make([]byte, copyBuffer))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = f.Sync()
	}
	if size > cacheFrom { // it will not be read soon: leave the page cache to what partners transfer
		_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+cut, path)
	}
	if err != nil {
		_ = os.Remove(path + cut) // what is left is overwritten by the next backup
	}
	return err
}

// plainWriter hides ReadFrom, so that the buffer is used: the rate is limited by small reads.
type plainWriter struct{ io.Writer }

func (p *folder) get(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := os.OpenFile(p.path(name), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap("backup.get", fault.NotFound, err)
	}
	return f, err
}

func (p *folder) list(_ context.Context, dir string, fn func(string, int64) error) error {
	err := filepath.WalkDir(p.path(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, cut) {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(p.root, path)
		if err != nil {
			return err
		}
		return fn(filepath.ToSlash(name), info.Size())
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (p *folder) remove(_ context.Context, name string) error {
	err := os.Remove(p.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for dir := filepath.Dir(p.path(name)); strings.HasPrefix(dir, p.root+"/") && os.Remove(dir) == nil; {
		delete(p.made, dir) // it was empty
		dir = filepath.Dir(dir)
	}
	return err
}

// flush syncs the folders that have new names.
func (p *folder) flush() error {
	var errs []error
	for dir := range p.made {
		for ; strings.HasPrefix(dir, p.root); dir = filepath.Dir(dir) {
			errs = append(errs, datadir.SyncDir(dir))
		}
	}
	return errors.Join(errs...)
}

func (p *folder) close() error { return nil }
