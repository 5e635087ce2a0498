// Package memory tunes the garbage collector: its limit to the memory available, its pace to the
// server's load.
package memory

import (
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// total returns the bytes available to this process: the smaller of the machine's memory and its
// container's limit. 0: not known.
func total() int64 {
	least := uint64(0)
	for _, ask := range []memlimit.Provider{memlimit.FromSystem, memlimit.FromCgroup} {
		if n, err := ask(); err == nil && (least == 0 || n < least) { // no limit is an error, too
			least = n
		}
	}
	return int64(least)
}

// Limit makes the collector work harder when half of the memory is used, unless GOMEMLIMIT is set.
// It returns the memory available in bytes; 0 if it is not known.
func Limit() int64 {
	n := total()
	if os.Getenv("GOMEMLIMIT") == "" && n > 0 {
		debug.SetMemoryLimit(n / 2)
	}
	return n
}
