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

// others are the permissions of everybody but the owner.
const others = 0o077

// Umask keeps what this process writes to its own user, from now on: SQLite and
// other libraries make files, too. It is the whole process's.
func Umask() { unix.Umask(others) }

// Rights of everybody, beside those of the folder's group.
const world = 0o007

// makePrivate takes the rights of others from the data folder, and from what the
// server itself keeps in it, since the database has secrets. It fails if everybody can
// enter the folder and that cannot be changed. A group that a volume gives rights to
// (Kubernetes' fsGroup), in a folder that is not ours, is only warned of.
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

// closeTop takes the rights of others from the data folder itself.
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

// closeToOthers takes the rights of others from a file or folder of ours, and from what
// is in the folder. Links are not followed; public keys have nothing to hide.
func (d *Dir) closeToOthers(path string, deep bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return // it is not there yet, or is a link or not ours
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
