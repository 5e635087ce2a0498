package memory

import (
	"context"
	"os"
	"runtime/debug"
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
)

// Pace sets busyPace while much data moves, and idlePace otherwise, until ctx ends. moved returns
// the number of bytes moved so far. If GOGC is set in the environment, Pace does nothing.
func Pace(ctx context.Context, moved func() int64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	last, quiet, busy := moved(), 0, false
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
			debug.FreeOSMemory()
		}
		last = now
		return nil
	}}.Run(ctx)
}
