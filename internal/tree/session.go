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

// maxReports is how many counts of a session's deliveries may be on their way.
const maxReports = 16

// maxPending is how many CLOSEs of one session may wait for their commit.
const maxPending = 64

// Session is one login's view of its mailbox. Its methods are called from one
// goroutine; what it starts in the background ends before End returns.
type Session struct {
	t     *Tree
	box   *box
	login exchange.Login
	cwd   string
	guard *store.Guard // checks the login in every change; nil for an operator's

	// cut ends when the session is cut off: revoked, or past the drain.
	cut  context.Context
	stop context.CancelFunc

	reports chan struct{} // full: as many deliveries are being written down as may be

	// slowed is told, once an hour, that the user is past its budget of changes.
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
	s.work.Wait()
	s.stop()
	s.t.endSession(s.box)
}

// OnSlowed has fn called when the user is past its budget of changes, at most once an
// hour. It must not wait.
func (s *Session) OnSlowed(fn func()) { s.slowed = fn }

// Stop cuts the session off: what waits or reads back bytes ends with an error, and
// what is being stored is stored. Any goroutine may call it, before End.
func (s *Session) Stop() { s.stop() }

// RealPath is the absolute form of a client's path; "" and "." are where the
// session starts.
func (s *Session) RealPath(p string) (string, error) { return valid.CleanPath(s.cwd, p) }

// rights are what this login may do where its tree grants granted.
func (s *Session) rights(granted exchange.Rights) exchange.Rights {
	switch {
	case s.login.Operator != "":
		return exchange.AllRights
	case s.login.ReadOnly:
		return granted & (exchange.Read | exchange.List)
	}
	return granted
}

// query reads without a context that can end: the database's own limits bound it.
func (s *Session) query() *store.Q { return s.t.store.Read(context.Background()) }

// write runs fn in a transaction that checks the login: every change of a
// session goes through here.
func (s *Session) write(fn func(tx *store.Tx) error) error {
	return s.t.store.WriteAs(context.Background(), s.guard, fn)
}

// change runs fn as write does, and adds the audit row. fn holds the mailbox.
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

// changedOwing is changed; fn may owe what walk.go then does. What earlier renames owe is
// done first: a file that is to be received must not go before.
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

// auditRow begins the audit row of something this login does.
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
// it, so that a request sees what the CLOSEs before it did.
func (s *Session) awaitCommits(path string) {
	s.await(func(p string) bool { return p == path || path == "/" || strings.HasPrefix(p, path+"/") })
}

// awaitCommitsIn waits for the commits into a directory, before it is listed.
func (s *Session) awaitCommitsIn(path string) {
	s.await(func(p string) bool { return p[:strings.LastIndexByte(p, '/')] == strings.TrimSuffix(path, "/") })
}

// await waits while a pending commit's path matches.
func (s *Session) await(match func(path string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waitWhile(func() bool { return s.anyPending(match) })
}

// waitWhile waits for commits to end, letting gathered replies out first.
// Callers hold mu.
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

// beginCommit counts a commit in, waiting while there are too many.
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

// waitFor waits for a channel, letting gathered replies out first.
func (s *Session) waitFor(done <-chan struct{}) {
	select {
	case <-done:
	default:
		s.beforeWait()
		<-done
	}
}
