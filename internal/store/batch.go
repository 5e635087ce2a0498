package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// maxBatch is how many functions share a transaction at most.
const maxBatch = 64

// ErrOutcomeUnknown is in the chain of an error when a COMMIT failed and may still have taken effect.
// Read the database to find out.
var ErrOutcomeUnknown = errors.New("the outcome of the commit is unknown")

// unheard returns the error for a COMMIT that got no answer.
func unheard(cause error) error {
	return &fault.Error{Op: "store.Write", Kind: fault.Unavailable, Err: errors.Join(ErrOutcomeUnknown, cause),
		Public: "It is not known whether this was done; please look before you ask for it again."}
}

// job is one function on its way through the writer.
type job struct {
	party string // the party that it belongs to
	fn    func(*Tx) error
	err   error
	apart bool          // it gets a savepoint, as its party had a function fail lately
	heavy bool          // whether its party was heavy when the batch was made
	took  time.Duration // running time in its batch
	done  chan struct{} // closed when err is final
	lead  chan struct{} // closed to make its owner the leader
}

// queue shares SQLite's writing connection among callers of Write. A caller that finds no leader
// becomes the leader and runs a batch in its own goroutine. Callers that come meanwhile wait, and one
// of them leads the next batch. So a lone writer needs no goroutine switch, and concurrent writers
// share transactions. Parties take turns, so a party with a thousand functions delays the first of
// another party by one batch at most.
type queue struct {
	mu      sync.Mutex
	busy    bool // there is a leader
	waiting fair.Turns[*job]
	weights weights
	failed  map[string]time.Time // parties of which a function has failed, until when they count as failing
	closed  bool
	idle    *sync.Cond
}

// Write runs fn in a transaction and returns when it is durable. fn may run
// more than once; an error from it rolls its work back and is returned. A
// function that changes state writes an audit row. Change is Write with a result.
// ctx is checked once, before queueing; a transaction that was queued cannot be
// cancelled.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	return s.WriteFor(ctx, "", fn)
}

// Behind is the party of the server's own work that nobody waits for: sealing, handing out, counting, moving.
const Behind = "behind"

// WriteFor is Write in the turn of a party: the id of a user, "" for the server itself, or Behind.
func (s *Store) WriteFor(ctx context.Context, party string, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap("store.Write", fault.Unavailable, err)
	}
	if !s.dialect.single {
		return s.writeParallel(party, fn) // parallel.go
	}
	q := &s.queue
	j := &job{party: party, fn: fn}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return fault.Wrap("store.Write", fault.Unavailable, errors.New("the store is closed"))
	}
	if q.busy {
		j.done, j.lead = make(chan struct{}), make(chan struct{})
		q.waiting.Add(party, j)
		q.mu.Unlock()
		select {
		case <-j.done:
			return j.err
		case <-j.lead:
		}
		q.mu.Lock()
	}
	q.busy = true
	batch := q.take(j)
	q.mu.Unlock()
	left := s.runBatch(batch)
	q.handOver(batch[:len(batch)-len(left)], left)
	return j.err
}

// take makes a batch of the leader's function and of those that wait, party by
// party, up to maxBatch; those of heavy parties come last. Callers hold mu.
func (q *queue) take(leader *job) []*job {
	now := time.Now()
	leader.heavy = q.weights.heavy(leader.party, now)
	batch, heavy := []*job{leader}, []*job(nil) // the leader stays first, so that it is always run
	leader.apart = q.fails(leader.party, now)
	for len(batch)+len(heavy) < maxBatch {
		j, ok := q.waiting.Next()
		if !ok {
			break
		}
		j.apart = q.fails(j.party, now)
		if j.heavy = q.weights.heavy(j.party, now); j.heavy {
			heavy = append(heavy, j)
		} else {
			batch = append(batch, j)
		}
	}
	return append(batch, heavy...)
}

// failsFor is for how long the functions of a party get savepoints after one has failed.
const failsFor = time.Minute

// fails reports whether a function of a party has failed lately. Callers hold mu.
func (q *queue) fails(party string, now time.Time) bool {
	until, ok := q.failed[party]
	if ok && now.After(until) {
		delete(q.failed, party)
		ok = false
	}
	return ok
}

// handOver wakes the next leader, one of a light party if any waits. ran are the functions that the
// batch ran. left are those that it did not start; they go back to the head of their parties' lines.
func (q *queue) handOver(ran, left []*job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, j := range ran {
		q.weights.add(j.party, j.took, now)
		if j.err != nil {
			q.failed[j.party] = now.Add(failsFor)
		}
	}
	for len(left) > 0 { // one PutBack per party, since each copies the party's line
		party := left[0].party
		var back []*job
		back, left = split(left, party)
		q.waiting.PutBack(party, back)
	}
	j, ok := q.waiting.NextOf(func(party string) bool { return !q.weights.heavy(party, now) })
	if !ok {
		j, ok = q.waiting.Next()
	}
	if ok {
		close(j.lead)
		return
	}
	q.busy = false
	q.idle.Broadcast()
}

