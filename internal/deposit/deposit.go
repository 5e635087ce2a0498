// Package deposit makes staged bytes durable together with the row that speaks
// of them. One rule holds: once a transaction may have committed, nobody writes,
// cuts or discards its bytes until the database has said for certain that it did
// not.
//
// Receive stages bytes and hashes them on their way; Reread hashes those that a
// stage has already. Commit goes in this order: the bytes become durable under the blob's key; the
// transaction writes the blob's row and whatever refers to it; the stage is
// settled. If the database refused, the stage is one again. If nobody heard the
// answer, the blob's id is looked for under the lock of its primary key, which a
// transaction in flight holds, with growing pauses, until the answer is certain.
// A caller that can't wait that long is told ErrUnknown and hears the outcome
// later.
package deposit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// ErrUnknown is in the chain of an error when nobody knows yet whether a deposit
// is stored. Its stage belongs to the desk until Late is called.
var ErrUnknown = errors.New("the outcome of the deposit is not known yet")

const (
	// waitFor is how long Commit itself waits for certainty. A transaction may
	// take 20 s (package store), and CLOSE answers within 30 s.
	waitFor = 3 * time.Second
	// firstPause is between the first two looks; it doubles up to lastPause.
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Desk takes deposits.
type Desk struct {
	store *store.Store
	log   *slog.Logger
	wait  time.Duration // waitFor

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // guards adding to late while it is waited for
	closed bool
	late   sync.WaitGroup
}

// New makes a desk.
func New(s *store.Store, log *slog.Logger) *Desk {
	d := &Desk{store: s, log: log, wait: waitFor}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Close stops looking for outcomes that are still unknown. Their bytes stay
// where they are: the next start finds them as leftovers or orphans and asks the
// database.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.late.Wait()
}

// Deposit is bytes with what is to be recorded of them.
type Deposit struct {
	Stage blob.Stage
	Blob  store.Blob   // ID, Key, Size and SHA256 as Record writes them
	Guard *store.Guard // of the login that makes it; nil for others
	// Record writes the blob's row (store.Tx.AddBlob) and what refers to it.
	// Like every function of a transaction it may run again.
	Record func(tx *store.Tx) error
	// Late hears the outcome once, after Commit has returned ErrUnknown: nil
	// when the rows are there, else why not; then the stage is one again. It is
	// not called if the desk is closed first. May be nil.
	Late func(err error)
}

// Commit stores a deposit and returns when the rows are durable. No context ends
// it: a sender that went away does not undo what is being recorded. After an
// error the stage stands as it was, unless the chain has ErrUnknown or
// blob.ErrSealed: then nobody may touch it any more.
func (d *Desk) Commit(in Deposit) error {
	if err := in.Stage.Commit(in.Blob.Key, in.Blob.Size); err != nil {
		return err
	}
	err := d.store.WriteAs(context.Background(), in.Guard, in.Record)
	if errors.Is(err, store.ErrOutcomeUnknown) {
		d.log.Warn("a commit got no answer", "blob", in.Blob.ID, "err", err)
		return d.find(in, err)
	}
	return d.end(in, err)
}

// end settles or reverts a stage whose outcome is certain: err nil is stored.
func (d *Desk) end(in Deposit, err error) error {
	if err == nil {
		if settleErr := in.Stage.Settle(); settleErr != nil { // the next start does it
			d.log.Warn("a stage could not be settled", "stage", in.Blob.ID, "err", settleErr)
		}
		return nil
	}
	if revertErr := in.Stage.Revert(); revertErr != nil {
		d.log.Error("bytes that were not recorded could not be made a stage again", "blob", in.Blob.ID, "key", in.Blob.Key,
			"err", revertErr)
		return errors.Join(err, blob.ErrSealed, revertErr)
	}
	return err
}

// find looks for the outcome in the background, and waits for it for a while.
func (d *Desk) find(in Deposit, cause error) error {
	unknown := fault.E("deposit.Commit", fault.Unavailable,
		"It is not known yet whether the file was stored; look for it before you send it again.")
	unknown.Err = errors.Join(ErrUnknown, cause)
	answer := make(chan error)  // taken by the caller, while it waits
	gone := make(chan struct{}) // closed when it does not any more
	look := func() {
		stored, err := d.look(d.ctx, in.Blob)
		if err != nil {
			return // closed
		}
		d.log.Info("it is known now whether bytes were recorded", "blob", in.Blob.ID, "recorded", stored)
		err = d.end(in, unless(stored))
		select {
		case answer <- err:
		case <-gone:
			if in.Late != nil {
				in.Late(err)
			}
		}
	}
	if !d.background(look) {
		return unknown
	}
	select {
	case err := <-answer:
		return err
	case <-d.ctx.Done():
	case <-time.After(d.wait):
		d.log.Error("it is not known whether bytes were recorded; they stay until the database says", "blob", in.Blob.ID)
	}
	close(gone)
	return unknown
}

// background runs fn until the desk is closed; false says that it is.
func (d *Desk) background(fn func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.late.Go(fn)
	}
	return !d.closed
}

// unless is what a caller hears once the outcome is certain. That nobody answered at
// first is in the log, and no part of it: the outcome is known.
func unless(stored bool) error {
	if stored {
		return nil
	}
	return fault.E("deposit.Commit", fault.Unavailable,
		"The file was not stored: the database broke off. Please send it again.")
}

// look asks until the database answers for certain, or ctx ends.
func (d *Desk) look(ctx context.Context, b store.Blob) (stored bool, err error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		stored, err := d.recorded(ctx, b)
		if err == nil {
			return stored, nil
		}
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(pause):
		}
	}
}

// recorded reports whether a blob's row is there, in a transaction that waits
// for whoever is inserting it. A claim of the sweep is no row.
func (d *Desk) recorded(ctx context.Context, b store.Blob) (bool, error) {
	return store.Change(ctx, d.store, func(tx *store.Tx) (bool, error) {
		sum, err := tx.SettleBlob(b.ID)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return bytes.Equal(sum, b.SHA256), err
	})
}

// askBatch is how many leftovers one transaction asks for.
const askBatch = 200

// Leftovers lists the stages of earlier processes that no row speaks of. Those
// that one does were committed: they are settled, and their bytes stay. Whoever
// starts asks for it before anything is taken up or removed. A stage that can't be
// read or settled is told of in log and left to the next start.
func Leftovers(s *store.Store, b blob.Store, log *slog.Logger) ([]blob.Leftover, error) {
	left, err := b.Leftovers()
	if err != nil {
		return nil, err
	}
	out := left[:0]
	for batch := range slices.Chunk(left, askBatch) {
		recorded, err := recordedOf(s, batch)
		if err != nil {
			return nil, err
		}
		for i, l := range batch {
			switch {
			case recorded[i]:
				if err := b.Settle(l.ID); err != nil {
					log.Warn("a stage could not be settled", "stage", l.ID, "err", err)
				}
			case l.Err != nil:
				log.Error("what an unfinished upload is could not be read; it is left alone", "stage", l.ID, "err", l.Err)
			default:
				out = append(out, l)
			}
		}
	}
	return out, nil
}

// recordedOf says of each stage whether a row speaks of it.
func recordedOf(s *store.Store, batch []blob.Leftover) ([]bool, error) {
	return store.Change(context.Background(), s, func(tx *store.Tx) ([]bool, error) {
		recorded := make([]bool, len(batch))
		for i, l := range batch {
			sum, err := tx.SettleBlob(l.ID)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return nil, err
			}
			recorded[i] = len(sum) > 0
		}
		return recorded, nil
	})
}
