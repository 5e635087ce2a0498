package tree

import (
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Setstat changes a path's size, time or mode; nil fields are left unchanged.
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

// truncatePath sets a file's size by name, as OPEN, truncate and CLOSE would. It does not
// commit an unfinished upload.
func (s *Session) truncatePath(file string, size int64) error {
	p, err := s.still(file)
	if err != nil {
		return err
	}
	if err := s.mayWrite(p); err != nil {
		return err
	}
	info, err := s.statPlace(p)
	if err != nil || info.Size == size && !info.Dir {
		return err
	}
	h, err := s.Open(file, exchange.FlagWrite, 0)
	if err != nil {
		return err
	}
	h.named = true
	s.box.mu.Lock()
	partial := h.img.dirty
	h.img.byName = !partial && h.img.refs == 1
	s.box.mu.Unlock()
	outcome := make(chan error, 1)
	h.Truncate(size, func(err error) { outcome <- err })
	err = <-outcome
	if err != nil || partial {
		s.spread(h)
		h.changed, h.bad = false, false // CLOSE must not commit, and err is the outcome
	}
	h.Close(func(closeErr error) { outcome <- closeErr })
	if closeErr := <-outcome; err == nil {
		err = closeErr
	}
	return err
}

// spread marks the session's other handles on the same image as changed, so that their
// CLOSE commits a change that was made by name.
func (s *Session) spread(h *Handle) {
	for other := range s.handles {
		if other.img == h.img && other.epoch == h.epoch {
			other.changed = other.changed || h.changed
		}
	}
}

// setDirTime sets a directory's time; nil changes nothing. A directory's mode cannot be
// set, because access follows from its rights.
func (s *Session) setDirTime(p place, mtime *time.Time) error {
	if err := p.allow(p.inside, exchange.Write); err != nil || mtime == nil {
		return err
	}
	if err := s.spend(); err != nil {
		return err
	}
	return s.write(func(tx *store.Tx) error { return tx.SetDirMtime(s.login.User.ID, p.self.ID, *mtime) })
}

// setTimes sets the time and mode that a name shows; nil leaves one unchanged.
func (s *Session) setTimes(file string, mtime *time.Time, mode *uint32) error {
	p, err := s.still(file)
	if err != nil {
		return err
	}
	if p.self != nil {
		return s.setDirTime(p, mtime)
	}
	if err := s.mayWrite(p); err != nil {
		return err
	}
	if img := p.image; img != nil {
		if !img.setTimes(mtime, mode) { // the image was committed or removed meanwhile
			return s.setTimes(file, mtime, mode)
		}
		return nil
	}
	if err := s.spend(); err != nil {
		return err
	}
	return s.write(func(tx *store.Tx) error {
		f, err := p.file(&tx.Q)
		if err != nil {
			return err
		}
		if mtime != nil {
			f.Mtime = *mtime
		}
		if mode != nil {
			f.Mode = *mode & 0o777
		}
		return tx.SetFileTimes(s.login.User.ID, f.DirID, f.Name, f.Mtime, f.Mode)
	})
}
