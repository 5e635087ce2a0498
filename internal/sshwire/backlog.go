package sshwire

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrBacklog ends a connection whose client sent much more than was read.
var ErrBacklog = errors.New("the client sent more than is read")

// LaneBacklog is how many received bytes of the wire may be unread for each open channel.
// The library keeps what arrives until it is read, up to a window of 2 MiB of content.
// Sent as packets of one byte, that takes fifty times the memory, and twenty times as many
// bytes on the wire.
const LaneBacklog = 4 << 20

// slack is the divisor for the wire's overhead: content of n bytes takes up to n/slack
// bytes more. For packets of 32 KiB that is ample.
const slack = 128

// replies is how many bytes of the wire a client may send, besides its requests, for every
// byte of requests that was read. Some libraries adjust the window for each part of a
// reply, in packets that are larger than the request was.
const replies = 8

// backlog estimates how many received bytes of a connection are unread. A channel's
// estimate is the bytes that arrived since the channel was last empty, less the content
// read since on any channel. The connection's estimate is that of its fullest channel, and
// counts for the memory of all connections. It is too high for a channel that is never
// empty. So a connection is ended only by the bytes that are surely unread, which exclude
// those that may not have been requests.
type backlog struct {
	mu      sync.Mutex
	arrived int64 // bytes of the wire
	read    int64 // bytes of content, on all channels
	lanes   []*Lane
	overrun bool          // the connection was ended with ErrBacklog
	waiting int64         // the current estimate, included in total
	hold    *hold         // told when less is unread
	total   *atomic.Int64 // of all connections; may be nil
	over    func()        // called when the estimate grew; may be nil
}

// Lane is one channel's part of a connection's backlog.
type Lane struct {
	b             *backlog
	arrived, read int64 // the connection's counts when the channel was last empty
	waits         bool  // its reader waits, so the channel is empty
	excused       int64 // bytes of its backlog that may not have been requests
}

// emptied notes that the channel is empty.
func (l *Lane) emptied() { l.arrived, l.read, l.excused = l.b.arrived, l.b.read, 0 }

// waiting returns the channel's estimate, in bytes of the wire.
func (l *Lane) waiting() int64 {
	read := l.b.read - l.read
	return max(0, l.b.arrived-l.arrived-read-read/slack)
}

// Watch adds the backlog of this connection to total, and calls grew whenever the backlog
// grew. It must be called before the library reads. Both may be nil.
func (c *Conn) Watch(total *atomic.Int64, grew func()) {
	c.backlog.total, c.backlog.over = total, grew
}

// Lane counts an open channel in. The caller must call End when the channel is closed.
func (c *Conn) Lane() *Lane {
	b := &c.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &Lane{b: b, arrived: b.arrived, read: b.read}
	b.lanes = append(b.lanes, l)
	return l
}

// Backlog returns the estimate of received bytes that are unread.
func (c *Conn) Backlog() int64 {
	c.backlog.mu.Lock()
	defer c.backlog.mu.Unlock()
	return c.backlog.waiting
}

// Wait notes that the channel is about to be read. The caller calls Read when bytes came.
// Until then the channel counts as empty.
func (l *Lane) Wait() {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.waits = true
	l.b.hold.empty()
}

// full reports whether so much is unread that a held read waits, and of how many channels.
func (b *backlog) full() (full bool, lanes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := int64(heldBacklog)
	if slices.ContainsFunc(b.lanes, func(l *Lane) bool { return l.waits }) {
		if most = heldBeside; len(b.lanes) == 1 {
			return false, 1 // nobody has anything to do
		}
	}
	return b.waiting > most, len(b.lanes)
}

// Overrun reports whether the connection was ended with ErrBacklog.
func (c *Conn) Overrun() bool {
	c.backlog.mu.Lock()
	defer c.backlog.mu.Unlock()
	return c.backlog.overrun
}

// Read notes that n bytes were read from the channel; empty says that none are left.
func (l *Lane) Read(n int, empty bool) {
	b := l.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read += int64(n)
	l.waits = false
	if empty {
		l.emptied()
	}
	l.excused = min(l.excused+replies*int64(n), l.waiting())
	if b.waiting > 0 {
		b.estimate()
	}
	b.hold.fewer(b.waiting)
}

// End counts a channel out.
func (l *Lane) End() {
	b := l.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lanes = slices.DeleteFunc(b.lanes, func(have *Lane) bool { return have == l })
	b.estimate()
}

// came notes that n bytes arrived. It fails with ErrBacklog if more than LaneBacklog bytes
// per channel are surely unread.
func (b *backlog) came(n int) error {
	b.mu.Lock()
	for _, l := range b.lanes {
		if l.waits {
			l.emptied()
		}
	}
	b.arrived += int64(n)
	was := b.waiting
	surely := b.estimate()
	is, grew := b.waiting, b.over
	over := len(b.lanes) > 0 && surely > int64(len(b.lanes))*LaneBacklog
	b.overrun = b.overrun || over
	b.mu.Unlock()
	if over {
		return ErrBacklog
	}
	if is > was && grew != nil {
		grew()
	}
	return nil
}

// estimate computes the estimate again, and returns how many bytes are surely unread.
// Callers hold mu.
func (b *backlog) estimate() (surely int64) {
	var most int64
	for _, l := range b.lanes {
		n := l.waiting()
		most, surely = max(most, n), max(surely, n-l.excused)
	}
	if b.total != nil {
		b.total.Add(most - b.waiting)
	}
	b.waiting = most
	return surely
}
