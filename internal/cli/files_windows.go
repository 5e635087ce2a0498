package cli

import (
	"os"

	"golang.org/x/sys/windows"
)

// doNotWait is nothing here: opening a pipe does not wait.
const doNotWait = 0

// lock locks a file until it is closed. It fails if another process has it locked. The lock is far
// behind the end of any
// note, since Windows lets nobody read what is locked.
func lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1,
		0, &windows.Overlapped{OffsetHigh: 1})
}
