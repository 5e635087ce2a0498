package tree

import (
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// A change by name (mkdir, rmdir, remove, rename, times) costs its sender a packet,
// and everybody a transaction and an audit row that is kept for years. So a user
// has a budget of them: an hour's worth at once, and then as many as an hour's
// worth is in the time. Who is past it is slowed down and never refused.

// budgets are those of the users who made changes lately.
type budgets struct {
	mu     sync.Mutex
	byUser map[string]*budget
}

// budget is a bucket of changes. It goes below zero by those that wait.
type budget struct {
	left float64
	at   time.Time // left is of then
	told time.Time // when it was last said that the user is slowed down
}

// wait takes one change off a user's budget of so many an hour, and returns how
// long to wait before it is made; told says that somebody should hear of it.
func (b *budgets) wait(user string, hourly int64, now time.Time) (wait time.Duration, tell bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rate := float64(hourly) / 3600 // a second
	u := b.byUser[user]
	if u == nil {
		b.prune(float64(hourly), rate, now)
		u = &budget{left: float64(hourly), at: now}
		b.byUser[user] = u
	}
	u.left = min(u.left+max(0, now.Sub(u.at).Seconds())*rate, float64(hourly)) - 1
	u.at = now
	if u.left >= 0 {
		return 0, false
	}
	if tell = now.Sub(u.told) >= time.Hour; tell {
		u.told = now
	}
	return time.Duration(-u.left / rate * float64(time.Second)), tell
}

// prune forgets budgets that are whole again, once there are many. Callers hold mu.
func (b *budgets) prune(whole, rate float64, now time.Time) {
	if b.byUser == nil {
		b.byUser = map[string]*budget{}
	}
	if len(b.byUser) < 10_000 {
		return
	}
	for user, u := range b.byUser {
		if u.left+now.Sub(u.at).Seconds()*rate >= whole {
			delete(b.byUser, user)
		}
	}
}

// spend takes a change off the user's budget, and waits if there is none left.
func (s *Session) spend() error {
	hourly := s.t.policy.Changes
	if hourly <= 0 || s.login.Operator != "" {
		return nil
	}
	wait, tell := s.t.budgets.wait(s.login.User.ID, hourly, time.Now())
	if tell {
		s.t.log.Warn("a user makes more changes than its budget has, and is slowed down", "user", s.login.User.Name, "session", s.login.Session, "changes_an_hour", hourly)
		s.slowed()
	}
	if wait == 0 {
		return nil
	}
	s.beforeWait()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.stopped:
		return errStopped("tree.spend")
	}
}

// errStopped is for what a session was doing when it was cut off.
func errStopped(op string) error {
	return exchange.E(op, exchange.Unavailable, "The session was ended by the server before this was done.")
}
