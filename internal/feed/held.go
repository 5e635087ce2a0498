package feed

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Held is a file that a program wrote over SFTP under a name that is not its last one, or
// may not be. It is durable, and seen by its user alone, in every session, until it is
// renamed. One with a due time is published under the name that it has then.
type Held struct {
	UserID  string    `json:"user_id"`
	Path    string    `json:"path"` // where its user sees it
	Feed    string    `json:"feed"`
	Account string    `json:"account"` // "": every subscriber
	Name    string    `json:"name"`
	Size    int64     `json:"size"`
	At      time.Time `json:"at"`
	Due     time.Time `json:"due"` // zero: it waits to be renamed
	// Who wrote it, to publish it when it is due.
	User        string `json:"user"`
	Fingerprint string `json:"fingerprint"`
	Revocation  int64  `json:"revocation"`

	id   string // of its stage
	told bool   // somebody was told that it was left
}

// maxHeld bounds what one user may have on hold.
const maxHeld = 1000

func (h Held) key() string { return h.UserID + "\x00" + h.Path }

// Hold keeps a written file, in place of one that was held under the same path. On an error
// the file is its caller's.
func (r *Room) Hold(in *Incoming, h Held) error {
	h.id, h.Size, h.At = in.id, in.size, r.now()
	r.mu.Lock()
	old := r.held[h.key()]
	mine := 0
	for _, other := range r.held {
		if other.UserID == h.UserID {
			mine++
		}
	}
	r.mu.Unlock()
	if old == nil && mine >= maxHeld {
		return exchange.E("feed.Hold", exchange.Busy, "%d files wait under temporary names; rename some first.", maxHeld)
	}
	note, err := json.Marshal(uploadNote{Upload: true, Offset: in.size, Size: in.size, Actor: "user:" + h.User, At: h.At, Held: &h})
	if err != nil {
		return exchange.Wrap("feed.Hold", exchange.Internal, err)
	}
	if err := in.stage.Truncate(in.size); err != nil {
		return err
	}
	if err := in.stage.Sync(in.size, note, ""); err != nil {
		return err
	}
	in.over = true
	_ = in.stage.Close() // it is durable
	r.mu.Lock()
	r.held[h.key()] = &h
	r.mu.Unlock()
	if old != nil && old.id != h.id {
		return r.o.Blobs.Discard(old.id, "")
	}
	return nil
}

// TakeHeld takes a file off hold; NotFound if there is none under this path. Publish, Hold
// or Discard ends what it returns.
func (r *Room) TakeHeld(userID, path string) (*Incoming, Held, error) {
	key := Held{UserID: userID, Path: path}.key()
	r.mu.Lock()
	h := r.held[key]
	delete(r.held, key)
	r.mu.Unlock()
	if h == nil {
		return nil, Held{}, exchange.E("feed.TakeHeld", exchange.NotFound, "No such file or directory.")
	}
	stage, err := r.o.Blobs.Reopen(h.id, "")
	if err != nil {
		r.mu.Lock()
		r.held[key] = h
		r.mu.Unlock()
		return nil, Held{}, err
	}
	return &Incoming{r: r, id: h.id, stage: stage, size: h.Size}, *h, nil
}

// HeldAt finds what is on hold under a path.
func (r *Room) HeldAt(userID, path string) (Held, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.held[Held{UserID: userID, Path: path}.key()]
	if h == nil {
		return Held{}, false
	}
	return *h, true
}

