package small

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// stage holds bytes in memory until it grows.
type stage struct {
	s     *Store
	id    string
	bound int64 // the greatest size in memory

	// ops is held by Sync, Commit, Settle, Revert, Discard and Close, from start to end. It is taken
	// before mu.
	ops sync.Mutex

	mu     sync.Mutex
	bytes  []byte     // while large is nil; after the commit of a small file also if it is not
	large  blob.Stage // not nil: the other store has the bytes
	given  int64      // bytes taken of the memory
	size   int64      // as far as it is known: a reopened stage is taken for a large one
	named  bool       // the other store may have it under its key
	sealed bool
	rides  bool // it is committed, and the transaction has the bytes
	gone   bool // discarded
}

func (g *stage) ID() string { return g.id }

func (g *stage) ReadAt(p []byte, off int64) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.large != nil {
		return g.large.ReadAt(p, off)
	}
	if off >= int64(len(g.bytes)) {
		return 0, io.EOF
	}
	n := copy(p, g.bytes[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (g *stage) WriteAt(p []byte, off int64) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	end := off + int64(len(p))
	if err := g.change("WriteAt", max(end, int64(len(g.bytes)))); err != nil {
		return 0, err
	}
	g.size = max(g.size, end)
	if g.large != nil {
		return g.large.WriteAt(p, off)
	}
	g.extend(end)
	return copy(g.bytes[off:], p), nil
}

// Truncate cuts or extends the stage.
func (g *stage) Truncate(size int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.change("Truncate", size); err != nil {
		return err
	}
	g.size = size
	if g.large != nil {
		return g.large.Truncate(size)
	}
	g.extend(size)
	g.bytes = g.bytes[:size]
	return nil
}

// Fill copies the first n bytes of a blob over the start.
func (g *stage) Fill(from blob.Reader, n int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.change("Fill", max(n, int64(len(g.bytes)))); err != nil {
		return err
	}
	g.size = max(g.size, n)
	if g.large != nil {
		return g.large.Fill(from, n)
	}
	g.extend(n)
	if k, err := from.ReadAt(g.bytes[:n], 0); int64(k) < n {
		return fault.Wrap("small.Fill", fault.Unavailable, errors.Join(io.ErrUnexpectedEOF, err))
	}
	return nil
}

// change prepares for a change after which the stage has size bytes: it moves the stage to the other
// store if they are too many. Callers hold mu.
func (g *stage) change(op string, size int64) error {
	if g.sealed {
		return sealed(op)
	}
	switch {
	case g.large != nil, size <= int64(cap(g.bytes)):
		return nil
	case size > g.bound:
		return g.move()
	}
	// Files are written from start to end, in parts that are mostly large. Doubling keeps many little
	// parts cheap.
	room := size
	if len(g.bytes) > 0 {
		room = min(max(size, 2*int64(cap(g.bytes))), g.bound)
	}
	if !g.s.take(room - g.given) {
		return g.move()
	}
	g.given = room
	g.bytes = append(make([]byte, 0, room), g.bytes...)
	return nil
}

// extend adds zero bytes up to a size for which there is room. Callers hold mu.
func (g *stage) extend(size int64) {
	if have := int64(len(g.bytes)); size > have {
		g.bytes = g.bytes[:size]
		clear(g.bytes[have:])
	}
}

// move gives the bytes to the other store. Callers hold mu.
func (g *stage) move() error {
	large, err := g.s.Store.Stage(g.id)
	if err != nil {
		return err
	}
	if len(g.bytes) > 0 {
		if _, err := large.WriteAt(g.bytes, 0); err != nil {
			return errors.Join(err, large.Discard(), large.Close())
		}
	}
	g.large = large
	g.free()
	return nil
}

// free gives the memory back. Callers hold mu.
func (g *stage) free() {
	g.s.used.Add(-g.given)
	g.bytes, g.given = nil, 0
}

func sealed(op string) error { return fault.Wrap("small."+op, fault.Conflict, blob.ErrSealed) }

// Sync moves the stage to the other store, which makes it durable. A small one gets no name under key, as it
// will hardly be committed there.
func (g *stage) Sync(n int64, note []byte, key string) error {
	g.ops.Lock()
	defer g.ops.Unlock()
	g.mu.Lock()
	var err error
	if g.large == nil && !g.sealed {
		err = g.move()
	}
	if g.size <= g.bound {
		key = ""
	}
	g.named = g.named || key != ""
	large, isSealed := g.large, g.sealed
	g.mu.Unlock()
	switch {
	case isSealed:
		return sealed("Sync")
	case err != nil:
		return err
	}
	return large.Sync(n, note, key)
}

// Commit seals the stage. If it is small, its bytes become durable with the transaction that stores what
// Carry returns; but not if the other store may have a name for them, which nobody would remove.
func (g *stage) Commit(key string, size int64) error {
	g.ops.Lock()
	defer g.ops.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed {
		return sealed("Commit")
	}
	if g.large != nil && (size > g.bound || g.named || !g.hold(size)) {
		if err := g.large.Commit(key, size); err != nil {
			return err
		}
		g.sealed = true
		return nil
	}
	if g.large != nil {
		if err := g.readBack(size); err != nil {
			g.free()
			return err
		}
	}
	if have := int64(len(g.bytes)); have != size {
		if g.large != nil {
			g.free()
		}
		return fault.Wrap("small.Commit", fault.Unavailable, fmt.Errorf("the stage has %d bytes, not %d", have, size))
	}
	g.sealed, g.rides = true, true
	return nil
}

// hold takes the memory for a stage that is read back; false if there is not so much. Callers hold mu.
func (g *stage) hold(size int64) bool {
	if !g.s.take(size + 1) {
		return false
	}
	g.given = size + 1
	return true
}

// readBack reads a small stage from the other store. Callers hold mu.
func (g *stage) readBack(size int64) error {
	b := make([]byte, size+1)
	n, err := g.large.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return err
	}
	g.bytes = b[:n]
	return nil
}

// Carry is blob.Carrier's.
func (g *stage) Carry() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.rides:
		return nil
	case g.bytes == nil:
		return []byte{}
	}
	return g.bytes
}

// Settle removes what is left of the stage in the other store.
func (g *stage) Settle() error {
	g.ops.Lock()
	defer g.ops.Unlock()
	switch {
	case g.large == nil:
		return nil
	case g.rides: // the other store does not know that it was committed
		return g.large.Discard()
	}
	return g.large.Settle()
}

// Revert makes committed bytes a stage again.
func (g *stage) Revert() error {
	g.ops.Lock()
	defer g.ops.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.sealed:
		return nil
	case g.large != nil && g.rides:
		g.free()
	case g.large != nil:
		if err := g.large.Revert(); err != nil {
			return err
		}
	}
	g.sealed, g.rides = false, false
	return nil
}

// Discard deletes the bytes.
func (g *stage) Discard() error {
	g.ops.Lock()
	defer g.ops.Unlock()
	g.mu.Lock()
	large, isSealed := g.large, g.sealed
	g.gone = g.gone || !isSealed
	g.mu.Unlock()
	switch {
	case isSealed:
		return sealed("Discard")
	case large != nil:
		return large.Discard()
	}
	return nil
}

// Close releases the memory. A stage that is to be opened again moves to the other store.
func (g *stage) Close() error {
	g.ops.Lock()
	defer g.ops.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	if g.large == nil && !g.sealed && !g.gone {
		err = g.move()
	}
	g.free()
	if g.large != nil {
		return errors.Join(err, g.large.Close())
	}
	return err
}
