package sftpd

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/model"
)

// namesReply limits the size of a READDIR reply, in bytes: no name is added past it.
// OpenSSH's replies are about as large; old clients have fixed buffers.
const namesReply = 32 << 10

// handlers maps a request type to its handler. Types without one, such as SYMLINK, are
// answered with OP_UNSUPPORTED.
var handlers = [256]func(*Session, *sftpwire.Request){
	sftpwire.TypeOpen:     (*Session).handleOpen,
	sftpwire.TypeClose:    (*Session).handleClose,
	sftpwire.TypeRead:     (*Session).handleRead,
	sftpwire.TypeWrite:    (*Session).handleWrite,
	sftpwire.TypeLstat:    (*Session).handleStat,
	sftpwire.TypeStat:     (*Session).handleStat,
	sftpwire.TypeFstat:    (*Session).handleFstat,
	sftpwire.TypeSetstat:  (*Session).handleSetstat,
	sftpwire.TypeFsetstat: (*Session).handleFsetstat,
	sftpwire.TypeOpendir:  (*Session).handleOpendir,
	sftpwire.TypeReaddir:  (*Session).handleReaddir,
	sftpwire.TypeRemove:   func(s *Session, q *sftpwire.Request) { s.status(q.ID, s.fs.Remove(q.Path)) },
	sftpwire.TypeMkdir:    func(s *Session, q *sftpwire.Request) { s.status(q.ID, s.fs.Mkdir(q.Path)) },
	sftpwire.TypeRmdir:    func(s *Session, q *sftpwire.Request) { s.status(q.ID, s.fs.Rmdir(q.Path)) },
	sftpwire.TypeRename:   func(s *Session, q *sftpwire.Request) { s.status(q.ID, s.fs.Rename(q.Path, q.Path2, false)) },
	sftpwire.TypeRealpath: func(s *Session, q *sftpwire.Request) { s.realPath(q.ID, q.Path) },
	sftpwire.TypeExtended: (*Session).handleExtended,
}

// status answers with the status code of an error's kind and its public text; nil is OK.
// An Internal or Unavailable error is also logged.
func (s *Session) status(id uint32, err error) {
	code, text := fault.StatusOK, "OK"
	switch {
	case errors.Is(err, io.EOF):
		code, text = fault.StatusEOF, "End of file."
	case err != nil:
		kind := fault.KindIn(err)
		code, text = kind.SFTPStatus(), fault.PublicText(err)
		if kind == fault.Internal || kind == fault.Unavailable {
			s.o.Log.Error("request failed", "err", err)
		}
	}
	s.out.append(func(b []byte) []byte { return sftpwire.AppendStatus(b, id, code, text) })
}

// handleOf finds an open handle. Numbers are never used twice, so a stale one
// finds nothing.
func (s *Session) handleOf(h []byte) (*open, error) {
	if len(h) == 4 {
		if o := s.handles[binary.BigEndian.Uint32(h)]; o != nil {
			return o, nil
		}
	}
	return nil, fault.E("sftpd.handle", fault.Conflict, "This handle is not open.")
}

func (s *Session) fileOf(h []byte) (File, error) {
	o, err := s.handleOf(h)
	if err == nil && o.file == nil {
		err = fault.E("sftpd.handle", fault.Conflict, "This handle is a directory's.")
	}
	if err != nil {
		return nil, err
	}
	return o.file, nil
}

// full fails if MaxHandles handles are open.
func (s *Session) full() error {
	if len(s.handles) < s.o.MaxHandles {
		return nil
	}
	return fault.E("sftpd.open", fault.Busy, "Too many open files: at most %d at a time.", s.o.MaxHandles)
}

func (s *Session) opened(id uint32, o *open) {
	s.next++
	s.handles[s.next] = o
	h := binary.BigEndian.AppendUint32(nil, s.next)
	s.out.append(func(b []byte) []byte { return sftpwire.AppendHandle(b, id, h) })
}

