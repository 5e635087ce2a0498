package tree_test

import (
	"sync"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// TestARemovalKeepsNobodyElseWaiting: the disk is slow to remove a large upload. The session
// that removes it waits; the user's other sessions, and new ones, do not.
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

// TestAnOpenKeepsNobodyElseWaiting: the disk is slow to make a stage, or to open one again. The session that
// needs it waits; the user's other sessions, and new ones, do not.
func TestAnOpenKeepsNobodyElseWaiting(t *testing.T) {
	flags := map[blobtest.Op]exchange.OpenFlags{
		blobtest.OpStage:  create,
		blobtest.OpReopen: update,
	}
	for op, flag := range flags {
		t.Run(string(op), func(t *testing.T) {
			w := newWorld(t, "")
			faulty := blobtest.NewFaulty(w.Blobs, nil)
			w.faulty = faulty
			w.reopen()
			u := w.Customer("acme")
			if op == blobtest.OpReopen {
				first := w.login(u)
				must(t, write(open(t, first, "/upload/large", create), "some bytes", 0))
				first.End()
				w.rested()
			}
			s, other := w.login(u), w.login(u)
			defer other.End()
			defer s.End()
			begun, free := make(chan struct{}), make(chan struct{})
			var once sync.Once
			faulty.Plan(func(o blobtest.Op, _ string) (f blobtest.Fault) {
				if o == op {
					once.Do(func() { f.Before = func() { close(begun); <-free } })
				}
				return f
			})
			opened := make(chan error, 1)
			go func() {
				_, err := s.Open("/upload/large", flag, 0)
				opened <- err
			}()
			<-begun
			put(t, other, "/upload/small", "x")
			w.login(u).End()
			select {
			case err := <-opened:
				t.Errorf("OPEN was answered before its stage was there: %v", err)
			default:
			}
			close(free)
			must(t, <-opened)
		})
	}
}
