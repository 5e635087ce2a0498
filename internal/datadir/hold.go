package datadir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// holdFile is locked while a backup copies stored files, and for moments while the sweep removes some. The kernel
// releases the lock when its process ends, however it ends.
const holdFile = "backup.lock"

// ErrHeld means that a backup holds the stored files.
var ErrHeld = errors.New("a backup holds the stored files")

// Hold keeps stored files from being removed from a data folder, until release is called. It returns ErrHeld if
// somebody else holds them.
func Hold(dir string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, holdFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := sameOwner(f, dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrHeld
		}
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// sameOwner gives a file that root made to the owner of its folder: the server's user must be able to open it.
func sameOwner(f *os.File, dir string) error {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// Waits of WaitHold: the sweep holds stored files for moments only.
const (
	holdWait = 30 * time.Second
	holdLook = 100 * time.Millisecond
)

// WaitHold is Hold that waits for the sweep. It fails as Conflict if another backup holds the files for longer.
func WaitHold(ctx context.Context, dir string) (release func(), err error) {
	for end := time.Now().Add(holdWait); ; {
		release, err = Hold(dir)
		if !errors.Is(err, ErrHeld) {
			return release, err
		}
		if time.Now().After(end) {
			return nil, fault.E("datadir.WaitHold", fault.Conflict, "Another backup of %s is under way.", dir).
				WithHint("wait until it has ended")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(holdLook):
		}
	}
}
