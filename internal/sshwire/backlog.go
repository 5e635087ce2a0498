package sshwire

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrBacklog ends a connection whose client sent more than anybody reads.
var ErrBacklog = errors.New("the client sent more than is read")

// LaneBacklog is how many bytes of the wire may wait for each open channel. The
// library keeps what arrives until it is read, up to a window of 2 MiB of content;
// as packets of one byte that takes fifty times the memory, and twenty times as
// much of the wire.
const LaneBacklog = 4 << 20

// slack is what a channel's content costs on the wire beyond itself, as a part of
// it: packets of 32 KiB, with room to spare.
const slack = 128

// replies is what a client may send for every byte of requests that were read, beside
// the requests: some libraries open the window again for each part of an answer, in
// packets that are larger than the request was.
const replies = 8

// backlog estimates what arrived on a connection and was not read. What waits for a
// channel came after the channel was last empty, less all that was read since; the
// fullest channel tells. The memory of all connections is counted by that. It is too
// much while a channel is never empty, so a connection ends by what is surely there:
// less what may have been replies.
type backlog struct {
	mu      sync.Mutex
	arrived int64 // bytes of the wire
	read    int64 // bytes of content, on all channels
	lanes   []*Lane
	overrun bool          // it was too much
	waiting int64         // the estimate that Total has
	total   *atomic.Int64 // of all connections; may be nil
	over    func()        // called when an estimate grew; may be nil
}

// Lane is one channel's part in a connection's backlog.
type Lane struct {
	b             *backlog
	arrived, read int64 // the connection's counts when the channel was last empty
	waits         bool  // its reader waits for more: it is empty
	excused       int64 // what of its backlog may have been replies
}

// emptied notes that nothing waits for the channel.
func (l *Lane) emptied() { l.arrived, l.read, l.excused = l.b.arrived, l.b.read, 0 }

// waiting is how many bytes of the wire the channel's backlog may be.
func (l *Lane) waiting() int64 {
	read := l.b.read - l.read
	return max(0, l.b.arrived-l.arrived-read-read/slack)
}

// Watch has total count the backlog of this connection, too, and calls grew whenever
// that grew. It must be called before the library reads.
func (c *Conn) Watch(total *atomic.Int64, grew func()) {
	c.backlog.total, c.backlog.over = total, grew
}

// Lane counts a channel in.
func (c *Conn) Lane() *Lane {
	b := &c.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &Lane{b: b, arrived: b.arrived, read: b.read}
	b.lanes = append(b.lanes, l)
	return l
}

// Backlog is how many bytes of the wire wait to be read, as far as can be told.
func (c *Conn) Backlog() int64 {
	c.backlog.mu.Lock()
	defer c.backlog.mu.Unlock()
	return c.backlog.waiting
}

// Wait notes that the channel is about to be read. If something is there, Read follows
// at once.
func (l *Lane) Wait() {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.waits = true
}

// Overrun reports whether the connection was ended because too much waited.
func (c *Conn) Overrun() bool {
	c.backlog.mu.Lock()
	defer c.backlog.mu.Unlock()
	return c.backlog.overrun
}

// Read notes that n bytes were read from the channel; empty says that it had no more.
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
}

// End counts a channel out.
func (l *Lane) End() {
	b := l.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lanes = slices.DeleteFunc(b.lanes, func(have *Lane) bool { return have == l })
	b.estimate()
}

// came notes that n bytes arrived, and fails if too much waits.
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

// estimate makes the estimate anew, and says what surely waits. Callers hold mu.
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
