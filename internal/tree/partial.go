package tree

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// A long upload is made durable in the background, so that an unclean stop
// costs at most this much of it.
const (
	syncBytes = 64 << 20
	syncAfter = 5 * time.Second
)

// stageNote is what lies beside a stage, to take it up again after a restart.
type stageNote struct {
	User   string    `json:"user"` // id
	Dir    string    `json:"dir"`  // id
	Name   []byte    `json:"name"`
	Size   int64     `json:"size"` // durable bytes from the start on
	Mode   uint32    `json:"mode"`
	Covers int64     `json:"covers"`
	Over   string    `json:"over,omitempty"` // version that the name showed
	Change bool      `json:"change,omitempty"`
	Key    string    `json:"key"` // where a commit puts it, or has put it already
	At     time.Time `json:"at"`
	Upload bool      `json:"upload,omitempty"` // set: not a mailbox's
}

// sync makes the contiguous prefix of an image durable, with its note. Writes
// go on meanwhile.
func (img *image) sync() error {
	img.syncing.Lock()
	defer img.syncing.Unlock()
	nt, partial, skip := img.newNote()
	if skip {
		return nil
	}
	stage, err := img.syncPoint(&nt)
	if err != nil || stage == nil {
		return err
	}
	link := img.at
	if partial {
		link = "" // it may wait for days, and the sweep must not find it
	}
	b, err := json.Marshal(nt)
	if err != nil {
		return fault.Wrap("tree.sync", fault.Internal, err)
	}
	err = stage.Sync(nt.Size, b, link)
	if errors.Is(err, blob.ErrSealed) {
		return nil // CLOSE came first, and syncs
	}
	if err == nil && partial {
		img.mu.Lock()
		img.saved = true
		img.mu.Unlock()
	}
	return err
}

// newNote begins the note of what is synced now; skip: nothing is to be synced.
func (img *image) newNote() (nt stageNote, partial, skip bool) {
	img.box.mu.Lock()
	defer img.box.mu.Unlock()
	nt = stageNote{User: img.box.userID, Dir: img.key.dir, Name: []byte(img.key.name), Covers: img.covers, Over: img.over,
		Key: img.at}
	return nt, img.owner == nil, img.state != open || !img.dirty
}

// syncPoint hashes up to where the image is contiguous, and says so in its note. It
// returns the stage to sync, nil if there is nothing to do.
func (img *image) syncPoint(nt *stageNote) (blob.Stage, error) {
	img.mu.Lock()
	defer img.mu.Unlock()
	if img.broken || img.stage == nil || img.filling != nil {
		return nil, nil
	}
	if err := img.trim(); err != nil {
		return nil, err
	}
	n := min(img.spans.Prefix(), img.size)
	if img.ahead && n == img.size {
		n++
	}
	if img.voids <= maxVoids {
		err := img.catchUp(img.t.ctx, min(n, img.summed+syncBytes))
		if err != nil && img.t.ctx.Err() == nil { // a stop still syncs
			return nil, fault.Wrap("tree.sync", fault.Unavailable, err)
		}
	}
	nt.Size, nt.Mode, nt.Change, nt.At = n, img.mode, img.change, img.touched
	img.unsynced, img.syncedAt = 0, img.t.now()
	return img.stage, nil
}

// orphan makes an image that lost its last handle a partial. It is cut to its
// contiguous prefix less one byte: when the link was lost after the last byte,
// OpenSSH's reput and lftp would otherwise find the size they want, take the
// file for complete and never send the CLOSE. The byte stays in the stage, so
// that the hash goes on when it is sent again; a partial that was opened and left
// as it was still has it, and loses no other. A stored file that was changed within
// its length keeps all of it: who tries again sends the change, and not the end.
// Callers hold box.mu.
func (img *image) orphan() {
	img.handOver(nil)
	img.mu.Lock()
	n := min(img.spans.Prefix(), img.size)
	whole := img.change && n <= img.covers
	if n > 0 && !whole && !(img.ahead && n == img.size) {
		n--
		img.ahead = true
	}
	img.size, img.spans, img.damaged, img.saved = n, img.spans.Cut(n), false, false
	img.mu.Unlock()
	if n == 0 || img.behind { // nothing to resume, or nothing worth it
		img.discard()
		return
	}
	img.book(max(0, n-img.credit), n)
	img.retire()
}

