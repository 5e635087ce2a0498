package sftpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
)

// bufferSize is the size of the largest packet, plus room for small ones behind it.
const bufferSize = sftpwire.MaxPacket + 32<<10

// bulkSize is the size in bytes from which a write of replies is announced with
// Options.Bulk, so that sshwire gathers its packets.
const bulkSize = 64 << 10

// buffers are shared by all sessions. A session holds one only while bytes are in it
// or a handle is open.
var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// input gathers bytes until a packet is whole.
type input struct {
	small  [512]byte // for a session that has no handle open
	pooled *[]byte
	buf    []byte
	r, w   int
}

// room makes space for need bytes from r on. roomy asks for a pooled buffer in any case.
func (in *input) room(need int, roomy bool) {
	if in.buf == nil {
		in.buf = in.small[:]
	}
	if in.pooled == nil && (roomy || need > len(in.small)) {
		in.pooled = buffers.Get().(*[]byte)
		in.w = copy(*in.pooled, in.buf[in.r:in.w])
		in.r, in.buf = 0, *in.pooled
	}
	if in.r > 0 && (in.r == in.w || len(in.buf)-in.r < need) {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
}

// release returns the pooled buffer to the pool, if no bytes are left in it.
func (in *input) release() {
	if in.pooled == nil || in.r < in.w {
		return
	}
	buffers.Put(in.pooled)
	in.pooled, in.buf, in.r, in.w = nil, nil, 0, 0
}

// loop reads requests and serves them. It flushes all replies before it waits for bytes.
func (s *Session) loop(ctx context.Context) error {
	var q sftpwire.Request
	for ctx.Err() == nil {
		body, need, err := sftpwire.Next(s.in.buf[s.in.r:s.in.w])
		if err != nil {
			return err
		}
		if body == nil {
			if s.in.r == s.in.w && len(s.handles) == 0 {
				s.in.release()
			}
			s.in.room(need, len(s.handles) > 0)
			s.out.pause()
			n, err := s.ch.Read(s.in.buf[s.in.w:])
			s.out.resume()
			s.in.w += n
			if err != nil && n == 0 {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			continue
		}
		s.in.r += need
		m := s.begin()
		err = fault.Guard(s.o.Log, "an SFTP request", func() error { return s.serve(&q, body) })
		s.end(m)
		if err != nil {
			if errors.Is(err, fault.ErrPanic) { // the client is told, and the session ends
				s.status(q.ID, err)
			}
			return err
		}
		if err := s.out.failed(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// serve answers one packet.
func (s *Session) serve(q *sftpwire.Request, body []byte) error {
	err := q.Parse(body)
	if s.version == 0 {
		if q.Type != sftpwire.TypeInit || err != nil {
			return errors.New("sftpd: the client did not begin with INIT")
		}
		s.version = min(q.ID, 3)
		if s.version < 3 {
			return fmt.Errorf("sftpd: the client speaks SFTP version %d, which is too old", q.ID)
		}
		s.out.append(func(b []byte) []byte { return sftpwire.AppendVersion(b, 3, advertised) })
		return nil
	}
	h := handlers[q.Type]
	switch {
	case h == nil:
		s.status(q.ID, fault.E("sftpd", fault.Unsupported, "This server does not offer that."))
	case err != nil:
		s.status(q.ID, fault.E("sftpd", fault.Invalid, "The request is damaged."))
	default:
		h(s, q)
	}
	return nil
}

// replies buffers what goes to the client. Any goroutine may append a reply, but only
// the session's goroutine appends READ replies.
type replies struct {
	s *Session

	mu       sync.Mutex
	pooled   *[]byte
	buf      []byte
	paused   bool // the session's goroutine waits, so whoever appends must flush
	flushing bool
	err      error
	wrote    atomic.Int64 // how long writing and waiting for bandwidth took, in nanoseconds

	reads []read // in buf, not yet accepted by the connection
}

// read is a READ reply on its way.
type read struct {
	file File
	off  int64
	n    int
}

// append adds one reply.
func (o *replies) append(add func([]byte) []byte) {
	if !o.gather(add) {
		return
	}
	runtime.Gosched() // commits end in batches, so let other goroutines append before the flush
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushing = false
	o.flushLocked()
}

// gather adds one reply, and reports whether the caller must flush.
func (o *replies) gather(add func([]byte) []byte) (flush bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reserve(10 << 10) // enough for the longest: the reply to REALPATH has a path of MaxPath twice
	o.buf = add(o.buf)
	flush = o.paused && !o.flushing
	o.flushing = o.flushing || flush
	return flush
}

// reserve makes sure that n more bytes fit; it flushes if they do not. Callers hold mu.
func (o *replies) reserve(n int) {
	if o.pooled == nil {
		o.pooled = buffers.Get().(*[]byte)
		o.buf = (*o.pooled)[:0]
	}
	if len(o.buf)+n > cap(o.buf) {
		o.flushLocked()
	}
}

// flush writes all replies to the channel, and calls Served for the READs among them.
// Only the session's goroutine calls it.
func (o *replies) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
}

func (o *replies) flushLocked() {
	if len(o.buf) == 0 || o.err != nil {
		o.buf = o.buf[:0]
		return
	}
	began := time.Now()
	if bulk := o.s.o.Bulk; bulk != nil && len(o.buf) >= bulkSize {
		done := bulk()
		_, o.err = o.s.ch.Write(o.buf)
		done()
	} else {
		_, o.err = o.s.ch.Write(o.buf)
	}
	o.wrote.Add(int64(time.Since(began)))
	o.buf = o.buf[:0]
	for _, r := range o.reads {
		if o.err == nil {
			r.file.Served(r.off, r.n)
		}
	}
	clear(o.reads)
	o.reads = o.reads[:0]
}

// pause flushes before the session waits, and returns the buffer to the pool if no
// handle is open.
func (o *replies) pause() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
	o.paused = true
	if len(o.s.handles) == 0 && o.pooled != nil {
		buffers.Put(o.pooled)
		o.pooled, o.buf = nil, nil
	}
}

func (o *replies) resume() {
	o.mu.Lock()
	o.paused = false
	o.mu.Unlock()
}

func (o *replies) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *replies) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
	o.err = io.ErrClosedPipe // replies of commits that end later are dropped
	if o.pooled != nil {
		buffers.Put(o.pooled)
		o.pooled, o.buf = nil, nil
	}
}
