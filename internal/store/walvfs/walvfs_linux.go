// Package walvfs is a VFS of SQLite for the one connection that writes. It writes the frames of a
// transaction to the write-ahead log with one call instead of two for each page, and makes them durable
// with fdatasync instead of fsync.
//
// Nothing else is changed: everything that SQLite has written is in the file before a sync of the log
// begins, and no other connection reads a frame before the sync that its commit needs has returned. The
// frames of a transaction that was rolled back are needed by nobody; Forget must be called then, since
// another connection may write to their place.
package walvfs

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// most is how many bytes wait in memory at most.
const most = 4 << 20

// VFS is registered for one connection.
type VFS struct {
	tls  *libc.TLS
	name string
	// SQLite keeps the address of shim, and those of methods in its files.
	shim    *lib.Tsqlite3_vfs
	beneath *lib.Tsqlite3_vfs

	mu    sync.Mutex
	log   *log // the connection's; nil before it is opened
	calls Calls
}

// Calls are the system calls that write a log.
type Calls struct {
	Pwrite    func(fd int, p []byte, off int64) (n int, err error)
	Fdatasync func(fd int) error
}

// System are the kernel's calls.
var System = Calls{Pwrite: unix.Pwrite, Fdatasync: unix.Fdatasync}

// Use replaces the calls, so that a test can let them fail.
func (v *VFS) Use(c Calls) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls = c
}

// log is an open write-ahead log.
type log struct {
	v     *VFS
	bytes []byte // written by SQLite and not yet to the file
	at    int64  // where they go
	// failed: bytes that SQLite has written are lost. SQLite may undo no more than a statement after an error, so
	// nothing goes on until the whole transaction was rolled back (Forget).
	failed bool
}

var (
	all     sync.Map // uintptr of a shim → *VFS
	logs    sync.Map // uintptr of a file → *log
	numbers atomic.Int64

	set       sync.Once
	unixCalls *lib.Tsqlite3_io_methods // of files of the VFS beneath
	logCalls  lib.Tsqlite3_io_methods  // of logs; SQLite keeps its address
)

// New registers a VFS for a connection, which is opened with vfs=<Name>.
func New() (*VFS, error) {
	v := &VFS{tls: libc.NewTLS(), name: fmt.Sprintf("sallyport-log-%d", numbers.Add(1)), shim: new(lib.Tsqlite3_vfs),
		calls: System}
	name, err := libc.CString(v.name)
	if err != nil {
		return nil, err
	}
	found := lib.Xsqlite3_vfs_find(v.tls, 0)
	if found == 0 {
		return nil, errors.New("walvfs: SQLite has no VFS")
	}
	v.beneath = at[lib.Tsqlite3_vfs](found)
	*v.shim = *v.beneath
	v.shim.FpNext, v.shim.FzName, v.shim.FxOpen = 0, name, pointer(open)
	all.Store(v.address(), v)
	if rc := lib.Xsqlite3_vfs_register(v.tls, v.address(), 0); rc != lib.SQLITE_OK {
		all.Delete(v.address())
		return nil, fmt.Errorf("walvfs: SQLite refuses the VFS: %d", rc)
	}
	return v, nil
}

func (v *VFS) address() uintptr { return uintptr(unsafe.Pointer(v.shim)) }

// Name is what a data source name calls the VFS.
func (v *VFS) Name() string { return v.name }

// Close takes the VFS from SQLite. The connection must be closed.
func (v *VFS) Close() {
	lib.Xsqlite3_vfs_unregister(v.tls, v.address())
	all.Delete(v.address())
	libc.Xfree(v.tls, v.shim.FzName)
	v.tls.Close()
}

// Forget drops what waits to be written. It is called when the connection's transaction was rolled back.
func (v *VFS) Forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.log != nil {
		v.log.bytes, v.log.failed = v.log.bytes[:0], false
	}
}

// at is the value at an address of C memory, or of a variable that never moves.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// pointer is a Go function as SQLite calls it.
func pointer[T any](f T) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// function is the Go function behind a pointer of SQLite's.
func function[T any](p uintptr) T {
	return *(*T)(unsafe.Pointer(&p))
}

type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
	readFunc     = func(tls *libc.TLS, file, to uintptr, n int32, off int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
	sizeFunc     = func(tls *libc.TLS, file, size uintptr) int32
)

