package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A stage's note is an extended attribute of its file, so that both become
// durable together. Where the file system has none (tmpfs before Linux 6.6),
// it is a file beside the stage.
const (
	noteAttr = "user.sallyport.note"
	maxNote  = 4 << 10
)

// writeNote gives the file its note. It is durable once the file is synced, or
// at once where it lies beside.
func (g *stage) writeNote(note []byte) error {
	g.noted = true
	if !g.beside && len(note) <= maxNote {
		err := g.file.SetAttr(noteAttr, note)
		if !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.E2BIG) {
			g.generation.Add(1) // the note is a change, too
			return err
		}
	}
	g.beside = true
	if err := g.datasync(); err != nil {
		return err // a note must never speak of bytes that are not there
	}
	tmp := g.store.stagePath(g.id) + noteTail + ".new"
	if err := g.store.writeFile(tmp, note); err != nil {
		return err
	}
	if err := g.store.sys.Rename(tmp, g.store.stagePath(g.id)+noteTail); err != nil {
		return err
	}
	return g.store.staging.sync()
}

// writeFile makes a small file with durable content; its name is not synced.
func (s *Store) writeFile(path string, content []byte) error {
	f, err := s.sys.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	return errors.Join(err, f.Sync(), f.Close())
}

// removeNote forgets a note beside the stage. One that stays, because a crash
// came first, has no stage and is cleared by Leftovers.
func (s *Store) removeNote(id string) error {
	err := s.sys.Remove(s.stagePath(id) + noteTail)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
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