// retiring is how many partials are synced at a time.
const retiring = 8

// retire makes a partial durable in the background and lets go of its
// descriptor: partials wait for days, and there may be many. One whose bytes the
// disk may have lost is no use to anybody.
func (img *image) retire() {
	img.t.behind("a partial", func() {
		img.t.retiring <- struct{}{}
		defer func() { <-img.t.retiring }()
		err := img.sync()
		if err != nil {
			img.t.log.Warn("a partial could not be synced", "stage", img.id, "err", err)
		}
		img.rest(errors.Is(err, blob.ErrLost))
	})
}

// rest closes the stage of a partial that nobody has open, or forgets it if it is lost.
func (img *image) rest(lost bool) {
	img.syncing.Lock()
	defer img.syncing.Unlock()
	img.box.mu.Lock()
	defer img.box.mu.Unlock()
	if img.owner != nil || img.refs > 0 || img.state != open {
		return
	}
	if lost {
		img.discard()
		return
	}
	img.mu.Lock()
	defer img.mu.Unlock()
	if img.stage == nil || img.broken || !img.saved {
		return // closed without a sync, it would be lost at a crash: the janitor tries again
	}
	stage := img.stage
	img.box.mu.afterwards(func() {
		if err := stage.Close(); err != nil {
			img.t.log.Warn("a partial could not be closed", "stage", img.id, "err", err)
		}
	})
	img.stage, img.rests = nil, true
}

// runJanitor syncs long uploads and expires partials.
func (t *Tree) runJanitor(ctx context.Context) {
	seconds := 0
	do := func(ctx context.Context) error {
		return fault.Guard(t.log, "the janitor", func() error { // the next second tries again
			t.syncLong(ctx)
			t.walkAll(ctx)
			if seconds++; seconds%60 == 1 {
				t.expirePartials()
			}
			return nil
		})
	}
	exchange.Task{Every: time.Second, Later: true, Do: do, Failure: "the janitor failed", Log: t.log}.Run(ctx)
}

// snapshot lists every open image but those of users whose mailbox is busy: one user's
// work must not hold up the others'.
func (t *Tree) snapshot() (all []*image) {
	for _, box := range t.known() {
		if !box.mu.TryLock() {
			continue // the next second
		}
		for _, list := range box.images {
			for _, img := range list {
				if img.state == open {
					all = append(all, img)
				}
			}
		}
		box.mu.Unlock()
	}
	return all
}

// syncLong syncs images with much, or for long, not yet durable.
func (t *Tree) syncLong(ctx context.Context) {
	for _, img := range t.snapshot() {
		if ctx.Err() != nil {
			return
		}
		img.mu.Lock()
		due := img.unsynced >= syncBytes || img.unsynced > 0 && t.clock().Sub(img.syncedAt) >= syncAfter
		img.mu.Unlock()
		if !due {
			continue
		}
		if err := img.sync(); err != nil {
			t.log.Warn("an upload could not be synced", "stage", img.id, "err", err)
		}
	}
}

// expirePartials discards partials that nobody resumed in time, and those
// whose directory is gone.
func (t *Tree) expirePartials() {
	limit := t.now().Add(-t.policy.KeepPartial)
	for _, img := range t.snapshot() {
		img.expire(limit)
	}
}

// expire discards a partial that nobody resumed since a time. One that could not be synced
// when it was left is tried again.
func (img *image) expire(limit time.Time) {
	img.box.mu.Lock()
	defer img.box.mu.Unlock()
	if img.owner != nil || img.refs > 0 || img.state != open {
		return
	}
	img.mu.Lock()
	old, awake := img.touched.Before(limit), img.stage != nil && !img.broken
	img.mu.Unlock()
	switch {
	case old:
		img.t.log.Info("a partial upload has expired", "user_id", img.box.userID, "name", valid.Printable(img.key.name))
		img.discard()
	case awake:
		img.retire()
	}
}
