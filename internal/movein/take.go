package movein

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func sumOf(f model.MovedFile) ([]byte, error) { return hex.DecodeString(f.SHA256) }

// Take moves a batch of directories and files into a user's mailbox, or says what it would do. Files whose outcome is
// same or kept stay in the run's folder.
func (s *Service) Take(ctx context.Context, actor, user string, in model.MoveIn) (model.MovedIn, error) {
	if err := check(&in); err != nil {
		return model.MovedIn{}, err
	}
	u, err := s.o.Store.Read(ctx).User(user)
	if err != nil {
		return model.MovedIn{}, fault.Missing("movein.Take", err, "There is no user %q.", valid.Printable(user))
	}
	if u.Kind == model.KindService {
		return model.MovedIn{}, fault.E("movein.Take", fault.Invalid,
			"%s is a service user: it sees the platform's files and has none of its own.", u.Name)
	}
	if in.DryRun {
		return compare(s.o.Store.Read(ctx), u, &in)
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	b := &batch{s: s, actor: actor, user: u, in: &in, at: s.now()}
	if err := b.plan(ctx); err != nil {
		return model.MovedIn{}, err
	}
	return b.out, b.commit()
}

// compare says what would be done.
func compare(q *store.Q, u model.User, in *model.MoveIn) (model.MovedIn, error) {
	j, err := newJudge(q, u.ID, in)
	if err != nil {
		return model.MovedIn{}, err
	}
	return j.all(in)
}

// all judges a whole batch.
func (j *judge) all(in *model.MoveIn) (out model.MovedIn, err error) {
	out = model.MovedIn{Dirs: make([]model.MovedOutcome, len(in.Dirs)), Files: make([]model.MovedOutcome, len(in.Files))}
	for i, d := range in.Dirs {
		out.Dirs[i] = j.ofDir(d)
	}
	for i, f := range in.Files {
		if out.Files[i], err = j.ofFile(f, func() (string, error) {
			c, err := j.q.Content(j.files[string(f.Path)].VersionID)
			return hex.EncodeToString(c.SHA256), err
		}); err != nil {
			return out, err
		}
	}
	return out, nil
}

// batch is a batch that is being taken.
type batch struct {
	s      *Service
	actor  string
	user   model.User
	in     *model.MoveIn
	at     time.Time
	out    model.MovedIn
	landed []landed
}

// landed is a file whose bytes get a key.
type landed struct {
	model.MovedFile
	id, key string
	sum     []byte
}

// plan judges the batch and chooses ids and keys for the files that are new or changed.
func (b *batch) plan(ctx context.Context) (err error) {
	if b.out, err = compare(b.s.o.Store.Read(ctx), b.user, b.in); err != nil {
		return err
	}
	for i, f := range b.in.Files {
		if d := b.out.Files[i].Does; d != model.MovedAdds && d != model.MovedChanges {
			continue
		}
		l := landed{MovedFile: f, id: b.s.o.IDs.New()}
		l.key = blob.Key(b.user.ID, l.id, path.Base(string(f.Path)), b.at)
		l.sum, _ = sumOf(f) // check has read it
		b.landed = append(b.landed, l)
	}
	return nil
}

// commit gives the files their keys and writes the rows. If nothing is new, only what was recorded of the old server
// is.
func (b *batch) commit() error {
	if len(b.landed) == 0 {
		return b.s.o.Store.Write(context.Background(), b.record)
	}
	first := b.landed[0]
	return b.s.o.Desk.Commit(deposit.Deposit{Stage: b,
		Record: func(tx *store.Tx, _ store.Blob) error { return b.record(tx) },
		Blob:   store.Blob{ID: first.id, Key: first.key, Size: first.Size, SHA256: first.sum}})
}

func (b *batch) files() []blob.Landed {
	out := make([]blob.Landed, len(b.landed))
	for i, l := range b.landed {
		out[i] = blob.Landed{Name: l.Stage, Key: l.key, Size: l.Size}
	}
	return out
}

// Commit is deposit.Staged's: of the whole batch.
func (b *batch) Commit(string, int64) error { return b.s.o.Blobs.Land(b.in.Run, b.files()) }

// Settle is deposit.Staged's: nothing is left to do.
func (b *batch) Settle() error { return nil }

// Revert is deposit.Staged's: of the whole batch.
func (b *batch) Revert() error { return b.s.o.Blobs.TakeBack(b.in.Run, b.files()) }

// record writes the rows of the batch. If the mailbox has changed since the plan, it fails as Conflict, and the batch
// is to be sent again.
func (b *batch) record(tx *store.Tx) error {
	box, err := mailbox.Lock(tx, b.user.ID)
	if err != nil {
		return err
	}
	j, err := newJudge(&tx.Q, b.user.ID, b.in)
	if err != nil {
		return err
	}
	again, err := j.all(b.in)
	if err != nil {
		return err
	}
	for i := range again.Files {
		if again.Files[i] != b.out.Files[i] {
			return fault.E("movein.record", fault.Conflict, "The mailbox was changed meanwhile.").WithHint("send it again")
		}
	}
	w := &writing{batch: b, tx: tx, box: box, out: again, j: j}
	return w.all()
}

// writing is one run of the transaction of a batch.
type writing struct {
	*batch
	tx    *store.Tx
	box   *mailbox.Box
	j     *judge
	out   model.MovedIn
	moved []store.Moved
	made  int64 // directories that count
}

func (w *writing) all() error {
	for i, d := range w.in.Dirs {
		if w.out.Dirs[i].Does != model.MovedAdds {
			continue
		}
		if err := w.dir(d); err != nil {
			return err
		}
	}
	if err := w.contents(); err != nil {
		return err
	}
	for i, f := range w.in.Files { // the same bytes under another date are not compared again
		was, earlier := w.j.moved[string(f.Path)]
		if w.out.Files[i].Does == model.MovedSame && earlier && !unchanged(was, f) {
			was.UserID, was.Mtime, was.Ctime = w.user.ID, f.Mtime, f.Ctime
			w.moved = append(w.moved, was)
		}
	}
	if err := w.tx.PutMoved(w.moved); err != nil {
		return err
	}
	return w.audit()
}

// dir makes a directory. The operator's have rights, and the partner cannot move or remove them.
func (w *writing) dir(d model.MovedDir) error {
	p := string(d.Path)
	up, err := w.under(path.Dir(p))
	if err != nil {
		return err
	}
	n := store.Dir{ID: w.s.o.IDs.New(), Parent: up, Name: path.Base(p), Mtime: d.Mtime}
	if d.Rights != nil {
		r, _ := exchange.ParseRights(*d.Rights) // check has read them
		n.Rights, n.Fixed = &r, true
	} else if w.made++; w.s.o.Directories > 0 && w.box.Dirs+w.made > w.s.o.Directories {
		return fault.E("movein.dir", fault.Quota, "Limit reached: this mailbox has %d of %d directories.",
			w.box.Dirs+w.made-1,
			w.s.o.Directories).WithHint("raise storage.directories in the configuration")
	}
	w.j.dirs[p] = &place{id: n.ID}
	w.moved = append(w.moved, store.Moved{UserID: w.user.ID, Path: p, Size: -1, Mtime: d.Mtime, FileID: n.ID})
	return w.box.MakeDir(n)
}

// under returns the id of a directory, which is made if it is missing: it was moved in and removed here since, and is
// needed again.
func (w *writing) under(p string) (string, error) {
	at, err := w.j.dir(p)
	if err != nil || at.id != "" {
		return at.id, err
	}
	if err := w.dir(model.MovedDir{Path: []byte(p), Mtime: w.at}); err != nil {
		return "", err
	}
	return w.j.dirs[p].id, nil
}

// contents records the files.
func (w *writing) contents() error {
	limits := w.s.o.Limits.Of(w.box.StorageLimits)
	fresh := mailbox.Arrivals{Actor: w.actor, At: w.at, Limits: limits}
	var arrived []exchange.Arrival
	login := &exchange.Login{User: w.user}
	for i := range w.landed {
		l := &w.landed[i]
		p := string(l.Path)
		dir, err := w.under(path.Dir(p))
		if err != nil {
			return err
		}
		f := store.File{DirID: dir, Name: path.Base(p), FileID: l.id, VersionID: l.id, Size: l.Size, Mtime: l.Mtime,
			Mode: cmp.Or(l.Mode&0o777, 0o644)}
		c := store.Content{VersionID: l.id, BlobID: l.id, Key: l.key, Size: l.Size, SHA256: l.sum, StoredAt: w.stored(l)}
		var over *store.File
		if old, is := w.j.files[p]; is {
			over, f.FileID = &old, old.FileID
		}
		fresh.Files, fresh.Old, fresh.Contents = append(fresh.Files, f), append(fresh.Old, over), append(fresh.Contents, c)
		fresh.Classes = append(fresh.Classes, w.s.o.Class(w.user.ID, p, ""))
		w.moved = append(w.moved, store.Moved{UserID: w.user.ID, Path: p, Size: l.Size, Mtime: l.Mtime, Ctime: l.Ctime,
			FileID: f.FileID, VersionID: l.id})
		if w.in.Drops && w.s.o.Final(w.user.ID, p) {
			arrived = append(arrived, exchange.Arrival{Login: login, Path: p, VersionID: l.id, Size: l.Size, SHA256: l.sum,
				At: w.at})
		}
	}
	if err := w.box.PutAll(fresh, w.s.o.OnGone); err != nil {
		return full(err, w.user.Name)
	}
	if len(arrived) == 0 {
		return nil
	}
	return w.s.o.OnCommit(w.tx, arrived)
}

// full adds what to do about a quota.
func full(err error, user string) error {
	if e := new(fault.Error); errors.As(err, &e) && e.Kind == fault.Quota {
		return fault.E("movein.contents", fault.Quota, "The files do not fit into the quota of %s.", user).
			WithAction("edit-user", "user", user, "quota_bytes", "SIZE")
	}
	return err
}

// stored returns where the clock of retention begins for a file.
func (w *writing) stored(l *landed) time.Time {
	if w.in.FromOriginal && l.Mtime.Before(w.at) {
		return l.Mtime
	}
	return w.at
}

// audit writes the row of the batch: how much it was, and a hash of the list of paths, sizes and contents.
func (w *writing) audit() error {
	if len(w.landed) == 0 && len(w.moved) == 0 {
		return nil
	}
	list, size := sha256.New(), int64(0)
	for _, l := range w.landed {
		fmt.Fprintf(list, "%q %d %s\n", string(l.Path), l.Size, l.SHA256)
		size += l.Size
	}
	dirs := 0
	for _, m := range w.moved {
		if m.Size < 0 {
			dirs++
		}
	}
	row := model.AuditRow{ID: w.s.o.IDs.New(), At: w.at, Actor: w.actor, Action: "file.move_in", Subject: w.user.Name,
		User: w.user.ID, Detail: map[string]string{"run": w.in.Run, "files": strconv.Itoa(len(w.landed)),
			"directories": strconv.Itoa(dirs), "bytes": strconv.FormatInt(size, 10),
			"list_sha256": hex.EncodeToString(list.Sum(nil))}}
	if n := len(w.landed); n > 0 {
		row.Detail["first"], row.Detail["last"] = valid.Printable(string(w.landed[0].Path)),
			valid.Printable(string(w.landed[n-1].Path))
	}
	return w.tx.Audit(row)
}