// HeldIn lists what is on hold in a directory, by path.
func (r *Room) HeldIn(userID, dir string) (out []Held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.held {
		if h.UserID == userID && strings.HasPrefix(h.Path, dir+"/") {
			out = append(out, *h)
		}
	}
	slices.SortFunc(out, func(a, b Held) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// heldTold is when somebody is told of a file that was left under a temporary name.
const heldTold = 24 * time.Hour

// Overdue publishes the files on hold that are due, and tells of those that were left.
func (r *Room) Overdue(ctx context.Context, log *slog.Logger) error {
	now := r.now()
	var due, left []Held
	r.mu.Lock()
	for _, h := range r.held {
		switch {
		case !h.Due.IsZero() && !now.Before(h.Due):
			due = append(due, *h)
		case h.Due.IsZero() && !h.told && now.Sub(h.At) > heldTold:
			left = append(left, *h)
		}
	}
	r.mu.Unlock()
	for _, h := range due {
		if err := r.publishHeld(ctx, h, log); err != nil {
			return err
		}
	}
	for _, h := range left {
		if err := r.leave(ctx, h, "Nobody gave it its final name, so nothing was published."); err != nil {
			return err
		}
	}
	for _, h := range r.heldBefore(now.Add(-r.o.KeepUploads)) {
		log.Warn("a file under a temporary name has expired", "user", h.User, "path", exchange.Printable(h.Path), "size", h.Size)
		in, _, err := r.TakeHeld(h.UserID, h.Path)
		if err == nil {
			err = in.Discard()
		}
		if err != nil && !exchange.Is(err, exchange.NotFound) {
			return err
		}
	}
	return nil
}

// recoverHeld takes up a file that an earlier process had on hold, and returns the stage
// of one that was replaced under the same path.
func (r *Room) recoverHeld(h *Held) (over string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.held[h.key()]
	switch {
	case was == nil:
	case was.At.After(h.At):
		return h.id
	default:
		over = was.id
	}
	r.held[h.key()] = h
	return over
}

// KeepHeld looks after the files on hold until ctx ends.
func (r *Room) KeepHeld(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for failing := false; ; {
		err := r.Overdue(ctx, log)
		if err != nil && !failing && ctx.Err() == nil {
			log.Error("files on hold could not be looked after", "err", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *Room) heldBefore(edge time.Time) (out []Held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.held {
		if h.At.Before(edge) {
			out = append(out, *h)
		}
	}
	return out
}

// publishHeld publishes a file under the name that nobody changed in time. One that cannot
// be published waits to be renamed, and somebody is told why.
func (r *Room) publishHeld(ctx context.Context, h Held, log *slog.Logger) error {
	in, h, err := r.TakeHeld(h.UserID, h.Path)
	if exchange.Is(err, exchange.NotFound) {
		return nil // renamed meanwhile
	} else if err != nil {
		return err
	}
	guard := store.NewGuard(exchange.Login{User: exchange.User{ID: h.UserID}, Fingerprint: h.Fingerprint, Revocation: h.Revocation})
	_, err = in.Publish(ctx, "user:"+h.User, Publication{Feed: h.Feed, Account: h.Account, All: h.Account == "", Name: h.Name, Via: "sftp", Guard: guard})
	if err == nil || errors.Is(err, deposit.ErrUnknown) { // the desk finds out, later
		return nil
	}
	log.Warn("a file on hold could not be published", "user", h.User, "path", exchange.Printable(h.Path), "err", err)
	if in.Over() {
		return r.leave(ctx, h, "It could not be published: "+exchange.PublicText(err))
	}
	switch {
	case exchange.Is(err, exchange.Unavailable), exchange.Is(err, exchange.NoSpace), exchange.Is(err, exchange.Busy), exchange.Is(err, exchange.Internal):
		h.Due = r.now().Add(time.Minute)
		return r.Hold(in, h)
	}
	h.Due, h.told = time.Time{}, true
	if err := r.Hold(in, h); err != nil {
		return err
	}
	return r.leave(ctx, h, "It could not be published: "+exchange.PublicText(err))
}

// leave tells of a file that was left under a name that is not final.
func (r *Room) leave(ctx context.Context, h Held, why string) error {
	now := r.now()
	err := r.o.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.Emit(exchange.Event{ID: r.o.IDs.New(), Type: exchange.EventLeft, At: now, Account: h.Account, User: h.User, Data: map[string]any{
			"path": exchange.Printable(h.Path), "size": h.Size, "stored": h.At.Format(time.RFC3339), "feed": h.Feed,
			"text": h.User + " wrote " + exchange.Printable(h.Path) + " on " + h.At.Format("2006-01-02 15:04") + " (UTC). " + why}})
	})
	r.mu.Lock()
	if now := r.held[h.key()]; now != nil && err == nil {
		now.told = true
	}
	r.mu.Unlock()
	return err
}

// Republish publishes what was published under another name, and takes that back, as long
// as nobody has opened it: a program may have written it under a name of its own that no
// list holds.
func (r *Room) Republish(ctx context.Context, actor, id string, p Publication) (exchange.Publication, error) {
	const op = "feed.Republish"
	q := r.o.Store.Read(ctx)
	first, err := q.Publication(id)
	if err != nil {
		return exchange.Publication{}, exchange.Missing(op, err, "There is no publication %q.", exchange.Printable(id))
	}
	rows, err := q.Deliveries(store.DeliveryFilter{Publication: id, Limit: maxRepublished + 1})
	if err != nil {
		return exchange.Publication{}, err
	}
	switch {
	case len(rows) > maxRepublished:
		return exchange.Publication{}, exchange.E(op, exchange.Denied, "The file was published as %s, to more than %d users; an operator can withdraw it.", first.Name, maxRepublished)
	case len(rows) == 0:
		return exchange.Publication{}, exchange.E(op, exchange.Conflict, "The file was published as %s, and nobody has it any more.", first.Name)
	}
	for _, d := range rows {
		if d.State != exchange.DeliveryPublished {
			return exchange.Publication{}, exchange.E(op, exchange.Denied, "The file was published as %s already, and the copy of %s is %s; an operator can withdraw it.", first.Name, d.User, d.State)
		}
	}
	version, err := q.VersionOfDelivery(rows[0].ID)
	if err != nil {
		return exchange.Publication{}, err
	}
	c, err := q.Content(version)
	if err != nil {
		return exchange.Publication{}, err
	}
	body, err := r.o.Blobs.Open(c.Key, c.Size)
	if err != nil {
		return exchange.Publication{}, err
	}
	defer body.Close()
	p.Body, p.Size, p.SHA256 = io.NewSectionReader(body, 0, c.Size), c.Size, first.SHA256
	out, err := r.Publish(ctx, actor, p)
	if err != nil {
		return out, err
	}
	for _, d := range rows {
		if _, err := r.Withdraw(ctx, actor, d.ID, "published under its final name, "+exchange.Printable(p.Name)); err != nil && !exchange.Is(err, exchange.Conflict) {
			return out, err
		}
	}
	return out, nil
}

// maxRepublished is how many deliveries are taken back because of a rename.
const maxRepublished = 1000