func (s *Session) handleOpen(q *sftpwire.Request) {
	if err := s.full(); err != nil {
		s.status(q.ID, err)
		return
	}
	mode := uint32(0)
	if q.Attrs.Flags&sftpwire.AttrPermissions != 0 {
		mode = q.Attrs.Permissions
	}
	f, err := s.fs.Open(q.Path, exchange.OpenFlags(q.Flags), mode)
	if err != nil {
		s.status(q.ID, err)
		return
	}
	s.opened(q.ID, &open{file: f})
}

func (s *Session) handleOpendir(q *sftpwire.Request) {
	if err := s.full(); err != nil {
		s.status(q.ID, err)
		return
	}
	d, err := s.fs.OpenDir(q.Path)
	if err != nil {
		s.status(q.ID, err)
		return
	}
	s.opened(q.ID, &open{dir: d})
}

func (s *Session) handleClose(q *sftpwire.Request) {
	o, err := s.handleOf(q.Handle)
	if err != nil {
		s.status(q.ID, err)
		return
	}
	delete(s.handles, binary.BigEndian.Uint32(q.Handle))
	if o.file == nil {
		s.status(q.ID, nil)
		return
	}
	if s.out.reading() {
		s.out.flush() // so that Served is called before Close
	}
	id := q.ID
	o.file.Close(func(err error) { s.status(id, err) })
}

func (s *Session) handleRead(q *sftpwire.Request) {
	f, err := s.fileOf(q.Handle)
	if err == nil {
		err = f.Ready()
	}
	if err == nil && q.Offset > math.MaxInt64 {
		err = io.EOF
	}
	if err == nil {
		err = s.read(q.ID, f, int64(q.Offset), int(min(q.Length, sftpwire.MaxData)))
	}
	if err != nil {
		s.status(q.ID, err)
	}
}

// read answers with up to want bytes of a file, once their turn has come.
func (s *Session) read(id uint32, f File, off int64, want int) error {
	if err := s.take(want); err != nil {
		return err
	}
	n, err := s.out.data(id, f, off, want)
	s.giveBack(want - n)
	return err
}

// data appends a DATA reply. It reads the bytes directly into the reply buffer, and returns their number.
func (o *replies) data(id uint32, f File, off int64, want int) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reserve(sftpwire.DataHeader + want)
	from := len(o.buf)
	space := o.buf[from+sftpwire.DataHeader : from+sftpwire.DataHeader+want]
	n, err := f.ReadAt(space, off)
	if err != nil {
		return 0, err
	}
	o.buf = sftpwire.AppendDataHeader(o.buf, id, n)
	o.buf = o.buf[:len(o.buf)+n]
	o.reads = append(o.reads, read{f, off, n})
	return n, nil
}

// reading reports whether READ replies wait to be sent.
func (o *replies) reading() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.reads) > 0
}

func (s *Session) handleWrite(q *sftpwire.Request) {
	err := s.take(len(q.Data)) // for no handle, too: the bytes came
	var f File
	if err == nil {
		f, err = s.fileOf(q.Handle)
	}
	if err != nil {
		s.status(q.ID, err)
		return
	}
	id := q.ID
	f.WriteAt(q.Data, int64(q.Offset), func(err error) { s.status(id, err) })
}

func (s *Session) handleStat(q *sftpwire.Request) {
	info, err := s.fs.Stat(q.Path)
	s.attrs(q.ID, info, err)
}

func (s *Session) handleFstat(q *sftpwire.Request) {
	f, err := s.fileOf(q.Handle)
	if err != nil {
		s.status(q.ID, err)
		return
	}
	info, err := f.Stat()
	s.attrs(q.ID, info, err)
}

func (s *Session) attrs(id uint32, info model.FileInfo, err error) {
	if err != nil {
		s.status(id, err)
		return
	}
	a := wireAttrs(info)
	s.out.append(func(b []byte) []byte { return sftpwire.AppendAttrsReply(b, id, &a) })
}

