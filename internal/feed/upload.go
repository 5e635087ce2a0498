package feed

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// upload is a file that comes in parts over the API.
type upload struct {
	mu     sync.Mutex // held while a part is written; guards the fields below
	id     string
	stage  blob.Stage // nil if the upload rests or is over
	rests  bool       // the stage is closed until the next part
	offset int64
	size   int64
	actor  string
	at     time.Time

	// deciding is open while it is unknown whether the upload was published. Meanwhile its bytes
	// belong to the deposit.
	deciding chan struct{}
}

// lock and unlock do nothing on a nil upload.
func (u *upload) lock() {
	if u != nil {
		u.mu.Lock()
	}
}

func (u *upload) unlock() {
	if u != nil {
		u.mu.Unlock()
	}
}

// decide marks the start of a deposit of the upload. The function that it returns marks its
// end. Both do nothing on a nil upload. The caller holds mu.
func (u *upload) decide() (decided func()) {
	if u == nil {
		return func() {}
	}
	over := make(chan struct{})
	u.deciding = over
	return func() { close(over) }
}

// undecided reports whether a deposit of the upload has no outcome yet. The caller holds mu.
func (u *upload) undecided() bool {
	select {
	case <-u.deciding:
		return false
	default:
		return u.deciding != nil
	}
}

func errUndecided(op string) error {
	return fault.E(op, fault.Busy, "It is not known yet whether this upload was published.").
		WithHint("ask again in a moment")
}

// maxDecide is how long a publication waits for the outcome of an earlier try.
const maxDecide = 10 * time.Second

// decided waits until the outcome of an earlier publication of an upload is known.
func (r *Service) decided(ctx context.Context, id string) error {
	u, err := r.upload(id)
	if err != nil || id == "" {
		return nil // publishedUpload finds what it became
	}
	u.mu.Lock()
	over, open := u.deciding, u.undecided()
	u.mu.Unlock()
	if !open {
		return nil
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
	case <-time.After(maxDecide):
	}
	return errUndecided("feed.Publish")
}

// uploadNote is stored beside the stage. Upload distinguishes it from the note of a partner's
// partial upload.
type uploadNote struct {
	Upload bool      `json:"upload"`
	Offset int64     `json:"offset"`
	Size   int64     `json:"size_declared"`
	Actor  string    `json:"actor"`
	At     time.Time `json:"at"`
	Held   *Held     `json:"held,omitempty"` // a file that a program wrote over SFTP
}

// wake reopens the stage of an upload that rests. Bytes past the acknowledged parts are cut
// off. The caller holds mu.
func (u *upload) wake(blobs blob.Store) error {
	if !u.rests {
		return nil
	}
	stage, err := blobs.Reopen(u.id, "")
	if err != nil {
		return err
	}
	if err := stage.Truncate(u.offset); err != nil {
		return errors.Join(err, stage.Close())
	}
	u.stage, u.rests = stage, false
	return nil
}

// rest closes the stage between two parts, since the next one may not come for a long time. The
// caller holds mu and has synced what was acknowledged.
func (u *upload) rest() {
	if u.stage == nil {
		return
	}
	_ = u.stage.Close()
	u.stage, u.rests = nil, true
}

// maxUploads bounds how many uploads are open at once.
const maxUploads = 1000

