package tree

import (
	"path"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Open opens a file. mode is the mode of a new file; 0 is the default. As in OpenSSH,
// flags without reading and writing mean reading, and a handle opened only for reading
// can create and truncate.
func (s *Session) Open(path string, flags exchange.OpenFlags, mode uint32) (*Handle, error) {
	if flags&(exchange.FlagRead|exchange.FlagWrite|exchange.FlagAppend) == 0 {
		flags |= exchange.FlagRead
	}
	writes := flags&(exchange.FlagWrite|exchange.FlagAppend) != 0
	where := s.locateToRead
	if writes || flags&(exchange.FlagCreate|exchange.FlagTruncate) != 0 {
		where = s.still
	}
	p, err := where(path)
	if err != nil {
		return nil, err
	}
	if p.self != nil {
		return nil, fault.E("tree.Open", fault.Conflict, "That is a directory.")
	}
	if flags&exchange.FlagRead != 0 {
		if err := p.allow(p.rights, exchange.Read); err != nil {
			return nil, err
		}
	}
	if writes {
		return s.openWrite(p, flags, mode)
	}
	exists := p.stored != nil || p.image != nil
	if flags&exchange.FlagTruncate != 0 || flags&exchange.FlagCreate != 0 &&
		(!exists || flags&exchange.FlagExclusive != 0) {
		h, err := s.openWrite(p, flags|exchange.FlagWrite, mode)
		if err == nil {
			h.readOnly = true
		}
		return h, err
	}
	return s.openRead(p)
}

// openWrite opens a handle on an image: the session's own one, a partial or another
// session's image that it takes over, an overlay of the stored file, or a new one.
func (s *Session) openWrite(p place, flags exchange.OpenFlags, mode uint32) (*Handle, error) {
	const op = "tree.Open"
	if err := s.mayWrite(p); err != nil {
		return nil, err
	}
	stored := p.stored != nil
	var f store.File
	var base *store.Content
	if stored {
		f = *p.stored
		if flags&exchange.FlagTruncate == 0 {
			base = &p.content
		}
	}
	exists := stored || p.image != nil
	switch {
	case exists && flags&exchange.FlagExclusive != 0 && flags&exchange.FlagCreate != 0:
		return nil, fault.E(op, fault.Exists, "A file of this name exists already.")
	case !exists && flags&exchange.FlagCreate == 0:
		return nil, fault.E(op, fault.NotFound, "No such file.")
	}
	if p.image == nil { // an existing upload is counted already
		if err := s.checkFiles(p.use, !exists); err != nil {
			return nil, err
		}
	}
	if s.login.Operator != "" { // mayWrite skips this check for an operator
		if err := s.checkFloor(); err != nil {
			return nil, err
		}
	}
	h := &Handle{s: s, path: p.path, flags: flags, fresh: !exists || flags&exchange.FlagTruncate != 0}
	if p.use.Tree > 0 {
		h.spot = spot{tree: p.use.Tree, dir: path.Dir(p.path), stage: p.stage}
	}
	if err := h.attach(p.key(), base, f, !h.fresh); err != nil {
		return nil, err
	}
	switch {
	case !exists && mode != 0:
		h.img.setMode(mode)
	case stored:
		h.img.setMode(f.Mode)
	}
	s.handles[h] = struct{}{}
	return h, nil
}

// mayWrite checks the rights, the name and the state of the node before a write.
func (s *Session) mayWrite(p place) error {
	if err := p.allow(p.rights, exchange.Write); err != nil {
		return err
	}
	if err := valid.CheckName(p.name); err != nil {
		return err
	}
	return s.mayChange()
}

// mayChange fails while this node cannot learn of revocations, and while its storage
// is nearly full, because every change writes rows. It always allows an operator.
func (s *Session) mayChange() error {
	if s.login.Operator != "" {
		return nil
	}
	if s.t.hooks.MayWrite != nil {
		if err := s.t.hooks.MayWrite(); err != nil {
			return err
		}
	}
	return s.checkFloor()
}

// quiesce waits for work under way on a name: commits, including those of the user's
// other sessions, and this session's copy of a stored file (afterCopy). It reports
// whether it waited for a commit.
func (s *Session) quiesce(k nameKey) (waited bool) {
	for {
		s.box.mu.Lock()
		var done chan struct{}
		for _, img := range s.box.images[k] {
			if img.state == committing {
				done = img.done
			}
		}
		own := s.ownImage(k)
		s.box.mu.Unlock()
		if done != nil {
			s.waitFor(done)
			waited = true
			continue
		}
		if own != nil {
			_ = own.ready(s) // a failed copy is reported to its writer
		}
		return waited
	}
}

// attach finds or makes the image that a handle opened for writing works on.
// base is the content that an unchanged overlay shows; over is the stored file of the
// name, zero if there is none. With resume, the handle takes over what another session
// of the user left or has open.
func (h *Handle) attach(k nameKey, base *store.Content, over store.File, resume bool) error {
	for {
		spare, err := h.prepare(k, base, resume)
		if err != nil {
			return err
		}
		done, err := h.tryAttach(k, spare, over, resume)
		if done || err != nil {
			return err
		}
	}
}

// prepare does the disk I/O of attach without the mailbox's lock. If there is an image to go on with, prepare opens
// its stage and returns nil. Otherwise it returns a new image, which has a stage if the file begins empty.
func (h *Handle) prepare(k nameKey, base *store.Content, resume bool) (*image, error) {
	s, box := h.s, h.s.box
	box.mu.Lock()
	img := s.imageToWrite(k, resume)
	var err error
	if img == nil {
		err = s.checkUnfinished()
	}
	box.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case img != nil:
		return nil, img.wake()
	}
	img = s.t.newImage(box, k, s, base)
	if h.fresh {
		img.base, img.size = nil, 0
		err = img.start()
	}
	return img, err
}

