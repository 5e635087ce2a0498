package tree_test

import (
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
)

// TestARemovalKeepsNobodyElseWaiting: the disk takes its time to remove a large upload.
// Who removed it waits; the user's other sessions, and new ones, do not.
func TestARemovalKeepsNobodyElseWaiting(t *testing.T) {
	w := newWorld(t, "")
	faulty := blobtest.NewFaulty(w.Blobs, nil)
	w.faulty = faulty
	w.reopen()
	u := w.Customer("acme")
	s, other := w.login(u), w.login(u)
	defer other.End()
	defer s.End()
	h := open(t, s, "/upload/large", create)
	must(t, write(h, "some bytes", 0))
	begun, free := make(chan struct{}), make(chan struct{})
	faulty.Plan(func(o blobtest.Op, _ string) blobtest.Fault {
		if o != blobtest.OpDiscard {
			return blobtest.Fault{}
		}
		return blobtest.Fault{Before: func() { close(begun); <-free }}
	})
	removed := make(chan error, 1)
	go func() { removed <- s.Remove("/upload/large") }()
	<-begun
	put(t, other, "/upload/small", "x")
	w.login(u).End()
	select {
	case err := <-removed:
		t.Errorf("the removal was answered before its bytes were gone: %v", err)
	default:
	}
	close(free)
	must(t, <-removed)
}
