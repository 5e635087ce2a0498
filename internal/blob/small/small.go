// Package small keeps the bytes of small files in the database, in the transaction of the rows that
// speak of them, so that a file costs one sync. Larger files, and small ones after a while, are in
// another blob store, which it wraps.
//
// A stage begins in memory. It moves to the other store when it grows past the bound, when the memory for
// all such stages is used up, and when it is synced or is to be opened again: what was promised of an
// upload that is not complete is the other store's to keep. If it is small when it is committed, its bytes
// ride in the transaction all the same. Bytes are looked for in the other store first, then in the
// database: a move (move.go) puts them there before it removes them here.
package small

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// MaxBound is the greatest size of a small file in bytes.
const MaxBound = 128 << 10

// Policy is what a reload of the configuration can change.
type Policy struct {
	Bound  int64         // the greatest size of a small file in bytes, at most MaxBound; 0: no file is small
	Memory int64         // bytes that all stages in memory may have together
	Stay   time.Duration // how long bytes stay in the database
}

// Options are the settings of a Store.
type Options struct {
	Large  blob.Store
	Rows   *store.Store
	Clock  exchange.Clock
	Log    *slog.Logger
	Policy Policy
}

// Store keeps blobs.
type Store struct {
	blob.Store // the other one; methods that are not below are its own
	rows       *store.Store
	clock      exchange.Clock
	log        *slog.Logger
	policy     atomic.Pointer[Policy]
	used       atomic.Int64 // bytes of memory that stages have
	use        atomic.Pointer[store.BodyUse]
}

// New returns a store.
func New(o Options) *Store {
	s := &Store{Store: o.Large, rows: o.Rows, clock: o.Clock, log: o.Log}
	s.Replace(o.Policy)
	s.use.Store(&store.BodyUse{})
	return s
}

// Replace puts another policy into force, for stages that begin from now on.
func (s *Store) Replace(p Policy) { s.policy.Store(&p) }

// Used returns how many bytes of memory stages have.
func (s *Store) Used() int64 { return s.used.Load() }

// take takes memory; false if there is not so much.
func (s *Store) take(n int64) bool {
	if s.used.Add(n) <= s.policy.Load().Memory {
		return true
	}
	s.used.Add(-n)
	return false
}

// Stage makes an empty stage, in memory.
func (s *Store) Stage(id string) (blob.Stage, error) {
	bound := s.policy.Load().Bound
	if bound <= 0 {
		return s.Store.Stage(id)
	}
	return &stage{s: s, id: id, bound: bound}, nil
}

// Reopen opens a stage that was closed, or a leftover. They are in the other store.
func (s *Store) Reopen(id, key string) (blob.Stage, error) {
	large, err := s.Store.Reopen(id, key)
	if err != nil {
		return nil, err
	}
	return &stage{s: s, id: id, bound: s.policy.Load().Bound, large: large, size: math.MaxInt64}, nil
}

// Open reads a committed blob from where it is.
func (s *Store) Open(key string, size int64) (blob.Reader, error) {
	r, err := s.Store.Open(key, size)
	if !fault.Is(err, fault.NotFound) || size > MaxBound {
		return r, err
	}
	body, bodyErr := s.rows.Read(context.Background()).Body(blob.ID(key))
	switch {
	case fault.Is(bodyErr, fault.NotFound):
		return s.Store.Open(key, size) // it was moved meanwhile, or there is none
	case bodyErr != nil:
		return nil, bodyErr
	case int64(len(body)) < size:
		return nil, fault.Wrap("small.Open", fault.Unavailable,
			fmt.Errorf("the blob %s has %d bytes of %d", key, len(body), size))
	case size >= 0:
		body = body[:size]
	}
	return blob.Bytes(body), nil
}
