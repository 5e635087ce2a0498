package hotfolder

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher hears from the kernel which files of some folders were closed by whoever wrote
// them. Writers on other machines are not heard of.
type watcher struct {
	f *os.File

	mu   sync.Mutex
	dirs map[int32]string // by watch
	ids  map[string]int32
	says map[string]phase // by path; absent: nothing was heard
	wake chan struct{}    // something was closed
}

const watched = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO |
	unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_ONLYDIR

func newWatcher() (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	w := &watcher{f: os.NewFile(uintptr(fd), "inotify"), dirs: map[int32]string{}, ids: map[string]int32{},
		says: map[string]phase{}, wake: make(chan struct{}, 1)}
	go w.run()
	return w, nil
}

// add watches a folder, once. It goes through the root: what a name leads to outside is
// not watched.
func (w *watcher) add(root *os.Root, dir string) error {
	w.mu.Lock()
	_, known := w.ids[dir]
	w.mu.Unlock()
	if known {
		return nil
	}
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	raw, err := d.SyscallConn()
	if err != nil {
		return err
	}
	w.mu.Lock() // an event of the new watch waits until it has a name
	defer w.mu.Unlock()
	id := 0
	addErr := raw.Control(func(fd uintptr) {
		inotify, connErr := w.f.SyscallConn()
		if err = connErr; err == nil {
			err = errors.Join(inotify.Control(func(in uintptr) {
				id, connErr = unix.InotifyAddWatch(int(in), fmt.Sprintf("/proc/self/fd/%d", fd), watched)
			}), connErr)
		}
	})
	if err = errors.Join(err, addErr); err != nil {
		return err
	}
	w.dirs[int32(id)], w.ids[dir] = dir, int32(id)
	return nil
}

// phase is what was heard of a path.
func (w *watcher) phase(full string) phase {
	if w == nil {
		return unheard
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.says[full]
}

// close ends the watcher.
func (w *watcher) close() {
	if w != nil {
		_ = w.f.Close()
	}
}

// closed wakes whoever waits for files; nil for ever without a watcher.
func (w *watcher) closed() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.wake
}

func (w *watcher) run() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.f.Read(buf)
		if err != nil {
			return // closed
		}
		w.mu.Lock()
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			id, mask, size := int32(binary.NativeEndian.Uint32(rest)), binary.NativeEndian.Uint32(rest[4:]),
				int(binary.NativeEndian.Uint32(rest[12:]))
			rest = rest[unix.SizeofInotifyEvent:]
			size = min(size, len(rest))
			name, _, _ := bytes.Cut(rest[:size], []byte{0})
			rest = rest[size:]
			w.hear(id, mask, string(name))
		}
		w.mu.Unlock()
	}
}

// hear takes one event. Callers hold mu.
func (w *watcher) hear(id int32, mask uint32, name string) {
	dir, known := w.dirs[id]
	full := path.Join(dir, name)
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0: // nothing is certain any more
		clear(w.says)
	case !known:
	case mask&unix.IN_IGNORED != 0: // the folder is gone
		delete(w.dirs, id)
		delete(w.ids, dir)
	case mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) != 0:
		delete(w.says, full)
	case mask&(unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO) != 0:
		w.says[full] = closed
		select {
		case w.wake <- struct{}{}:
		default:
		}
	case mask&(unix.IN_CREATE|unix.IN_MODIFY) != 0:
		w.says[full] = writing
	}
}

// openForWriting reports whether any program of this machine has a file open for writing:
// the kernel gives a read lease to nobody then. Where it gives none anyway, nobody can say.
func openForWriting(f *os.File) (open bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK)
		if open = errors.Is(err, unix.EAGAIN); err == nil {
			_, _ = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK) // else it ends with the descriptor
		}
	})
	return open
}
