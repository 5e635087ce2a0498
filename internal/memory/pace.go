package memory

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// The collector's pace (GOGC). The SSH library allocates a slice for every packet, so at the usual
// pace collecting takes more time in uploads than encryption. But the garbage of log-ins should not
// be kept while sessions are idle.
const (
	idlePace = 100
	busyPace = 400
	busyRate = 4 << 20 // bytes per second from which the server is busy
	calmDown = 10      // seconds below busyRate until it is idle

	calmRate  = 1 << 20  // bytes of memory per second: less is used by a server that nobody asks for anything
	calmFor   = 5        // seconds below calmRate until garbage is worth collecting
	calmWaste = 16 << 20 // bytes that were used since it was collected
)

// Pace sets busyPace while much data moves, and idlePace otherwise, until ctx ends. It collects garbage
// when the server has become calm: then only what idle sessions need is kept. moved returns the number
// of bytes moved so far. If GOGC is set in the environment, Pace does nothing.
func Pace(ctx context.Context, moved func() int64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	last, quiet, busy := moved(), 0, false
	lull := calm{used: allocated()}
	exchange.Task{Every: time.Second, Later: true, Do: func(context.Context) error {
		now := moved()
		if now-last >= busyRate {
			quiet = 0
			if !busy {
				busy = true
				debug.SetGCPercent(busyPace)
			}
		} else if quiet++; busy && quiet >= calmDown {
			busy = false
			debug.SetGCPercent(idlePace)
		}
		last = now
		if lull.after(allocated(), busy) {
			debug.FreeOSMemory()
		}
		return nil
	}}.Run(ctx)
}

// calm finds out when to collect garbage.
type calm struct {
	used, freed uint64 // bytes allocated so far: at the last look, and when garbage was collected
	seconds     int    // without much use
}

// after takes a look, one second after the last. It reports whether it is time.
func (c *calm) after(used uint64, busy bool) bool {
	if used-c.used < calmRate && !busy {
		c.seconds++
	} else {
		c.seconds = 0
	}
	c.used = used
	if c.seconds < calmFor || used-c.freed < calmWaste {
		return false
	}
	c.freed = used
	return true
}

// allocated returns how many bytes the process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
