package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// others are the permissions of group and others.
const others = 0o077

// Umask makes files that this process creates from now on accessible to its own user only. It is
// for the whole process, because SQLite and other libraries create files, too.
func Umask() { unix.Umask(others) }

// world is the permissions of others, without the group's.
const world = 0o007

// makePrivate removes the permissions of group and others from the data folder, and from what the
// server keeps in it, because the database has secrets. It fails if others can enter the folder and
// that cannot be changed. If only a group can (such as Kubernetes' fsGroup), it logs a warning.
func (d *Dir) makePrivate() error {
	top := d.Path
	info, err := os.Stat(top)
	if err != nil {
		return err
	}
	if info.Mode()&others != 0 {
		if err := d.closeTop(info); err != nil {
			return err
		}
	}
	for _, name := range []string{"sallyport.db", "sallyport.db-wal", "sallyport.db-shm", "hostkeys", "signing", "node",
		"lock", "secrets.key"} {
		d.closeToOthers(filepath.Join(top, name), true)
	}
	return nil
}

// closeTop removes the permissions of group and others from the data folder itself.
func (d *Dir) closeTop(was fs.FileInfo) error {
	top := d.Path
	err := os.Chmod(top, was.Mode().Perm()&^others)
	if now, statErr := os.Stat(top); err == nil && statErr == nil && now.Mode()&others != 0 {
		err = &fs.PathError{Op: "chmod", Path: top, Err: errors.New("the file system keeps its own modes")}
	}
	switch {
	case err == nil:
		d.log.Warn("others on this machine could enter the data folder; it is closed now, but somebody may have read "+
			"secrets: rotate those of webhooks. Programs of other users publish from a folder outside of it (folder.dir)",
			"data", top, "was", was.Mode())
		return nil
	case was.Mode()&world == 0:
		d.log.Warn("a group may enter the data folder, and that cannot be changed", "data", top, "mode", was.Mode(), "err",
			errors.Unwrap(err))
		return nil
	}
	return fault.E("datadir.makePrivate", fault.Denied,
		"The data folder %s can be entered by others on this machine (%s), and that cannot be changed: %v.", top, was.Mode(),
		errors.Unwrap(err)).
		WithHint("give it to the server's user (chown -R USER %s; chmod 700 %s); or move its contents to a folder of that "+
			"user's, and name that with --data", top, top)
}

// closeToOthers removes the permissions of group and others from a file or folder of ours and, if
// deep, from what is in the folder. It does not follow links, and leaves public keys (.pub) as they
// are.
func (d *Dir) closeToOthers(path string, deep bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return // it does not exist, is a link, or belongs to another user
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if info.Mode()&others != 0 && ok && int(owner.Uid) == os.Geteuid() && !strings.HasSuffix(path, ".pub") {
		if err := f.Chmod(info.Mode().Perm() &^ others); err != nil {
			d.log.Warn("a file of the data folder stays open to others", "path", path, "err", err)
		}
	}
	if !info.IsDir() || !deep {
		return
	}
	names, _ := f.Readdirnames(1000)
	for _, name := range names {
		d.closeToOthers(filepath.Join(path, name), false)
	}
}
