package tree_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob/small"
)

// walFrame is the size of a frame of SQLite's log in bytes: a page and its header.
const walFrame = 4096 + 24

// TestACommitWritesFewFrames counts what the database's log gets for an upload of 4 KiB that becomes a
// drop.
func TestACommitWritesFewFrames(t *testing.T) {
	w := newWorld(t, "")
	w.Blobs.Replace(bigSmall)
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	text := strings.Repeat("0123456789abcdef", 256)
	const most = 28
	const before, files = 50, 150 // their log is not begun anew meanwhile
	var began int64
	for i := range before + files {
		if i == before {
			began = w.logSize()
		}
		put(t, s, fmt.Sprintf("/upload/file-%06d", i), fmt.Sprintf("%06d", i)+text[6:])
	}
	if d := os.Getenv("KEEPDIR"); d != "" {
		_ = os.CopyFS(d, os.DirFS(w.Dir))
	}
	frames := float64(w.logSize()-began) / walFrame / files
	t.Logf("%.1f frames a commit", frames)
	if frames > most {
		t.Errorf("a commit writes %.1f frames, want at most %d", frames, most)
	}
}

func (w *world) logSize() int64 {
	w.Helper()
	info, err := os.Stat(filepath.Join(w.Dir, "sallyport.db-wal"))
	w.Must(err)
	return info.Size()
}

// bigSmall keeps files of up to 32 KiB in the database.
var bigSmall = small.Policy{Bound: 32 << 10, Memory: 64 << 20, Stay: time.Hour}
