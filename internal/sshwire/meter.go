package sshwire

import (
	"sync"
	"sync/atomic"
	"time"
)

// meter counts what the library does with what arrives: decrypting, and giving it to
// channels. That is the time between two reads, unless something else held it up.
type meter struct {
	used   atomic.Pointer[func(time.Duration) time.Duration] // nil: nobody asks
	since  time.Time                                         // the last read returned then
	sum    time.Duration                                     // not yet told
	closed chan struct{}                                     // ends a pause
	once   sync.Once                                         // closes closed
}

const (
	mostOfOne  = time.Millisecond // between two reads
	usedAtOnce = 200 * time.Microsecond
)

// Meter tells used from now on how long the processor worked on what arrived. It says
// for how long nothing more is read.
func (c *Conn) Meter(used func(took time.Duration) (pause time.Duration)) { c.meter.used.Store(&used) }

// read is called before each read, and pauses.
func (m *meter) read() {
	used := m.used.Load()
	if used == nil || m.since.IsZero() {
		return
	}
	if m.sum += min(time.Since(m.since), mostOfOne); m.sum < usedAtOnce {
		return
	}
	pause := (*used)(m.sum)
	m.sum = 0
	if pause <= 0 {
		return
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-m.closed:
	}
}

// returns is called when a read returns.
func (m *meter) returns() {
	if m.used.Load() != nil {
		m.since = time.Now()
	}
}

// Close closes the connection, and ends a pause.
func (c *Conn) Close() error {
	c.meter.once.Do(func() { close(c.meter.closed) })
	return c.Conn.Close()
}
