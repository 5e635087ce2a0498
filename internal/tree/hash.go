package tree

import (
	"context"
	"io"
	"runtime"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Reading a file back to hash it costs the server much and its sender nothing: a single
// request makes a hole of any length, and one byte rewritten at the start voids the hash.

const (
	// maxHole is how many bytes of a file may be unwritten when it is closed.
	maxHole = 1 << 30
	// hashStep is how many bytes are hashed before another user has its turn.
	hashStep = 16 << 20
	// maxVoids is how often a file's hash may be voided before sync stops hashing it in
	// the background. CLOSE then hashes the whole file.
	maxVoids = 2
)

// newHashing returns a gateway that lets GOMAXPROCS-1 users hash at a time (at least
// one), so that one processor is left for other work.
func newHashing() *fair.Gateway {
	return &fair.Gateway{All: max(1, runtime.GOMAXPROCS(0)-1), Party: func(string) int { return 1 }}
}

// catchUp hashes the stage from summed to upTo by reading it back. It fails when ctx
// ends. Callers hold mu.
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

// hashSome hashes the next n bytes. If n is large, it waits for the user's turn first.
func (img *image) hashSome(ctx context.Context, n int64) error {
	if n >= hashStep/4 {
		if ctx.Err() != nil || img.t.hashing.Enter(ctx, img.box.userID) != nil {
			return errStopped("tree.catchUp")
		}
		began := time.Now()
		defer func() {
			img.t.hashing.Leave(img.box.userID)
			_ = img.t.pay(ctx, "tree.hash", img.box.userID, time.Since(began)) // if ctx ended, the next step fails
		}()
	}
	_, err := io.Copy(img.sum, io.NewSectionReader(img.stage, img.summed, n))
	return err
}

// hole fails if more than maxHole bytes of the file were never written. Rewritten bytes
// count again as written. Callers hold mu.
func (img *image) hole() error {
	if missing := img.size - img.written; missing > maxHole {
		return fault.E("tree.hole", fault.Invalid,
			"Not stored: %d bytes of the file were never written; at most %d may be missing.", missing, maxHole)
	}
	return nil
}
