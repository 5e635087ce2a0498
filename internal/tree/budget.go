package tree

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// A change by name (mkdir, rmdir, remove, rename, times) costs its sender a packet,
// and everybody a transaction and an audit row that is kept for years. So a user
// has a budget of them: an hour's worth at once, and then as many as an hour's
// worth is in the time. Who is past it is slowed down and never refused.

// longestWait bounds the wait for one change, whatever the budget: a client that left is
// not noticed meanwhile.
const longestWait = time.Minute

// spend takes a change off the user's budget, and waits if there is none left.
func (s *Session) spend() error {
	hourly := s.t.policy.Changes
	if hourly <= 0 || s.login.Operator != "" {
		return nil
	}
	wait, tell := s.t.budgets.Wait(s.login.User.ID, hourly, longestWait, time.Now())
	if tell {
		s.t.log.Warn("a user makes more changes than its budget has, and is slowed down", "user", s.login.User.Name,
			"session", s.login.Session, "changes_an_hour", hourly)
		s.slowed()
	}
	if wait <= 0 {
		return nil
	}
	s.beforeWait()
	return pause(s.cut, "tree.spend", wait)
}

// commitCost is about what a commit costs the processor, beside its requests.
const commitCost = 500 * time.Microsecond

// pay waits for a user's part of the processor, of which it uses so much. It fails if
// ctx ends meanwhile.
func (t *Tree) pay(ctx context.Context, op, user string, cost time.Duration) error {
	if t.used == nil {
		return nil
	}
	return pause(ctx, op, t.used(user, cost))
}

// pause waits, and fails if ctx ends meanwhile: the session is cut off.
func pause(ctx context.Context, op string, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errStopped(op)
	}
}

// errStopped is for what a session was doing when it was cut off.
func errStopped(op string) error {
	return fault.E(op, fault.Unavailable, "The session was ended by the server before this was done.")
}
