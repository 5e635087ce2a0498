// Package memory sets the garbage collector: its limit by what the machine has, its pace by what the server does.
package memory

import (
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// total is how many bytes there are for this process: the machine's, or what its
// container has. 0: it cannot be told.
func total() int64 {
	least := uint64(0)
	for _, ask := range []memlimit.Provider{memlimit.FromSystem, memlimit.FromCgroup} {
		if n, err := ask(); err == nil && (least == 0 || n < least) { // no limit is an error, too
			least = n
		}
	}
	return int64(least)
}

// Limit has the collector work harder before half of the memory is used, unless
// the environment says otherwise. It returns how much there is.
func Limit() int64 {
	n := total()
	if os.Getenv("GOMEMLIMIT") == "" && n > 0 {
		debug.SetMemoryLimit(n / 2)
	}
	return n
}
