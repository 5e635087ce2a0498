package tree

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Handle is an open file. It belongs to its session's goroutine.
type Handle struct {
	s     *Session
	path  string
	flags exchange.OpenFlags

	// Set if the handle is open on an image: for writing, or for reading an unfinished upload.
	img      *image
	epoch    int  // of the image when it was attached
	fresh    bool // its OPEN created or truncated the file
	readOnly bool // its OPEN created or truncated, but asked only for reading
	changed  bool // it has something to commit
	bad      bool // a change that its client sent was refused
	named    bool // it belongs to a change by name (Setstat), not to an OPEN
	spot     spot // of its name when it was opened

	// Set if the handle is open on a stored file.
	reader  blob.Reader
	content store.Content
	info    model.FileInfo
	served  *delivery // not nil: reads count as a delivery

	read atomic.Int64 // bytes that the connection accepted
}

// writes reports whether the handle was opened for writing.
func (h *Handle) writes() bool { return h.flags&(exchange.FlagWrite|exchange.FlagAppend) != 0 }

// current checks that the handle may still use its image. It waits for a commit under
// way. If another handle's CLOSE committed the image, a handle opened for writing
// leaves it and attaches to a new overlay of the stored file.
func (h *Handle) current() error {
	const op = "tree.Handle"
	box := h.s.box
	for {
		box.mu.Lock()
		img := h.img
		switch {
		case img.state == removed:
			box.mu.Unlock()
			return fault.E(op, fault.NotFound, "The file was removed.")
		case img.state == committing:
			done := img.done
			box.mu.Unlock()
			h.s.waitFor(done)
		case img.epoch != h.epoch:
			box.mu.Unlock()
			return fault.E(op, fault.Conflict, "Another session continues this upload.")
		case img.state == committed && h.writes():
			key := img.key
			img.release()
			box.mu.Unlock()
			return h.reattach(key)
		default:
			box.mu.Unlock()
			return nil
		}
	}
}

// reattach attaches the handle to what the name shows now: an image that this session
// has open, or an overlay of the newest version, which a third handle may have committed.
func (h *Handle) reattach(key nameKey) error {
	h.fresh, h.changed, h.img = false, false, nil
	h.s.quiesce(key) // a later CLOSE may not be committed yet
	q := h.s.query()
	f, err := q.File(key.dir, key.name)
	var base store.Content
	if err == nil {
		base, err = q.Content(f.VersionID)
	}
	if err == nil {
		err = h.attach(key, &base, f, false)
	}
	if err != nil { // the name is gone, or could not be looked up: every later call fails
		h.img = &image{t: h.s.t, box: h.s.box, key: key, state: removed, refs: 1, broken: true}
	}
	return err
}

// Ready waits for the session's own work on the file (a commit, a copy), so that the
// ReadAt that follows does not wait.
func (h *Handle) Ready() error {
	if h.img == nil {
		return nil
	}
	if err := h.current(); err != nil {
		return err
	}
	return h.img.ready(h.s)
}

// ReadAt reads bytes. It returns io.EOF only if there are none at off.
func (h *Handle) ReadAt(p []byte, off int64) (int, error) {
	if h.flags&exchange.FlagRead == 0 {
		return 0, fault.E("tree.ReadAt", fault.Denied, "The file is not open for reading.")
	}
	if off < 0 {
		return 0, io.EOF
	}
	if h.img == nil {
		if off >= h.content.Size {
			return 0, io.EOF
		}
		return fullRead(h.reader, p[:min(int64(len(p)), h.content.Size-off)], off)
	}
	return h.img.read(p, off)
}