// open opens a file with the VFS beneath. If it is a log, its calls are ours.
func open(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	found, _ := all.Load(vfs)
	v := found.(*VFS)
	rc := function[openFunc](v.beneath.FxOpen)(tls, uintptr(unsafe.Pointer(v.beneath)), name, file, flags, out)
	if rc != lib.SQLITE_OK || flags&lib.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	f := at[lib.Tsqlite3_file](file)
	set.Do(func() {
		unixCalls = at[lib.Tsqlite3_io_methods](f.FpMethods)
		logCalls = *unixCalls
		logCalls.FxClose, logCalls.FxRead, logCalls.FxWrite = pointer(closeLog), pointer(read), pointer(write)
		logCalls.FxTruncate, logCalls.FxSync, logCalls.FxFileSize = pointer(truncate), pointer(syncLog), pointer(size)
	})
	v.mu.Lock()
	v.log = &log{v: v}
	logs.Store(file, v.log)
	v.mu.Unlock()
	f.FpMethods = uintptr(unsafe.Pointer(&logCalls))
	return rc
}

func of(file uintptr) *log {
	l, _ := logs.Load(file)
	return l.(*log)
}

// write keeps what continues the bytes that wait, and writes those first otherwise.
func write(_ *libc.TLS, file, from uintptr, n int32, off int64) int32 {
	l := of(file)
	l.v.mu.Lock()
	defer l.v.mu.Unlock()
	if l.failed {
		return lib.SQLITE_IOERR_WRITE
	}
	if len(l.bytes) > 0 && (off != l.at+int64(len(l.bytes)) || len(l.bytes)+int(n) > most) {
		if rc := l.flush(file); rc != lib.SQLITE_OK {
			return rc
		}
	}
	if len(l.bytes) == 0 {
		l.at = off
	}
	l.bytes = append(l.bytes, unsafe.Slice(at[byte](from), n)...)
	return lib.SQLITE_OK
}

// flush writes what waits to the file. Callers hold v.mu.
func (l *log) flush(file uintptr) int32 {
	if l.failed {
		return lib.SQLITE_IOERR_WRITE
	}
	fd := int(at[lib.TunixFile](file).Fh)
	p, off := l.bytes, l.at
	if l.bytes = l.bytes[:0]; cap(p) > most/4 {
		l.bytes = nil // a large transaction leaves no large buffer
	}
	for len(p) > 0 {
		n, err := l.v.calls.Pwrite(fd, p, off)
		n = max(n, 0)
		p, off = p[n:], off+int64(n)
		switch {
		case err == nil && n > 0:
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
			l.failed = true
			return lib.SQLITE_FULL
		default:
			l.failed = true
			return lib.SQLITE_IOERR_WRITE
		}
	}
	return lib.SQLITE_OK
}

// flushed writes what waits, and calls do after it.
func flushed(file uintptr, do func() int32) int32 {
	l := of(file)
	l.v.mu.Lock()
	defer l.v.mu.Unlock()
	if rc := l.flush(file); rc != lib.SQLITE_OK {
		return rc
	}
	return do()
}

func read(tls *libc.TLS, file, to uintptr, n int32, off int64) int32 {
	return flushed(file, func() int32 { return function[readFunc](unixCalls.FxRead)(tls, file, to, n, off) })
}

func truncate(tls *libc.TLS, file uintptr, to int64) int32 {
	return flushed(file, func() int32 { return function[truncateFunc](unixCalls.FxTruncate)(tls, file, to) })
}

func size(tls *libc.TLS, file, to uintptr) int32 {
	return flushed(file, func() int32 { return function[sizeFunc](unixCalls.FxFileSize)(tls, file, to) })
}

// syncLog makes the log durable. The first sync of a new file also syncs its folder, which the VFS beneath
// does. fdatasync writes the size, too, if that has changed; it leaves out the time of the last change.
func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	return flushed(file, func() int32 {
		f := at[lib.TunixFile](file)
		if f.FctrlFlags&lib.UNIXFILE_DIRSYNC != 0 {
			return function[syncFunc](unixCalls.FxSync)(tls, file, flags)
		}
		for {
			switch err := of(file).v.calls.Fdatasync(int(f.Fh)); {
			case err == nil:
				return lib.SQLITE_OK
			case !errors.Is(err, unix.EINTR):
				return lib.SQLITE_IOERR_FSYNC
			}
		}
	})
}

// closeLog closes a log. What still waits belongs to no committed transaction.
func closeLog(tls *libc.TLS, file uintptr) int32 {
	logs.Delete(file)
	return function[closeFunc](unixCalls.FxClose)(tls, file)
}
