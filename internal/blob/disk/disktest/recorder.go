// Package disktest is an operating system for package disk that writes down
// what it is told, and a model of what is left of it after a power loss.
//
// Replay builds the folder that a machine may find when the power went after any
// of the recorded calls. What is promised there:
//
//   - what a file was told before a sync of it began is there once that sync ended;
//   - so is what a folder was told, names that came and names that went;
//   - a rename that took the old name away gave the new one.
//
// Everything else may be there or not, each name, page, mode and note for
// itself, in any order, but for two rules that package disk relies on and that
// ext4, xfs and btrfs keep: bytes that make a file longer come in their order,
// since the size grows only over bytes that are there; and, where Loss.OwnNames
// says so, a file's own fsync keeps the name that it was made with.
package disktest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
)

// node is a file or a folder, whatever its names.
type node struct{ folder bool }

type kind int

const (
	write kind = iota
	truncate
	chmod
	attr
	enter  // a folder gets a name
	leave  // a folder loses a name
	synced // a sync ended
	mark
)

// event is a call that was made, in the order in which they took effect.
type event struct {
	kind kind
	node *node // what was changed or synced

	off   int64 // write
	bytes []byte
	size  int64 // truncate
	mode  os.FileMode

	name  string // of attr, enter and leave
	child *node  // enter
	moved bool   // leave: the event before is the enter of the same rename

	began int  // synced: events before it are safe
	full  bool // synced: fsync, not fdatasync

	mark any
}

// Recorder is a disk.System. Its calls are done on a real folder, but for syncs:
// the model knows what they would keep.
type Recorder struct {
	// NoAttrs refuses extended attributes, as tmpfs does.
	NoAttrs bool
	// Before is called before each change, which waits for it. A test that
	// records something else beside the folder returns a mark if that changed.
	Before func() any

	top   string
	root  *node
	mu    sync.Mutex
	base  int // events of what was there at first, all of it durable
	log   []event
	names map[string]*node
}

// Record records what happens below a folder, whose content so far is durable.
func Record(top string) (*Recorder, error) {
	r := &Recorder{top: top, root: &node{folder: true}, names: map[string]*node{}}
	r.names[top] = r.root
	byInode := map[uint64]*node{}
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == top {
			return err
		}
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return err
		}
		n := byInode[st.Ino]
		if n == nil {
			n = &node{folder: e.IsDir()}
			byInode[st.Ino] = n
			if !n.folder {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				r.log = append(r.log, event{kind: write, node: n, bytes: content},
					event{kind: chmod, node: n, mode: os.FileMode(st.Mode & 0o777)})
				r.log = append(r.log, attrs(path, n)...)
			}
		}
		r.log = append(r.log, event{kind: enter, node: r.names[filepath.Dir(path)], name: filepath.Base(path), child: n})
		r.names[path] = n
		return nil
	})
	r.base = len(r.log)
	return r, err
}

func attrs(path string, n *node) (out []event) {
	list := make([]byte, 4096)
	size, err := unix.Listxattr(path, list)
	if err != nil {
		return nil
	}
	for name := range splitZero(list[:size]) {
		value := make([]byte, 4096)
		if got, err := unix.Getxattr(path, name, value); err == nil {
			out = append(out, event{kind: attr, node: n, name: name, bytes: value[:got]})
		}
	}
	return out
}

// Mark writes a mark down between two calls.
func (r *Recorder) Mark(v any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before()
	r.log = append(r.log, event{kind: mark, mark: v})
}

// before lets a test look at what else may have changed. Callers hold mu.
func (r *Recorder) before() {
	if r.Before == nil {
		return
	}
	if v := r.Before(); v != nil {
		r.log = append(r.log, event{kind: mark, mark: v})
	}
}

// do makes a change and writes it down.
func (r *Recorder) do(change func() error, events ...event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before()
	if err := change(); err != nil {
		return err
	}
	r.log = append(r.log, events...)
	return nil
}

// sync writes a sync down: what was done before it began is safe when it ended.
func (r *Recorder) sync(n *node, full bool) {
	r.mu.Lock()
	began := len(r.log)
	r.mu.Unlock()
	runtime.Gosched() // others go on meanwhile
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before()
	r.log = append(r.log, event{kind: synced, node: n, began: began, full: full})
}

func (r *Recorder) find(path string) *node {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names[path]
}

