package tree

import (
	"context"
	"encoding"
	"encoding/hex"
	"errors"
	"path"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/telemetry"
)

// commit hands an image to the committer after a CLOSE, which is completed even if
// the client disconnects. Callers hold box.mu, and call begin after they released it.
// done gets the outcome.
func (s *Session) commit(img *image, opened string, done func(error)) (begin func()) {
	img.become(committing)
	img.done, img.failure = make(chan struct{}), nil
	where := opened
	if path.Base(opened) != img.key.name { // renamed since OPEN
		where = path.Join(path.Dir(opened), img.key.name)
	}
	return func() {
		s.beginCommit(img, where)
		s.work.Go(func() {
			err := s.storeGuarded(img)
			if !errors.Is(err, deposit.ErrUnknown) { // else the desk calls finish later
				img.finish(err)
			}
			s.endCommit(img)
			done(err)
		})
	}
}

// storeGuarded calls store, after the user's share of processor time allows it. If
// store panics, its progress is unknown, so the error has blob.ErrSealed in its chain:
// the bytes stay untouched until the next start, which asks the database.
func (s *Session) storeGuarded(img *image) error {
	if err := s.t.pay(s.cut, "tree.commit", s.login.User.ID, commitCost); err != nil {
		return err
	}
	whole := false
	err := fault.Guard(s.t.log, "a commit", func() error {
		err := s.store(img)
		whole = true
		return err
	})
	if !whole {
		return errors.Join(err, blob.ErrSealed)
	}
	return err
}

// store makes an image's bytes durable and then writes its rows.
func (s *Session) store(img *image) (err error) {
	ctx, end := telemetry.Serve(context.Background(), "sftp store", telemetry.User.String(s.login.User.Name),
		telemetry.Session.String(s.login.Session))
	defer func() { end(err) }()
	now := s.t.now()
	c, stage, err := img.seal(s.cut, now)
	if err != nil {
		return err
	}
	for {
		if err := s.finishWalks(); err != nil {
			return err
		}
		err = s.t.desk.Commit(deposit.Deposit{Trace: ctx, Stage: stage, Guard: s.guard,
			Blob:   store.Blob{ID: c.BlobID, Key: c.Key, Size: c.Size, SHA256: c.SHA256},
			Record: func(tx *store.Tx, b store.Blob) error { return s.record(tx, img, c, b.Body, now) }, Late: img.finish})
		if !errors.Is(err, errOwed) {
			break
		}
	}
	if err == nil {
		s.grew(c.Size, 1)
		s.box.grew(c.Size)
	}
	return err
}

// finish ends a commit. With err nil the image is now a version. With ErrSealed in the
// chain its bytes cannot be used any more, and it is removed. After any other error it is
// open again and can be resumed.
func (img *image) finish(err error) {
	box := img.box
	box.mu.Lock()
	defer box.mu.Unlock()
	img.failure = err
	switch {
	case err == nil:
		img.become(committed)
		img.book(0, 0)
		box.commits++
		box.remove(img)
		box.dropPartials(img.key, img)
		box.outrun(img.key)
	case errors.Is(err, blob.ErrSealed):
		img.become(removed)
		img.book(0, 0)
		box.remove(img)
	default:
		img.become(open)
		img.behind = img.behind || errors.Is(err, errOutrun)
	}
	close(img.done)
	img.refs--
	byName := img.byName
	img.byName = false
	if img.refs > 0 {
		return
	}
	switch {
	case img.state != open:
		img.closeStage()
	case byName || errors.Is(err, blob.ErrLost) || img.makesRoom():
		img.discard()
	default:
		img.orphan()
	}
}

// seal completes the hash, cuts the stage to the logical size and returns it. Writes are
// refused meanwhile because the state is committing.
func (img *image) seal(ctx context.Context, now time.Time) (store.Content, blob.Stage, error) {
	img.mu.Lock()
	defer img.mu.Unlock()
	if img.damaged {
		return store.Content{}, nil, fault.E("tree.seal", fault.Conflict,
			"Not stored: a part of the file could not be written.")
	}
	if err := img.hole(); err != nil {
		return store.Content{}, nil, err
	}
	c := store.Content{VersionID: img.id, BlobID: img.id, Size: img.size, StoredAt: now}
	if err := img.startLocked(); err != nil {
		return c, nil, err
	}
	if err := img.dropAhead(); err != nil {
		return c, nil, err
	}
	if err := img.catchUp(ctx, img.size); err != nil {
		return c, nil, fault.Wrap("tree.seal", fault.Unavailable, err)
	}
	if m, ok := img.sum.(encoding.BinaryMarshaler); ok {
		c.HashState, _ = m.MarshalBinary() // without it an append must read the file again
	}
	c.SHA256 = img.sum.Sum(nil)
	c.Key = img.at
	return c, img.stage, nil
}