// WriteAt writes bytes and calls done once with the outcome: before it
// returns, or from another goroutine if the stored file must be copied
// first. The caller may reuse p when WriteAt returns.
func (h *Handle) WriteAt(p []byte, off int64, done func(error)) {
	if !h.writes() || h.readOnly {
		done(fault.E("tree.WriteAt", fault.Denied, "The file is not open for writing."))
		return
	}
	if err := h.current(); err != nil {
		done(err)
		return
	}
	img := h.img
	if err := img.ready(h.s); err != nil {
		done(h.refuse(err))
		return
	}
	if h.flags&exchange.FlagAppend != 0 {
		off = -1 // wherever the end is
	} else if off < 0 {
		done(h.refuse(fault.E("tree.WriteAt", fault.TooLarge, "The offset is out of range.")))
		return
	}
	size := img.length()
	at := off
	if at < 0 {
		at = size
	}
	if at > h.s.t.policy.Load().MaxFile {
		at = h.s.t.policy.Load().MaxFile // the sum below must not overflow
	}
	if err := h.s.reserve(img, max(size, at+int64(len(p)))); err != nil {
		done(h.refuse(err))
		return
	}
	if len(p) == 0 {
		done(nil)
		return
	}
	epoch := h.epoch
	if !img.needsCopy() {
		err := img.write(p, off, epoch)
		h.markChanged()
		done(err)
		return
	}
	p = append([]byte(nil), p...)
	if err := img.afterCopy(h.s, size, func() error { return img.write(p, off, epoch) }, done); err != nil {
		done(h.refuse(err))
		return
	}
	h.markChanged()
}

// refuse marks the handle and its image damaged, so that CLOSE will not commit, and
// returns err. After a Quota error the image is marked full, too.
func (h *Handle) refuse(err error) error {
	h.bad = true
	h.img.damage(h.epoch)
	if fault.Is(err, fault.Quota) {
		h.s.box.mu.Lock()
		h.img.full = true
		h.s.box.mu.Unlock()
	}
	return err
}

// markChanged notes that the handle has something to commit, and makes the image
// visible under its name.
func (h *Handle) markChanged() {
	if h.changed {
		return
	}
	h.changed = true
	h.s.box.mu.Lock()
	h.img.dirty = true
	h.s.box.mu.Unlock()
}

// Truncate sets the size of the open file, and calls done once as WriteAt does. Setting
// the current size does nothing.
func (h *Handle) Truncate(size int64, done func(error)) {
	if !h.writes() || h.readOnly {
		done(fault.E("tree.Truncate", fault.Denied, "The file is not open for writing."))
		return
	}
	if err := h.current(); err != nil {
		done(err)
		return
	}
	img := h.img
	err := img.ready(h.s)
	if err == nil && size == img.length() {
		done(nil)
		return
	}
	if err == nil {
		err = h.s.reserve(img, size)
	}
	if err != nil {
		h.bad = true // what was written is kept; a CLOSE that has nothing else to commit fails
		done(err)
		return
	}
	epoch := h.epoch
	cut := func() error { return img.truncate(size, epoch) }
	if !img.needsCopy() {
		h.markChanged()
		done(cut())
		return
	}
	if err := img.afterCopy(h.s, size, cut, done); err != nil {
		h.bad = true
		done(err)
		return
	}
	h.markChanged()
}

// SetTimes sets the file's time and mode; nil leaves one unchanged. On a handle that has
// something to commit, they are stored with the commit.
func (h *Handle) SetTimes(mtime *time.Time, mode *uint32) error {
	if h.img == nil || !h.changed {
		if err := h.s.setTimes(h.path, mtime, mode); err != nil {
			return err
		}
		h.showTimes(mtime, mode)
		return nil
	}
	if err := h.current(); err != nil {
		return err
	}
	if !h.img.setTimes(mtime, mode) {
		return h.current() // returns what happened meanwhile
	}
	return nil
}

// showTimes makes Stat of this handle show the time and mode that were just stored.
func (h *Handle) showTimes(mtime *time.Time, mode *uint32) {
	if h.img != nil {
		h.img.setTimes(mtime, mode) // if it returns false, the values are stored already
		return
	}
	if mtime != nil {
		h.info.Mtime = *mtime
	}
	if mode != nil {
		h.info.Mode = *mode & 0o777
	}
}

