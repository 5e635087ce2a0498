package disk

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// System has the driver's calls of the operating system. Tests replace it with one that fails, is
// slow, or records the calls.
type System interface {
	// OpenFile opens one file, as os.OpenFile.
	OpenFile(path string, flags int, mode os.FileMode) (File, error)
	// Mkdir makes one folder, as os.Mkdir.
	Mkdir(path string, mode os.FileMode) error
	Rename(from, to string) error
	Link(from, to string) error
	Remove(path string) error
	// SyncDir makes the entries of a folder durable (fsync).
	SyncDir(path string) error
	// Everything opens what syncs the file system of a path.
	Everything(path string) (Everything, error)
}

// Everything is all of a file system.
type Everything interface {
	// Sync makes durable all that was written (syncfs). It fails if a write that came after the call of
	// System.Everything was lost.
	Sync() error
	Close() error
}

// File is one open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Stat() (os.FileInfo, error)
	Chmod(mode os.FileMode) error
	// CopyFrom copies the first n bytes of a file or reader over the start of this file.
	CopyFrom(from io.ReaderAt, n int64) error
	// Sync is fsync; Datasync is fdatasync.
	Sync() error
	Datasync() error
	// SetAttr sets an extended attribute.
	SetAttr(name string, value []byte) error
}

// OS is the operating system itself.
type OS struct{}

// OpenFile is os.OpenFile.
func (OS) OpenFile(path string, flags int, mode os.FileMode) (File, error) {
	f, err := os.OpenFile(path, flags, mode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Mkdir is os.Mkdir.
func (OS) Mkdir(path string, mode os.FileMode) error { return os.Mkdir(path, mode) }

// Rename is os.Rename, which looks at the new name first: whether it is a folder. The kernel refuses that, too.
func (OS) Rename(from, to string) error {
	for {
		err := unix.Rename(from, to)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
	}
}

// Link is os.Link.
func (OS) Link(from, to string) error { return os.Link(from, to) }

// Remove is os.Remove.
func (OS) Remove(path string) error { return os.Remove(path) }

// SyncDir makes the entries of a folder durable (fsync).
func (OS) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Everything opens what syncs a file system.
func (OS) Everything(path string) (Everything, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return everything{d}, nil
}

type everything struct{ *os.File }

// Sync is syncfs. The kernel tells a descriptor of the errors that came since it was opened.
func (e everything) Sync() error {
	for {
		if err := unix.Syncfs(int(e.Fd())); err != unix.EINTR {
			return err
		}
	}
}

type osFile struct{ *os.File }

// CopyFrom clones a whole file where the file system can (FICLONE); otherwise the kernel copies
// (copy_file_range, through io.Copy).
func (f osFile) CopyFrom(from io.ReaderAt, n int64) error {
	src, isFile := from.(osFile)
	if isFile {
		info, err := src.Stat()
		if err == nil && info.Size() == n && unix.IoctlFileClone(int(f.Fd()), int(src.Fd())) == nil {
			return nil
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if !isFile {
		_, err := io.Copy(f.File, io.NewSectionReader(from, 0, n))
		return err
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(f.File, io.LimitReader(src.File, n))
	return err
}

func (f osFile) Datasync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

func (f osFile) SetAttr(name string, value []byte) error {
	return unix.Fsetxattr(int(f.Fd()), name, value, 0)
}
