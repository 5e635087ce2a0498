// Package blob defines how bytes are stored: as immutable blobs under keys that we choose, and as
// stages, which hold bytes until they are committed. Drivers are in subpackages (disk, later s3), and
// all pass the same test suite, blobtest.
//
// The contract is shaped for an object store: bytes may leave the machine while they are written
// (Stage.Sync), so that Commit only completes; what is committed never changes; a listing is needed
// only to sweep, never to find anything.
package blob

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
)

// ErrLost is in the chain of an error after which a stage's bytes cannot be trusted any more: discard
// the stage.
var ErrLost = errors.New("bytes may have been lost while they were synced")

// ErrSealed is in the chain of an error about bytes that are committed or being committed. A row may
// refer to them, so they must not be changed or removed.
var ErrSealed = errors.New("the bytes are committed")

// Reader reads one stored blob. It keeps working after Remove.
type Reader interface {
	io.ReaderAt
	io.Closer
	// Size is the size that Open was called with, or the blob's if that was negative. Reads end there.
	Size() int64
}

// Stage holds the bytes of one image until they are committed or discarded.
// Calls may come from several goroutines. From the start of Commit on the stage
// is sealed: WriteAt, Truncate, Fill, Sync and Discard fail with ErrSealed until
// Commit failed or Revert succeeded.
type Stage interface {
	io.ReaderAt
	io.WriterAt
	// ID is the id that the stage was made with.
	ID() string
	// Truncate cuts or extends the stage; added bytes read as zero.
	Truncate(size int64) error
	// Fill makes the stage's content the first n bytes of a stored blob,
	// sharing its storage where the driver can.
	Fill(from Reader, n int64) error
	// Sync makes the first n bytes durable, together with a note that Leftovers returns. key is the
	// expected key of Commit, so that a driver can prepare for it; "" undoes such preparations.
	Sync(n int64, note []byte, key string) error
	// Commit makes every byte durable under key; it fails if there are not exactly size of them. What
	// Sync made durable stays recoverable as a stage until Settle. After an error the stage is as
	// before and can be committed again. The stage can be read until Close.
	Commit(key string, size int64) error
	// Settle removes what is left of the stage. It is called when the row of the committed bytes
	// exists.
	Settle() error
	// Revert makes committed bytes a stage again. Call it only if it is certain that no row of them
	// exists or will exist.
	Revert() error
	// Discard deletes the bytes. The stage can be read until Close.
	Discard() error
	// Close releases what the process holds. An uncommitted stage can be reopened; after an unclean
	// stop, only if it was synced.
	Close() error
}

// Carrier is a Stage of a Store that keeps the bytes of small files where rows are kept. Its Commit takes
// effect with the transaction that records the blob, which has to store what Carry returns.
type Carrier interface {
	Stage
	// Carry returns, after Commit, the bytes that the transaction must store; nil if they are durable.
	Carry() []byte
}

// Leftover is a stage that an earlier process left.
type Leftover struct {
	ID   string
	Size int64  // bytes present
	Note []byte // as given to the last Sync; nil if there was none
	Err  error  // why the note could not be read; such a stage is left alone
}

// Whole is all of a blob.
type Whole struct {
	Key   string
	Bytes []byte
}

// Bytes is a Reader of bytes in memory.
func Bytes(b []byte) Reader { return inMemory{bytes.NewReader(b)} }

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// Store is one place that keeps blobs.
type Store interface {
	// Stage makes an empty stage; id is unique and made of [0-9A-Za-z-].
	Stage(id string) (Stage, error)
	// Leftovers lists the stages of earlier processes without opening them. If a leftover's blob has a
	// row, it was committed, and only Settle may be called.
	Leftovers() ([]Leftover, error)
	// Reopen opens a leftover that has no row, or a stage that was closed. key is the key of its
	// commit, done or intended; "" if that is not known.
	Reopen(id, key string) (Stage, error)
	// Discard deletes a leftover that has no row, or a stage that was closed; key is as for Reopen. An
	// absent one is no error.
	Discard(id, key string) error
	// Settle removes a leftover's stage; its committed bytes stay.
	Settle(id string) error
	// Open reads the first size bytes of a committed blob, and fails if it has fewer; size < 0 means
	// all. An absent one is fault.NotFound.
	Open(key string, size int64) (Reader, error)
	// Put stores whole blobs durably, with few syncs for all of them. A blob that exists is replaced, so
	// that it can be repeated. After an error any of them may be stored.
	Put(list []Whole) error
	// Remove deletes a blob; an absent one is no error.
	Remove(key string) error
	// Walk calls fn for every blob present, in no order, until it fails. It leaves out those that are kept
	// with their rows (Carrier), which cannot be without one.
	Walk(fn func(key string, size int64, modified time.Time) error) error
	// Free returns how many bytes can still be stored.
	Free() (int64, error)
}

// maxLabel is the longest readable part of a key, in bytes.
const maxLabel = 64

// Key is where the bytes of an id are kept:
// <owner>/<yyyy>/<mm>/<id>[-<label>]. The label is for people who look at the
// storage and is never parsed.
func Key(owner, id, name string, at time.Time) string {
	key := owner + at.UTC().Format("/2006/01/") + id
	if l := label(name); l != "" {
		key += "-" + l
	}
	return key
}

// ID returns the id within a key, for the sweep.
func ID(key string) string {
	base := key[strings.LastIndexByte(key, '/')+1:]
	id, _, _ := strings.Cut(base, "-")
	return id
}

// label renders a client's name in [a-z0-9._-], at most maxLabel bytes.
func label(name string) string {
	var b strings.Builder
	for i := 0; i < len(name) && b.Len() < maxLabel; i++ {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_':
		default:
			c = '-'
		}
		b.WriteByte(c)
	}
	return strings.Trim(b.String(), "-.")
}
