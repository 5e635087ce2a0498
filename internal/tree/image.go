package tree

import (
	"crypto/sha256"
	"encoding"
	"errors"
	"hash"
	"io"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxSpans bounds the ranges of written bytes that an image remembers. Beyond it a
// partial reports a shorter length than it has.
const maxSpans = 1024

// state is the stage of an image's life cycle.
type state int

const (
	open       state = iota // takes writes, or waits as a partial
	committing              // CLOSE was received; done is closed at the end
	committed               // it is a version now
	removed                 // it was discarded, or its bytes are unusable
)

// image is the uncommitted bytes of one name.
type image struct {
	t   *Tree
	box *box
	id  string // of the stage, the blob and the version to be
	at  string // the blob's key, fixed when the image begins

	// Changed with both box.mu and mu held, read with either. A write checks them
	// under mu alone.
	state state
	epoch int // grows when another session takes the image over

	// syncing is held while the stage is synced, opened again or laid to rest. It is
	// taken before box.mu.
	syncing sync.Mutex

	// Guarded by box.mu.
	key     nameKey
	spot    spot          // of key, as far as it is known
	owner   *Session      // nil: a partial
	refs    int           // handles on it
	dirty   bool          // it was changed, so it is visible under its name
	behind  bool          // a version was committed since it began
	resumed bool          // it was a partial, or another session's
	full    bool          // a change was refused for lack of quota
	byName  bool          // it belongs to a change of a stored file by name and is never resumed
	over    string        // version that the name showed when the image began
	covers  int64         // size of the visible file it will replace
	credit  int64         // bytes not counted against the quota: covers, or 0 if another image of the name has it
	done    chan struct{} // state committing: closed when the commit is over
	failure error         // why the last commit failed
	booked  int64         // bytes reserved of the quota
	held    int64         // bytes reserved of the limit on kept bytes

	// Guarded by mu, which is held during disk I/O but never during a database
	// query.
	mu       sync.Mutex
	stage    blob.Stage     // nil: an overlay that was not changed yet, or the image rests
	rests    bool           // the stage is closed until it is needed; changed with box.mu held, too
	base     *store.Content // the stored file that an unchanged overlay shows
	basis    blob.Reader    // base, opened on demand
	filling  chan struct{}  // closed when the copy of base is done
	fillErr  error
	size     int64          // logical
	extent   int64          // bytes in the stage
	ahead    bool           // the stage keeps one byte more than size (orphan)
	change   bool           // it began as an overlay of the stored file
	spans    exchange.Spans // written so far
	sum      hash.Hash      // over the first summed bytes of the stage
	summed   int64
	saved    bool       // it is a partial, and synced as such
	voids    int        // how often the hash was voided
	written  int64      // bytes received; a rewritten byte counts again
	unsynced int64      // bytes written since the last sync
	syncedAt time.Time  // of the last sync, or when the image was made
	touched  time.Time  // last write
	mtime    *time.Time // set by the client
	mode     uint32
	damaged  bool // a write failed: bytes that the client sent are missing
	broken   bool // the stage is closed for good
}

// newImage returns an image without a stage. base nil means a new, empty file.
func (t *Tree) newImage(box *box, key nameKey, owner *Session, base *store.Content) *image {
	id, now := t.ids.New(), t.now()
	img := &image{t: t, box: box, id: id, at: blob.Key(box.userID, id, key.name, now), key: key, owner: owner, base: base,
		mode: 0o644, touched: now, syncedAt: now, sum: sha256.New()}
	if base != nil {
		img.size, img.change = base.Size, true
	}
	return img
}

// become sets the state. Callers hold box.mu.
func (img *image) become(s state) {
	img.mu.Lock()
	defer img.mu.Unlock()
	img.state = s
}

// handOver gives the image to a session, or makes it a partial (nil). Later writes of
// the previous owner's handles are refused. Callers hold box.mu.
func (img *image) handOver(to *Session) {
	img.owner, img.resumed = to, true
	img.mu.Lock()
	defer img.mu.Unlock()
	img.epoch++
}

// writable fails unless the image accepts changes from a handle with this epoch.
// Callers hold mu.
func (img *image) writable(epoch int) error {
	const op = "tree.image"
	switch {
	case img.state == removed:
		return fault.E(op, fault.NotFound, "The file was removed.")
	case img.epoch != epoch:
		return fault.E(op, fault.Conflict, "Another session continues this upload.")
	case img.state != open || img.broken || img.stage == nil:
		return fault.E(op, fault.Conflict, "The file is complete; nothing is added to it.")
	}
	return nil
}

// start gives a new image its own empty stage.
func (img *image) start() error {
	img.mu.Lock()
	defer img.mu.Unlock()
	return img.startLocked()
}

// startLocked gives an image its own empty stage, unless it has one. Callers hold mu. The image must not rest.
func (img *image) startLocked() (err error) {
	if img.stage == nil {
		img.stage, err = img.t.blobs.Stage(img.id)
	}
	return err
}

// wake opens the stage of an image that rests. It does so without the mailbox's lock, so that others need not wait
// for the disk. An image that was discarded meanwhile stays as it is.
func (img *image) wake() error {
	if !img.isResting() {
		return nil // do not wait for a sync under way
	}
	img.syncing.Lock() // excludes another wake, and rest
	defer img.syncing.Unlock()
	if !img.isResting() {
		return nil
	}
	stage, err := img.t.blobs.Reopen(img.id, img.at)
	img.box.mu.Lock()
	defer img.box.mu.Unlock()
	img.mu.Lock()
	defer img.mu.Unlock()
	switch {
	case img.state != open || !img.rests:
		if err == nil {
			img.box.mu.afterwards(func() { _ = stage.Close() })
		}
		return nil
	case err != nil:
		img.t.log.Error("an unfinished upload could not be opened again", "stage", img.id, "err", err)
		return fault.Wrap("tree.wake", fault.Unavailable, err)
	}
	img.stage, img.rests = stage, false
	return nil
}

// isResting reports whether an open image rests.
func (img *image) isResting() bool {
	img.box.mu.Lock()
	defer img.box.mu.Unlock()
	return img.state == open && img.rests
}

// needsCopy reports whether a change must first copy the stored file.
func (img *image) needsCopy() bool {
	img.mu.Lock()
	defer img.mu.Unlock()
	return img.base != nil && img.filling == nil
}

// afterCopy copies the first keep bytes of the stored file into a stage and then applies
// the change that needs the copy. It works on a goroutine of its own, so that the session
// can go on with other files; ready waits for it. done gets the outcome, unless afterCopy
// itself returns an error.
func (img *image) afterCopy(s *Session, keep int64, apply func() error, done func(error)) error {
	img.mu.Lock()
	defer img.mu.Unlock()
	base := *img.base
	if min(base.Size, keep) > img.t.policy.Load().MaxCopy {
		return fault.E("tree.afterCopy", fault.TooLarge,
			"Files over %d MiB cannot be changed in place; upload the whole file again.", img.t.policy.Load().MaxCopy>>20)
	}
	if err := img.startLocked(); err != nil {
		return err
	}
	over, stage := make(chan struct{}), img.stage
	img.filling = over
	s.work.Go(func() {
		fillErr := fault.Guard(img.t.log, "a copy", func() error { return img.copyBase(stage, base, keep) })
		err := fillErr
		if err == nil {
			err = fault.Guard(img.t.log, "a change after a copy", apply)
		}
		img.mu.Lock()
		img.filling, img.fillErr = nil, fillErr
		img.mu.Unlock()
		close(over)
		done(err)
	})
	return nil
}

func (img *image) copyBase(stage blob.Stage, base store.Content, keep int64) error {
	keep = min(base.Size, keep)
	if keep > 0 {
		from, err := img.t.blobs.Open(base.Key, base.Size)
		if err != nil {
			return err
		}
		if err := errors.Join(stage.Fill(from, keep), from.Close()); err != nil {
			return err
		}
	}
	img.mu.Lock()
	defer img.mu.Unlock()
	if img.basis != nil {
		_ = img.basis.Close()
		img.basis = nil
	}
	img.base, img.size, img.extent, img.ahead = nil, keep, keep, false
	img.spans = exchange.Spans(nil).Add(0, keep, maxSpans)
	img.unsynced += keep
	img.written += keep
	if keep < base.Size {
		return nil
	}
	// With the stored SHA-256 state, an append need not hash the old bytes again.
	if u, ok := img.sum.(encoding.BinaryUnmarshaler); ok && base.HashState != nil &&
		u.UnmarshalBinary(base.HashState) == nil {
		img.summed = base.Size
	} else {
		img.sum.Reset()
	}
	return nil
}

// ready waits for a copy under way and reports whether it failed. Callers do
// not hold mu.
func (img *image) ready(s *Session) error {
	img.mu.Lock()
	filling, err := img.filling, img.fillErr
	img.mu.Unlock()
	if filling != nil {
		s.waitFor(filling)
		img.mu.Lock()
		err = img.fillErr
		img.mu.Unlock()
	}
	return err
}

// length returns the logical size.
func (img *image) length() int64 {
	img.mu.Lock()
	defer img.mu.Unlock()
	return img.size
}

// read copies bytes out, from the stage or from the stored file it overlays.
func (img *image) read(p []byte, at int64) (int, error) {
	img.mu.Lock()
	defer img.mu.Unlock()
	if at >= img.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), img.size-at)]
	if img.base == nil {
		if img.stage == nil {
			return 0, io.EOF
		}
		return fullRead(img.stage, p, at)
	}
	if img.basis == nil {
		r, err := img.t.blobs.Open(img.base.Key, img.base.Size)
		if err != nil {
			return 0, err
		}
		img.basis = r
	}
	return fullRead(img.basis, p, at)
}

