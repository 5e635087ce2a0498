package sftpd

import (
	"io"
	"math"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// advertised lists the extensions in VERSION. Hard links are not supported.
var advertised = []sftpwire.Extension{
	{Name: "posix-rename@openssh.com", Data: "1"},
	{Name: "statvfs@openssh.com", Data: "2"},
	{Name: "fstatvfs@openssh.com", Data: "2"},
	{Name: "fsync@openssh.com", Data: "1"},
	{Name: "lsetstat@openssh.com", Data: "1"},
	{Name: "limits@openssh.com", Data: "1"},
	{Name: "expand-path@openssh.com", Data: "1"},
	{Name: "copy-data", Data: "1"},
	{Name: "home-directory", Data: "1"},
}

// extensions is the table of extended requests (OpenSSH's PROTOCOL, §4).
var extensions = map[string]func(*Session, *sftpwire.Request) error{
	"posix-rename@openssh.com": (*Session).posixRename,
	"statvfs@openssh.com":      (*Session).statvfs,
	"fstatvfs@openssh.com":     (*Session).fstatvfs,
	"fsync@openssh.com":        (*Session).fsync,
	"lsetstat@openssh.com":     (*Session).lsetstat,
	"limits@openssh.com":       (*Session).limits,
	"expand-path@openssh.com":  (*Session).expandPath,
	"copy-data":                (*Session).copyData,
	"home-directory":           (*Session).homeDirectory,
}

// handleExtended calls the extension's handler. A handler that returns nil has sent the
// reply; an error is sent here.
func (s *Session) handleExtended(q *sftpwire.Request) {
	h := extensions[q.Extended]
	if h == nil {
		s.status(q.ID, fault.E("sftpd", fault.Unsupported, "This server does not offer that."))
		return
	}
	if err := h(s, q); err != nil {
		s.status(q.ID, err)
	}
}

func damaged(err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{Op: "sftpd.extended", Kind: fault.Invalid, Public: "The request is damaged.", Err: err}
}

func (s *Session) posixRename(q *sftpwire.Request) error {
	p, err := q.Paths(2)
	if err != nil {
		return damaged(err)
	}
	s.status(q.ID, s.fs.Rename(p[0], p[1], true))
	return nil
}

func (s *Session) lsetstat(q *sftpwire.Request) error {
	p, a, err := q.SetstatFields()
	if err != nil {
		return damaged(err)
	}
	s.setstat(q.ID, p, a)
	return nil
}

func (s *Session) fsync(q *sftpwire.Request) error {
	h, err := q.HandleField()
	if err != nil {
		return damaged(err)
	}
	f, err := s.fileOf(h)
	if err != nil {
		return err
	}
	id := q.ID
	f.Sync(func(err error) { s.status(id, err) })
	return nil
}

func (s *Session) limits(q *sftpwire.Request) error {
	s.out.append(func(b []byte) []byte {
		return sftpwire.AppendExtendedReply(b, q.ID, sftpwire.MaxPacket, sftpwire.MaxData, sftpwire.MaxData,
			uint64(s.o.MaxHandles))
	})
	return nil
}

func (s *Session) statvfs(q *sftpwire.Request) error {
	p, err := q.Paths(1)
	if err != nil {
		return damaged(err)
	}
	if _, err := s.fs.Stat(p[0]); err != nil {
		return err
	}
	return s.space(q.ID)
}

func (s *Session) fstatvfs(q *sftpwire.Request) error {
	h, err := q.HandleField()
	if err != nil {
		return damaged(err)
	}
	if _, err := s.handleOf(h); err != nil {
		return err
	}
	return s.space(q.ID)
}

// space answers as statvfs(3) would for a file system of the quota's size.
func (s *Session) space(id uint32) error {
	sp, err := s.fs.Space()
	if err != nil {
		return err
	}
	const block, noSUID = 4096, 2
	free := uint64(max(0, sp.Bytes-sp.UsedBytes)) / block
	ffree := uint64(max(0, sp.Files-sp.UsedFiles))
	s.out.append(func(b []byte) []byte {
		return sftpwire.AppendExtendedReply(b, id, block, block, uint64(sp.Bytes)/block, free, free,
			uint64(sp.Files), ffree, ffree, 0, noSUID, valid.MaxName)
	})
	return nil
}

func (s *Session) expandPath(q *sftpwire.Request) error {
	p, err := q.Paths(1)
	if err != nil {
		return damaged(err)
	}
	rest, tilde := strings.CutPrefix(p[0], "~")
	if !tilde {
		s.realPath(q.ID, p[0])
		return nil
	}
	if rest != "" && rest[0] != '/' {
		return fault.E("sftpd.expand", fault.NotFound, "Only your own home directory is known here.")
	}
	s.realPath(q.ID, "./"+rest)
	return nil
}

// homeDirectory answers with this session's start directory. It ignores the requested
// user name, so that a client learns nothing about other users.
func (s *Session) homeDirectory(q *sftpwire.Request) error {
	if _, err := q.Paths(1); err != nil {
		return damaged(err)
	}
	s.realPath(q.ID, ".")
	return nil
}

// copyData copies between two open files of the session.
func (s *Session) copyData(q *sftpwire.Request) error {
	c, err := q.CopyFields()
	if err != nil {
		return damaged(err)
	}
	from, err := s.fileOf(c.From)
	if err != nil {
		return err
	}
	to, err := s.fileOf(c.To)
	if err != nil {
		return err
	}
	if from == to || c.FromOffset > math.MaxInt64 || c.ToOffset > math.MaxInt64 || c.Length > math.MaxInt64 {
		return fault.E("sftpd.copy", fault.Invalid, "These ranges cannot be copied.")
	}
	if err := from.Ready(); err != nil {
		return err
	}
	info, err := from.Stat()
	if err != nil {
		return err
	}
	// The length is fixed before copying: the target may be the same file under
	// another handle, and would otherwise grow for ever.
	left := max(0, info.Size-int64(c.FromOffset))
	short := c.Length != 0 && left < int64(c.Length)
	if c.Length != 0 {
		left = min(left, int64(c.Length))
	}
	err = s.copyRange(from, to, int64(c.FromOffset), int64(c.ToOffset), left)
	if err == nil && short {
		err = io.EOF
	}
	s.status(q.ID, err)
	return nil
}

// copyRange copies left bytes. It returns io.EOF if the source ends before that.
func (s *Session) copyRange(from, to File, at, dest, left int64) error {
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	outcome := make(chan error, 1)
	for left > 0 {
		if s.ctx.Err() != nil {
			return fault.E("sftpd.copy", fault.Unavailable, "The session is ending.")
		}
		n, err := from.ReadAt((*pooled)[:min(int64(sftpwire.MaxData), left)], at)
		if err != nil {
			return err
		}
		to.WriteAt((*pooled)[:n], dest, func(err error) { outcome <- err })
		if err := <-outcome; err != nil {
			return err
		}
		at, dest, left = at+int64(n), dest+int64(n), left-int64(n)
	}
	return nil
}
