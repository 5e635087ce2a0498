package small

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

const (
	moveEvery = time.Minute // or sooner, if bytes stay for less than ten minutes
	// A batch is moved with two syncs and one transaction.
	moveFiles = 500
	moveBytes = 4 << 20
)

// Keep moves bytes that have been in the database for long enough, at once and every minute, until ctx ends.
func (s *Store) Keep(ctx context.Context) {
	var last time.Time
	do := func(ctx context.Context) error {
		pause := min(max(s.policy.Load().Stay/10, time.Second), moveEvery)
		if time.Since(last) < pause {
			return nil
		}
		_, err := s.Move(ctx)
		last = time.Now()
		return err
	}
	exchange.Task{Every: time.Second, Do: do, Failure: "small files could not be moved out of the database",
		Log: s.log}.Run(ctx)
}

// Use returns how much was in the database after the last move.
func (s *Store) Use() store.BodyUse { return *s.use.Load() }

// Move moves the bytes that are due, and returns how many files they were. A stop at any point leaves them
// in at least one of the two places.
func (s *Store) Move(ctx context.Context) (moved int, err error) {
	before := s.clock().Add(-s.policy.Load().Stay)
	var failure error // of some files; the others are moved all the same
	for after := int64(0); ctx.Err() == nil; {
		list, err := s.rows.Read(ctx).Bodies(after, before, moveFiles, moveBytes)
		if err != nil {
			return moved, err
		}
		if len(list) == 0 {
			break
		}
		after = list[len(list)-1].ID
		n, err := s.moveAll(ctx, list)
		if err != nil {
			n, err = s.moveEach(ctx, list)
			failure = errors.Join(failure, err)
		}
		if moved += n; err != nil && n == 0 {
			return moved, failure // the disk takes nothing
		}
	}
	use, err := s.rows.Read(ctx).BodyUse()
	if err == nil {
		s.use.Store(&use)
	}
	return moved, errors.Join(failure, err)
}

// stuck is how many files in a row may fail until the rest is left for later.
const stuck = 3

// moveEach moves files of a batch that failed as a whole, so that one which cannot be moved holds up no other.
func (s *Store) moveEach(ctx context.Context, list []store.Body) (moved int, failure error) {
	failed := 0
	for i := range list {
		n, err := s.moveAll(ctx, list[i:i+1])
		if moved += n; err == nil {
			failed = 0
			continue
		}
		if failure == nil {
			failure = err
		}
		if failed++; failed == stuck {
			break
		}
	}
	return moved, failure
}

// moveAll moves a batch. Damaged bytes stay where they are: whoever looks for the cause finds them.
func (s *Store) moveAll(ctx context.Context, list []store.Body) (int, error) {
	var sound []store.Body
	var files []blob.Whole
	for _, b := range list {
		if err := b.Blob.Check(b.Bytes); err != nil {
			s.log.Error("the bytes of a stored file are damaged in the database", "blob", b.Blob.ID, "err", err)
			continue
		}
		sound = append(sound, b)
		files = append(files, blob.Whole{Key: b.Blob.Key, Bytes: b.Bytes})
	}
	if len(files) == 0 {
		return 0, nil
	}
	if err := s.Store.Put(files); err != nil {
		return 0, err
	}
	slices.SortFunc(sound, func(a, b store.Body) int { return strings.Compare(a.Blob.ID, b.Blob.ID) }) // as rows are held
	return len(files), s.rows.WriteFor(ctx, store.Behind, func(tx *store.Tx) error {
		for _, b := range sound {
			if err := tx.BodyMoved(b); err != nil {
				return err
			}
		}
		return nil
	})
}
