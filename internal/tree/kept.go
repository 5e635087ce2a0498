package tree

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// The quota counts what a mailbox shows. This counts what its user keeps alive: the
// contents that it brought in, also those of older versions and of files that it
// removed, until the sweep has removed their bytes; its directories; and uploads
// under way. Without it, who uploads and removes fills the disk within any quota.

// limits are those in force for the session's user.
func (s *Session) limits(use store.Usage) model.StorageLimits {
	return s.t.policy.Limits.Of(use.StorageLimits)
}

func errKept(have, limit int64, what string) error {
	return fault.E("tree.kept", fault.Quota,
		"Limit reached: this mailbox keeps %d of %d %s, with older versions "+
			"and removed files that the server must still keep.", have, limit, what)
}

// checkKept fails unless a mailbox may keep so much more.
func checkKept(use store.Usage, l model.StorageLimits, bytes, items int64) error {
	switch {
	case use.KeptBytes > l.KeepBytes-bytes:
		return errKept(use.KeptBytes, l.KeepBytes, "bytes")
	case use.KeptItems()+items > l.KeepItems:
		return errKept(use.KeptItems(), l.KeepItems, "files and directories")
	}
	return nil
}

// mayKeepOne fails unless one more item may be kept beside what is under way.
func (s *Session) mayKeepOne(use store.Usage) error {
	s.box.mu.Lock()
	under := int64(s.box.total)
	s.box.mu.Unlock()
	return checkKept(use, s.limits(use), 0, under+1)
}

// accountsFresh is how long a sum over an account's users is used. What other
// ways make it grow or shrink is known then.
const accountsFresh = 2 * time.Second

// accounts remembers what accounts keep.
type accounts struct {
	mu     sync.Mutex
	sums   map[string]accountSum
	staged map[string]int64 // bytes of images, by account
}

// stage adds to what the uploads of an account's users have under way.
func (a *accounts) stage(account string, bytes int64) {
	if account == "" || bytes == 0 {
		return // a mailbox that nobody has logged in to since the start
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.staged == nil {
		a.staged = map[string]int64{}
	}
	if a.staged[account] += bytes; a.staged[account] == 0 {
		delete(a.staged, account)
	}
}

type accountSum struct {
	store.AccountUse
	at time.Time
}

// accountHas fails unless the session's account may keep so much more, beside what all
// uploads of its users have under way.
func (s *Session) accountHas(bytes, items int64) error {
	sum, err := s.t.accountSum(s.login.User.Account)
	if err != nil {
		return err
	}
	s.t.accounts.mu.Lock()
	bytes += s.t.accounts.staged[s.login.User.Account]
	s.t.accounts.mu.Unlock()
	const op = "tree.accountHas"
	limit := s.t.policy.Account
	limit.Bytes, limit.Items = cmp.Or(sum.KeepBytes, limit.Bytes), cmp.Or(sum.KeepItems, limit.Items)
	switch {
	case limit.Bytes > 0 && sum.Bytes+bytes > limit.Bytes:
		return fault.E(op, fault.Quota, "Limit reached: all log-ins of this account keep %d of %d bytes together.", sum.Bytes,
			limit.Bytes)
	case limit.Items > 0 && sum.Items+items > limit.Items:
		return fault.E(op, fault.Quota,
			"Limit reached: all log-ins of this account keep %d of %d files and directories together.", sum.Items, limit.Items)
	}
	return nil
}

// grew adds what was just stored to what its account is known to keep.
func (s *Session) grew(bytes, items int64) {
	a := &s.t.accounts
	a.mu.Lock()
	defer a.mu.Unlock()
	if sum, ok := a.sums[s.login.User.Account]; ok {
		sum.Bytes, sum.Items = sum.Bytes+bytes, sum.Items+items
		a.sums[s.login.User.Account] = sum
	}
}

func (t *Tree) accountSum(account string) (accountSum, error) {
	a, now := &t.accounts, time.Now()
	a.mu.Lock()
	sum, ok := a.sums[account]
	a.mu.Unlock()
	if ok && now.Sub(sum.at) < accountsFresh {
		return sum, nil
	}
	use, err := t.store.Read(context.Background()).AccountKept(account)
	if err != nil {
		return sum, err
	}
	sum = accountSum{use, now}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sums == nil || len(a.sums) > 10_000 {
		a.sums = map[string]accountSum{}
	}
	a.sums[account] = sum
	return sum, nil
}