// fullRead reads as ReaderAt does, but returns io.EOF only if there are no bytes.
func fullRead(r io.ReaderAt, p []byte, at int64) (int, error) {
	n, err := r.ReadAt(p, at)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// setMode sets the permission bits that the file will show.
func (img *image) setMode(mode uint32) {
	img.mu.Lock()
	img.mode = mode & 0o777
	img.mu.Unlock()
}

// setTimes sets the time and mode that the file will show; nil leaves one unchanged. It
// reports false if the image accepts no changes any more.
func (img *image) setTimes(mtime *time.Time, mode *uint32) bool {
	img.mu.Lock()
	defer img.mu.Unlock()
	if img.state != open {
		return false
	}
	if mtime != nil {
		img.mtime = mtime
	}
	if mode != nil {
		img.mode = *mode & 0o777
	}
	return true
}

// beside adds an image to the description of a stored file, as operators see it; a zero one means that
// nothing is stored. writing says that a session owns the image.
func (img *image) beside(stored model.FileInfo, name string, writing bool) model.FileInfo {
	img.mu.Lock()
	defer img.mu.Unlock()
	if stored.Name == "" {
		stored = model.FileInfo{Name: name, Mtime: img.touched, Mode: img.mode, Partial: true}
	}
	stored.Unfinished = &model.Unfinished{Size: min(img.size, img.spans.Prefix()), At: img.touched, Writing: writing}
	return stored
}

// info describes a name by its image. live is for the session that owns the image, which
// sees its size and time. Other sessions see the contiguous prefix, with the time 1970.
func (img *image) info(name string, live bool) model.FileInfo {
	img.mu.Lock()
	defer img.mu.Unlock()
	f := model.FileInfo{Name: name, Size: img.size, Mtime: img.touched, Mode: img.mode}
	if img.mtime != nil {
		f.Mtime = *img.mtime
	}
	if !live {
		f.Mtime, f.Size = time.Unix(0, 0).UTC(), min(img.size, img.spans.Prefix())
	}
	return f
}
