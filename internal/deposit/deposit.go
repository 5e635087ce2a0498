// Package deposit makes staged bytes durable together with the row that refers to them. It keeps one
// rule: once a transaction may have committed, its bytes are not written, cut or discarded until the
// database has confirmed that it did not commit.
//
// Receive stages bytes and hashes them while they arrive; Reread hashes the bytes of an existing
// stage. Commit first makes the bytes durable under the blob's key. Then a transaction writes the
// blob's row and whatever refers to it. Then the stage is settled. If the database refused the
// transaction, the stage is reverted. If COMMIT got no answer, the blob's id is looked up until the
// answer is certain, with growing pauses; the look-up waits for the lock on the id's primary key,
// which a transaction in flight holds. A caller that cannot wait that long gets ErrUnknown and is told
// the outcome later (Deposit.Late).
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
	"github.com/sallyport-sftp/sallyport/internal/telemetry"
)

// ErrUnknown is in the chain of an error when it is not known yet whether a deposit is stored. The
// caller must not use its stage until Late is called.
var ErrUnknown = errors.New("the outcome of the deposit is not known yet")

const (
	// waitFor is how long Commit itself waits for a certain outcome. A transaction may take 20 s
	// (package store), and CLOSE must be answered within 30 s.
	waitFor = 3 * time.Second
	// firstPause is the pause between the first two look-ups; it doubles up to lastPause.
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Desk commits deposits.
type Desk struct {
	store *store.Store
	log   *slog.Logger
	wait  time.Duration // waitFor

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed, and adding to late while Close waits for it
	closed bool
	late   sync.WaitGroup
}

// New makes a desk.
func New(s *store.Store, log *slog.Logger) *Desk {
	d := &Desk{store: s, log: log, wait: waitFor}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Close stops the look-ups of outcomes that are still unknown. Their bytes stay where they are: the
// next start finds them as leftovers or orphans and looks them up in the database.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.late.Wait()
}

// Staged is the part of a stage that a commit needs. Each is as blob.Stage says.
type Staged interface {
	Commit(key string, size int64) error
	Settle() error
	Revert() error
}

// Deposit is staged bytes with the rows that are to be written for them.
type Deposit struct {
	Stage Staged
	Blob  store.Blob   // ID, Key, Size and SHA256 as Record writes them
	Guard *store.Guard // of the login that makes it; nil for others
	// Trace is what the spans of the deposit belong to; its end ends nothing. Nil: they are a trace of their own.
	Trace context.Context //nolint:containedctx // a deposit is the argument of one call
	// Record writes the blob's row (store.Tx.AddBlob) and what refers to it. b is Blob, with what the
	// transaction has to store of a small file. Like every function of a transaction, it may run more than
	// once.
	Record func(tx *store.Tx, b store.Blob) error
	// Late is called once with the outcome, after Commit has returned ErrUnknown. nil means that the
	// rows exist. With an error, the caller may use the stage again, unless the chain has
	// blob.ErrSealed. It is not called if the desk is closed first. May be nil.
	Late func(err error)
}

// Commit stores a deposit and returns when the rows are durable. It cannot be cancelled: a client that
// disconnects does not undo it. After an error the stage is as before, unless the chain has ErrUnknown
// or blob.ErrSealed; then the stage must not be used any more.
func (d *Desk) Commit(in Deposit) (err error) {
	ctx := context.Background()
	if in.Trace != nil {
		ctx = context.WithoutCancel(in.Trace)
	}
	ctx, end := telemetry.Step(ctx, "store file", telemetry.Blob.String(in.Blob.ID), telemetry.Bytes.Int64(in.Blob.Size))
	defer func() { end(err) }()
	_, synced := telemetry.Step(ctx, "make bytes durable")
	err = in.Stage.Commit(in.Blob.Key, in.Blob.Size)
	if synced(err); err != nil {
		return err
	}
	b := in.Blob
	if c, ok := in.Stage.(blob.Carrier); ok {
		b.Body = c.Carry()
	}
	_, written := telemetry.Step(ctx, "write rows")
	err = d.store.WriteAs(context.Background(), in.Guard, func(tx *store.Tx) error { return in.Record(tx, b) })
	written(err)
	if errors.Is(err, store.ErrOutcomeUnknown) {
		d.log.Warn("a commit got no answer", "blob", in.Blob.ID, "err", err)
		return d.find(in, err)
	}
	return d.end(in, err)
}

// end settles the stage if err is nil, which means that the rows are stored, and reverts it otherwise.
// The outcome must be certain.
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

// find looks the outcome up in the background, and waits for it for d.wait.
func (d *Desk) find(in Deposit, cause error) error {
	unknown := fault.E("deposit.Commit", fault.Unavailable,
		"It is not known yet whether the file was stored; look for it before you send it again.")
	unknown.Err = errors.Join(ErrUnknown, cause)
	answer := make(chan error)  // received by find while it waits
	gone := make(chan struct{}) // closed when find stops waiting
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

// background runs fn in a goroutine for which Close waits; it returns false, and does not run fn, if
// the desk is closed.
func (d *Desk) background(fn func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.late.Go(fn)
	}
	return !d.closed
}

// unless returns the caller's error once the outcome is certain; nil if the deposit is stored. The
// lost answer to COMMIT is logged and not part of the error, since the outcome is known.
func unless(stored bool) error {
	if stored {
		return nil
	}
	return fault.E("deposit.Commit", fault.Unavailable,
		"The file was not stored: the database broke off. Please send it again.")
}

// look asks the database until the answer is certain, or ctx ends.
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

// recorded reports whether a blob's row exists. It waits for a transaction that is inserting the row.
// A row that the sweep claimed does not count.
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

// Leftovers lists the stages of earlier processes whose bytes have no row. Stages whose bytes have a
// row were committed: Leftovers settles them, and their bytes stay. At a start it must be called
// before any stage is reopened or removed. A stage that cannot be read or settled is logged and left
// to the next start.
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

// recordedOf reports for each stage whether its bytes have a row.
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
