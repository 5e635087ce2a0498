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

// maxSpans bounds what an image remembers of writes in scattered places.
// Beyond it a partial reports less than it has.
const maxSpans = 1024

// state is where an image is in its life. Guarded by the mailbox's mu.
type state int

const (
	open       state = iota // takes writes, or waits as a partial
	committing              // CLOSE was received; done closes at the end
	committed               // it is a version now
	removed                 // its name was removed, or replaced by a newer one
)

// image is the uncommitted bytes of one name.
type image struct {
	t   *Tree
	box *box
	id  string // of the stage, the blob and the version to be
	at  string // the blob's key, fixed when the image begins

	// Changed with box.mu and mu held, read with either: a write looks at them
	// where it moves its bytes.
	state state
	epoch int // grows when another session takes the image over

	// syncing is held by whoever syncs the stage or lets go of it; it is taken
	// before box.mu.
	syncing sync.Mutex

	// Guarded by box.mu.
	key     nameKey
	owner   *Session      // nil: a partial
	refs    int           // handles on it
	dirty   bool          // it answers for its name
	behind  bool          // a version was committed since it began
	resumed bool          // it was a partial, or another session's
	full    bool          // a part was refused for want of service
	byName  bool          // it stands for a change of a stored file by name: nobody resumes it
	over    string        // version that the name showed when the image began
	covers  int64         // size of the visible file it will replace
	credit  int64         // covers, or 0: of the quota, one image of a name has it
	done    chan struct{} // state committing: closed when that is over
	failure error         // why the last commit failed
	booked  int64         // bytes reserved of the quota
	held    int64         // bytes reserved of what the user may keep

	// Guarded by mu, which is held while bytes move and never while the
	// database is asked.
	mu       sync.Mutex
	stage    blob.Stage     // nil: nothing changed yet, and base shows; or it rests
	rests    bool           // the stage is closed until somebody needs it; changed with box.mu held
	base     *store.Content // what an unchanged overlay shows
	basis    blob.Reader    // open on base while needed
	filling  chan struct{}  // closed when the copy of base is done
	fillErr  error
	size     int64          // logical
	extent   int64          // bytes in the stage
	ahead    bool           // the stage keeps one byte more than size (orphan)
	change   bool           // it began as the stored file
	spans    exchange.Spans // written so far
	sum      hash.Hash      // over the first summed bytes of the stage
	summed   int64
	saved    bool       // it is a partial, and synced as such
	voids    int        // how often what was hashed was voided
	written  int64      // bytes that came, again and again those that were rewritten
	unsynced int64      // bytes written since the last sync
	syncedAt time.Time  // of the last sync, or when the image was made
	touched  time.Time  // last write
	mtime    *time.Time // set by the client
	mode     uint32
	damaged  bool // a write failed: bytes that the client sent are missing
	broken   bool // closed for good: stage is gone
}

// newImage makes an image without a stage. base nil means a new, empty file.
func (t *Tree) newImage(box *box, key nameKey, owner *Session, base *store.Content) *image {
	id, now := t.ids.New(), t.now()
	img := &image{t: t, box: box, id: id, at: blob.Key(box.userID, id, key.name, now), key: key, owner: owner, base: base,
		mode: 0o644, touched: now, syncedAt: now, sum: sha256.New()}
	if base != nil {
		img.size, img.change = base.Size, true
	}
	return img
}

// become changes the state. Callers hold box.mu.
func (img *image) become(s state) {
	img.mu.Lock()
	defer img.mu.Unlock()
	img.state = s
}

// handOver gives the image to a session, or makes it a partial (nil). What the
// session before still sends is refused. Callers hold box.mu.
func (img *image) handOver(to *Session) {
	img.owner, img.resumed = to, true
	img.mu.Lock()
	defer img.mu.Unlock()
	img.epoch++
}

// writable fails unless the image takes changes of a handle that has epoch.
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

// startLocked gives an image its own empty stage, unless it has one. Callers hold mu; the image does not rest.
func (img *image) startLocked() (err error) {
	if img.stage == nil {
		img.stage, err = img.t.blobs.Stage(img.id)
	}
	return err
}

// wake opens the stage of an image that rests, without the mailbox's lock: nobody else waits for the disk. An
// image that was discarded meanwhile stays as it is.
func (img *image) wake() error {
	if !img.isResting() {
		return nil // whoever syncs it is not waited for
	}
	img.syncing.Lock() // nobody else wakes it, or lays it to rest
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

// isResting reports whether an image rests.
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

// afterCopy copies the stored file into a stage, then applies the change that
// asked for it, and only then lets others at the image. It runs on a goroutine
// of its own, so that the session can go on with other files; done gets the
// outcome. keep is how many of the stored bytes are wanted.
func (img *image) afterCopy(s *Session, keep int64, apply func() error, done func(error)) error {
	img.mu.Lock()
	defer img.mu.Unlock()
	base := *img.base
	if min(base.Size, keep) > img.t.policy.MaxCopy {
		return fault.E("tree.afterCopy", fault.TooLarge,
			"Files over %d MiB cannot be changed in place; upload the whole file again.", img.t.policy.MaxCopy>>20)
	}
	if err := img.startLocked(); err != nil {
		return err
	}
	over := make(chan struct{})
	img.filling = over
	s.work.Go(func() {
		fillErr := fault.Guard(img.t.log, "a copy", func() error { return img.copyBase(base, keep) })
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

func (img *image) copyBase(base store.Content, keep int64) error {
	keep = min(base.Size, keep)
	if keep > 0 {
		from, err := img.t.blobs.Open(base.Key, base.Size)
		if err != nil {
			return err
		}
		if err := errors.Join(img.stage.Fill(from, keep), from.Close()); err != nil {
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
	// The stored state of SHA-256 spares an append the bytes it follows.
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

// length is the logical size now.
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

// fullRead reads as ReaderAt does, without EOF beside bytes.
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

// setTimes sets what the file will show as its time and mode; nil leaves one as
// it is. It reports false when the image takes no changes any more.
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

// info is what a name shows while an image answers for it: its own session
// sees it grow; any other, a partial.
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
