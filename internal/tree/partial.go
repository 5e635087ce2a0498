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

// A long upload is synced in the background when either limit is reached, so that an
// unclean stop loses about this much of it at most.
const (
	syncBytes = 64 << 20
	syncAfter = 5 * time.Second
)

// stageNote is stored with a stage, so that its upload can be resumed after a restart.
type stageNote struct {
	User   string    `json:"user"` // id
	Dir    string    `json:"dir"`  // id
	Name   []byte    `json:"name"`
	Size   int64     `json:"size"` // bytes from the start that are durable
	Mode   uint32    `json:"mode"`
	Covers int64     `json:"covers"`
	Over   string    `json:"over,omitempty"` // version that the name showed
	Change bool      `json:"change,omitempty"`
	Key    string    `json:"key"` // blob key of the commit, past or future
	At     time.Time `json:"at"`
	Upload bool      `json:"upload,omitempty"` // true: the stage belongs to a publication, not to a mailbox
}

// sync makes the contiguous prefix of an image and its note durable. Writes may go on
// meanwhile.
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
		link = "" // a partial may wait for days, and the sweep must not find it
	}
	b, err := json.Marshal(nt)
	if err != nil {
		return fault.Wrap("tree.sync", fault.Internal, err)
	}
	err = stage.Sync(nt.Size, b, link)
	if errors.Is(err, blob.ErrSealed) {
		return nil // CLOSE came first, and its commit syncs
	}
	if err == nil && partial {
		img.mu.Lock()
		img.saved = true
		img.mu.Unlock()
	}
	return err
}

// newNote returns the note for a sync; syncPoint adds the rest. skip says that there is
// nothing to sync.
func (img *image) newNote() (nt stageNote, partial, skip bool) {
	img.box.mu.Lock()
	defer img.box.mu.Unlock()
	nt = stageNote{User: img.box.userID, Dir: img.key.dir, Name: []byte(img.key.name), Covers: img.covers, Over: img.over,
		Key: img.at}
	return nt, img.owner == nil, img.state != open || !img.dirty
}

// syncPoint hashes a part of the contiguous prefix, at most syncBytes, and completes the
// note. It returns the stage to sync, or nil if there is nothing to do.
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
		if err != nil && img.t.ctx.Err() == nil { // if the tree is closing, sync without the hash
			return nil, fault.Wrap("tree.sync", fault.Unavailable, err)
		}
	}
	nt.Size, nt.Mode, nt.Change, nt.At = n, img.mode, img.change, img.touched
	img.unsynced, img.syncedAt = 0, img.t.now()
	return img.stage, nil
}

// orphan turns an image that lost its last handle into a partial. The partial is the
// contiguous prefix less one byte: if the connection broke after the last byte,
// OpenSSH's reput and lftp would otherwise see the full size, consider the file complete
// and never send a CLOSE. The last byte stays in the stage (ahead), so that the hash
// remains valid if the client sends the byte again. A partial that was opened and not
// changed has that byte already and is not cut again. A changed stored file that did not
// grow is not cut, because the client's next try sends the change, not the end of the
// file. Callers hold box.mu.
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
	if n == 0 || img.behind { // nothing to resume, or a newer version is stored
		img.discard()
		return
	}
	img.book(max(0, n-img.credit), n)
	img.retire()
}

// retiring is how many partials are synced at a time.
const retiring = 8

// retire syncs a partial in the background and closes its descriptor, because there may
// be many partials and they wait for days. If the disk may have lost its bytes, the
// partial is discarded.
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

// rest closes the stage of a partial that no handle has open. If lost is true, it
// discards the partial instead.
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
		return // without a sync a crash would lose it; the janitor tries again
	}
	stage := img.stage
	img.box.mu.afterwards(func() {
		if err := stage.Close(); err != nil {
			img.t.log.Warn("a partial could not be closed", "stage", img.id, "err", err)
		}
	})
	img.stage, img.rests = nil, true
}

// runJanitor syncs long uploads and finishes directory renames every second, and expires
// partials every minute.
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

// snapshot lists the open images of all mailboxes. It skips a mailbox whose mutex is
// locked, so that one user's work does not delay the others'.
func (t *Tree) snapshot() (all []*image) {
	for _, box := range t.known() {
		if !box.mu.TryLock() {
			continue // the next run includes it
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

// syncLong syncs the images that have syncBytes unsynced bytes, or any for syncAfter.
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

// expirePartials discards the partials that were not written to for KeepPartial.
func (t *Tree) expirePartials() {
	limit := t.now().Add(-t.policy.Load().KeepPartial)
	for _, img := range t.snapshot() {
		img.expire(limit)
	}
}

// expire discards a partial whose last write was before limit. It syncs a newer one again
// whose sync failed when its session ended.
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
