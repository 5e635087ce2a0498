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

// Held is a file that a program wrote over SFTP under a name that is, or may be, temporary. It
// is durable. Only its user sees it, in every session, until it is renamed. If it has a due
// time, it is published then under its current name.
//
// Its stage is never changed. A program that writes to it writes a copy, which replaces it at
// CLOSE. If publication fails, the file is on hold again.
type Held struct {
	UserID  string `json:"user_id"`
	Path    string `json:"-"` // path in the user's tree; any bytes
	Feed    string `json:"feed"`
	To      string `json:"to"` // recipient account; "": every subscriber
	Name    string `json:"-"`
	Size    int64  `json:"size"`
	At      time.Time
	Due     time.Time // when to publish it; zero: only after a rename
	User    string    `json:"user"`    // name of the writing user
	Account string    `json:"account"` // its account
	Service bool      `json:"service"` // it is a service user, which may publish in any feed
	// The key of the login that wrote the file, for the guard when it is published.
	Fingerprint string `json:"fingerprint"`
	Address     string `json:"address"`
	Revocation  int64  `json:"revocation"`

	id   string // id of the stage
	told bool   // the event that it was left was emitted
}

// plainHeld has the same fields as Held but no methods, so that marshalling does not recurse.
type plainHeld Held

// heldNote is the form of Held in the stage's note. Path and Name are byte slices there, since
// JSON strings must be UTF-8.
type heldNote struct {
	plainHeld
	Path, Name []byte
}

// MarshalJSON encodes the note of a held file.
func (h Held) MarshalJSON() ([]byte, error) {
	return json.Marshal(heldNote{plainHeld(h), []byte(h.Path), []byte(h.Name)})
}

// UnmarshalJSON decodes the note of a held file.
func (h *Held) UnmarshalJSON(text []byte) error {
	var n heldNote
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	*h = Held(n.plainHeld)
	h.Path, h.Name = string(n.Path), string(n.Name)
	return nil
}

// maxHeld bounds how many files one user may have on hold.
const maxHeld = 1000

// heldKey identifies a file on hold. A user has at most one under each path.
type heldKey struct{ userID, path string }

func (h Held) key() heldKey { return heldKey{h.UserID, h.Path} }

// Hold puts a written file on hold. It replaces a file on hold under the same path. On an
// error, a file that was on hold before is on hold again; any other file must be discarded by
// the caller.
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

// hold makes a written file and its note durable.
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
	_ = in.stage.Close() // the file was synced above
	return nil
}

// giveBack puts a file on hold again that was taken but not used. Its note is still beside its
// stage. If another file is on hold under its path by now, that one is newer, and this one is
// discarded.
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
		_ = r.o.Blobs.Discard(in.held.id, "") // if it fails, the next start discards it
	}
}

// TakeHeld takes a file off hold. It returns NotFound if there is none under this path. The
// caller must end the result with Publish, Hold or Discard; a failed Publish or Hold puts the
// file on hold again.
func (r *Service) TakeHeld(userID, path string) (*Incoming, error) {
	return r.take(heldKey{userID, path}, "")
}

// take implements TakeHeld. With an id, it takes the file only if its stage has that id.
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

// CopyHeld returns a new file with the content of one on hold. The one on hold stays until the
// copy replaces it.
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

// recoverHeld restores a file that an earlier process had on hold. Of two under the same path
// the newer one stays; over is the stage id of the other.
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