// Stat describes the open file.
func (h *Handle) Stat() (model.FileInfo, error) {
	if h.img == nil {
		return h.info, nil
	}
	if err := h.current(); err != nil {
		return model.FileInfo{}, err
	}
	if err := h.img.ready(h.s); err != nil {
		return model.FileInfo{}, err
	}
	h.s.box.mu.Lock()
	name := h.img.key.name // another session may rename it
	h.s.box.mu.Unlock()
	return h.img.info(name, true), nil
}

// Sync makes what was written so far survive a crash, as a partial. It runs in the
// background. done is called once with the outcome, perhaps from another goroutine.
func (h *Handle) Sync(done func(error)) {
	if h.img == nil || !h.writes() {
		done(nil)
		return
	}
	err := h.current()
	if err == nil {
		err = h.img.ready(h.s)
	}
	if err != nil {
		done(err)
		return
	}
	img := h.img
	h.s.work.Go(func() { done(fault.Guard(h.s.t.log, "a sync", img.sync)) })
}

// Close ends the handle and calls done once with the outcome. If there is something to
// commit, done is called from another goroutine when the commit is over; otherwise
// before Close returns.
func (h *Handle) Close(done func(error)) {
	if h.served != nil {
		h.served.close(h.s)
	}
	h.s.sawRead(h)
	if h.img == nil {
		done(fault.Wrap("tree.Close", fault.Unavailable, h.reader.Close()))
		return
	}
	delete(h.s.handles, h)
	if h.writes() {
		if err := h.img.ready(h.s); err != nil {
			h.changed, h.bad = false, true // the copy failed, so there is nothing to commit
		}
	}
	h.closing(done)()
}

// closing decides what CLOSE does. It returns the rest of the work, which must be done
// without box.mu.
func (h *Handle) closing(done func(error)) (then func()) {
	box := h.s.box
	box.mu.Lock()
	defer box.mu.Unlock()
	img := h.img
	end := func(err error) func() {
		img.release()
		return func() { done(err) }
	}
	switch {
	case !h.writes() || !h.changed:
		return end(h.idle())
	case img.state == removed:
		return end(fault.E("tree.Close", fault.NotFound, "The file was removed before it was complete."))
	case img.epoch != h.epoch:
		return end(fault.E("tree.Close", fault.Conflict, "Another session continues this upload."))
	case img.state == open:
		return h.s.commit(img, h.path, done)
	}
	// Another handle's CLOSE has committed, or is committing, this handle's bytes.
	over, failure := img.done, &img.failure
	img.release()
	return func() {
		h.s.work.Go(func() {
			<-over
			box.mu.Lock()
			err := *failure
			box.mu.Unlock()
			done(err)
		})
	}
}

// idle is the outcome of CLOSE for a handle that has nothing to commit. It is an error
// where OK would tell the client that a file is stored that is not. Callers hold box.mu.
func (h *Handle) idle() error {
	const op = "tree.Close"
	switch img := h.img; {
	case h.bad:
		return fault.E(op, fault.Conflict, "Not stored: a part of the file could not be written.")
	case h.writes() && !h.named && img.state == open && img.dirty && img.refs == 1:
		return fault.E(op, fault.Conflict, "Not stored: the upload is not complete, and nothing was added to it.")
	}
	return nil
}

// Abort ends a handle opened for writing and discards what was written.
func (h *Handle) Abort() {
	_ = h.img.ready(h.s)
	h.s.box.mu.Lock()
	defer h.s.box.mu.Unlock()
	delete(h.s.handles, h)
	if h.img.state == open && h.img.epoch == h.epoch {
		h.img.discard()
	}
	h.img.release()
}

// abandon ends a handle that is open for writing when its session ends.
func (h *Handle) abandon() {
	_ = h.img.ready(h.s)
	h.release()
	delete(h.s.handles, h)
}

// release lets go of the handle's image.
func (h *Handle) release() {
	h.s.box.mu.Lock()
	defer h.s.box.mu.Unlock()
	h.img.release()
}

// abandonRead is abandon for a handle opened for reading alone.
func (h *Handle) abandonRead() {
	h.s.sawRead(h)
	if h.img == nil {
		_ = h.reader.Close() // only read, so there is nothing to lose
		return
	}
	h.release()
}
