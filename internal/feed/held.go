package feed

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Held is a file that a program wrote over SFTP under a name that is not its last one, or
// may not be. It is durable, and seen by its user alone, in every session, until it is
// renamed. One with a due time is published under the name that it has then.
//
// Its stage never changes: who writes on it writes a copy, which takes its place at CLOSE.
// A publication that fails gives it back.
type Held struct {
	UserID  string `json:"user_id"`
	Path    string `json:"-"` // where its user sees it; any bytes
	Feed    string `json:"feed"`
	To      string `json:"to"` // account that it is for; "": every subscriber
	Name    string `json:"-"`
	Size    int64  `json:"size"`
	At      time.Time
	Due     time.Time // zero: it waits to be renamed
	User    string    `json:"user"`    // who wrote it,
	Account string    `json:"account"` // of which account,
	Service bool      `json:"service"` // if a service user, of any feed
	// With which key, to publish it when it is due.
	Fingerprint string `json:"fingerprint"`
	Revocation  int64  `json:"revocation"`

	id   string // of its stage
	told bool   // somebody was told that it was left
}

// plainHeld has the same fields and no methods.
type plainHeld Held

// heldNote is how Held lies beside its stage: names are bytes, and JSON knows text alone.
type heldNote struct {
	plainHeld
	Path, Name []byte
}

// MarshalJSON writes a note.
func (h Held) MarshalJSON() ([]byte, error) {
	return json.Marshal(heldNote{plainHeld(h), []byte(h.Path), []byte(h.Name)})
}

// UnmarshalJSON reads a note.
func (h *Held) UnmarshalJSON(text []byte) error {
	var n heldNote
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	*h = Held(n.plainHeld)
	h.Path, h.Name = string(n.Path), string(n.Name)
	return nil
}

// maxHeld bounds what one user may have on hold.
const maxHeld = 1000

// heldKey is what a file on hold is found by: one under each path of a user.
type heldKey struct{ userID, path string }

func (h Held) key() heldKey { return heldKey{h.UserID, h.Path} }

// Hold keeps a written file, in place of one that is held under the same path. On an error a
// file that was on hold before is there again, and any other is its caller's to discard.
func (r *Service) Hold(in *Incoming, h Held) error {
	if err := r.hold(in, &h); err != nil {
		if in.held != nil {
			r.giveBack(in)
		}
		return err
	}
	r.mu.Lock()
	old := r.held[h.key()]
	r.held[h.key()] = &h
	r.mu.Unlock()
	if old != nil && old.id != h.id {
		return r.o.Blobs.Discard(old.id, "")
	}
	return nil
}

// hold makes a written file durable, with the note that it is on hold.
func (r *Service) hold(in *Incoming, h *Held) error {
	h.id, h.Size, h.At = in.id, in.size, r.now()
	r.mu.Lock()
	mine := 0
	for _, other := range r.held {
		if other.UserID == h.UserID {
			mine++
		}
	}
	full := mine >= maxHeld && r.held[h.key()] == nil
	r.mu.Unlock()
	if full {
		return fault.E("feed.Hold", fault.Busy, "%d files wait under temporary names; rename some first.", maxHeld)
	}
	note, err := json.Marshal(uploadNote{Upload: true, Offset: in.size, Size: in.size, Actor: "user:" + h.User, At: h.At,
		Held: h})
	if err != nil {
		return fault.Wrap("feed.Hold", fault.Internal, err)
	}
	if err := in.stage.Truncate(in.size); err != nil {
		return err
	}
	if err := in.stage.Sync(in.size, note, ""); err != nil {
		return err
	}
	in.over = true
	_ = in.stage.Close() // it is durable
	return nil
}

// giveBack puts a file on hold again that was taken and not used up. Its note still lies
// beside it. If another one has its path by now, that one is newer.
func (r *Service) giveBack(in *Incoming) {
	in.over = true
	_ = in.stage.Close()
	r.mu.Lock()
	newer := r.held[in.held.key()]
	if newer == nil {
		r.held[in.held.key()] = in.held
	}
	r.mu.Unlock()
	if newer != nil {
		_ = r.o.Blobs.Discard(in.held.id, "") // the next start does it, too
	}
}

// TakeHeld takes a file off hold; NotFound if there is none under this path. Publish, Hold
// or Discard ends what it returns; a failed Publish or Hold puts it on hold again.
func (r *Service) TakeHeld(userID, path string) (*Incoming, error) {
	return r.take(heldKey{userID, path}, "")
}

// take is TakeHeld; with an id, only of this stage.
func (r *Service) take(key heldKey, id string) (*Incoming, error) {
	r.mu.Lock()
	h := r.held[key]
	if h == nil || id != "" && h.id != id {
		r.mu.Unlock()
		return nil, fault.E("feed.TakeHeld", fault.NotFound, "No such file or directory.")
	}
	delete(r.held, key)
	r.mu.Unlock()
	stage, err := r.o.Blobs.Reopen(h.id, "")
	in := &Incoming{r: r, id: h.id, stage: stage, size: h.Size, held: h}
	if err != nil {
		r.mu.Lock()
		r.held[key] = h
		r.mu.Unlock()
		return nil, err
	}
	return in, nil
}

// CopyHeld begins a file with the content of one on hold, which stays where it is until the
// copy takes its place.
func (r *Service) CopyHeld(userID, path string) (*Incoming, error) {
	from, err := r.TakeHeld(userID, path)
	if err != nil {
		return nil, err
	}
	defer r.giveBack(from)
	in, err := r.NewIncoming()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.NewOffsetWriter(in.stage, 0), io.NewSectionReader(from.stage, 0, from.size)); err != nil {
		_ = in.Discard()
		return nil, fault.Wrap("feed.CopyHeld", fault.Unavailable, err)
	}
	in.size = from.size
	return in, nil
}

// HeldAt finds what is on hold under a path.
func (r *Service) HeldAt(userID, path string) (Held, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.held[heldKey{userID, path}]
	if h == nil {
		return Held{}, false
	}
	return *h, true
}

// HeldIn lists what is on hold in a directory, by path.
func (r *Service) HeldIn(userID, dir string) (out []Held) {
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

// recoverHeld takes up a file that an earlier process had on hold, and returns the stage
// of one that was replaced under the same path.
func (r *Service) recoverHeld(h *Held) (over string) {
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