// BeginUpload starts a file that comes in parts. size is in bytes; < 0 is unknown.
func (r *Service) BeginUpload(actor string, size int64) (model.Upload, error) {
	const op = "feed.BeginUpload"
	if size > r.bounds.Load().MaxFile {
		return model.Upload{}, fault.E(op, fault.TooLarge, "The file is larger than the limit of %d bytes.",
			r.bounds.Load().MaxFile)
	}
	if err := r.checkFree(max(size, 0)); err != nil {
		return model.Upload{}, err
	}
	r.mu.Lock()
	full := len(r.uploads) >= maxUploads
	r.mu.Unlock()
	if full {
		return model.Upload{}, fault.E(op, fault.Busy, "%d uploads are under way; finish or cancel some.", maxUploads)
	}
	u := &upload{id: r.o.IDs.New(), size: size, actor: actor, at: r.now()}
	var err error
	if u.stage, err = r.o.Blobs.Stage(u.id); err != nil {
		return model.Upload{}, err
	}
	if err := u.sync(); err != nil {
		return model.Upload{}, errors.Join(err, u.stage.Discard(), u.stage.Close())
	}
	u.rest()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uploads[u.id] = u
	return r.describe(u), nil
}

// sync makes the received bytes and the note durable.
func (u *upload) sync() error {
	note, err := json.Marshal(uploadNote{Upload: true, Offset: u.offset, Size: u.size, Actor: u.actor, At: u.at})
	if err != nil {
		return fault.Wrap("feed.upload", fault.Internal, err)
	}
	return u.stage.Sync(u.offset, note, "")
}

func (r *Service) describe(u *upload) model.Upload {
	return model.Upload{ID: u.id, Offset: u.offset, Size: u.size, ExpiresAt: u.at.Add(r.bounds.Load().KeepUploads)}
}

func (r *Service) upload(id string) (*upload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.uploads[id]; u != nil {
		return u, nil
	}
	return nil, fault.E("feed.upload", fault.NotFound, "There is no upload %q.", valid.Printable(id)).
		WithHint("it was published, cancelled, or not continued in time")
}

