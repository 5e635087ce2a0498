package sshwire

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// readBuffer is how much is read from the socket at once; gatherBuffer how
// much is gathered before a writer waits.
const (
	readBuffer   = 128 << 10
	gatherBuffer = 256 << 10
)

var (
	readBuffers   = sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }}
	gatherBuffers = sync.Pool{New: func() any { b := make([]byte, 0, gatherBuffer); return &b }}
)

// Conn is a net.Conn for the SSH library, which reads from one goroutine and
// writes under a lock of its own.
type Conn struct {
	net.Conn
	raw     syscall.RawConn // nil for a connection without a descriptor
	replay  []byte          // peeked, not yet given to the library
	swallow int             // bytes of the library's version line to pass over
	plain   *plain          // nil: no gate, or encrypted by now
	wrote   func()          // called before each write; nil: nobody asks

	pooled *[]byte // holds buf while something is in it
	buf    []byte
	tryFn  func(fd uintptr) bool
	tryN   int
	tryErr error

	received, sent atomic.Int64
	backlog        backlog
	meter          meter

	mu       sync.Mutex
	service  *sync.Cond
	bulk     int     // callers of Bulk that are not done
	gathered *[]byte // to be written next
	draining bool    // a goroutine is writing
	err      error
}

func newConn(nc net.Conn) *Conn {
	c := &Conn{Conn: nc, meter: meter{closed: make(chan struct{})}}
	c.service = sync.NewCond(&c.mu)
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
			c.tryFn = c.try
		}
	}
	return c
}

// Received counts the bytes that came over the wire.
func (c *Conn) Received() int64 { return c.received.Load() }

// Sent counts the bytes that went over the wire.
func (c *Conn) Sent() int64 { return c.sent.Load() }

// Read gives peeked bytes first, then what one large read from the socket
// brought. The buffer is taken from the pool only once there is something to
// read, so that idle sessions have none.
func (c *Conn) Read(p []byte) (int, error) {
	if c.plain != nil {
		return c.readPlain(p)
	}
	c.meter.read()
	defer c.meter.returns()
	return c.readRaw(p)
}

func (c *Conn) readRaw(p []byte) (int, error) {
	if len(c.replay) > 0 {
		n := copy(p, c.replay)
		c.replay = c.replay[n:]
		c.received.Add(int64(n))
		return n, nil
	}
	if len(c.buf) == 0 {
		if c.raw == nil {
			n, err := c.Conn.Read(p)
			c.received.Add(int64(n))
			if n > 0 && err == nil {
				err = c.backlog.came(n)
			}
			return n, err
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buf)
	c.buf = c.buf[n:]
	if len(c.buf) == 0 {
		readBuffers.Put(c.pooled)
		c.pooled, c.buf = nil, nil
	}
	c.received.Add(int64(n))
	return n, nil
}

// fill waits until the socket has bytes and reads them into a pooled buffer.
func (c *Conn) fill() error {
	c.tryN, c.tryErr = 0, nil
	if err := c.raw.Read(c.tryFn); err != nil {
		return err
	}
	if c.tryErr != nil {
		return c.tryErr
	}
	if c.tryN == 0 {
		return io.EOF
	}
	c.buf = (*c.pooled)[:c.tryN]
	return c.backlog.came(c.tryN)
}

// try reads once; false makes the runtime wait for the descriptor.
func (c *Conn) try(fd uintptr) bool {
	pooled := readBuffers.Get().(*[]byte)
	for {
		n, err := syscall.Read(int(fd), *pooled)
		if err == syscall.EINTR {
			continue
		}
		if n > 0 {
			c.pooled, c.tryN = pooled, n
			return true
		}
		readBuffers.Put(pooled)
		if err == syscall.EAGAIN {
			return false
		}
		c.tryErr = err
		return true
	}
}

// Write passes over the library's version line, then writes at once, or
// gathers while a bulk is being sent.
func (c *Conn) Write(p []byte) (int, error) {
	total := len(p)
	if c.wrote != nil {
		c.wrote()
	}
	if c.swallow > 0 {
		n := min(c.swallow, len(p))
		c.swallow -= n
		if p = p[n:]; len(p) == 0 {
			return total, nil
		}
	}
	c.sent.Add(int64(len(p)))
	c.mu.Lock()
	if c.bulk == 0 && !c.draining {
		c.mu.Unlock()
		if _, err := c.Conn.Write(p); err != nil {
			return 0, err
		}
		return total, nil
	}
	defer c.mu.Unlock()
	for c.gathered != nil && len(*c.gathered)+len(p) > gatherBuffer && c.err == nil {
		c.service.Wait()
	}
	if c.err != nil {
		return 0, c.err
	}
	if c.gathered == nil {
		c.gathered = gatherBuffers.Get().(*[]byte)
	}
	*c.gathered = append(*c.gathered, p...)
	if !c.draining {
		c.draining = true
		go c.drain()
	}
	return total, nil
}

// drain writes what was gathered; more gathers while the kernel takes it. It
// ends when there is nothing left, and Bulk's end waits for that.
func (c *Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.gathered != nil && c.err == nil {
		b := c.gathered
		c.gathered = nil
		c.service.Broadcast()
		c.mu.Unlock()
		_, err := c.Conn.Write(*b)
		*b = (*b)[:0]
		if cap(*b) == gatherBuffer {
			gatherBuffers.Put(b)
		}
		c.mu.Lock()
		c.err = err
	}
	c.draining = false
	c.service.Broadcast()
}

// Bulk says that much is about to be written: the library's packets then go
// to the kernel many at a time. Call done when it was; it returns once all is
// with the kernel.
func (c *Conn) Bulk() (done func()) {
	c.mu.Lock()
	c.bulk++
	c.mu.Unlock()
	return c.bulkDone
}

func (c *Conn) bulkDone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bulk--
	for c.draining {
		c.service.Wait()
	}
}
