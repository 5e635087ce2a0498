package sshwire

import (
	"sync"
	"sync/atomic"
	"time"
)

// meter measures the time that the library takes to decrypt received bytes and to pass them
// to channels: the time between two reads. At most mostOfOne of it counts, because
// the library may have waited for something else.
type meter struct {
	used   atomic.Pointer[func(time.Duration) time.Duration] // nil: nothing is measured
	since  time.Time                                         // when the last read returned
	sum    time.Duration                                     // not yet reported
	closed chan struct{}                                     // ends a pause
	once   sync.Once                                         // closes closed
}

const (
	mostOfOne  = time.Millisecond // between two reads
	usedAtOnce = 200 * time.Microsecond
)

// Meter makes Read report the time spent on received bytes to used from now on. used
// returns for how long Read then pauses.
func (c *Conn) Meter(used func(took time.Duration) (pause time.Duration)) { c.meter.used.Store(&used) }

// read is called before each read. It reports the time and pauses.
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
