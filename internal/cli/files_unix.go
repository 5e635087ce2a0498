//go:build unix

package cli

import (
	"os"
	"syscall"
)

// doNotWait opens a pipe without waiting for somebody to write to it.
const doNotWait = syscall.O_NONBLOCK

// lock locks a file until it is closed. It fails if another process has it locked.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
