package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A stage's note is an extended attribute of its file, so that both become
// durable together. Where the file system has none (tmpfs before Linux 6.6),
// it is a file beside the stage.
const (
	noteAttr = "user.sallyport.note"
	maxNote  = 4 << 10
)

func (g *stage) writeNote(note []byte) error {
	if !g.beside && len(note) <= maxNote {
		err := unix.Fsetxattr(int(g.file.Fd()), noteAttr, note, 0)
		if !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.E2BIG) {
			return err
		}
	}
	g.beside = true
	if err := g.datasync(); err != nil {
		return err // a note must never speak of bytes that are not there
	}
	tmp := g.store.stagePath(g.id) + noteTail + ".new"
	err := os.WriteFile(tmp, note, 0o600)
	if err == nil {
		err = syncPath(tmp)
	}
	if err == nil {
		err = os.Rename(tmp, g.store.stagePath(g.id)+noteTail)
	}
	if err == nil {
		err = syncDir(filepath.Dir(g.path))
	}
	return err
}

// removeNote forgets a note beside the stage. One that stays, because a crash
// came first, has no stage and is cleared by Leftovers.
func (g *stage) removeNote() {
	if g.beside {
		_ = os.Remove(g.store.stagePath(g.id) + noteTail)
	}
}

// readNote finds a stage's note; nil when it has none.
func readNote(path string) ([]byte, error) {
	buf := make([]byte, maxNote)
	if n, err := unix.Getxattr(path, noteAttr, buf); err == nil {
		return buf[:n], nil
	}
	note, err := os.ReadFile(path + noteTail)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return note, err
}
