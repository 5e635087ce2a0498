package tree

import (
	"context"
	"io"
	"runtime"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/fault"
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

// newHashing lets as many users hash at a time as there are processors but one, so that
// one is left to everybody else; one is shared.
func newHashing() *fair.Gateway {
	return &fair.Gateway{All: max(1, runtime.GOMAXPROCS(0)-1), Party: func(string) int { return 1 }}
}

// catchUp hashes what lies between the frontier and upTo by reading it back. It
// gives up when ctx ends. Callers hold mu, or own an image that takes no more writes.
func (img *image) catchUp(ctx context.Context, upTo int64) error {
	for img.summed < upTo {
		step := min(upTo-img.summed, hashStep)
		if err := img.hashSome(ctx, step); err != nil {
			return err
		}
		img.summed += step
	}
	return nil
}

// hashSome hashes the next bytes, when it is this user's turn. Little is done at once.
func (img *image) hashSome(ctx context.Context, n int64) error {
	if n >= hashStep/4 {
		if ctx.Err() != nil || img.t.hashing.Enter(ctx, img.box.userID) != nil {
			return errStopped("tree.catchUp")
		}
		began := time.Now()
		defer func() {
			img.t.hashing.Leave(img.box.userID)
			_ = img.t.pay(ctx, "tree.hash", img.box.userID, time.Since(began)) // who is cut off fails at the next step
		}()
	}
	_, err := io.Copy(img.sum, io.NewSectionReader(img.stage, img.summed, n))
	return err
}

// hole refuses a file of which more was never written than may be. Callers hold mu.
func (img *image) hole() error {
	if missing := img.size - img.written; missing > maxHole {
		return fault.E("tree.hole", fault.Invalid,
			"Not stored: %d bytes of the file were never written; at most %d may be missing.", missing, maxHole)
	}
	return nil
}
