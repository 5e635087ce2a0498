package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// maxBatch is how many functions share a transaction at most.
const maxBatch = 64

// ErrOutcomeUnknown is in the chain of an error when a COMMIT failed in a way
// that leaves open whether it took effect. Look before answering.
var ErrOutcomeUnknown = errors.New("the outcome of the commit is unknown")

// job is one function on its way through the writer.
type job struct {
	fn   func(*Tx) error
	err  error
	done chan struct{}
}

// Write runs fn in a transaction and returns when it is durable. fn may run
// more than once; an error from it rolls its work back and is returned. The
// context only guards the wait to be taken up: what has begun is finished.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	if !s.dialect.single {
		return s.writeParallel(fn)
	}
	j := &job{fn: fn, done: make(chan struct{})}
	select {
	case <-s.stopped: // checked first: select chooses at random
		return errClosed()
	default:
	}
	select {
	case s.jobs <- j:
	case <-s.stopped:
		return errClosed()
	case <-ctx.Done():
		return exchange.Wrap("store.Write", exchange.Unavailable, ctx.Err())
	}
	select {
	case <-j.done:
		return j.err
	case <-s.stopped: // Close raced with us: the writer has drained or will not
		s.writer.Wait()
		select {
		case <-j.done:
			return j.err
		default:
			return errClosed()
		}
	}
}

func errClosed() error {
	return exchange.Wrap("store.Write", exchange.Unavailable, errors.New("the store is closed"))
}

// runWriter owns SQLite's writing connection: it takes what waits, up to
// maxBatch, into one transaction.
func (s *Store) runWriter() {
	batch := make([]*job, 0, maxBatch)
	for {
		batch = batch[:0]
		select {
		case j := <-s.jobs:
			batch = append(batch, j)
		case <-s.stopped:
			select { // finish what was taken in before Close
			case j := <-s.jobs:
				batch = append(batch, j)
			default:
				return
			}
		}
	drain:
		for len(batch) < maxBatch {
			select {
			case j := <-s.jobs:
				batch = append(batch, j)
			default:
				break drain
			}
		}
		s.runBatch(batch)
	}
}

// runBatch commits the jobs together. If one fails, the work of all was rolled
// back, so each is then run in a transaction of its own.
func (s *Store) runBatch(batch []*job) {
	err := s.once(func(tx *Tx) error {
		for _, j := range batch {
			if err := j.fn(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && len(batch) > 1 && !errors.Is(err, ErrOutcomeUnknown) {
		for _, j := range batch {
			j.err = s.once(j.fn)
			close(j.done)
		}
		return
	}
	for _, j := range batch {
		j.err = err
		close(j.done)
	}
}

// once runs fn in one transaction on SQLite's writing connection.
func (s *Store) once(fn func(*Tx) error) (err error) {
	ctx := context.Background()
	tx := &Tx{Q{s: s, ctx: ctx, conn: s.conn}}
	if _, err := tx.exec("Write", "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			_, _ = tx.exec("Write", "ROLLBACK")
		}
	}()
	if err := guard(fn, tx); err != nil {
		return err
	}
	if _, err := tx.exec("Write", "COMMIT"); err != nil {
		return exchange.Wrap("store.Write", exchange.Unavailable, errors.Join(ErrOutcomeUnknown, err))
	}
	committed = true
	return nil
}

// guard turns a panic in fn into an error: its transaction is shared with
// others, who must not hang for it.
func guard(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = exchange.Wrap("store.Write", exchange.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return fn(tx)
}

// writeParallel runs fn on PostgreSQL, again after a deadlock.
func (s *Store) writeParallel(fn func(*Tx) error) error {
	for try := 0; ; try++ {
		err := s.onceParallel(fn)
		if err == nil || try == 3 || !s.dialect.transient(err) {
			return err
		}
	}
}

func (s *Store) onceParallel(fn func(*Tx) error) error {
	ctx := context.Background()
	t, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return s.wrap("Write", err)
	}
	defer func() { _ = t.Rollback() }() // after Commit it does nothing
	if err := guard(fn, &Tx{Q{s: s, ctx: ctx, tx: t}}); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		if s.dialect.transient(err) { // refused, for certain
			return s.wrap("Write", err)
		}
		return exchange.Wrap("store.Write", exchange.Unavailable, errors.Join(ErrOutcomeUnknown, err))
	}
	return nil
}
