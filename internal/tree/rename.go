package tree

import (
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Rename moves a file or directory. replace lets a file take the place of
// another; without it a taken name fails.
func (s *Session) Rename(from, to string, replace bool) error {
	const op = "tree.Rename"
	src, err := s.still(from)
	if err != nil {
		return err
	}
	dst, err := s.still(to)
	if err != nil {
		return err
	}
	if _, err := s.statPlace(src); err != nil {
		return err
	}
	if err := s.mayMove(src, exchange.Rename); err != nil { // it takes one off the budget
		return err
	}
	if err := dst.allow(dst.rights, exchange.Rename); err != nil {
		return err
	}
	if err := exchange.CheckName(dst.name); err != nil {
		return err
	}
	if src.path == dst.path && replace {
		return nil
	}
	_, err = s.statPlace(dst)
	if err != nil && !exchange.Is(err, exchange.NotFound) {
		return err // there is something, and it can't be looked at
	}
	taken := err == nil
	if taken && (!replace || src.self != nil || dst.self != nil) {
		return exchange.E(op, exchange.Exists, "The new name is already taken.")
	}
	if src.self != nil {
		return s.renameDir(src, dst)
	}
	return s.renameFile(src, dst, replace)
}

// renameDir gives a directory row another parent and name. Nothing below it
// is touched.
func (s *Session) renameDir(src, dst place) error {
	return s.change("dir.rename", src.path, func(tx *store.Tx, row *exchange.AuditRow) error {
		row.Detail["to"] = dst.path
		if _, err := tx.LockMailbox(s.login.User.ID); err != nil {
			return err
		}
		dst, err := s.resolve(&tx.Q, dst.path) // again: another session may have moved things
		if err != nil {
			return err
		}
		if dst.path == src.path || strings.HasPrefix(dst.path, src.path+"/") {
			return exchange.E("tree.Rename", exchange.Invalid, "A directory cannot be moved into itself.")
		}
		above, err := tx.Walk(s.login.User.ID, store.SplitPath(path.Dir(dst.path)))
		if err != nil {
			return err
		}
		for _, d := range above {
			if d.ID == src.self.ID {
				return exchange.E("tree.Rename", exchange.Conflict, "The directory was moved meanwhile.")
			}
		}
		if _, err := dst.file(&tx.Q); err == nil || dst.self != nil {
			return exchange.E("tree.Rename", exchange.Exists, "The new name is already taken.")
		}
		_, waited, err := tx.DirPath(src.self.ID)
		if err != nil {
			return err
		}
		if err := fitsDeep(tx, src, dst); err != nil {
			return err
		}
		if err := tx.MoveDir(src.self.ID, dst.parent.ID, dst.name, exchange.Micros(row.At)); err != nil {
			return err
		}
		full, waits, err := tx.DirPath(src.self.ID)
		if err != nil || !waited || waits {
			return err
		}
		left := receiveAtOnce
		return s.receiveBelow(tx, src.self.ID, full, row.At, &left)
	})
}

// heightLimit is how many directories a move looks at to know how deep they are.
const heightLimit = 2000

// fitsDeep fails if a directory would lie too deep at its new place, or something
// below it would. A move that is no deeper than before needs no look.
func fitsDeep(tx *store.Tx, src, dst place) error {
	from, to := strings.Count(src.path, "/"), strings.Count(dst.path, "/")
	if to <= from {
		return nil
	}
	height, all, err := tx.Height(src.self.ID, heightLimit)
	switch {
	case err != nil:
		return err
	case to+height > exchange.MaxDepth:
		return errDeep(to + height)
	case !all:
		return exchange.E("tree.Rename", exchange.Invalid, "There are more than %d directories below this one, too many to move deeper at once; move them one by one.", heightLimit)
	}
	return nil
}

const (
	// receivePage is how many names of a directory one query reads.
	receivePage = 500
	// receiveAtOnce is how many names may lie below a directory that leaves a staging
	// folder: all of them are received in one transaction.
	receiveAtOnce = 2000
)

// count takes n names off what a transaction may still look at.
func count(left *int, n int) error {
	if *left -= n; *left < 0 {
		return exchange.E("tree.Rename", exchange.Invalid, "There are more than %d files and directories below this one, too many to move out of here at once; move them in parts.", receiveAtOnce)
	}
	return nil
}

// receiveBelow makes drops of the files below a directory that has just left a
// staging folder. What lies in a staging folder of its own goes on waiting.
func (s *Session) receiveBelow(tx *store.Tx, dir, full string, now time.Time, left *int) error {
	if err := s.receiveFiles(tx, dir, full, now, left); err != nil {
		return err
	}
	for after := ""; ; {
		below, err := tx.Subdirs(dir, after, receivePage)
		if err == nil {
			err = count(left, len(below))
		}
		if err != nil {
			return err
		}
		for _, d := range below {
			after = d.Name
			if d.Staging {
				continue
			}
			if err := s.receiveBelow(tx, d.ID, path.Join(full, d.Name), now, left); err != nil {
				return err
			}
		}
		if len(below) < receivePage {
			return nil
		}
	}
}

func (s *Session) receiveFiles(tx *store.Tx, dir, full string, now time.Time, left *int) error {
	for after := ""; ; {
		files, err := tx.Files(dir, after, receivePage)
		if err == nil {
			err = count(left, len(files))
		}
		if err != nil {
			return err
		}
		for _, f := range files {
			after = f.Name
			if s.t.temporary(f.Name) {
				continue
			}
			if err := s.received(tx, f, path.Join(full, f.Name), now); err != nil {
				return err
			}
		}
		if len(files) < receivePage {
			return nil
		}
	}
}

// renameFile moves a file's row and images. Onto an existing name, the moved
// bytes become that file's newest version. A temporary name that becomes final
// is a drop from now on.
func (s *Session) renameFile(src, dst place, replace bool) error {
	err := s.change("file.rename", src.path, func(tx *store.Tx, row *exchange.AuditRow) error {
		row.Detail["to"] = dst.path
		if _, err := tx.LockMailbox(s.login.User.ID); err != nil {
			return err
		}
		f, err := src.file(&tx.Q)
		if err != nil {
			return err
		}
		old, err := dst.file(&tx.Q)
		switch {
		case err == nil && !replace:
			return exchange.E("tree.Rename", exchange.Exists, "The new name is already taken.")
		case err == nil:
			if err := s.replaceBy(tx, f, old, row.At); err != nil {
				return err
			}
		case !exchange.Is(err, exchange.NotFound):
			return err
		default:
			if err := tx.MoveFile(f, dst.parent.ID, dst.name); err != nil {
				return err
			}
		}
		return s.finalName(tx, src, dst, f, row.At)
	})
	uploadOnly := exchange.Is(err, exchange.NotFound)
	uploading := false
	if err == nil || uploadOnly {
		uploading = s.moveImages(src.key(), dst, uploadOnly)
	}
	if uploading && uploadOnly {
		return nil // it was an upload only; its commit will use the new name
	}
	return err
}

// adoptAtOnce is how many versions may move to another file in one transaction.
const adoptAtOnce = 500

// replaceBy makes f's bytes the newest version of the file old.
func (s *Session) replaceBy(tx *store.Tx, f, old store.File, now time.Time) error {
	older, err := tx.VersionIDs(f.FileID, "", adoptAtOnce+1)
	if err != nil {
		return err
	}
	if len(older) > adoptAtOnce {
		return exchange.E("tree.Rename", exchange.Conflict, "The file has more than %d older versions and cannot take the place of another; remove that one first.", adoptAtOnce)
	}
	if err := s.replaced(tx, old, now); err != nil {
		return err
	}
	if err := tx.RemoveFile(f.DirID, f.Name); err != nil {
		return err
	}
	if err := tx.AdoptVersions(f.FileID, old.FileID); err != nil {
		return err
	}
	moved := f
	moved.DirID, moved.Name, moved.FileID = old.DirID, old.Name, old.FileID
	if err := tx.PutFile(moved); err != nil {
		return err
	}
	return tx.Use(s.login.User.ID, -old.Size, -1, 0, 0)
}

// finalName makes a version a drop when its name has just become final.
func (s *Session) finalName(tx *store.Tx, src, dst place, f store.File, now time.Time) error {
	was := src.stage || s.t.temporary(src.name)
	if !was || dst.stage || s.t.temporary(dst.name) {
		return nil
	}
	return s.received(tx, f, dst.path, now)
}

// received makes a version a drop, unless it was one before.
func (s *Session) received(tx *store.Tx, f store.File, full string, now time.Time) error {
	if state, err := tx.DropState(f.VersionID); err != nil || state != "" {
		return err
	}
	c, err := tx.Content(f.VersionID)
	if err != nil {
		return err
	}
	return s.arrived(tx, full, c, now)
}

// moveImages rebinds the images of a name, so that open uploads and partials
// go where the name went; what was under the new name is discarded. Of an upload
// that had nothing stored under its name, it was asked for that it replaces what
// the new name shows.
func (s *Session) moveImages(from nameKey, dst place, uploadOnly bool) (any bool) {
	to, over := dst.key(), ""
	if dst.stored != nil {
		over = dst.stored.VersionID
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	for _, img := range append([]*image(nil), s.box.images[to]...) {
		if img.state == open {
			img.discard()
		}
	}
	for _, img := range append([]*image(nil), s.box.images[from]...) {
		if img.state == open {
			any = any || img.dirty
			s.box.remove(img)
			img.key = to
			if uploadOnly {
				img.over = over
			}
			s.box.add(img)
		}
	}
	return any
}
