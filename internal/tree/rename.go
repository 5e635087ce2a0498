package tree

import (
	"path"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Rename moves a file or directory. With replace, a file may replace another file.
// Without it, a taken name is an error.
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
	if err := s.mayMove(src, exchange.Rename); err != nil { // this spends a change of the budget
		return err
	}
	if err := dst.allow(dst.rights, exchange.Rename); err != nil {
		return err
	}
	if err := valid.CheckName(dst.name); err != nil {
		return err
	}
	if src.path == dst.path && replace {
		return nil
	}
	_, err = s.statPlace(dst)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err // the target could not be checked
	}
	taken := err == nil
	if taken && (!replace || src.self != nil || dst.self != nil) {
		return fault.E(op, fault.Exists, "The new name is already taken.")
	}
	// Renaming a file to a free name within its folder needs no write right there. All else does.
	if dst.parent.ID != src.parent.ID || taken || src.self != nil {
		if err := dst.allow(dst.rights, exchange.Write); err != nil {
			return err
		}
	}
	if src.self != nil {
		return s.renameDir(src, dst)
	}
	return s.renameFile(src, dst, replace)
}

// renameDir gives a directory's row another parent and name. The effects on the files
// below it are in walk.go.
func (s *Session) renameDir(src, dst place) error {
	_, err := changedOwing(s, "dir.rename", src.path,
		func(tx *store.Tx, row *model.AuditRow) (none struct{}, owed bool, err error) {
			row.Detail["to"] = dst.path
			rows, err := mailbox.Lock(tx, s.login.User.ID)
			if err != nil {
				return none, false, err
			}
			dst, err := s.resolve(&tx.Q, dst.path) // again: another session may have moved things
			if err != nil {
				return none, false, err
			}
			if err := s.mayMoveDir(tx, src, dst); err != nil {
				return none, false, err
			}
			_, waited, err := tx.DirPath(src.self.ID)
			if err != nil {
				return none, false, err
			}
			if err := rows.MoveDir(src.self.ID, dst.parent.ID, dst.name, row.At); err != nil {
				return none, false, err
			}
			owed, err = s.owe(tx, src, dst, waited, row.At)
			return none, owed, err
		})
	if err != nil {
		return err
	}
	// The owed effects are in the database, so they are completed even if this fails.
	if err := s.finishWalks(); err != nil {
		s.t.log.Warn("files below a renamed directory are received later", "user", s.login.User.Name, "path",
			valid.Printable(dst.path), "err", err)
	}
	return nil
}

// mayMoveDir fails if a directory cannot be moved to dst.
func (s *Session) mayMoveDir(tx *store.Tx, src, dst place) error {
	if dst.path == src.path || strings.HasPrefix(dst.path, src.path+"/") {
		return fault.E("tree.Rename", fault.Invalid, "A directory cannot be moved into itself.")
	}
	above, err := tx.Walk(s.login.User.ID, store.SplitPath(path.Dir(dst.path)))
	if err != nil {
		return err
	}
	for _, d := range above {
		if d.ID == src.self.ID {
			return fault.E("tree.Rename", fault.Conflict, "The directory was moved meanwhile.")
		}
	}
	if dst.stored != nil || dst.self != nil {
		return fault.E("tree.Rename", fault.Exists, "The new name is already taken.")
	}
	return fitsDeep(tx, src, dst)
}

// heightLimit is how many directories below a moved one are looked at to find their depth.
const heightLimit = 2000

// fitsDeep fails if a directory, or one below it, would be nested too deep at its new
// place. A move to the same or a smaller depth is always allowed.
func fitsDeep(tx *store.Tx, src, dst place) error {
	from, to := strings.Count(src.path, "/"), strings.Count(dst.path, "/")
	if to <= from {
		return nil
	}
	height, all, err := tx.Height(src.self.ID, heightLimit)
	switch {
	case err != nil:
		return err
	case to+height > valid.MaxDepth:
		return errDeep(to + height)
	case !all:
		return fault.E("tree.Rename", fault.Invalid,
			"There are more than %d directories below this one, too many to move deeper at once; move them one by one.",
			heightLimit)
	}
	return nil
}