// split takes a party's functions out of a list, in order.
func split(list []*job, party string) (its, others []*job) {
	for _, j := range list {
		if j.party == party {
			its = append(its, j)
		} else {
			others = append(others, j)
		}
	}
	return its, others
}

// close refuses new functions and waits until the queued ones have run.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for q.busy {
		q.idle.Wait()
	}
}

// batchTime is how long a batch goes on starting functions, so that many slow ones do not delay the
// next batch.
const batchTime = 100 * time.Millisecond

// errApart rolls back a batch in which a function without a savepoint has failed.
var errApart = errors.New("a function of the batch failed")

// runBatch commits jobs in one transaction and returns those that it did not start. A job that fails does
// not affect the others: if it has a savepoint, its work alone is undone; if not, the transaction is
// rolled back and begun again with savepoints for all. Savepoints cost a sixth of a commit's time, so only
// parties have them whose functions have failed lately. If the transaction itself fails, it was rolled
// back, and each job is run in a transaction of its own.
func (s *Store) runBatch(batch []*job) (left []*job) {
	began := time.Now()
	if len(batch) == 1 {
		batch[0].finish(s.once(batch[0].fn))
		batch[0].took = time.Since(began)
		return nil
	}
	failed := make([]error, len(batch))
	ran, err := s.runTogether(batch, failed, began)
	if errors.Is(err, errApart) {
		for _, j := range batch {
			j.apart = true
		}
		ran, err = s.runTogether(batch, failed, began)
	}
	if err != nil && !errors.Is(err, ErrOutcomeUnknown) {
		for _, j := range batch {
			j.finish(s.once(j.fn))
		}
		return nil
	}
	for i, j := range batch[:ran] {
		if failed[i] != nil {
			j.finish(failed[i])
		} else {
			j.finish(err)
		}
	}
	return batch[ran:]
}

// runTogether runs jobs in one transaction, as many as there is time for, and notes the errors of those
// with a savepoint. It fails as errApart if another one fails.
func (s *Store) runTogether(batch []*job, failed []error, began time.Time) (ran int, err error) {
	err = s.once(func(tx *Tx) error {
		var heavy time.Duration
		for ran = 0; ran < len(batch) && batch[ran].fits(ran, time.Since(began), heavy); ran++ {
			j, start := batch[ran], time.Now()
			if j.apart {
				var err error
				if failed[ran], err = tx.apart(j.fn); err != nil {
					return err
				}
			} else if err := (&Tx{Q: tx.Q}).run(j.fn); err != nil {
				return errors.Join(errApart, err)
			}
			if j.took = time.Since(start); j.heavy {
				heavy += j.took
			}
		}
		return nil
	})
	return ran, err
}

// fits reports whether a batch of ran functions still has time for the next.
func (j *job) fits(ran int, since, heavy time.Duration) bool {
	return ran == 0 || since < batchTime && (!j.heavy || heavy < heavyTime)
}

// apart runs fn within a savepoint and with a list of locks of its own. failed is the error of fn,
// whose work was undone. err means that the transaction cannot go on.
func (tx *Tx) apart(fn func(*Tx) error) (failed, err error) {
	if _, err := tx.book("Write", "SAVEPOINT job"); err != nil {
		return nil, err
	}
	if failed = (&Tx{Q: tx.Q}).run(fn); failed != nil {
		if _, err := tx.book("Write", "ROLLBACK TO job"); err != nil {
			return failed, err
		}
	}
	_, err = tx.book("Write", "RELEASE job")
	return failed, err
}

// finish sets the job's outcome and wakes its caller. A job that was never queued has no done channel.
func (j *job) finish(err error) {
	j.err = err
	if j.done != nil {
		close(j.done)
	}
}

// once runs fn in one transaction on SQLite's writing connection.
func (s *Store) once(fn func(*Tx) error) (err error) {
	ctx := context.Background()
	tx := &Tx{Q: Q{s: s, ctx: ctx, conn: s.conn, touched: &touched{}}}
	if _, err := tx.book("Write", "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			_, _ = tx.execute("ROLLBACK")
			if s.wal != nil {
				s.wal.Forget()
			}
		}
	}()
	if err := tx.run(fn); err != nil {
		return err
	}
	_, err = tx.book("Write", "COMMIT")
	s.advance(tx.touched)
	if err != nil {
		return unheard(err)
	}
	committed = true
	return nil
}

// run runs fn, then the functions in tx.last.
func (tx *Tx) run(fn func(*Tx) error) error {
	if tx.s.again != nil {
		return tx.runTwice(fn) // change.go
	}
	return tx.runOnce(fn)
}

// runOnce is run without Options.Again. A panic becomes an error, because other callers share the
// transaction and wait for it.
func (tx *Tx) runOnce(fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Wrap("store.Write", fault.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
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
	return tx.checkAudited()
}
