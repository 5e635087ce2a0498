package tree_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/tree"
)

// TestAPanicEndsWhatItHappenedIn: whichever disk call panics, the client gets an error with
// a reference, nothing stays locked, and other sessions go on. If a commit's outcome is
// unknown, the next start looks it up.
func TestAPanicEndsWhatItHappenedIn(t *testing.T) {
	for _, op := range []blobtest.Op{blobtest.OpCommit, blobtest.OpSettle, blobtest.OpSync, blobtest.OpReadAt,
		blobtest.OpDiscard} {
		t.Run(string(op), func(t *testing.T) {
			w := newWorld(t, "")
			faulty := blobtest.NewFaulty(w.Blobs, nil)
			w.faulty = faulty
			w.reopen()
			u := w.Customer("acme")
			s, other := w.login(u), w.login(u)
			defer other.End()
			faulty.Plan(func(o blobtest.Op, _ string) blobtest.Fault {
				if o == op {
					return blobtest.Fault{Before: func() { panic("a bug in " + string(op)) }}
				}
				return blobtest.Fault{}
			})
			err := provoke(t, s, op)
			if err != nil && !strings.Contains(err.Error(), "reference") {
				t.Errorf("the client hears %v", err)
			}
			faulty.Plan(nil)
			s.End()
			put(t, other, "/upload/of-another-session", "x")
			put(t, other, "/upload/f", "the same name again")
			fresh := w.login(u)
			defer fresh.End()
			if got := get(t, fresh, "/upload/of-another-session"); got != "x" {
				t.Errorf("it reads %q", got)
			}
			w.crash()
			w.current(u, "/upload/f", "the same name again")
		})
	}
}

// provoke causes a disk call, and returns the error that the client gets. A panic on the
// session's own goroutine is caught here, as the server does.
func provoke(t *testing.T, s *tree.Session, op blobtest.Op) (heard error) {
	t.Helper()
	return fault.Guard(slog.New(slog.DiscardHandler), "the test's session", func() error {
		h := open(t, s, "/upload/f", create)
		must(t, write(h, "some bytes", 0))
		switch op {
		case blobtest.OpSync:
			return wait(h.Sync)
		case blobtest.OpReadAt:
			must(t, write(h, "SOME", 0)) // compares with the bytes in the stage
			return closeHandle(h)
		case blobtest.OpDiscard:
			h.Abort()
			return nil
		}
		return closeHandle(h)
	})
}
