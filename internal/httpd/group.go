package httpd

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// ListenForGroup listens on a Unix socket that the members of a group of the machine may connect to,
// besides root and the server's own user. The kernel holds others off: the socket has mode 0660. Its
// folder is made if it is missing. It and the folders above it must belong to root or to the server's own
// user, and must not be writable for others, who could put a socket of their own there.
func ListenForGroup(path, group string) (net.Listener, error) {
	const op = "httpd.ListenForGroup"
	bad := func(format string, args ...any) *fault.Error { return fault.E(op, fault.Invalid, format, args...) }
	g, err := user.LookupGroup(group)
	if err != nil {
		return nil, bad("socket.group: this machine has no group %q.", group).WithHint("make it with: groupadd %s", group)
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return nil, fault.Wrap(op, fault.Internal, err)
	}
	if err := openFolder(filepath.Dir(path), gid); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, bad("socket.path: %s cannot be listened on: %s.", path, fault.InWords(err))
	}
	// The process's umask lets nobody else in until the group is set.
	if err := errors.Join(os.Chmod(path, 0o600), os.Chown(path, -1, gid), os.Chmod(path, 0o660)); err != nil {
		_ = l.Close()
		return nil, bad("socket.group: the socket cannot be given to the group: %s.", fault.InWords(err)).
			WithHint("the server's user must be a member of %s", group)
	}
	return l, nil
}

// openFolder makes the socket's folder, if it is missing, and lets the group into it.
func openFolder(dir string, gid int) error {
	const op = "httpd.ListenForGroup"
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.Join(os.MkdirAll(dir, 0o750), os.Chown(dir, -1, gid), os.Chmod(dir, 0o750))
		if err != nil {
			return fault.E(op, fault.Invalid, "socket.path: the folder cannot be made: %s.", fault.InWords(err)).
				WithHint("make %s, owned by the server's user, before the start", dir)
		}
		return notOthers(dir)
	}
	switch {
	case err != nil:
		return fault.E(op, fault.Invalid, "socket.path: the folder cannot be used: %s.", fault.InWords(err))
	case !info.IsDir():
		return fault.E(op, fault.Invalid, "socket.path: %s is not a folder.", dir)
	}
	return notOthers(dir)
}

// notOthers refuses a folder in which, or above which, others than root and the server's own user could put
// another thing in place of what is there.
func notOthers(dir string) error {
	const op = "httpd.ListenForGroup"
	at, err := filepath.EvalSymlinks(dir)
	for first := true; err == nil; first = false {
		var info fs.FileInfo
		if info, err = os.Stat(at); err != nil {
			break
		}
		s, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok || s.Uid != 0 && int(s.Uid) != os.Geteuid():
			return fault.E(op, fault.Invalid, "socket.path: %s belongs to another user, who could replace the socket.", at).
				WithHint("chown it to root or to the server's user, or name another folder")
		case info.Mode().Perm()&0o022 != 0 && (first || info.Mode()&fs.ModeSticky == 0): // sticky: as /tmp is
			return fault.E(op, fault.Invalid, "socket.path: others may write in %s, and could replace the socket.", at).
				WithHint("chmod go-w %s, or name another folder", at)
		case at == filepath.Dir(at):
			return nil
		}
		at = filepath.Dir(at)
	}
	return fault.E(op, fault.Invalid, "socket.path: the folder cannot be used: %s.", fault.InWords(err))
}

// removeStale removes the socket of a server that ended. It refuses to remove anything else.
func removeStale(path string) error {
	const op = "httpd.ListenForGroup"
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		return fault.E(op, fault.Invalid, "socket.path: %s exists, and is not a socket.", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return fault.E(op, fault.Conflict, "socket.path: another server listens on %s.", path).
			WithHint("name another path in socket.path")
	}
	if err := os.Remove(path); err != nil {
		return fault.E(op, fault.Invalid, "socket.path: the old socket cannot be removed: %s.", fault.InWords(err))
	}
	return nil
}
