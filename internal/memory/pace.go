package memory

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// The collector's pace. The SSH library allocates a slice for every packet,
// and collecting at the usual pace spends more on uploads than encryption
// does; but idle sessions should not keep the garbage of their log-ins.
const (
	idlePace = 100
	busyPace = 400
	busyRate = 4 << 20 // bytes a second from which the server is busy
	calmDown = 10      // quiet seconds until it is idle again
)

// Pace lets garbage wait while bytes move, and collects it when they
// no longer do, until ctx ends. moved counts bytes. GOGC in the environment turns it off.
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