// wireAttrs returns a file's attributes for the client. Owner and group have no meaning
// here, so they are constant.
func wireAttrs(f model.FileInfo) sftpwire.Attrs {
	a := sftpwire.Attrs{Flags: sftpwire.AttrSize | sftpwire.AttrOwner | sftpwire.AttrPermissions | sftpwire.AttrTimes,
		Size: uint64(f.Size), UID: 1000, GID: 1000, Permissions: f.Mode | sftpwire.ModeRegular, Mtime: seconds(f.Mtime)}
	if f.Dir {
		a.Permissions = f.Mode | sftpwire.ModeDir
	}
	a.Atime = a.Mtime
	return a
}

// seconds converts a time to SFTP v3's unsigned 32 bits; times out of range are clamped.
func seconds(t time.Time) uint32 { return uint32(max(0, min(t.Unix(), math.MaxUint32))) }

// change returns the change that SETSTAT asks for. Owner and group are ignored, not
// refused, since clients send them along with other attributes.
func change(a sftpwire.Attrs) (c exchange.Change, err error) {
	if a.Flags&sftpwire.AttrSize != 0 {
		if a.Size > math.MaxInt64 {
			return c, fault.E("sftpd.setstat", fault.TooLarge, "The size is out of range.")
		}
		size := int64(a.Size)
		c.Size = &size
	}
	if a.Flags&sftpwire.AttrTimes != 0 {
		t := time.Unix(int64(a.Mtime), 0).UTC()
		c.Mtime = &t
	}
	if a.Flags&sftpwire.AttrPermissions != 0 {
		mode := a.Permissions & 0o777
		c.Mode = &mode
	}
	return c, nil
}

func (s *Session) handleSetstat(q *sftpwire.Request) { s.setstat(q.ID, q.Path, q.Attrs) }

func (s *Session) setstat(id uint32, path string, a sftpwire.Attrs) {
	c, err := change(a)
	if err == nil {
		err = s.fs.Setstat(path, c)
	}
	s.status(id, err)
}

func (s *Session) handleFsetstat(q *sftpwire.Request) {
	f, err := s.fileOf(q.Handle)
	var c exchange.Change
	if err == nil {
		c, err = change(q.Attrs)
	}
	if err == nil && (c.Mtime != nil || c.Mode != nil) {
		err = f.SetTimes(c.Mtime, c.Mode)
	}
	if err != nil || c.Size == nil {
		s.status(q.ID, err)
		return
	}
	id := q.ID
	f.Truncate(*c.Size, func(err error) { s.status(id, err) })
}

func (s *Session) handleReaddir(q *sftpwire.Request) {
	o, err := s.handleOf(q.Handle)
	if err == nil && o.dir == nil {
		err = fault.E("sftpd.readdir", fault.Conflict, "This handle is a file's.")
	}
	if err == nil && len(o.rest) == 0 {
		o.rest, err = o.dir.Next()
	}
	if err != nil {
		s.status(q.ID, err)
		return
	}
	now := s.o.Clock()
	id := q.ID
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.out.reserve(namesReply + 8<<10)
	b, names := sftpwire.BeginNames(s.out.buf, id)
	from := len(b)
	for len(o.rest) > 0 && len(b)-from < namesReply {
		f := o.rest[0]
		o.rest = o.rest[1:]
		a := wireAttrs(f)
		s.long = appendLong(s.long[:0], f, now)
		b = names.Append(b, f.Name, s.long, &a)
	}
	s.out.buf = names.End(b)
}

// realPath answers with a NAME reply that has one entry.
func (s *Session) realPath(id uint32, path string) {
	clean, err := s.fs.RealPath(path)
	if err != nil {
		s.status(id, err)
		return
	}
	s.out.append(func(b []byte) []byte {
		b, names := sftpwire.BeginNames(b, id)
		return names.End(names.Append(b, clean, []byte(clean), &sftpwire.Attrs{}))
	})
}
