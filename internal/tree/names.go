package tree

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Mkdir makes a directory.
func (s *Session) Mkdir(dir string) error {
	const op = "tree.Mkdir"
	p, err := s.locate(dir)
	if err != nil {
		return err
	}
	if _, err := s.statPlace(s.query(), p); err == nil {
		return exchange.E(op, exchange.Exists, "The name is already taken.")
	}
	if err := s.mayName(p, exchange.Mkdir); err != nil {
		return err
	}
	return s.change("dir.make", p.path, func(tx *store.Tx, row *exchange.AuditRow) error {
		if _, err := tx.LockMailbox(s.login.User.ID); err != nil {
			return err
		}
		p, err := s.resolve(&tx.Q, p.path)
		if err != nil {
			return err
		}
		if _, err := p.file(&tx.Q); err == nil || p.self != nil {
			return exchange.E(op, exchange.Exists, "The name is already taken.")
		}
		return tx.AddDir(store.Dir{ID: s.t.ids.New(), User: s.login.User.ID, Parent: p.parent.ID, Name: p.name,
			Mtime: exchange.Micros(row.At)})
	})
}

// mayName checks a right in the parent directory, the name, and the node.
func (s *Session) mayName(p place, need exchange.Rights) error {
	if err := p.allow(p.rights, need); err != nil {
		return err
	}
	if err := exchange.CheckName(p.name); err != nil {
		return err
	}
	return s.mayChange()
}

// Rmdir removes an empty directory. Uploads under way and partials count.
func (s *Session) Rmdir(dir string) error {
	const op = "tree.Rmdir"
	p, err := s.locate(dir)
	if err != nil {
		return err
	}
	if p.self == nil {
		if _, err := s.statPlace(s.query(), p); err != nil {
			return err
		}
		return exchange.E(op, exchange.Denied, "That is not a directory.")
	}
	if err := s.mayMove(p, exchange.Delete); err != nil {
		return err
	}
	if s.box.hasImages(p.self.ID) {
		return exchange.E(op, exchange.Exists, "The directory is not empty: it has an unfinished upload.")
	}
	return s.change("dir.remove", p.path, func(tx *store.Tx, _ *exchange.AuditRow) error {
		if _, err := tx.LockMailbox(s.login.User.ID); err != nil {
			return err
		}
		empty, err := tx.DirEmpty(p.self.ID)
		if err != nil {
			return err
		}
		if !empty {
			return exchange.E(op, exchange.Exists, "The directory is not empty.")
		}
		return tx.RemoveDir(p.self.ID)
	})
}

// mayMove is mayName for something that exists: a directory that the operator
// made stays where it is.
func (s *Session) mayMove(p place, need exchange.Rights) error {
	if p.self != nil && (p.self.Fixed && s.login.Operator == "" || p.self.Parent == "") {
		return exchange.E("tree.mayMove", exchange.Denied, "This directory belongs to the server and stays where it is.")
	}
	return s.mayName(p, need)
}

// Remove takes a file's name away. What it was to the operator stays.
func (s *Session) Remove(file string) error {
	p, err := s.locate(file)
	if err != nil {
		return err
	}
	if p.self != nil {
		return exchange.E("tree.Remove", exchange.Denied, "That is a directory.")
	}
	if err := s.quiesce(p.key()); err != nil {
		return err
	}
	if _, err := s.statPlace(s.query(), p); err != nil {
		return err
	}
	if err := s.mayName(p, exchange.Delete); err != nil {
		return err
	}
	err = s.change("file.remove", p.path, func(tx *store.Tx, row *exchange.AuditRow) error {
		if _, err := tx.LockMailbox(s.login.User.ID); err != nil {
			return err
		}
		return s.removeRow(tx, p, row.At)
	})
	uploading := s.dropImages(p.key())
	if uploading && exchange.Is(err, exchange.NotFound) {
		return nil // it was an upload only
	}
	return err
}

// removeRow takes a stored file's name away and drops versions nobody needs.
func (s *Session) removeRow(tx *store.Tx, p place, now time.Time) error {
	f, err := p.file(&tx.Q)
	if err != nil {
		return err
	}
	if err := tx.RemoveFile(f.DirID, f.Name); err != nil {
		return err
	}
	versions, err := tx.Versions(f)
	if err != nil {
		return err
	}
	for _, v := range versions {
		held, err := s.gone(tx, v.ID, false)
		if err != nil {
			return err
		}
		if !held {
			if err := tx.DropVersion(v.ID, exchange.Micros(now)); err != nil {
				return err
			}
		}
	}
	return tx.Use(s.login.User.ID, -f.Size, -1, 0, 0)
}

// dropImages discards every image of a name; handles on them fail from now on.
func (s *Session) dropImages(k nameKey) (any bool) {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	for _, img := range append([]*image(nil), s.box.images[k]...) {
		if img.state == open {
			any = any || img.dirty
			img.discard()
		}
	}
	return any
}

