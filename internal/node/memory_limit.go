package node

import (
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memory is how many bytes there are for this process: the machine's, or what its
// container has. 0: it cannot be told.
func memory() int64 {
	least := uint64(0)
	for _, ask := range []memlimit.Provider{memlimit.FromSystem, memlimit.FromCgroup} {
		if n, err := ask(); err == nil && (least == 0 || n < least) { // no limit is an error, too
			least = n
		}
	}
	return int64(least)
}

// limitMemory has the collector work harder before half of the memory is used, unless
// the environment says otherwise. It returns how much there is.
func limitMemory() int64 {
	total := memory()
	if os.Getenv("GOMEMLIMIT") == "" && total > 0 {
		debug.SetMemoryLimit(total / 2)
	}
	return total
}