// tryAttach attaches the handle to an existing image, or to spare. It reports false if prepare must run again
// because the images have changed since.
func (h *Handle) tryAttach(k nameKey, spare *image, over store.File, resume bool) (done bool, err error) {
	s, box := h.s, h.s.box
	box.mu.Lock()
	defer box.mu.Unlock()
	img := s.imageToWrite(k, resume)
	switch {
	case img == nil && spare == nil, img != nil && img.rests:
		return false, nil
	case img == nil:
		if err := s.checkUnfinished(); err != nil {
			spare.letGo()
			return false, err
		}
		img = spare
		img.spot = h.spot
		img.covers, img.over = over.Size, over.VersionID
		img.takeCredit()
		box.add(img)
	case spare != nil: // there is an image by now, so the spare one is not needed
		spare.letGo()
	}
	if img.owner != s { // a partial, or another session's
		img.handOver(s)
	}
	if h.fresh {
		if err := img.restart(); err != nil {
			if img.refs == 0 {
				img.discard()
			}
			return false, err
		}
		box.dropPartials(k, img)
	}
	img.refs++
	h.img, h.epoch, h.changed = img, img.epoch, h.fresh
	return true, nil
}

// imageToWrite returns the image that an OPEN for writing works on, or nil. With resume, it is the newest of the
// user, whoever owns it. Callers hold box.mu.
func (s *Session) imageToWrite(k nameKey, resume bool) *image {
	if newest := s.box.newest(k, s); resume && newest != nil {
		return newest
	}
	return s.ownImage(k)
}

// ownImage returns the open image that this session owns of a name, or nil. Callers
// hold box.mu.
func (s *Session) ownImage(k nameKey) *image {
	for _, img := range s.box.images[k] {
		if img.owner == s && img.state == open {
			return img
		}
	}
	return nil
}

// restart empties an image for an OPEN that created or truncated. Callers
// hold box.mu.
func (img *image) restart() error {
	img.mu.Lock()
	defer img.mu.Unlock()
	if err := img.startLocked(); err != nil { // an unchanged overlay has no stage
		return err
	}
	if img.size > 0 || img.extent > 0 {
		if err := img.truncateLocked(0); err != nil {
			return err
		}
	}
	img.base, img.mtime, img.damaged, img.fillErr = nil, nil, false, nil
	img.written, img.voids = 0, 0
	img.dirty, img.resumed, img.change = true, false, false
	return nil
}

// dropPartials discards the partials of a name, except one image, because the name is
// being written anew or was committed. Callers hold mu.
func (b *box) dropPartials(k nameKey, except *image) {
	for _, img := range append([]*image(nil), b.images[k]...) {
		if img != except && img.owner == nil && img.state == open && img.refs == 0 {
			img.discard()
		}
	}
}
