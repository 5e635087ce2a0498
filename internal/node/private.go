package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// others are the permissions of everybody but the owner.
const others = 0o077

// Umask keeps what this process writes to its own user, from now on: SQLite and
// other libraries make files, too. It is the whole process's.
func Umask() { unix.Umask(others) }

// keepPrivate takes the rights of others from the data folder and from what lies
// in it, since the database has secrets. It fails if the folder cannot be closed.
// Folders that somebody else looks after stay as they are: blobs (its files are
// private one by one) and the folder that programs publish from.
func (n *Node) keepPrivate() error {
	top := n.cfg.Data
	info, err := os.Stat(top)
	if err != nil {
		return err
	}
	if info.Mode()&others != 0 {
		if err := os.Chmod(top, info.Mode().Perm()&^others); err != nil {
			return exchange.E("node.keepPrivate", exchange.Denied, "The data folder %s can be entered by others on this machine (%s), and that cannot be changed: %v.",
				top, info.Mode(), errors.Unwrap(err)).WithHint("give it to the server's user (chown -R USER %s; chmod 700 %s), or name a folder within it with --data", top, top)
		}
		n.log.Warn("others on this machine could enter the data folder; it is closed now, but somebody may have read secrets: rotate those of webhooks",
			"data", top, "was", info.Mode())
	}
	return filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil: // it is not ours, as lost+found, or has vanished
			n.log.Debug("a part of the data folder is not looked at", "path", path, "err", err)
			return nil
		case path == top, e.Type()&fs.ModeSymlink != 0:
			return nil
		case e.IsDir() && (path == filepath.Join(top, "blobs") || path == filepath.Clean(n.cfg.FolderDir())):
			return fs.SkipDir
		}
		n.closeToOthers(path, e)
		return nil
	})
}

// closeToOthers takes the rights of others from one file or folder, if it is ours:
// nobody else comes so far. Public keys have nothing to hide.
func (n *Node) closeToOthers(path string, e fs.DirEntry) {
	info, err := e.Info()
	if err != nil || info.Mode()&others == 0 || strings.HasSuffix(path, ".pub") {
		return
	}
	if err := os.Chmod(path, info.Mode().Perm()&^others); err != nil {
		n.log.Warn("a file of the data folder is another user's, and stays as it is", "path", path, "err", err)
	}
}
