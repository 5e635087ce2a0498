package tree

import (
	"io"
	"runtime"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Reading a file back to hash it costs its sender nothing: a hole of any length is
// one request, and a byte rewritten at the start voids what was hashed.

const (
	// maxHole is how much of a file may never have been written when it is closed.
	maxHole = 1 << 30
	// hashStep is how much is hashed before another user has its turn.
	hashStep = 16 << 20
	// maxVoids is how often a file's hash may be voided and still be made while the
	// file is written, and not only when it is closed.
	maxVoids = 2
)

// newHashing lets as many hash at a time as there are processors but one, so that one
// is left to everybody else; a single one is shared.
func newHashing() chan struct{} { return make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)) }

// catchUp hashes what lies between the frontier and upTo by reading it back. It
// gives up when stopped is closed. Callers hold mu, or own an image that takes no
// more writes.
func (img *image) catchUp(upTo int64, stopped <-chan struct{}) error {
	for img.summed < upTo {
		step := min(upTo-img.summed, hashStep)
		if err := img.hashSome(step, stopped); err != nil {
			return err
		}
		img.summed += step
	}
	return nil
}

// hashSome hashes the next bytes, when it is this user's turn. Little is done at once.
func (img *image) hashSome(n int64, stopped <-chan struct{}) error {
	if n >= hashStep/4 {
		select {
		case <-stopped:
			return errStopped("tree.catchUp")
		default:
		}
		select {
		case img.t.hashing <- struct{}{}:
			defer func() { <-img.t.hashing }()
		case <-stopped:
			return errStopped("tree.catchUp")
		}
	}
	_, err := io.Copy(img.sum, io.NewSectionReader(img.stage, img.summed, n))
	return err
}

// hole refuses a file of which more was never written than may be. Callers hold mu.
func (img *image) hole() error {
	if missing := img.size - img.written; missing > maxHole {
		return exchange.E("tree.hole", exchange.Invalid, "Not stored: %d bytes of the file were never written; at most %d may be missing.", missing, maxHole)
	}
	return nil
}