// Rename moves a file or directory. replace lets a file take the place of
// another; without it a taken name fails.
func (s *Session) Rename(from, to string, replace bool) error {
	const op = "tree.Rename"
	src, err := s.locate(from)
	if err != nil {
		return err
	}
	dst, err := s.locate(to)
	if err != nil {
		return err
	}
	if err := s.quiesce(src.key()); err != nil {
		return err
	}
	if err := s.quiesce(dst.key()); err != nil {
		return err
	}
	if _, err := s.statPlace(s.query(), src); err != nil {
		return err
	}
	if err := s.mayMove(src, exchange.Rename); err != nil {
		return err
	}
	if err := s.mayName(dst, exchange.Rename); err != nil {
		return err
	}
	if src.path == dst.path {
		return nil
	}
	_, err = s.statPlace(s.query(), dst)
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
		return tx.MoveDir(src.self.ID, dst.parent.ID, dst.name, exchange.Micros(row.At))
	})
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
	uploading := s.moveImages(src.key(), dst.key(), err == nil || exchange.Is(err, exchange.NotFound))
	if uploading && exchange.Is(err, exchange.NotFound) {
		return nil // it was an upload only; its commit will use the new name
	}
	return err
}

// replaceBy makes f's bytes the newest version of the file old.
func (s *Session) replaceBy(tx *store.Tx, f, old store.File, now time.Time) error {
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
	if state, err := tx.DropState(f.VersionID); err != nil || state != "" {
		return err // it was a drop before: a version becomes one once
	}
	c, err := tx.Content(f.VersionID)
	if err != nil {
		return err
	}
	return s.arrived(tx, dst.path, c, now)
}

// moveImages rebinds the images of a name, so that open uploads and partials
// go where the name went; what was under the new name is discarded.
func (s *Session) moveImages(from, to nameKey, really bool) (any bool) {
	if !really {
		return false
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
			s.box.add(img)
		}
	}
	return any
}

// Setstat changes a path's size, time or mode.
func (s *Session) Setstat(file string, c exchange.Change) error {
	if c.Size != nil {
		if err := s.truncatePath(file, *c.Size); err != nil {
			return err
		}
	}
	if c.Mtime == nil && c.Mode == nil {
		return nil
	}
	return s.setTimes(file, c.Mtime, c.Mode)
}

// truncatePath sets a file's size by name: as OPEN, truncate and CLOSE would.
// A partial stays one.
func (s *Session) truncatePath(file string, size int64) error {
	p, err := s.locate(file)
	if err != nil {
		return err
	}
	if err := s.mayWrite(p); err != nil {
		return err
	}
	info, err := s.statPlace(s.query(), p)
	if err != nil || info.Size == size && !info.Dir {
		return err
	}
	h, err := s.Open(file, exchange.FlagWrite, 0)
	if err != nil {
		return err
	}
	partial := h.img.dirty
	outcome := make(chan error, 1)
	h.Truncate(size, func(err error) { outcome <- err })
	err = <-outcome
	if err != nil || partial {
		s.spread(h)
		h.changed = false
	}
	h.Close(func(closeErr error) { outcome <- closeErr })
	if closeErr := <-outcome; err == nil {
		err = closeErr
	}
	return err
}

// spread gives a change made by name to the session's other handles on the
// image, so that their CLOSE commits it.
func (s *Session) spread(h *Handle) {
	for other := range s.handles {
		if other.img == h.img && other.epoch == h.epoch {
			other.changed = other.changed || h.changed
		}
	}
}

// setTimes changes what a name shows as its time and mode.
func (s *Session) setTimes(file string, mtime *time.Time, mode *uint32) error {
	p, err := s.locate(file)
	if err != nil {
		return err
	}
	if p.self != nil { // directories keep their own times
		return p.allow(p.inside, exchange.Write)
	}
	if err := s.mayWrite(p); err != nil {
		return err
	}
	if err := s.quiesce(p.key()); err != nil {
		return err
	}
	s.box.mu.Lock()
	img := s.box.newest(p.key(), s)
	s.box.mu.Unlock()
	if img != nil {
		img.mu.Lock()
		defer img.mu.Unlock()
		if mtime != nil {
			img.mtime = mtime
		}
		if mode != nil {
			img.mode = *mode & 0o777
		}
		return nil
	}
	return s.t.store.Write(context.Background(), func(tx *store.Tx) error {
		if err := s.checkLogin(tx); err != nil {
			return err
		}
		f, err := p.file(&tx.Q)
		if err != nil {
			return err
		}
		if mtime != nil {
			f.Mtime = exchange.Micros(*mtime)
		}
		if mode != nil {
			f.Mode = *mode & 0o777
		}
		return tx.SetFileTimes(f.DirID, f.Name, f.Mtime, f.Mode)
	})
}
