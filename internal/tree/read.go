package tree

import (
	"sync"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxServed bounds the ranges that are remembered of a delivery whose bytes are read out
// of order. Beyond it, a delivery reports less than was served.
const maxServed = 64

// openRead opens the image that is visible under the name, else the stored file.
func (s *Session) openRead(p place) (*Handle, error) {
	h := &Handle{s: s, path: p.path, flags: exchange.FlagRead}
	if p.image != nil {
		if err := s.readImage(h, p.image); err != nil {
			return nil, err
		}
		return h, nil
	}
	if p.stored == nil {
		return nil, fault.E("tree.Open", fault.NotFound, "No such file.")
	}
	f := *p.stored
	h.content = p.content
	var err error
	if h.reader, err = s.t.openStored(&h.content); err != nil {
		return nil, err
	}
	h.info = fileInfo(f)
	// Files in a folder that the partner cannot write to come from the operator, so reading one is a delivery.
	if s.login.Operator == "" && p.rights&exchange.Write == 0 {
		h.served = &delivery{version: f.VersionID, size: f.Size}
	}
	s.readers[h] = struct{}{}
	return h, nil
}

// readImage attaches a handle to an unfinished upload, for reading.
func (s *Session) readImage(h *Handle, img *image) error {
	for {
		if err := img.wake(); err != nil {
			return err
		}
		s.box.mu.Lock()
		ended, rests := img.refs == 0 && img.state != open, img.rests
		if !ended && !rests {
			img.refs++
			h.img, h.epoch = img, img.epoch
			s.readers[h] = struct{}{}
		}
		s.box.mu.Unlock()
		switch {
		case ended:
			return fault.E("tree.Open", fault.Conflict, "The file was changed just now; please try again.")
		case !rests:
			return nil
		}
	}
}

// sawRead calls OnSeen with the bytes that a handle read. It does so once per handle; an
// empty stored file counts as read.
func (s *Session) sawRead(h *Handle) {
	delete(s.readers, h)
	if n := h.read.Swap(-1); s.t.hooks.OnSeen != nil && s.login.Operator == "" &&
		(n > 0 || n == 0 && h.info.Size == 0 && h.reader != nil) {
		s.t.hooks.OnSeen(&s.login, model.ActivityRead, h.path, n)
	}
}

func fileInfo(f store.File) model.FileInfo {
	return model.FileInfo{Name: f.Name, Size: f.Size, Mtime: f.Mtime, Mode: f.Mode}
}

// delivery counts what one handle served of a version.
type delivery struct {
	version string
	size    int64

	mu    sync.Mutex // replies may be flushed by a commit's goroutine
	spans exchange.Spans
	told  int64 // bytes reported so far
}

// Served notes that the connection accepted n bytes that were read at off. Any goroutine
// may call it.
func (h *Handle) Served(off int64, n int) {
	h.read.Add(int64(n))
	d := h.served
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spans = d.spans.Add(off, off+int64(n), maxServed)
	if d.spans.Prefix() == d.size {
		d.report(h.s, false)
	}
}

// close reports the delivery when its handle closes.
func (d *delivery) close(s *Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report(s, true)
}

// report calls OnServed in the background if there is something new. It is called when
// the delivery is complete and when the handle closes. Callers hold mu.
func (d *delivery) report(s *Session, closing bool) {
	n := d.spans.Total()
	if s.t.hooks.OnServed == nil || n == d.told && !(closing && d.size == 0) {
		return
	}
	d.told = n
	login, version, spans := s.login, d.version, append(exchange.Spans(nil), d.spans...)
	s.reports <- struct{}{} // a client that reads faster than reports are stored waits here
	s.work.Go(func() {
		defer func() { <-s.reports }()
		err := fault.Guard(s.t.log, "a delivery's progress",
			func() error { return s.t.hooks.OnServed(&login, version, spans) })
		if err != nil {
			s.t.log.Error("a delivery's progress could not be recorded", "user", login.User.Name, "version", version, "err", err)
		}
	})
}
