package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// maxBatch is how many functions share a transaction at most.
const maxBatch = 64

// ErrOutcomeUnknown is in the chain of an error when a COMMIT failed in a way
// that leaves open whether it took effect. Look before answering.
var ErrOutcomeUnknown = errors.New("the outcome of the commit is unknown")

// unheard is what a caller is told whose COMMIT got no answer.
func unheard(cause error) error {
	return &exchange.Error{Op: "store.Write", Kind: exchange.Unavailable, Err: errors.Join(ErrOutcomeUnknown, cause),
		Public: "It is not known whether this was done; please look before you ask for it again."}
}

// job is one function on its way through the writer.
type job struct {
	fn   func(*Tx) error
	err  error
	done chan struct{} // closed when err stands
	lead chan struct{} // closed to make its owner the leader
}

// queue is how functions come to share SQLite's writing connection. Whoever
// finds nobody writing becomes the leader and writes its own; those who come
// meanwhile wait, and the first of them leads the next batch. So a lone writer
// changes no goroutine, and a crowd shares transactions.
type queue struct {
	mu      sync.Mutex
	busy    bool // somebody leads
	waiting []*job
	closed  bool
	idle    *sync.Cond
}

// Write runs fn in a transaction and returns when it is durable. fn may run
// more than once; an error from it rolls its work back and is returned. The
// context only guards the wait to be taken up: what has begun is finished.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return exchange.Wrap("store.Write", exchange.Unavailable, err)
	}
	if !s.dialect.single {
		return s.writeParallel(fn) // parallel.go
	}
	q := &s.queue
	j := &job{fn: fn}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return exchange.Wrap("store.Write", exchange.Unavailable, errors.New("the store is closed"))
	}
	q.waiting = append(q.waiting, j)
	if q.busy {
		j.done, j.lead = make(chan struct{}), make(chan struct{})
		q.mu.Unlock()
		select {
		case <-j.done:
			return j.err
		case <-j.lead:
		}
		q.mu.Lock()
	}
	q.busy = true
	batch := q.take()
	q.mu.Unlock()
	s.runBatch(batch)
	q.handOver()
	return j.err
}

// take takes what waits, up to maxBatch. Callers hold mu.
func (q *queue) take() []*job {
	n := min(len(q.waiting), maxBatch)
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// handOver makes the first who waits the next leader.
func (q *queue) handOver() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 {
		close(q.waiting[0].lead)
		return
	}
	q.busy = false
	q.idle.Broadcast()
}

// close refuses new functions and waits for those that were taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for q.busy {
		q.idle.Wait()
	}
}

// runBatch commits the jobs together. If one fails, the work of all was rolled
// back, so each is then run in a transaction of its own.
func (s *Store) runBatch(batch []*job) {
	err := s.once(func(tx *Tx) error {
		for _, j := range batch {
			if err := (&Tx{Q: tx.Q}).run(j.fn); err != nil { // each takes its own locks
				return err
			}
		}
		return nil
	})
	if err != nil && len(batch) > 1 && !errors.Is(err, ErrOutcomeUnknown) {
		for _, j := range batch {
			j.finish(s.once(j.fn))
		}
		return
	}
	for _, j := range batch {
		j.finish(err)
	}
}

// finish tells whoever waits for the job; the leader does not.
func (j *job) finish(err error) {
	j.err = err
	if j.done != nil {
		close(j.done)
	}
}

// once runs fn in one transaction on SQLite's writing connection.
func (s *Store) once(fn func(*Tx) error) (err error) {
	ctx := context.Background()
	tx := &Tx{Q: Q{s: s, ctx: ctx, conn: s.conn}}
	if _, err := tx.exec("Write", "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			_, _ = tx.execute("ROLLBACK")
		}
	}()
	if err := tx.run(fn); err != nil {
		return err
	}
	if _, err := tx.exec("Write", "COMMIT"); err != nil {
		return unheard(err)
	}
	committed = true
	return nil
}

// run runs fn, and what it left for the end. A panic becomes an error: the
// transaction is shared with others, who must not hang for it.
func (tx *Tx) run(fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = exchange.Wrap("store.Write", exchange.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	for _, do := range tx.last {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}
