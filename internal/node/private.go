package node

import (
	"errors"
	"fmt"
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
// in it, since the database has secrets. It fails if that cannot be done.
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
				top, info.Mode(), errors.Unwrap(err)).WithHint("give it to the server's user: chown -R USER %s; chmod 700 %s", top, top)
		}
		n.log.Warn("others on this machine could enter the data folder; it is closed now, but somebody may have read secrets: rotate those of webhooks",
			"data", top, "was", info.Mode())
	}
	return filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == top, e.Type()&fs.ModeSymlink != 0:
			return nil
		case e.IsDir() && (path == filepath.Join(top, "blobs") || path == filepath.Clean(n.cfg.FolderDir())):
			return fs.SkipDir
		}
		return closeToOthers(path, e)
	})
}

// closeToOthers takes the rights of others from one file or folder. Public keys
// have nothing to hide, and what vanishes meanwhile has not either.
func closeToOthers(path string, e fs.DirEntry) error {
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) || err == nil && (info.Mode()&others == 0 || strings.HasSuffix(path, ".pub")) {
		return nil
	}
	if err == nil {
		err = os.Chmod(path, info.Mode().Perm()&^others)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a file of the data folder cannot be closed to others: %w", err)
	}
	return nil
}
