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

// watcher receives inotify events for some folders, and knows which files are being written and
// which were closed. It does not see writers on other machines.
type watcher struct {
	f *os.File

	mu   sync.Mutex
	dirs map[int32]string // by watch id
	ids  map[string]int32
	says map[string]phase // by path; absent: no event yet
	wake chan struct{}    // gets a value when a file was closed
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

// add watches a folder, once. It opens it through root, so that a link to the outside is not
// followed.
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
	w.mu.Lock() // events of the new watch wait until dirs has its id
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

// phase returns the last phase of a path; w may be nil.
func (w *watcher) phase(full string) phase {
	if w == nil {
		return unheard
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.says[full]
}

// close stops the watcher; w may be nil.
func (w *watcher) close() {
	if w != nil {
		_ = w.f.Close()
	}
}

// closed returns a channel that gets a value when a file was closed. It is nil for a nil
// watcher.
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

// hear handles one event. The caller holds mu.
func (w *watcher) hear(id int32, mask uint32, name string) {
	dir, known := w.dirs[id]
	full := path.Join(dir, name)
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0: // events were lost
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

// openForWriting reports whether any program on this machine has a file open for writing: the
// kernel refuses a read lease then. It returns false where leases are not supported.
func openForWriting(f *os.File) (open bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK)
		if open = errors.Is(err, unix.EAGAIN); err == nil {
			_, _ = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK) // if it fails, the lease ends with the descriptor
		}
	})
	return open
}
