package tree

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// A change by name (mkdir, rmdir, remove, rename, times) costs the client one packet, but
// costs the server a transaction and an audit row that is kept for years. So each user
// has a budget of changes: a token bucket that holds one hour's worth and refills in an
// hour. A user past the budget is slowed down, never refused.

// longestWait bounds the wait for one change, whatever the budget, because a
// disconnected client is not noticed during the wait.
const longestWait = time.Minute

// spend takes one change off the user's budget, and waits if the budget is empty. An
// operator has no budget.
func (s *Session) spend() error {
	hourly := s.t.policy.Load().Changes
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

// commitCost is the approximate processor time of a commit, without its requests.
const commitCost = 500 * time.Microsecond

// pay charges processor time to a user, and waits if the user has used more than its
// share. It fails if ctx ends meanwhile.
func (t *Tree) pay(ctx context.Context, op, user string, cost time.Duration) error {
	if t.used == nil {
		return nil
	}
	return pause(ctx, op, t.used(user, cost))
}

// pause waits for a duration. It fails if ctx ends meanwhile, that is, if the session
// is cut off.
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

// errStopped is the error of an operation that was interrupted because its session was
// cut off.
func errStopped(op string) error {
	return fault.E(op, fault.Unavailable, "The session was ended by the server before this was done.")
}
