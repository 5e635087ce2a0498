// Package tree is a user's mailbox: the directories and files a partner sees,
// which are rows, over blobs, which are bytes.
//
// An upload goes like this. OPEN makes an image (image.go): a stage of the
// blob store bound to a directory id and a name, seen by nobody but its own
// user. WRITE fills it (bytes.go), hashing as far as it is contiguous. CLOSE hands it to
// the committer (commit.go), which makes the bytes durable and then, in one
// transaction, writes file, version, blob, drop and audit row. Only then is
// the reply sent. An image that loses its session becomes a partial
// (partial.go), which the next OPEN of that name resumes.
//
// Names and rights are names.go and place.go; reading and listing, read.go and
// list.go. What a committed upload means to the operator is not decided here:
// the Hooks are joined to inbox and feed by package node.
package tree

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fair"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Policy is what the operator configured.
type Policy struct {
	MaxFile     int64 // bytes; logical end of any file
	Limits      exchange.DefaultLimits
	Account     exchange.AccountLimits
	Directories int64         // per user; 0: any number
	FreeFloor   int64         // bytes that uploads must leave free
	MaxCopy     int64         // bytes; largest file changed in its middle
	Unfinished  int           // uploads under way and partials, per user
	Changes     int64         // by name, per user and hour; more are slowed down. 0: any number
	KeepPartial time.Duration // how long partials stay
}

// Hooks are what other services do about events here. Those with a transaction
// run inside it, and their error undoes the change.
type Hooks struct {
	// OnCommit: uploads of one user have their final names.
	OnCommit func(tx *store.Tx, list []exchange.Arrival) error
	// OnRename: a file has another final name; first says that the one before was none.
	OnRename func(tx *store.Tx, first bool, a exchange.Arrival) error
	// Final reports whether a file of a user at a path is handed on: its name is no
	// temporary one. nil: always.
	Final func(userID, path string) bool
	// OnGone says whether a version is still needed that no name shows any more.
	OnGone mailbox.Gone
	// OnMove: a version has another name than it had in a folder into which its user may not
	// write. May be nil.
	OnMove func(tx *store.Tx, versionID string) error
	// OnServed: these bytes of a version were accepted by the partner's
	// connection. Called off the session's goroutine.
	OnServed func(l *exchange.Login, versionID string, served exchange.Spans) error
	// OnSeen: a partner read (with how many bytes) or listed something. It
	// must not wait. May be nil.
	OnSeen func(l *exchange.Login, action, path string, bytes int64)
	// Class is the retention policy of a file at a path; nil is the default's.
	Class func(userID, path, feed string) string
	// MayWrite fails when revocations can no longer be learned of.
	MayWrite func() error
}

// Tree serves all mailboxes of this node.
type Tree struct {
	store  *store.Store
	blobs  blob.Store
	desk   *deposit.Desk
	clock  exchange.Clock
	ids    *exchange.IDs
	log    *slog.Logger
	policy Policy
	hooks  Hooks
	used   func(user string, cost time.Duration) (wait time.Duration) // may be nil

	mu    sync.Mutex
	boxes map[string]*box // by user id

	accounts accounts
	budgets  fair.Pacer    // of changes, by user id
	hashing  *fair.Gateway // of users who read back what they hash

	stop     context.CancelFunc
	ctx      context.Context // ends with Close
	janitor  sync.WaitGroup
	retiring chan struct{} // full: as many partials are synced as may be at a time
}

// Options are what a tree is made of.
type Options struct {
	Store  *store.Store
	Blobs  blob.Store
	Desk   *deposit.Desk // closed before the tree; nil: one of the tree's own
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Log    *slog.Logger
	Policy Policy
	Hooks  Hooks
	// Used is told what a user's commits cost, and says how long the next one waits.
	// May be nil.
	Used func(user string, cost time.Duration) (wait time.Duration)
}

