// Package sftpd is the SFTP version 3 server: it reads requests from one
// session's channel, answers them from a FileSystem, and gathers the replies.
//
// One goroutine serves a session's requests strictly in the order they came
// (draft-ietf-secsh-filexfer-02 §6.1), so requests on one file take effect
// in order. Only a CLOSE that commits, an fsync, and a change that must first copy a
// stored file are answered later, from the goroutine that did the work.
//
// session.go has the loop and the reply buffer, handlers.go the table of
// requests, extensions.go the table of extended requests, long.go the line of ls -l.
package sftpd

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// FileSystem is what a session serves. Only the session's goroutine uses it. Paths are
// as the client sent them.
type FileSystem interface {
	Open(path string, flags exchange.OpenFlags, mode uint32) (File, error)
	OpenDir(path string) (Dir, error)
	Paths
}

// Paths is what a FileSystem does with paths alone.
type Paths interface {
	Stat(path string) (model.FileInfo, error)
	Setstat(path string, c exchange.Change) error
	Mkdir(path string) error
	Rmdir(path string) error
	Remove(path string) error
	Rename(from, to string, replace bool) error
	RealPath(path string) (string, error)
	Space() (exchange.Space, error)
}

// File is an open file. Calls that take done call it once with the outcome:
// before they return, or later from another goroutine.
type File interface {
	// Ready waits for this session's own work on the file, so that ReadAt need not
	// wait.
	Ready() error
	ReadAt(p []byte, off int64) (int, error)
	// WriteAt refuses a negative offset: on the wire it was 2^63 or more.
	WriteAt(p []byte, off int64, done func(error))
	Truncate(size int64, done func(error))
	SetTimes(mtime *time.Time, mode *uint32) error
	Stat() (model.FileInfo, error)
	Sync(done func(error))
	// Served notes that the client's connection accepted n bytes that were read at
	// off. Any goroutine may call it.
	Served(off int64, n int)
	Close(done func(error))
}

// Dir is an open directory. Next returns at least one name, or io.EOF.
type Dir interface {
	Next() ([]model.FileInfo, error)
}

// Options configure a Session.
type Options struct {
	Log        *slog.Logger
	Clock      exchange.Clock
	MaxHandles int
	// Bulk is called before a large block of replies is written, and done
	// afterwards. May be nil.
	Bulk func() (done func())
	// Used is told how much time requests took, and returns how long the session
	// pauses before the next one. May be nil.
	Used func(took time.Duration) (pause time.Duration)
	// Bandwidth is asked before the bytes of a file are moved. May be nil.
	Bandwidth Bandwidth
}

// Bandwidth lets a session wait for its share of the bandwidth.
type Bandwidth interface {
	// Take waits until n bytes of a file may be moved. If it has to wait, it calls before first. It fails
	// when ctx ends.
	Take(ctx context.Context, n int, before func()) error
	// Back returns n bytes that were not moved.
	Back(n int)
}

// Session serves one channel.
type Session struct {
	o  Options
	ch io.ReadWriter
	fs FileSystem
	in input

	// ctx is that of Serve. copy-data, which may take long, and pauses end with it.
	ctx context.Context

	handles map[uint32]*open
	next    uint32
	version uint32 // 0 until INIT

	used time.Duration // not yet told to Options.Used

	out  replies
	long []byte // scratch for a line of ls -l
}

// open is one entry of the handle table: a file or a directory.
type open struct {
	file File
	dir  Dir
	rest []model.FileInfo // of a directory: read but not yet sent
}

// New returns a session on a channel. Its FileSystem is passed to Serve, because it
// usually needs the session for BeforeWait.
func New(ch io.ReadWriter, o Options) *Session {
	s := &Session{o: o, ch: ch, handles: map[uint32]*open{}}
	s.out.s = s
	return s
}

// BeforeWait flushes the buffered replies. The FileSystem calls it on the session's
// goroutine before it waits for its own work.
func (s *Session) BeforeWait() { s.out.flush() }

// Serve answers requests until the client closes the channel (nil), breaks
// the protocol, or ctx ends. It does not close handles that are still open; the caller
// ends the FileSystem.
func (s *Session) Serve(ctx context.Context, fs FileSystem) error {
	s.fs, s.ctx = slashed{fs}, ctx
	defer s.in.release()
	defer s.out.release()
	return s.loop(ctx)
}
