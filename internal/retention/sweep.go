package retention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

const (
	// grace is how long dead blobs are kept, for open readers, backups and recovery from mistakes.
	grace = 24 * time.Hour
	every = time.Hour
	batch = 500
)

// Sweeper removes dead blobs and orphans, which are blobs without a row.
type Sweeper struct {
	store *store.Store
	blobs blob.Store
	clock exchange.Clock
	log   *slog.Logger
	hold  func() (release func(), err error)
}

// NewSweeper returns a sweeper.
func NewSweeper(s *store.Store, b blob.Store, clock exchange.Clock, log *slog.Logger) *Sweeper {
	return &Sweeper{store: s, blobs: b, clock: clock, log: log}
}

// ErrHeld means that a backup may still copy blobs which are dead by now: its snapshot names them.
var ErrHeld = errors.New("a backup holds the stored files")

// YieldTo makes the sweeper call hold before it removes some blobs, and release after that. hold returns
// ErrHeld while a backup is under way; the sweeper then removes nothing.
func (w *Sweeper) YieldTo(hold func() (release func(), err error)) { w.hold = hold }

// Run sweeps every hour until ctx ends.
func (w *Sweeper) Run(ctx context.Context) {
	do := func(ctx context.Context) error {
		n, err := w.Sweep(ctx)
		if n > 0 {
			w.log.Info("dead blobs were removed", "count", n)
		}
		return err
	}
	exchange.Task{Every: every, Do: do, Failure: "the sweep stopped early", Log: w.log}.Run(ctx)
}

// Sweep removes blobs that have been dead for longer than grace, and returns their number. It
// then claims orphans older than grace; they are removed grace later. A late commit of such a
// blob fails on the claim, so it cannot lose its bytes.
func (w *Sweeper) Sweep(ctx context.Context) (removed int, err error) {
	now := w.clock()
	for ctx.Err() == nil {
		dead, err := w.store.Read(ctx).DeadBlobs(now.Add(-grace), batch)
		if err != nil || len(dead) == 0 {
			if err != nil {
				return removed, err
			}
			break
		}
		if err := w.remove(dead); errors.Is(err, ErrHeld) {
			w.log.Info("dead blobs stay until the backup that is under way has ended")
			break
		} else if err != nil {
			return removed, err
		}
		if err := w.store.Write(ctx, func(tx *store.Tx) error { return mailbox.Forget(tx, dead) }); err != nil {
			return removed, err
		}
		removed += len(dead)
	}
	return removed, w.claimOrphans(ctx, now)
}

// remove deletes the bytes of some blobs.
func (w *Sweeper) remove(dead []store.Blob) error {
	if w.hold != nil {
		release, err := w.hold()
		if err != nil {
			return err
		}
		defer release()
	}
	for _, b := range dead {
		if err := w.blobs.Remove(b.Key); err != nil {
			return err
		}
	}
	return nil
}

func (w *Sweeper) claimOrphans(ctx context.Context, now time.Time) error {
	var pending []store.Blob
	claim := func() error {
		err := w.store.Write(ctx, func(tx *store.Tx) error {
			for _, b := range pending {
				if fresh, err := tx.ClaimOrphan(b, now); err != nil {
					return err
				} else if fresh {
					w.log.Warn("bytes without a record were found", "key", b.Key, "size", b.Size)
				}
			}
			return nil
		})
		pending = pending[:0]
		return err
	}
	err := w.blobs.Walk(func(key string, size int64, modified time.Time) error {
		if ctx.Err() != nil || now.Sub(modified) < grace {
			return ctx.Err()
		}
		known, err := w.store.Read(ctx).HasBlob(blob.ID(key))
		if err != nil || known {
			return err
		}
		if pending = append(pending, store.Blob{ID: blob.ID(key), Key: key, Size: size}); len(pending) < batch {
			return nil
		}
		return claim()
	})
	if err == nil && len(pending) > 0 {
		err = claim()
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}