// record writes the rows of a commit. It returns errOwed if a directory rename must be
// completed first.
func (s *Session) record(tx *store.Tx, img *image, c store.Content, body []byte, now time.Time) error {
	rows, err := mailbox.Lock(tx, s.login.User.ID)
	if err != nil {
		return err
	}
	if s.box.isWalking() { // a rename was committed meanwhile, and this upload may replace a file that it moved
		return errOwed
	}
	limits := s.limits(rows.Usage)
	if err := checkKept(rows.Usage, limits, c.Size, 1); err != nil {
		return err
	}
	f, at := img.row(c, now)
	dir, staging := at.dir, at.stage
	if at.tree == 0 || at.tree != rows.Tree { // directories have changed since OPEN
		if dir, staging, err = freePlace(tx, f); err != nil {
			return err
		}
	}
	old, err := rows.File(f.DirID, f.Name)
	if err == nil && old != nil {
		err = img.outrunBy(*old)
	}
	if err != nil {
		return err
	}
	full := path.Join(dir, f.Name)
	if err := rows.Put(mailbox.Upload{File: f, Old: old, Content: c, Body: body, Actor: s.login.Actor(),
		Class: s.t.hooks.Class(s.login.User.ID, full, ""), Limits: limits}, s.t.hooks.OnGone); err != nil {
		return err
	}
	if !staging && s.final(full) {
		if err := s.arrived(tx, full, c, now); err != nil {
			return err
		}
	}
	row := s.auditRow("file.store", full, now)
	row.Detail["version"], row.Detail["size"] = img.id, strconv.FormatInt(c.Size, 10)
	row.Detail["sha256"] = hex.EncodeToString(c.SHA256)
	return tx.Audit(row)
}

// row returns the file's row that the image becomes, and what is known of its place. The name cannot change
// meanwhile: a rename waits until the commit is over.
func (img *image) row(c store.Content, now time.Time) (store.File, spot) {
	img.box.mu.Lock()
	key, at := img.key, img.spot
	img.box.mu.Unlock()
	img.mu.Lock()
	defer img.mu.Unlock()
	f := store.File{DirID: key.dir, Name: key.name, FileID: img.id, VersionID: img.id, Size: c.Size,
		Mtime: now, Mode: img.mode}
	if img.mtime != nil {
		f.Mtime = *img.mtime
	}
	return f, at
}

// freePlace returns the path of the file's directory and whether that is in a staging
// folder. It fails if the directory is gone, or if the name is a directory's by now.
func freePlace(tx *store.Tx, f store.File) (dir string, staging bool, err error) {
	if dir, staging, err = tx.DirPath(f.DirID); err != nil {
		return "", false, err
	}
	clash, err := tx.Walk(f.DirID, []string{f.Name})
	if err == nil && len(clash) > 1 {
		err = fault.E("tree.freePlace", fault.Exists, "A directory of this name exists now.")
	}
	return dir, staging, err
}

// errOutrun is in the chain of the error of a resumed upload whose name got a newer
// version since the upload began.
var errOutrun = errors.New("a newer version was stored meanwhile")

// outrunBy fails if a resumed upload would replace a version that was stored after the
// upload began: its bytes may continue an older content.
func (img *image) outrunBy(old store.File) error {
	img.box.mu.Lock()
	defer img.box.mu.Unlock()
	if !img.resumed || old.VersionID == img.over {
		return nil
	}
	err := fault.E("tree.commit", fault.Conflict,
		"Not stored: a newer version of this file was stored meanwhile; upload it again from its start.")
	err.Err = errOutrun
	return err
}

// arrived calls OnCommit for a partner's upload that has its final name.
func (s *Session) arrived(tx *store.Tx, full string, c store.Content, now time.Time) error {
	if s.t.hooks.OnCommit == nil || s.login.Operator != "" {
		return nil
	}
	return s.t.hooks.OnCommit(tx,
		[]exchange.Arrival{{Login: &s.login, Path: full, VersionID: c.VersionID, Size: c.Size, SHA256: c.SHA256, At: now}})
}
