package tree

import (
	"context"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Mkdir makes a directory.
func (s *Session) Mkdir(dir string) error {
	const op = "tree.Mkdir"
	p, err := s.locate(dir)
	if err != nil {
		return err
	}
	if _, err := s.statPlace(p); err == nil {
		return fault.E(op, fault.Exists, "The name is already taken.")
	}
	if err := s.mayName(p, exchange.Mkdir); err != nil {
		return err
	}
	if depth := strings.Count(p.path, "/"); depth > valid.MaxDepth {
		return errDeep(depth)
	}
	if err := s.accountHas(0, 1); err != nil {
		return err
	}
	err = s.change("dir.make", p.path, func(tx *store.Tx, row *model.AuditRow) error {
		rows, err := mailbox.Lock(tx, s.login.User.ID)
		if err != nil {
			return err
		}
		if err := s.mayMakeDir(rows.Usage); err != nil {
			return err
		}
		p, err := s.resolve(&tx.Q, p.path)
		if err != nil {
			return err
		}
		if p.stored != nil || p.self != nil {
			return fault.E(op, fault.Exists, "The name is already taken.")
		}
		return rows.MakeDir(store.Dir{ID: s.t.ids.New(), Parent: p.parent.ID, Name: p.name, Mtime: row.At})
	})
	if err == nil {
		s.grew(0, 1)
	}
	return err
}

// errDeep refuses a path that would be too deep.
func errDeep(depth int) error {
	return fault.E("tree.depth", fault.Invalid, "Directories may be nested %d deep; this would be %d.", valid.MaxDepth,
		depth)
}

// mayMakeDir fails unless the mailbox may have one more directory.
func (s *Session) mayMakeDir(use store.Usage) error {
	if limit := s.t.policy.Load().Directories; limit > 0 && use.Dirs >= limit {
		return fault.E("tree.Mkdir", fault.Quota, "Limit reached: this mailbox has %d of %d directories.", use.Dirs, limit)
	}
	return s.mayKeepOne(use)
}

// mayName checks the rights in the parent directory, the name and the state of the node,
// and spends one change of the user's budget.
func (s *Session) mayName(p place, need exchange.Rights) error {
	if err := p.allow(p.rights, need); err != nil {
		return err
	}
	if err := valid.CheckName(p.name); err != nil {
		return err
	}
	if err := s.mayChange(); err != nil {
		return err
	}
	return s.spend()
}

// Rmdir removes an empty directory. A directory with uploads under way or partials is
// not empty.
func (s *Session) Rmdir(dir string) error {
	return s.RmdirIf(dir, nothing, nothing)
}

// inRmdir is what else happens in the transaction of a directory's removal.
type inRmdir = func(tx *store.Tx, path string, row *model.AuditRow) error

func nothing(*store.Tx, string, *model.AuditRow) error { return nil }

// RmdirIf is Rmdir that also calls may and then in its transaction, before and after the directory is removed, with
// its path.
func (s *Session) RmdirIf(dir string, may, then inRmdir) error {
	const op = "tree.Rmdir"
	p, err := s.locate(dir)
	if err != nil {
		return err
	}
	if p.self == nil {
		if _, err := s.statPlace(p); err != nil {
			return err
		}
		return fault.E(op, fault.NotFound, "No such file or directory: what is there is a file.")
	}
	if err := s.mayMove(p, exchange.Delete); err != nil {
		return err
	}
	if s.box.hasImages(p.self.ID) {
		return fault.E(op, fault.Exists, "The directory is not empty: it has an unfinished upload.")
	}
	return s.change("dir.remove", p.path, func(tx *store.Tx, row *model.AuditRow) error {
		rows, err := mailbox.Lock(tx, s.login.User.ID)
		if err != nil {
			return err
		}
		if err := may(tx, p.path, row); err != nil {
			return err
		}
		if err := rows.RemoveDir(p.self.ID); err != nil {
			return err
		}
		return then(tx, p.path, row)
	})
}

// Unfinished reports whether a directory, by its id, has uploads under way or partials.
func (s *Session) Unfinished(dir string) bool { return s.box.hasImages(dir) }

// mayMove is mayName for something that exists. It also fails for a fixed directory.
func (s *Session) mayMove(p place, need exchange.Rights) error {
	if s.fixed(p) {
		return fault.E("tree.mayMove", fault.Denied, "This directory belongs to the server and stays where it is.")
	}
	return s.mayName(p, need)
}

// fixed reports whether this is a directory that must not be moved or removed: the root,
// or for a partner a directory that the operator made.
func (s *Session) fixed(p place) bool {
	return p.self != nil && (p.self.Fixed && s.login.Operator == "" || p.self.Parent == "")
}

// Remove removes a file's name, its unfinished uploads included. Versions that a hook
// still needs are kept.
func (s *Session) Remove(file string) error {
	p, err := s.still(file)
	if err != nil {
		return err
	}
	if s.fixed(p) {
		return fault.E("tree.Remove", fault.Denied, "That is a directory, and belongs to the server.")
	}
	if p.self != nil {
		return fault.E("tree.Remove", fault.Conflict, "That is a directory.")
	}
	if _, err := s.statPlace(p); err != nil {
		return err
	}
	if err := s.mayName(p, exchange.Delete); err != nil {
		return err
	}
	rest, err := changed(s, "file.remove", p.path, func(tx *store.Tx, row *model.AuditRow) (older, error) {
		rows, err := mailbox.Lock(tx, s.login.User.ID)
		if err != nil {
			return older{}, err
		}
		f, err := p.file(&tx.Q)
		if err != nil {
			return older{}, err
		}
		if err := rows.Remove(f); err != nil {
			return older{}, err
		}
		row.Detail["version"] = f.VersionID
		// Versions that are no longer needed are dropped: the newest here, the others later.
		last, err := rows.LetGo(f.FileID, "", row.At, s.t.hooks.OnGone)
		return older{f.FileID, last}, err
	})
	if err == nil && rest.last != "" { // the name is gone, so the client need not wait for the rest
		s.work.Go(func() { s.letGoRest(rest) })
	}
	uploadOnly := fault.Is(err, fault.NotFound)
	if err != nil && !uploadOnly {
		return err // nothing is removed, not even unfinished uploads
	}
	if s.dropImages(p.key()) && uploadOnly {
		return nil
	}
	return err
}

// older are the versions of a file that are older than last and still to be dropped.
// last "" means none.
type older struct{ fileID, last string }

// letGoRest drops older versions, a page at a time. Versions that remain after a crash
// are dropped later, when they reach their retention age.
func (s *Session) letGoRest(rest older) {
	for rest.last != "" {
		err := fault.Guard(s.t.log, "a removal", func() (err error) {
			rest.last, err = store.ChangeFor(context.Background(), s.t.store, s.login.User.ID,
				func(tx *store.Tx) (string, error) {
					tx.Unaudited("the removal has the row")
					rows, err := mailbox.Lock(tx, s.login.User.ID)
					if err != nil {
						return "", err
					}
					return rows.LetGo(rest.fileID, rest.last, s.t.now(), s.t.hooks.OnGone)
				})
			return err
		})
		if err != nil {
			s.t.log.Warn("older versions of a removed file are kept until their age", "user", s.login.User.Name, "file",
				rest.fileID, "err", err)
			return
		}
	}
}

// dropImages discards every open image of a name; handles on them fail from now on. It
// reports whether one of them was visible.
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