// New takes up the partials that the last process left, and starts the
// janitor, which syncs long uploads and expires partials.
func New(o Options) (*Tree, error) {
	if o.Desk == nil {
		o.Desk = deposit.New(o.Store, o.Log)
	}
	if o.Hooks.OnGone == nil {
		o.Hooks.OnGone = func(*store.Tx, string, bool) (held bool, err error) { return false, nil }
	}
	if o.Hooks.Class == nil {
		o.Hooks.Class = func(string, string, string) string { return model.ClassDefault }
	}
	t := &Tree{store: o.Store, blobs: o.Blobs, desk: o.Desk, clock: o.Clock, ids: o.IDs, log: o.Log, policy: o.Policy,
		hooks: o.Hooks, used: o.Used, boxes: map[string]*box{}, retiring: make(chan struct{}, retiring),
		hashing: newHashing()}
	if err := errors.Join(t.recover(), t.recoverWalks()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.stop, t.ctx = cancel, ctx
	t.behind("the janitor", func() { t.runJanitor(ctx) })
	return t, nil
}

// behind runs fn beside everything else. A panic in it is logged and ends nothing.
func (t *Tree) behind(what string, fn func()) {
	t.janitor.Go(func() { _ = fault.Guard(t.log, what, func() error { fn(); return nil }) })
}

// Close stops the janitor. Sessions must have ended.
func (t *Tree) Close() {
	t.stop()
	t.janitor.Wait()
	for _, box := range t.known() {
		box.mu.Lock()
		for _, list := range box.images {
			for _, img := range list {
				img.closeStage()
			}
		}
		box.mu.Unlock()
	}
}

func (t *Tree) now() time.Time { return t.clock().UTC().Truncate(time.Microsecond) }

// final reports whether a file of this user at a path is handed on, unless it lies in a
// staging folder.
func (s *Session) final(full string) bool {
	return s.t.hooks.Final == nil || s.t.hooks.Final(s.login.User.ID, full)
}

// nameKey is what images are bound to: a directory's id, so that renaming a
// directory carries them, and a name.
type nameKey struct{ dir, name string }

// box is what this node knows of one user's tree beyond the database.
type box struct {
	userID   string
	account  string // "" until somebody logs in; guarded by mu
	sessions int    // guarded by the tree's mu

	walk sync.Mutex // one at a time finishes renames; taken before mu

	mu       letting
	images   map[nameKey][]*image // oldest first
	total    int                  // of images
	reserved int64                // bytes promised to images, of the quota
	staged   int64                // bytes of images, of what the user may keep
	commits  int64                // images that became rows
	walking  bool                 // a rename of a directory has not had all its effects (walk.go)
	owed     int                  // how often one had not
}

// known lists all mailboxes.
func (t *Tree) known() []*box {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.boxes))
}

// box finds or makes a user's mailbox and counts a session in. Whoever holds the
// tree's mu waits for no mailbox: one user's work must not hold up the others'.
func (t *Tree) box(userID, account string) *box {
	t.mu.Lock()
	box := t.boxLocked(userID)
	box.sessions++
	t.mu.Unlock()
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.account == "" {
		box.account = account
		t.accounts.stage(account, box.staged)
	}
	return box
}

// boxLocked finds or makes a user's mailbox. Callers hold mu, or are alone.
func (t *Tree) boxLocked(userID string) *box {
	b := t.boxes[userID]
	if b == nil {
		b = &box{userID: userID, images: map[nameKey][]*image{}}
		t.boxes[userID] = b
	}
	return b
}

// endSession counts a session out and forgets a mailbox with nothing in memory.
func (t *Tree) endSession(box *box) {
	box.mu.Lock()
	defer box.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	box.sessions--
	if box.sessions == 0 && len(box.images) == 0 && !box.walking {
		delete(t.boxes, box.userID)
	}
}

// newest is the image that answers for a name in a session: the youngest one
// that was changed, unless a version was committed since it began; such a one
// is seen by its own session alone. Callers hold mu.
func (b *box) newest(k nameKey, s *Session) *image {
	list := b.images[k]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].dirty && (!list[i].behind || list[i].owner == s) {
			return list[i]
		}
	}
	return nil
}

// turn counts the images that have become rows.
func (b *box) turn() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.commits
}

// outrun marks the images of a name that began before a version was committed.
// Callers hold mu.
func (b *box) outrun(k nameKey) {
	for _, img := range b.images[k] {
		img.behind = true
	}
}

// add puts an image under its name. Callers hold mu.
func (b *box) add(img *image) {
	b.images[img.key] = append(b.images[img.key], img)
	b.total++
}

// remove takes an image out of its name. Callers hold mu.
func (b *box) remove(img *image) {
	list := b.images[img.key]
	for i, have := range list {
		if have == img {
			list = append(list[:i:i], list[i+1:]...)
			b.total--
			break
		}
	}
	if len(list) == 0 {
		delete(b.images, img.key)
	} else {
		b.images[img.key] = list
	}
}

// hasImages reports whether a directory has uploads under way or partials.
func (b *box) hasImages(dir string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, list := range b.images {
		if k.dir != dir {
			continue
		}
		for _, img := range list {
			if img.dirty {
				return true
			}
		}
	}
	return false
}
