// Package tree is a user's mailbox: the directories and files that a partner sees.
// Names and metadata are rows of the database; contents are blobs.
//
// An upload goes like this. OPEN makes an image (image.go): a stage of the
// blob store bound to a directory id and a name, visible only to its own
// user. WRITE fills it (bytes.go) and hashes the contiguous prefix. CLOSE hands it to
// the committer (commit.go), which makes the bytes durable and then, in one
// transaction, writes file, version, blob, drop and audit row. Only then is
// the reply sent. An image whose session ends becomes a partial
// (partial.go), which the next OPEN of that name resumes.
//
// Names and rights are in names.go and place.go, reading and listing in read.go and
// list.go. This package does not decide what a committed upload means to the
// operator: package node connects the Hooks to inbox and feed.
package tree

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
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
	ReadMemory  int64         // bytes of small files that sessions may hold to read them
}

// Hooks are the callbacks of other services. A hook with a tx parameter runs inside
// that transaction, and its error rolls the change back.
type Hooks struct {
	// OnCommit: uploads of one user have their final names.
	OnCommit func(tx *store.Tx, list []exchange.Arrival) error
	// OnRename: a file has a new final name; first says that its old name was not final.
	OnRename func(tx *store.Tx, first bool, a exchange.Arrival) error
	// Final reports whether a user's file at a path is handed on, that is, whether its
	// name is not a temporary one. nil: always.
	Final func(userID, path string) bool
	// OnGone is told that no name shows a version any more. It says whether the version
	// is still needed. nil: never.
	OnGone mailbox.Gone
	// OnMove: a file was renamed whose old folder its user may not write to. May be nil.
	OnMove func(tx *store.Tx, versionID string) error
	// OnServed: the partner's connection accepted these bytes of a version. It is
	// called from a goroutine other than the session's. May be nil.
	OnServed func(l *exchange.Login, versionID string, served exchange.Spans) error
	// OnSeen: a partner read something (bytes says how much) or listed something. It
	// must not block. May be nil.
	OnSeen func(l *exchange.Login, action, path string, bytes int64)
	// Class returns the retention class of a file at a path. nil: model.ClassDefault.
	Class func(userID, path, feed string) string
	// MayWrite fails while this node cannot learn of revocations. May be nil.
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
	policy atomic.Pointer[Policy] // in force
	hooks  Hooks
	used   func(user string, cost time.Duration) (wait time.Duration) // may be nil

	mu    sync.Mutex
	boxes map[string]*box // by user id

	accounts accounts
	budgets  fair.Pacer    // of changes, by user id
	hashing  *fair.Gateway // limits how many users hash by reading back
	held     atomic.Int64  // bytes of small files that are open for reading

	stop     context.CancelFunc
	ctx      context.Context // ends with Close
	janitor  sync.WaitGroup
	retiring chan struct{} // semaphore: partials that are being synced
}

// Options configure a Tree.
type Options struct {
	Store  *store.Store
	Blobs  blob.Store
	Desk   *deposit.Desk // the caller closes it before the tree; nil: New makes one
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Log    *slog.Logger
	Policy Policy
	Hooks  Hooks
	// Used is told how much processor time a user's commits and hashing took. It returns
	// how long to wait. May be nil.
	Used func(user string, cost time.Duration) (wait time.Duration)
}

// Replace puts another policy in force, from the next request on.
func (t *Tree) Replace(p Policy) { t.policy.Store(&p) }

// New recovers the partials that an earlier process left, and starts the
// janitor, which syncs long uploads, finishes renames of directories and expires partials.
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
	t := &Tree{store: o.Store, blobs: o.Blobs, desk: o.Desk, clock: o.Clock, ids: o.IDs, log: o.Log,
		hooks: o.Hooks, used: o.Used, boxes: map[string]*box{}, retiring: make(chan struct{}, retiring),
		hashing: newHashing()}
	t.policy.Store(&o.Policy)
	if err := errors.Join(t.recover(), t.recoverWalks()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.stop, t.ctx = cancel, ctx
	t.behind("the janitor", func() { t.runJanitor(ctx) })
	return t, nil
}

// behind runs fn on a goroutine that Close waits for. A panic in fn is logged and
// ends only that goroutine.
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

// final reports whether the name of this user's file at a path is final. It does not
// check whether the file is in a staging folder.
func (s *Session) final(full string) bool {
	return s.t.hooks.Final == nil || s.t.hooks.Final(s.login.User.ID, full)
}

// nameKey identifies the file that an image is bound to: a directory's id and a name.
// With the id, images follow a renamed directory.
type nameKey struct{ dir, name string }

// spot is what was known of a name at a state of its mailbox's directories: where it is, and that no
// directory has it.
type spot struct {
	tree  int64  // store.Usage.Tree; 0: nothing is known
	dir   string // path of the directory
	stage bool   // that is in a staging folder
}

// box is the in-memory state of one user's mailbox.
type box struct {
	userID   string
	account  string // "" until the first login since the start; guarded by mu
	sessions int    // guarded by the tree's mu

	walk sync.Mutex // held while renames are finished; taken before mu

	mu       letting
	images   map[nameKey][]*image // oldest first
	total    int                  // number of images
	reserved int64                // bytes of the quota that images have reserved
	staged   int64                // bytes of the limit on kept bytes that images have reserved
	commits  int64                // images that became rows
	use      store.Usage          // of the mailbox, when it was last looked at to change it
	useAt    time.Time
	walking  bool // the effects of a directory rename are not complete (walk.go)
	owed     int  // how often walking was set
}

// known lists all mailboxes.
func (t *Tree) known() []*box {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.boxes))
}

// box finds or makes a user's mailbox and counts a session in. It never waits for a
// mailbox's mu while it holds the tree's mu: one busy user must not delay the others.
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

// boxLocked finds or makes a user's mailbox. Callers hold mu, or run before the tree
// is shared.
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

// newest returns the image that a session sees under a name, or nil: the newest one
// that was changed. An image older than a committed version of the name is seen only
// by the session that owns it. Callers hold mu.
func (b *box) newest(k nameKey, s *Session) *image {
	list := b.images[k]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].dirty && (!list[i].behind || list[i].owner == s) {
			return list[i]
		}
	}
	return nil
}

// turn returns how many images have become rows.
func (b *box) turn() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.commits
}

// outrun marks all images of a name as older than its committed version. Callers hold
// mu.
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
