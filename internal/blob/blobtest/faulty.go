package blobtest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Op is one operation of a driver.
type Op string

// Operations of a store and of its stages.
const (
	OpStage     Op = "Stage"
	OpLeftovers Op = "Leftovers"
	OpReopen    Op = "Reopen"
	OpForget    Op = "Store.Settle"
	OpDrop      Op = "Store.Discard"
	OpOpen      Op = "Open"
	OpPut       Op = "Put"
	OpRemove    Op = "Remove"
	OpWalk      Op = "Walk"
	OpFree      Op = "Free"
	OpReadAt    Op = "ReadAt"
	OpWriteAt   Op = "WriteAt"
	OpTruncate  Op = "Truncate"
	OpFill      Op = "Fill"
	OpSync      Op = "Sync"
	OpCommit    Op = "Commit"
	OpSettle    Op = "Settle"
	OpRevert    Op = "Revert"
	OpDiscard   Op = "Discard"
)

// ErrFault is in the chain of every error that a Faulty makes up.
var ErrFault = errors.New("the driver was told to fail")

// Fault says what happens to one call. The zero value passes it to the driver.
type Fault struct {
	// Before runs before the driver is called, and delays the call: it simulates a slow disk, or does
	// what a test needs at that point.
	Before func()
	// Fail: the call fails and the driver is not called.
	Fail bool
	// Late: the call fails after the effect that it can have on a real disk. A write or a fill leaves
	// its first half. A sync or a commit loses the bytes: the stage fails with blob.ErrLost from then
	// on. Settle, Remove and Discard have done their work. Operations that a disk does completely or
	// not at all fail as with Fail.
	Late bool
	// After runs when the driver has returned, before the caller gets the result.
	After func()
}

// Plan decides what happens to a call. id is the stage's, or the blob's for Open and Remove.
type Plan func(op Op, id string) Fault

// Faulty is a driver that fails on command. Without a plan it passes every call to the driver that it
// wraps.
type Faulty struct {
	store blob.Store
	dead  atomic.Bool

	mu   sync.Mutex
	plan Plan
}

// NewFaulty wraps a driver. plan may be nil.
func NewFaulty(s blob.Store, plan Plan) *Faulty { return &Faulty{store: s, plan: plan} }

// Plan replaces the plan; nil lets every call pass.
func (f *Faulty) Plan(plan Plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = plan
}

// Kill simulates the death of the process that uses the driver: from now on every call fails and does
// nothing, except Close, as the kernel closes files. What was written stays written.
func (f *Faulty) Kill() { f.dead.Store(true) }

// Dead reports whether Kill was called.
func (f *Faulty) Dead() bool { return f.dead.Load() }

func broken(op Op, cause error) error {
	return fault.Wrap("faulty."+string(op), fault.Unavailable, errors.Join(ErrFault, cause))
}

// call does one call as the plan decides. late does what a late failure leaves behind; nil if the disk
// does all or nothing.
func (f *Faulty) call(op Op, id string, do, late func() error) error {
	f.mu.Lock()
	plan := f.plan
	f.mu.Unlock()
	var what Fault
	if plan != nil && !f.dead.Load() {
		what = plan(op, id)
	}
	if what.Before != nil {
		what.Before()
	}
	if f.dead.Load() {
		return broken(op, errors.New("the process is dead"))
	}
	var err error
	switch {
	case what.Late && late != nil:
		err = broken(op, late())
	case what.Fail || what.Late:
		err = broken(op, nil)
	default:
		err = do()
	}
	if what.After != nil {
		what.After()
	}
	if f.dead.Load() {
		return broken(op, errors.New("the process is dead"))
	}
	return err
}

// Stage implements blob.Store.
func (f *Faulty) Stage(id string) (g blob.Stage, err error) {
	err = f.call(OpStage, id, func() (err error) { g, err = f.store.Stage(id); return err }, nil)
	return f.wrap(g, err)
}

// Reopen implements blob.Store.
func (f *Faulty) Reopen(id, key string) (g blob.Stage, err error) {
	err = f.call(OpReopen, id, func() (err error) { g, err = f.store.Reopen(id, key); return err }, nil)
	return f.wrap(g, err)
}

// wrap makes a driver's stage fail as the plan decides. If err is set, it closes the stage.
func (f *Faulty) wrap(g blob.Stage, err error) (blob.Stage, error) {
	if err != nil {
		if g != nil {
			_ = g.Close()
		}
		return nil, err
	}
	return &faultyStage{Stage: g, f: f}, nil
}

