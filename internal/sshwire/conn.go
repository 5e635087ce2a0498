package sshwire

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// readBuffer is how many bytes are read from the socket at once, gatherBuffer how
// many are gathered before a writer waits.
const (
	readBuffer   = 128 << 10
	gatherBuffer = 256 << 10
)

var (
	readBuffers   = sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }}
	gatherBuffers = sync.Pool{New: func() any { b := make([]byte, 0, gatherBuffer); return &b }}
)

// Conn is a net.Conn for the SSH library. The library reads from one goroutine, and
// serializes its writes.
type Conn struct {
	net.Conn
	raw     syscall.RawConn // nil for a connection without a descriptor
	replay  []byte          // peeked, not yet read by the library
	swallow int             // bytes of the library's version line that Write still drops
	plain   *plain          // nil: no gate, or encrypted by now
	wrote   func()          // called before each write; may be nil

	pooled *[]byte // holds buf while something is in it
	buf    []byte
	tryFn  func(fd uintptr) bool
	tryN   int
	tryErr error

	received, sent atomic.Int64
	backlog        backlog
	hold           hold
	meter          meter

	mu       sync.Mutex
	room     *sync.Cond
	bulk     int     // calls of Bulk whose done was not called yet
	gathered *[]byte // to be written next
	draining bool    // a goroutine is writing
	err      error
}

func newConn(nc net.Conn) *Conn {
	c := &Conn{Conn: nc, meter: meter{closed: make(chan struct{})}}
	c.backlog.hold = &c.hold
	c.room = sync.NewCond(&c.mu)
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
			c.tryFn = c.try
		}
	}
	return c
}

// Received returns how many bytes came over the wire.
func (c *Conn) Received() int64 { return c.received.Load() }

// Sent returns how many bytes went over the wire.
func (c *Conn) Sent() int64 { return c.sent.Load() }

// Read returns the peeked bytes first, then bytes from one large read of the socket. The
// buffer is taken from the pool only when there is something to read, so that idle
// sessions hold none.
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
		c.holdRead()
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

// try reads once. It returns false to make the runtime wait until the descriptor is
// readable.
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

// Write drops the library's version line. After that it writes at once, or gathers the
// bytes while a Bulk is under way.
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
		c.room.Wait()
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

// drain writes what was gathered, while more is gathered. It ends when nothing is left.
// bulkDone waits for that.
func (c *Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.gathered != nil && c.err == nil {
		b := c.gathered
		c.gathered = nil
		c.room.Broadcast()
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
	c.room.Broadcast()
}

// Bulk announces a large write: until done is called, the library's packets are gathered
// and written many at a time. done returns when the kernel has all of them, or after an
// error. Calls may overlap.
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
		c.room.Wait()
	}
}
