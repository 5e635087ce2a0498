// Package sftpd is the SFTP version 3 server: it reads requests from one
// session's channel, answers them from a FileSystem, and gathers the replies.
//
// One goroutine serves a session's requests strictly in the order they came
// (draft-ietf-secsh-filexfer-02 §6.1), so what touches one file takes effect
// in order. Only a CLOSE that commits, and a WRITE that must first copy a
// stored file, answer later, from the goroutine that did the work.
//
// session.go is the loop and the reply buffer, handlers.go the table of
// requests, extensions.go that of extended ones, long.go the line of ls -l.
package sftpd

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// FileSystem is what a session serves. It is used by one goroutine; paths are
// as the client sent them.
type FileSystem interface {
	Open(path string, flags exchange.OpenFlags, mode uint32) (File, error)
	OpenDir(path string) (Dir, error)
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
	// Ready waits for what this session has under way on the file; ReadAt
	// does not wait.
	Ready() error
	ReadAt(p []byte, off int64) (int, error)
	// WriteAt refuses a negative offset, which is one past 2^63 on the wire.
	WriteAt(p []byte, off int64, done func(error))
	Truncate(size int64, done func(error))
	SetTimes(mtime *time.Time, mode *uint32) error
	Stat() (model.FileInfo, error)
	Sync(done func(error))
	// Served tells that the client's connection accepted bytes read.
	Served(off int64, n int)
	Close(done func(error))
}

// Dir is an open directory. Next returns at least one name, or io.EOF.
type Dir interface {
	Next() ([]model.FileInfo, error)
}

// Options are what a session needs besides its files.
type Options struct {
	Log        *slog.Logger
	Clock      exchange.Clock
	MaxHandles int
	// Bulk is told when a large block of replies is about to be written, and
	// the function it returns when it was. May be nil.
	Bulk func() (done func())
	// Used is told how long a request took, and says how long the session pauses
	// before the next. May be nil.
	Used func(took time.Duration) (pause time.Duration)
	// Refused is told of requests that were refused for want of rights or
	// service, from any goroutine. May be nil.
	Refused func(kind fault.Kind, text string)
}

// Session serves one channel.
type Session struct {
	o  Options
	ch io.ReadWriter
	fs FileSystem
	in input

	// ctx is Serve's, for the one handler that may take long: copy-data.
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

// New prepares a session. The FileSystem is given to Serve, since it usually
// wants to call BeforeWait.
func New(ch io.ReadWriter, o Options) *Session {
	s := &Session{o: o, ch: ch, handles: map[uint32]*open{}}
	s.out.s = s
	return s
}

// BeforeWait lets gathered replies out. The FileSystem calls it, on the
// session's goroutine, before it waits for one of its own replies to be sent.
func (s *Session) BeforeWait() { s.out.flush() }

// Serve answers requests until the client closes the channel (nil), breaks
// the protocol, or ctx ends. Handles left open are the FileSystem's to end.
func (s *Session) Serve(ctx context.Context, fs FileSystem) error {
	s.fs, s.ctx = slashed{fs}, ctx
	defer s.in.release()
	defer s.out.release()
	return s.loop(ctx)
}