// Leftovers implements blob.Store.
func (f *Faulty) Leftovers() (left []blob.Leftover, err error) {
	err = f.call(OpLeftovers, "", func() (err error) { left, err = f.store.Leftovers(); return err }, nil)
	return left, err
}

// Settle implements blob.Store.
func (f *Faulty) Settle(id string) error {
	do := func() error { return f.store.Settle(id) }
	return f.call(OpForget, id, do, do)
}

// Discard implements blob.Store.
func (f *Faulty) Discard(id, key string) error {
	do := func() error { return f.store.Discard(id, key) }
	return f.call(OpDrop, id, do, do)
}

// Open implements blob.Store.
func (f *Faulty) Open(key string, size int64) (r blob.Reader, err error) {
	err = f.call(OpOpen, blob.ID(key), func() (err error) { r, err = f.store.Open(key, size); return err }, nil)
	if err != nil && r != nil {
		_ = r.Close()
		r = nil
	}
	return r, err
}

// Put implements blob.Store. A late failure has stored the first half.
func (f *Faulty) Put(list []blob.Whole) error {
	some := func(list []blob.Whole) func() error { return func() error { return f.store.Put(list) } }
	return f.call(OpPut, "", some(list), some(list[:len(list)/2]))
}

// Remove implements blob.Store.
func (f *Faulty) Remove(key string) error {
	do := func() error { return f.store.Remove(key) }
	return f.call(OpRemove, blob.ID(key), do, do)
}

// Walk implements blob.Store.
func (f *Faulty) Walk(fn func(key string, size int64, modified time.Time) error) error {
	return f.call(OpWalk, "", func() error { return f.store.Walk(fn) }, nil)
}

// Free implements blob.Store.
func (f *Faulty) Free() (n int64, err error) {
	err = f.call(OpFree, "", func() (err error) { n, err = f.store.Free(); return err }, nil)
	return n, err
}

// faultyStage is a stage of a Faulty.
type faultyStage struct {
	blob.Stage
	f    *Faulty
	lost atomic.Bool // a sync failed
}

func (g *faultyStage) call(op Op, do, late func() error) error {
	return g.f.call(op, g.ID(), do, late)
}

func (g *faultyStage) ReadAt(p []byte, off int64) (n int, err error) {
	err = g.call(OpReadAt, func() (err error) { n, err = g.Stage.ReadAt(p, off); return err }, nil)
	return n, err
}

func (g *faultyStage) WriteAt(p []byte, off int64) (n int, err error) {
	some := func(p []byte) func() error {
		return func() (err error) { n, err = g.Stage.WriteAt(p, off); return err }
	}
	err = g.call(OpWriteAt, some(p), some(p[:len(p)/2]))
	return n, err
}

func (g *faultyStage) Truncate(size int64) error {
	return g.call(OpTruncate, func() error { return g.Stage.Truncate(size) }, nil)
}

func (g *faultyStage) Fill(from blob.Reader, n int64) error {
	some := func(n int64) func() error { return func() error { return g.Stage.Fill(from, n) } }
	return g.call(OpFill, some(n), some(n/2))
}

// Sync and Commit always fail after a sync has failed, as the kernel may have dropped what it could
// not write.
func (g *faultyStage) Sync(n int64, note []byte, key string) error {
	do := func() error { return g.Stage.Sync(n, note, key) }
	return g.call(OpSync, g.unlessLost(do), func() error {
		g.lost.Store(true)
		return errors.Join(blob.ErrLost, do()) // the note stays until a power loss
	})
}

func (g *faultyStage) Commit(key string, size int64) error {
	return g.call(OpCommit, g.unlessLost(func() error { return g.Stage.Commit(key, size) }), func() error {
		g.lost.Store(true)
		return blob.ErrLost
	})
}

// Carry is blob.Carrier's, if the driver's stage has it.
func (g *faultyStage) Carry() []byte {
	if c, ok := g.Stage.(blob.Carrier); ok {
		return c.Carry()
	}
	return nil
}

func (g *faultyStage) unlessLost(do func() error) func() error {
	return func() error {
		if g.lost.Load() {
			return broken("sync", blob.ErrLost)
		}
		return do()
	}
}

func (g *faultyStage) Settle() error {
	return g.call(OpSettle, g.Stage.Settle, g.Stage.Settle)
}

func (g *faultyStage) Revert() error { return g.call(OpRevert, g.Stage.Revert, nil) }

func (g *faultyStage) Discard() error {
	return g.call(OpDiscard, g.Stage.Discard, g.Stage.Discard)
}
