package connection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Bounds of what is kept of refused uploads.
const (
	maxRefusals  = 4096 // in memory
	refusalRests = 15 * time.Minute
	uploadsTold  = 5 // of a connection or a user in an explanation
)

// upload identifies the uploads of one path in one session. Repetitions are counted.
type upload struct{ session, path string }

// refusal is a row, and whether it has changed since it was written.
type refusal struct {
	row   store.RefusedUpload
	dirty bool
}

// Refusal is an upload that was refused.
type Refusal struct {
	Path  string
	End   int64 // how far the client had come, with the bytes that were refused
	Err   error
	Again bool // it was told of before; now End has grown

	Unfinished bool // it was not refused: its connection ended
}

// unfinished is the reason of an upload whose connection ended.
const unfinished = "unfinished"

// UploadRefused records that a login's upload was refused. It does not wait for the database.
func (r *Service) UploadRefused(l *exchange.Login, f Refusal) {
	if len(f.Path) > pathKept {
		f.Path = f.Path[:pathKept] + "…"
	}
	now, k := r.o.Clock(), upload{l.Session, f.Path}
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.refusals[k]
	if o == nil {
		if len(r.refusals) >= maxRefusals {
			r.lost.Add(1)
			return
		}
		o = &refusal{row: store.RefusedUpload{ID: r.o.IDs.New(), UserID: l.User.ID, Session: l.Session,
			Fingerprint: l.Fingerprint, Address: l.Address, Path: f.Path}}
		r.refusals[k] = o
	}
	if !f.Again {
		o.row.Times++
	}
	o.row.Reason, o.row.Said = fault.KindIn(f.Err).String(), valid.Excerpt(fault.PublicText(f.Err), pathKept)
	if f.Unfinished {
		o.row.Reason = unfinished
	}
	o.row.Size, o.row.Until, o.dirty = max(o.row.Size, f.End), now, true
}

// flushRefusals writes the refused uploads that have changed, and forgets those that have not for refusalRests.
func (r *Service) flushRefusals() {
	r.writing.Lock()
	defer r.writing.Unlock()
	now := r.o.Clock()
	var rows []store.RefusedUpload
	r.mu.Lock()
	for k, o := range r.refusals {
		switch {
		case o.dirty:
			o.dirty = false
			rows = append(rows, o.row)
		case now.Sub(o.row.Until) > refusalRests || len(r.refusals) > maxRefusals/2:
			delete(r.refusals, k) // a later refusal of it is another row
		}
	}
	r.mu.Unlock()
	if len(rows) == 0 {
		return
	}
	slices.SortFunc(rows, func(a, b store.RefusedUpload) int { return strings.Compare(a.ID, b.ID) })
	err := r.o.Store.Write(context.Background(), func(tx *store.Tx) error {
		for _, u := range rows {
			if err := tx.NoteRefusedUpload(u); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil || errors.Is(err, store.ErrOutcomeUnknown) { // what may have been written is not tried for ever
		return
	}
	r.o.Log.Error("refused uploads could not be recorded; they are kept", "count", len(rows), "err", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range rows {
		if o := r.refusals[upload{u.Session, u.Path}]; o != nil {
			o.dirty = true
		}
	}
}

// stored adds to refused uploads when a file of their path was stored afterwards, and makes their paths printable.
func stored(q *store.Q, userID string, list []model.RefusedUpload, in clock) ([]model.RefusedUpload, error) {
	for i := range list {
		u := &list[i]
		at, err := q.StoredSince(userID, u.Path, u.At)
		if err != nil {
			return nil, err
		}
		if !at.IsZero() {
			u.Stored = &at
		}
		u.Path = valid.Printable(u.Path)
		u.Words = uploadText(*u, in)
	}
	return list, nil
}

// tooLarge reports whether an upload was refused because it was larger than the whole quota.
func tooLarge(u model.RefusedUpload) bool { return strings.HasPrefix(u.Said, exchange.LargerThanQuota) }

// uploadText says what became of an upload that failed.
func uploadText(u model.RefusedUpload, in clock) string {
	text := fmt.Sprintf("The upload of %s was refused %s: %s", u.Path, in.on(u.At),
		u.Said)
	switch {
	case u.Reason == unfinished:
		text = fmt.Sprintf("The upload of %s broke off %s, after %d bytes: the connection ended.", u.Path,
			in.on(u.At), u.Size)
	case u.Size > 0:
		text += fmt.Sprintf(" It has at least %d bytes.", u.Size)
	}
	if u.Times > 1 {
		text += fmt.Sprintf(" That happened %d times.", u.Times)
	}
	if u.Stored != nil {
		text += fmt.Sprintf(" It came %s.", in.on(*u.Stored))
	}
	return text
}

// failedUploads adds a user's newest uploads that failed and did not come later.
func (r asking) failedUploads(q *store.Q, u model.User, out *model.Explained) error {
	list, err := q.RefusedUploadsOf(u.ID, explained)
	if err == nil {
		list, err = stored(q, u.ID, list, r.clock)
	}
	if err != nil {
		return err
	}
	told := map[string]bool{}
	for _, f := range list {
		if f.Stored != nil || told[f.Path] || len(told) == uploadsTold {
			continue
		}
		told[f.Path] = true
		finding := out.Find("%s", f.Words)
		if f.Reason == fault.Quota.String() {
			raise(finding, f.Said, u)
		}
	}
	return nil
}

// raise adds how to raise the limit that refused an upload, if that can be done.
func raise(finding *model.Finding, said string, u model.User) {
	switch l, ok := exchange.LimitIn(said); {
	case !ok:
	case l.OfAccount:
		finding.Text += " Raise the limit of the account, if that is in order."
		finding.Action = model.Do("edit-account", "account", u.Account, l.Field, "")
	default:
		what := map[bool]string{true: "quota", false: "limit"}[strings.HasPrefix(l.Field, "quota")]
		finding.Text += " Raise the " + what + ", if that is in order."
		finding.Action = model.Do("edit-user", "user", u.Name, l.Field, "")
	}
}
