package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A stage's note is an extended attribute of its file, so that both become durable together. If the
// file system has no attributes (tmpfs before Linux 6.6) or the note does not fit, it is a file beside
// the stage.
const (
	noteAttr = "user.sallyport.note"
	maxNote  = 4 << 10
)

// writeNote sets the stage's note. An attribute becomes durable with the file's next sync; a note file
// is durable when writeNote returns.
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
		return err // a note must not describe bytes that are not durable
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

// removeNote deletes a stage's note file. If a crash prevents that, Leftovers removes the file, since
// its stage is gone.
func (s *Store) removeNote(id string) error {
	err := s.sys.Remove(s.stagePath(id) + noteTail)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readNote reads a stage's note; nil if it has none.
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