// UploadStatus returns how many bytes of an upload were received.
func (r *Service) UploadStatus(id string) (model.Upload, error) {
	u, err := r.upload(id)
	if err != nil {
		return model.Upload{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return r.describe(u), nil
}

// Append adds a part that begins at the upload's current offset; any other offset is a
// Conflict. If a part breaks off, its received bytes are kept.
func (r *Service) Append(id string, at int64, body io.Reader) (model.Upload, error) {
	const op = "feed.Append"
	u, err := r.upload(id)
	if err != nil {
		return model.Upload{}, err
	}
	if !u.mu.TryLock() {
		return model.Upload{}, fault.E(op, fault.Conflict, "Another part of this upload is on its way.")
	}
	defer u.mu.Unlock()
	if u.undecided() {
		return model.Upload{}, errUndecided(op)
	}
	if u.stage == nil && !u.rests {
		return model.Upload{}, fault.E(op, fault.NotFound, "The upload is over.")
	}
	if at != u.offset {
		return r.describe(u), fault.E(op, fault.Conflict, "The upload stands at byte %d, not %d.", u.offset, at).
			WithHint("ask for its offset, and go on there")
	}
	if err := r.checkFree(0); err != nil {
		return model.Upload{}, err
	}
	if err := u.wake(r.o.Blobs); err != nil {
		return model.Upload{}, err
	}
	limit := r.bounds.Load().MaxFile
	if u.size >= 0 {
		limit = u.size
	}
	n, err := io.Copy(io.NewOffsetWriter(u.stage, u.offset), io.LimitReader(body, limit-u.offset+1))
	if u.offset+n > limit {
		return r.describe(u), errors.Join(fault.E(op, fault.TooLarge, "The part goes past the end of the file (%d bytes).",
			limit), u.stage.Truncate(u.offset))
	}
	u.offset, u.at = u.offset+n, r.now()
	if syncErr := u.sync(); syncErr != nil {
		return model.Upload{}, syncErr
	}
	u.rest()
	return r.describe(u), fault.Wrap(op, fault.Invalid, err)
}

// CancelUpload deletes an upload and its bytes.
func (r *Service) CancelUpload(id string) error {
	u, err := r.upload(id)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.undecided() {
		return errUndecided("feed.CancelUpload")
	}
	r.uploadDone(id)
	if u.rests {
		u.rests = false
		return r.o.Blobs.Discard(u.id, "")
	}
	if u.stage == nil {
		return nil
	}
	err = errors.Join(u.stage.Discard(), u.stage.Close())
	u.stage = nil
	return err
}

// uploaded hands an upload's stage to its publication. On success the upload stays locked until
// release. The content is read again to hash what is really on disk.
func (r *Service) uploaded(p Publication) (received, error) {
	const op = "feed.Publish"
	u, err := r.upload(p.Upload)
	if err != nil {
		return received{}, err
	}
	u.mu.Lock()
	if !u.undecided() {
		err = u.wake(r.o.Blobs)
	}
	in := received{upload: u}
	switch {
	case err != nil:
	case u.undecided():
		err = errUndecided(op)
	case u.stage == nil:
		err = fault.E(op, fault.NotFound, "The upload is over.")
	case u.size >= 0 && u.offset != u.size:
		err = fault.E(op, fault.Conflict, "The upload has %d of %d bytes.", u.offset, u.size).WithHint("send the rest first")
	default:
		look := r.newContentCheck(p)
		if in.Received, err = deposit.Reread(u.stage, u.offset, look); err == nil { // a failed write may have left more bytes
			in.flag, err = r.declared(p, in.Blob, look)
		}
	}
	if err != nil {
		u.mu.Unlock() // the upload can be continued, cancelled or published under another name
	}
	return in, err
}

// uploadDone removes an upload from the list.
func (r *Service) uploadDone(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.uploads, id)
}

// Recover restores the uploads and the files on hold of an earlier process. It must run before
// anything else uses the stages.
func (r *Service) Recover(log *slog.Logger) error {
	left, err := deposit.Leftovers(r.o.Store, r.o.Blobs, log)
	if err != nil {
		return err
	}
	for _, l := range left {
		var n uploadNote
		if json.Unmarshal(l.Note, &n) != nil || !n.Upload {
			continue
		}
		// The note may have reached the disk before the bytes of the last part. That part was not
		// acknowledged, and the earlier parts are complete.
		n.Offset = min(n.Offset, l.Size)
		if h := n.Held; h != nil {
			h.id, h.Size = l.ID, n.Offset
			if over := r.recoverHeld(h); over != "" {
				if err := r.o.Blobs.Discard(over, ""); err != nil {
					log.Warn("a stage could not be removed", "stage", over, "err", err)
				}
			}
			continue
		}
		r.mu.Lock()
		r.uploads[l.ID] = &upload{id: l.ID, rests: true, offset: n.Offset, size: n.Size, actor: n.Actor, at: n.At}
		r.mu.Unlock()
	}
	return nil
}

// Keep finishes interrupted publications and deletes expired uploads, once a minute until ctx
// ends.
func (r *Service) Keep(ctx context.Context, log *slog.Logger) {
	defer r.closeUploads()
	do := func(ctx context.Context) error {
		err := r.Resume(ctx, log)
		for _, id := range r.stale() {
			log.Info("an upload in parts has expired", "upload", id)
			if err := r.CancelUpload(id); err != nil {
				log.Error("an upload could not be removed", "upload", id, "err", err)
			}
		}
		return err
	}
	exchange.Task{Every: time.Minute, Do: do, Failure: "a publication could not be finished", Log: log}.Run(ctx)
}

func (r *Service) stale() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, u := range r.uploads {
		if u.mu.TryLock() {
			if r.now().Sub(u.at) > r.bounds.Load().KeepUploads {
				ids = append(ids, id)
			}
			u.mu.Unlock()
		}
	}
	return ids
}

// closeUploads closes the stages. The next start recovers them.
func (r *Service) closeUploads() {
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.uploads))
	r.mu.Unlock() // a goroutine that holds u.mu may wait for r.mu
	for _, u := range all {
		u.mu.Lock()
		u.rest()
		u.rests = false
		u.mu.Unlock()
	}
}