// OpenFile is disk.System's.
func (r *Recorder) OpenFile(path string, flags int, mode os.FileMode) (disk.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before()
	f, err := disk.OS{}.OpenFile(path, flags, mode)
	if err != nil {
		return nil, err
	}
	n := r.names[path]
	switch {
	case n == nil && flags&os.O_CREATE == 0:
		return nil, errors.Join(errors.New("disktest: a file that was not recorded: "+path), f.Close())
	case n == nil:
		n = &node{}
		r.names[path] = n
		r.log = append(r.log, event{kind: enter, node: r.names[filepath.Dir(path)], name: filepath.Base(path), child: n},
			event{kind: chmod, node: n, mode: mode})
	case flags&os.O_TRUNC != 0:
		r.log = append(r.log, event{kind: truncate, node: n})
	}
	return &file{File: f, r: r, node: n}, nil
}

// Mkdir is disk.System's.
func (r *Recorder) Mkdir(path string, mode os.FileMode) error {
	n := &node{folder: true}
	return r.do(func() error {
		err := os.Mkdir(path, mode)
		if err == nil {
			r.names[path] = n
		}
		return err
	}, event{kind: enter, node: r.find(filepath.Dir(path)), name: filepath.Base(path), child: n})
}

// Rename is disk.System's.
func (r *Recorder) Rename(from, to string) error {
	n := r.find(from)
	return r.do(func() error {
		err := os.Rename(from, to)
		if err == nil {
			delete(r.names, from)
			r.names[to] = n
		}
		return err
	}, event{kind: enter, node: r.find(filepath.Dir(to)), name: filepath.Base(to), child: n},
		event{kind: leave, node: r.find(filepath.Dir(from)), name: filepath.Base(from), moved: true})
}

// Link is disk.System's.
func (r *Recorder) Link(from, to string) error {
	n := r.find(from)
	return r.do(func() error {
		err := os.Link(from, to)
		if err == nil {
			r.names[to] = n
		}
		return err
	}, event{kind: enter, node: r.find(filepath.Dir(to)), name: filepath.Base(to), child: n})
}

// Remove is disk.System's.
func (r *Recorder) Remove(path string) error {
	return r.do(func() error {
		err := os.Remove(path)
		if err == nil {
			delete(r.names, path)
		}
		return err
	}, event{kind: leave, node: r.find(filepath.Dir(path)), name: filepath.Base(path)})
}

// SyncDir is disk.System's.
func (r *Recorder) SyncDir(path string) error {
	n := r.find(path)
	if n == nil {
		return errors.New("disktest: a folder that was not recorded: " + path)
	}
	r.sync(n, true)
	return nil
}

// Everything is disk.System's.
func (r *Recorder) Everything(string) (disk.Everything, error) { return everything{r}, nil }

type everything struct{ r *Recorder }

func (everything) Close() error { return nil }

// Sync is disk.Everything's.
func (e everything) Sync() error {
	r := e.r
	r.mu.Lock()
	nodes := map[*node]bool{}
	for _, n := range r.names {
		nodes[n] = true
	}
	r.mu.Unlock()
	for n := range nodes {
		r.sync(n, true)
	}
	return nil
}

// file is one open file.
type file struct {
	disk.File
	r    *Recorder
	node *node
}

func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.r.do(func() (err error) { n, err = f.File.WriteAt(p, off); return err },
		event{kind: write, node: f.node, off: off, bytes: append([]byte(nil), p...)})
	return n, err
}

func (f *file) Truncate(size int64) error {
	return f.r.do(func() error { return f.File.Truncate(size) }, event{kind: truncate, node: f.node, size: size})
}

func (f *file) Chmod(mode os.FileMode) error {
	return f.r.do(func() error { return f.File.Chmod(mode) }, event{kind: chmod, node: f.node, mode: mode})
}

func (f *file) SetAttr(name string, value []byte) error {
	if f.r.NoAttrs {
		return unix.ENOTSUP
	}
	return f.r.do(func() error { return f.File.SetAttr(name, value) },
		event{kind: attr, node: f.node, name: name, bytes: append([]byte(nil), value...)})
}

func (f *file) CopyFrom(from io.ReaderAt, n int64) error {
	if g, ok := from.(*file); ok {
		from = g.File
	}
	content := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(from, 0, n), content); err != nil {
		return err
	}
	return f.r.do(func() error { return f.File.CopyFrom(from, n) }, event{kind: write, node: f.node, bytes: content})
}

func (f *file) Sync() error     { f.r.sync(f.node, true); return nil }
func (f *file) Datasync() error { f.r.sync(f.node, false); return nil }
