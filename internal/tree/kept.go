package tree

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// The quota counts what a mailbox shows. This file counts what the server keeps for its
// user: the contents that the user uploaded, including those of older versions and
// removed files until the sweep has removed their bytes; directories; and uploads under
// way. Without this limit, a user who uploads and removes in turn could fill the disk
// within any quota.

// limits returns the storage limits of the session's user.
func (s *Session) limits(use store.Usage) model.StorageLimits {
	return s.t.policy.Load().Limits.Of(use.StorageLimits)
}

func errKept(have, limit int64, what string) error {
	return fault.E("tree.kept", fault.Quota, exchange.NoKeep, have, limit, what)
}

// checkKept fails if a mailbox may not keep so many more bytes and items.
func checkKept(use store.Usage, l model.StorageLimits, bytes, items int64) error {
	switch {
	case use.KeptBytes > l.KeepBytes-bytes:
		return errKept(use.KeptBytes, l.KeepBytes, "bytes")
	case use.KeptItems()+items > l.KeepItems:
		return errKept(use.KeptItems(), l.KeepItems, "files and directories")
	}
	return nil
}

// mayKeepOne fails if the mailbox may not keep one more item. Uploads under way and
// partials count.
func (s *Session) mayKeepOne(use store.Usage) error {
	s.box.mu.Lock()
	under := int64(s.box.total)
	s.box.mu.Unlock()
	return checkKept(use, s.limits(use), 0, under+1)
}

// accountsFresh is how long the sum over an account's users is cached. Only changes
// made through grew are seen earlier.
const accountsFresh = 2 * time.Second

// accounts caches what each account keeps.
type accounts struct {
	mu     sync.Mutex
	sums   map[string]accountSum
	staged map[string]int64 // bytes of images, by account
}

// stage adds to the bytes that the uploads of an account's users have reserved.
func (a *accounts) stage(account string, bytes int64) {
	if account == "" || bytes == 0 {
		return // the account is unknown until the mailbox's first login since the start
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

// accountHas fails if the session's account may not keep so many more bytes and items.
// The bytes that all uploads of its users have reserved count.
func (s *Session) accountHas(bytes, items int64) error {
	sum, err := s.t.accountSum(s.login.User.Account)
	if err != nil {
		return err
	}
	s.t.accounts.mu.Lock()
	bytes += s.t.accounts.staged[s.login.User.Account]
	s.t.accounts.mu.Unlock()
	const op = "tree.accountHas"
	limit := s.t.policy.Load().Account
	limit.Bytes, limit.Items = cmp.Or(sum.KeepBytes, limit.Bytes), cmp.Or(sum.KeepItems, limit.Items)
	switch {
	case limit.Bytes > 0 && sum.Bytes+bytes > limit.Bytes:
		return fault.E(op, fault.Quota, exchange.NoAccountBytes, sum.Bytes, limit.Bytes)
	case limit.Items > 0 && sum.Items+items > limit.Items:
		return fault.E(op, fault.Quota, exchange.NoAccountItems, sum.Items, limit.Items)
	}
	return nil
}

// grew adds what was just stored to the cached sum of the session's account.
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
