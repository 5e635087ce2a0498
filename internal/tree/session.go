package tree

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxReports is how many OnServed calls of one session may run at a time.
const maxReports = 16

// maxPending is how many CLOSEs of one session may wait for their commit.
const maxPending = 64

// Session is one login's view of its mailbox. Its methods are called from one
// goroutine, except Stop. Its background work ends before End returns.
type Session struct {
	t     *Tree
	box   *box
	login exchange.Login
	cwd   string
	guard *store.Guard // checks in every change that the login was not revoked; nil for an operator

	// cut ends when the session is cut off: revoked, or past the drain.
	cut  context.Context
	stop context.CancelFunc

	reports chan struct{} // semaphore: OnServed calls that are running

	known known // of the session's goroutine

	// slowed is called at most once an hour while the user is past its budget of changes.
	slowed func()

	// beforeWait is called before the session waits for its own commits, so
	// that replies gathered so far reach the client.
	beforeWait func()

	mu      sync.Mutex
	idle    *sync.Cond           // a commit has ended
	pending map[*image]string    // commits under way, with their paths
	handles map[*Handle]struct{} // open for writing
	readers map[*Handle]struct{} // open for reading alone
	work    sync.WaitGroup
}

// Begin opens a login's mailbox. beforeWait may be nil.
func (t *Tree) Begin(login exchange.Login, beforeWait func()) *Session {
	if beforeWait == nil {
		beforeWait = func() {}
	}
	s := &Session{t: t, box: t.box(login.User.ID, login.User.Account), login: login, cwd: "/", beforeWait: beforeWait,
		guard: store.NewGuard(login), slowed: func() {}, reports: make(chan struct{}, maxReports),
		pending: map[*image]string{}, handles: map[*Handle]struct{}{}, readers: map[*Handle]struct{}{}}
	s.idle = sync.NewCond(&s.mu)
	s.known.ahead.t = t
	s.cut, s.stop = context.WithCancel(context.Background())
	if login.Operator == "" {
		s.cwd = login.User.StartDir
	}
	return s
}

// End finishes the CLOSEs that were received, and turns what was still open
// for writing into partials.
func (s *Session) End() {
	for h := range s.handles {
		h.abandon()
	}
	for h := range s.readers {
		h.abandonRead()
	}
	s.known.ahead.letGo()
	s.work.Wait()
	s.stop()
	s.t.endSession(s.box)
}

// OnSlowed sets the function that is called, at most once an hour, when the user is
// past its budget of changes. fn runs on the session's goroutine and must not block.
func (s *Session) OnSlowed(fn func()) { s.slowed = fn }

// Stop cuts the session off: work that waits for a budget or reads back bytes to hash
// fails, also in a commit. A commit past that is completed. Any goroutine may call Stop,
// before End.
func (s *Session) Stop() { s.stop() }

// RealPath returns the absolute form of a client's path. "" and "." are the session's
// start directory.
func (s *Session) RealPath(p string) (string, error) { return valid.CleanPath(s.cwd, p) }

// rights reduces the rights that the tree grants to those that this login has.
// An operator has all.
func (s *Session) rights(granted exchange.Rights) exchange.Rights {
	switch {
	case s.login.Operator != "":
		return exchange.AllRights
	case s.login.ReadOnly:
		return granted & (exchange.Read | exchange.List)
	}
	return granted
}

// query returns a reader whose context never ends. The database's own limits bound a
// query.
func (s *Session) query() *store.Q { return s.t.store.Read(context.Background()) }

// write runs fn in a transaction that also checks that the login was not revoked.
func (s *Session) write(fn func(tx *store.Tx) error) error {
	return s.t.store.WriteAs(context.Background(), s.guard, fn)
}

// change runs fn as write does, and adds the audit row. fn must lock the mailbox.
func (s *Session) change(action, subject string, fn func(tx *store.Tx, row *model.AuditRow) error) error {
	_, err := changed(s, action, subject,
		func(tx *store.Tx, row *model.AuditRow) (struct{}, error) { return struct{}{}, fn(tx, row) })
	return err
}

