package store

import (
	"context"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/store/walvfs"
)

// TestTheLogOfADiskThatFails lets writes and syncs of the log fail at random: at once, after a part, with a disk
// that is full or broken. What was answered with an error is not there, what was answered with success is, and once
// the disk works again so does the store.
func TestTheLogOfADiskThatFails(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	s := openPages(t, dir)
	if err := s.Write(ctx, insertPages(1, 1, nil)); err != nil {
		t.Fatal(err)
	}
	odds := rand.New(rand.NewPCG(3, 4))
	want, failures := map[string]int64{"writer": 1}, 0
	for i := range 400 {
		rows, size := 1+odds.IntN(4), 1+odds.IntN(8<<10)
		if i%40 == 0 {
			rows, size = 12, 1<<20 // its frames are written before it ends
		}
		s.wal.Use(failing(odds))
		err := s.Write(ctx, insertPages(rows, size, nil))
		s.wal.Use(walvfs.System)
		if err == nil {
			want["writer"] += int64(rows * size)
		} else {
			failures++
		}
		checkPages(t, s.read, want)
		if i%3 == 0 { // the disk works again, for this connection or for another
			if _, err := s.Jobs().Exec(`INSERT INTO pages (by, bytes) VALUES ('job', $1)`, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			want["job"] += int64(size)
		}
	}
	if failures < 100 {
		t.Errorf("%d transactions failed", failures)
	}
	checkLater(t, s, dir, want)
}

// failing returns calls of which one may fail.
func failing(odds *rand.Rand) walvfs.Calls {
	c := walvfs.System
	cause := []error{unix.ENOSPC, unix.EDQUOT, unix.EIO}[odds.IntN(3)]
	switch odds.IntN(5) {
	case 0:
		c.Pwrite = func(int, []byte, int64) (int, error) { return -1, cause }
	case 1: // a part of it, then no more
		short := true
		c.Pwrite = func(fd int, p []byte, off int64) (int, error) {
			if !short {
				return -1, cause
			}
			short = false
			return unix.Pwrite(fd, p[:1+len(p)/3], off)
		}
	case 2:
		c.Fdatasync = func(int) error { return cause }
	case 3: // signals, and calls that write less: no failure
		c.Pwrite = func(fd int, p []byte, off int64) (int, error) {
			if odds.IntN(2) == 0 {
				return -1, unix.EINTR
			}
			return unix.Pwrite(fd, p[:1+len(p)/2], off)
		}
	}
	return c
}
