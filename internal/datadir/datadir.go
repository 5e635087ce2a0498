// Package datadir is a server's data folder: claimed by one process, closed to other users, and written durably.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Dir is a data folder that this process has claimed.
type Dir struct {
	Path string
	log  *slog.Logger
	lock *os.File
}

// Claim makes the folder, locks it, and closes it to other users. It fails with fault.Conflict if
// another process has the lock.
func Claim(path string, log *slog.Logger) (*Dir, error) {
	const op = "datadir.Claim"
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fault.E(op, fault.Invalid, "The data folder cannot be made: %v.", fault.InWords(err))
	}
	f, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.E(op, fault.Invalid, "The data folder cannot be used: %v.", fault.InWords(err))
	}
	d := &Dir{Path: path, log: log, lock: f}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		d.Close()
		return nil, fault.E(op, fault.Conflict, "Another sallyport is using the data folder %s.", path).
			WithHint("stop it first, or choose another folder with --data")
	}
	if err := d.makePrivate(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close releases the lock.
func (d *Dir) Close() { _ = d.lock.Close() }

// LockIdentity identifies the lock on the folder: the lock file, on the running kernel. Two
// processes cannot hold the same lock at once. So a process that holds it, and finds the same
// identity in a lease, knows that the lease's holder is dead. A copy of the folder, or the folder
// on another machine, has another identity. "" means that it is not known.
func (d *Dir) LockIdentity() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(d.lock.Fd()), &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", strings.TrimSpace(string(boot)), st.Dev, st.Ino)
}

// NodeName identifies this process to others that share the database. It consists of the machine's
// name and an id that is kept in the folder.
func (d *Dir) NodeName(ids *exchange.IDs) string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	path := filepath.Join(d.Path, "node")
	id, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		id = []byte(ids.New())
		_ = os.WriteFile(path, id, 0o600) // if it cannot be written, the next start makes another
	}
	return valid.Printable(host) + "/" + strings.TrimSpace(string(id))
}