// renameFile moves a file's row and images. If the new name exists, the moved
// bytes become that file's newest version. If the new name is final, the file becomes a
// drop; a drop that was not claimed yet gets the new name.
func (s *Session) renameFile(src, dst place, replace bool) error {
	err := s.change("file.rename", src.path, func(tx *store.Tx, row *model.AuditRow) error {
		row.Detail["to"] = dst.path
		rows, err := mailbox.Lock(tx, s.login.User.ID)
		if err != nil {
			return err
		}
		f, err := src.file(&tx.Q)
		if err != nil {
			return err
		}
		if dst.use.Tree == 0 || dst.use.Tree != rows.Tree { // directories have changed since it was located
			if err := dst.again(tx); err != nil {
				return err
			}
		}
		old, err := dst.file(&tx.Q)
		switch {
		case err == nil && !replace:
			return fault.E("tree.Rename", fault.Exists, "The new name is already taken.")
		case err == nil:
			if err := s.lockBoth(tx, src, f.VersionID, old.VersionID); err != nil {
				return err
			}
			if err := rows.MoveOver(f, old, row.At, s.t.hooks.OnGone); err != nil {
				return err
			}
		case !fault.Is(err, fault.NotFound):
			return err
		default:
			if err := rows.Move(f, dst.parent.ID, dst.name); err != nil {
				return err
			}
		}
		if err := s.finalName(tx, src, dst, f, row.At); err != nil || src.rights&exchange.Write != 0 ||
			s.t.hooks.OnMove == nil {
			return err
		}
		return s.t.hooks.OnMove(tx, f.VersionID)
	})
	uploadOnly := fault.Is(err, fault.NotFound)
	uploading := false
	if err == nil || uploadOnly {
		uploading = s.moveImages(src.key(), dst, uploadOnly)
	}
	if uploading && uploadOnly {
		return nil // there was only an upload, and its commit will use the new name
	}
	return err
}

// again looks in a transaction where a place is by now. It fails if its directory is gone, or if the name is a
// directory's.
func (p *place) again(tx *store.Tx) error {
	dir, staging, err := freePlace(tx, store.File{DirID: p.parent.ID, Name: p.name})
	if fault.Is(err, fault.NotFound) {
		return fault.E("tree.Rename", fault.Conflict, "The directory was removed meanwhile.")
	}
	p.path, p.stage = path.Join(dir, p.name), staging
	return err
}

// lockBoth takes the locks that a rename over another file needs, for both versions at
// once, to keep the lock order.
func (s *Session) lockBoth(tx *store.Tx, src place, ids ...string) error {
	if err := tx.LockDrops(ids); err != nil || src.rights&exchange.Write != 0 {
		return err
	}
	if err := tx.ShareCounter(store.HoldsGate); err != nil { // replacing a version checks for holds
		return err
	}
	return tx.LockDeliveries(ids)
}

// finalName calls OnRename if a partner's file now has a final name.
func (s *Session) finalName(tx *store.Tx, src, dst place, f store.File, now time.Time) error {
	if dst.stage || s.login.Operator != "" || s.t.hooks.OnRename == nil || !s.final(dst.path) {
		return nil
	}
	c, err := tx.Content(f.VersionID)
	if err != nil {
		return err
	}
	// If the old name was final, too, the file may be no drop at all, such as a note of refusal.
	first := src.stage || !s.final(src.path)
	return s.t.hooks.OnRename(tx, first,
		exchange.Arrival{Login: &s.login, Path: dst.path, VersionID: c.VersionID, Size: c.Size, SHA256: c.SHA256, At: now})
}

// moveImages rebinds the images of a name, so that open uploads and partials follow a
// rename. Images of the new name are discarded. With uploadOnly, nothing was stored under
// the old name, and the rename asks the upload to replace what the new name shows. It
// reports whether a moved image was visible.
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
			img.key, img.spot = to, spot{}
			if uploadOnly {
				img.over = over
			}
			s.box.add(img)
		}
	}
	return any
}
