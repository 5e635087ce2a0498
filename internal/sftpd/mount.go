package sftpd

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// tree is a FileSystem whose Open and OpenDir return concrete types.
type tree[F File, D Dir] interface {
	Open(path string, flags exchange.OpenFlags, mode uint32) (F, error)
	OpenDir(path string) (D, error)
	Paths
}

// Of adapts a tree to a FileSystem.
func Of[F File, D Dir](t tree[F, D]) FileSystem { return adapted[F, D]{t} }

type adapted[F File, D Dir] struct{ tree[F, D] }

// Open returns a nil interface with an error: a nil *T in an interface would not be nil.
func (a adapted[F, D]) Open(path string, flags exchange.OpenFlags, mode uint32) (File, error) {
	f, err := a.tree.Open(path, flags, mode)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (a adapted[F, D]) OpenDir(path string) (Dir, error) {
	d, err := a.tree.OpenDir(path)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Mount joins file systems. A path at or below a directory in At belongs to that file system, which is asked for the
// same absolute path. All other paths belong to the embedded one, which also resolves paths. The keys of At are
// directories directly below the root, such as "/outbound".
type Mount struct {
	FileSystem
	At map[string]FileSystem
}

// find returns the file system that a path belongs to, and the path to ask it for.
func (m Mount) find(p string) (FileSystem, string) {
	if dir, clean := m.mounted(p); dir != "" {
		return m.At[dir], clean
	}
	return m.FileSystem, p
}

// mounted returns the mounted directory that a path is in, "" if none, and the path's absolute form. An invalid
// path is in none, so that the embedded file system reports the error.
func (m Mount) mounted(p string) (dir, clean string) {
	clean, err := m.RealPath(p)
	if err != nil {
		return "", p
	}
	for dir := range m.At {
		if clean == dir || strings.HasPrefix(clean, dir+"/") {
			return dir, clean
		}
	}
	return "", clean
}

// Open opens a file of the tree that the path belongs to.
func (m Mount) Open(path string, flags exchange.OpenFlags, mode uint32) (File, error) {
	fs, path := m.find(path)
	return fs.Open(path, flags, mode)
}

// OpenDir opens a directory. The root lists the mounted directories last.
func (m Mount) OpenDir(path string) (Dir, error) {
	fs, p := m.find(path)
	d, err := fs.OpenDir(p)
	if err != nil {
		return nil, err
	}
	if clean, err := m.RealPath(path); err != nil || clean != "/" {
		return d, err
	}
	root := &mountedDir{Dir: d, hidden: map[string]bool{}}
	for _, dir := range slices.Sorted(maps.Keys(m.At)) {
		info, err := m.At[dir].Stat(dir)
		if err != nil {
			return nil, err
		}
		root.mounted = append(root.mounted, info)
		root.hidden[info.Name] = true
	}
	return root, nil
}

// mountedDir is the listing of the root: the embedded file system's names, except those that mounted directories
// hide, then the mounted directories.
type mountedDir struct {
	Dir
	mounted []model.FileInfo // not listed yet
	hidden  map[string]bool
}

func (d *mountedDir) Next() ([]model.FileInfo, error) {
	for {
		list, err := d.Dir.Next()
		if errors.Is(err, io.EOF) && len(d.mounted) > 0 {
			list, d.mounted = d.mounted, nil
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(slices.Clone(list), func(f model.FileInfo) bool { return d.hidden[f.Name] })
		if len(list) > 0 {
			return list, nil
		}
	}
}

// Stat describes what is at a path.
func (m Mount) Stat(path string) (model.FileInfo, error) {
	fs, path := m.find(path)
	return fs.Stat(path)
}

// Setstat changes what is at a path.
func (m Mount) Setstat(path string, c exchange.Change) error {
	fs, path := m.find(path)
	return fs.Setstat(path, c)
}

// Mkdir makes a directory.
func (m Mount) Mkdir(path string) error {
	fs, path := m.find(path)
	return fs.Mkdir(path)
}

// Rmdir removes an empty directory.
func (m Mount) Rmdir(path string) error {
	fs, path := m.find(path)
	return fs.Rmdir(path)
}

// Remove removes a file.
func (m Mount) Remove(path string) error {
	fs, path := m.find(path)
	return fs.Remove(path)
}

// Rename renames within one file system. Across file systems it fails with Unsupported.
func (m Mount) Rename(from, to string, replace bool) error {
	dir, source := m.mounted(from)
	other, target := m.mounted(to)
	switch {
	case dir != other:
		return fault.E("sftpd.Rename", fault.Unsupported, "A file cannot be renamed into or out of %s; copy it.",
			cmp.Or(dir, other))
	case dir != "":
		return m.At[dir].Rename(source, target, replace)
	}
	return m.FileSystem.Rename(from, to, replace)
}