// changed is change with a result.
func changed[T any](s *Session, action, subject string,
	fn func(tx *store.Tx, row *model.AuditRow) (T, error)) (T, error) {
	return changedOwing(s, action, subject, func(tx *store.Tx, row *model.AuditRow) (T, bool, error) {
		out, err := fn(tx, row)
		return out, false, err
	})
}

// changedOwing is changed for a rename of a directory: fn returns owed if walk.go still
// has effects of it to complete. The effects of earlier renames are completed first,
// so that a change cannot remove a file that is still to be received.
func changedOwing[T any](s *Session, action, subject string,
	fn func(tx *store.Tx, row *model.AuditRow) (out T, owed bool, err error)) (out T, err error) {
	for {
		if err := s.finishWalks(); err != nil {
			return out, err
		}
		out, err := store.ChangeAs(context.Background(), s.t.store, s.guard, func(tx *store.Tx) (T, error) {
			row := s.auditRow(action, subject, s.t.now())
			out, owed, err := fn(tx, &row)
			if err != nil {
				return out, err
			}
			if s.box.isWalking() { // since another session's rename was committed
				return out, errOwed
			}
			if owed {
				s.box.owe()
			}
			return out, tx.Audit(row)
		})
		if !errors.Is(err, errOwed) {
			return out, err
		}
	}
}

// auditRow returns the audit row of an action of this login. The caller may add to
// its Detail.
func (s *Session) auditRow(action, subject string, at time.Time) model.AuditRow {
	row := model.AuditRow{ID: s.t.ids.New(), At: at, Actor: s.login.Actor(), Action: action, Subject: subject,
		User: s.login.User.ID, Detail: map[string]string{}}
	if s.login.Operator == "" {
		row.Detail["key"], row.Detail["address"], row.Detail["session"] = s.login.Fingerprint, s.login.Address,
			s.login.Session
	}
	return row
}

// awaitCommits waits until no commit of this session is under way at path or below
// it, so that a request sees the effects of earlier CLOSEs.
func (s *Session) awaitCommits(path string) {
	s.await(func(p string) bool { return p == path || path == "/" || strings.HasPrefix(p, path+"/") })
}

// awaitCommitsIn waits until no commit of this session is under way directly in a
// directory. Listings call it.
func (s *Session) awaitCommitsIn(path string) {
	s.await(func(p string) bool { return p[:strings.LastIndexByte(p, '/')] == strings.TrimSuffix(path, "/") })
}

// await waits while a pending commit's path matches.
func (s *Session) await(match func(path string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waitWhile(func() bool { return s.anyPending(match) })
}

// waitWhile waits for commits to end while blocked returns true. It calls beforeWait
// first. Callers hold mu, which is released meanwhile.
func (s *Session) waitWhile(blocked func() bool) {
	if !blocked() {
		return
	}
	s.mu.Unlock()
	s.beforeWait()
	s.mu.Lock()
	for blocked() {
		s.idle.Wait()
	}
}

func (s *Session) anyPending(match func(string) bool) bool {
	for _, p := range s.pending {
		if match(p) {
			return true
		}
	}
	return false
}

// beginCommit counts a commit in. It waits while maxPending are under way.
func (s *Session) beginCommit(img *image, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waitWhile(func() bool { return len(s.pending) >= maxPending })
	s.pending[img] = path
}

func (s *Session) endCommit(img *image) {
	s.mu.Lock()
	delete(s.pending, img)
	s.mu.Unlock()
	s.idle.Broadcast()
}

// waitFor waits for a channel to close. If it is still open, beforeWait is called first.
func (s *Session) waitFor(done <-chan struct{}) {
	select {
	case <-done:
	default:
		s.beforeWait()
		<-done
	}
}
