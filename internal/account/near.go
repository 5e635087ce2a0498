package account

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// farPercent is the share of a limit below which its warning is reset. The operator is warned
// once when a limit is nearly reached, and again only after the use was below farPercent.
const farPercent = 70

// nearness is what a user or an account keeps, with its limits.
type nearness struct {
	bytes, items         int64
	keepBytes, keepItems int64
	told                 time.Time // when the operator was warned; zero: not yet
}

// share returns the use in percent of the nearer limit. A limit of 0 or less does not count.
func (n nearness) share() int64 {
	part := func(have, limit int64) int64 {
		if limit <= 0 {
			return 0
		}
		return int64(float64(have) * 100 / float64(limit))
	}
	return max(part(n.bytes, n.keepBytes), part(n.items, n.keepItems))
}

// change reports whether to warn the operator, and whether an earlier warning is over.
func (n nearness) change() (tell, over bool) {
	share := n.share()
	return n.told.IsZero() && share >= exchange.NearPercent, !n.told.IsZero() && share < farPercent
}

// FindNear emits an event for each user and account that is close to its limit.
func (r *Service) FindNear(ctx context.Context) error {
	keepers, err := r.store.Read(ctx).Patient().Keepers()
	if err != nil {
		return err
	}
	limits, sums := r.policy.Load().Limits, map[string]nearness{}
	for _, k := range keepers {
		l := limits.Of(k.StorageLimits)
		user := nearness{k.KeptBytes, k.KeptItems(), l.KeepBytes, l.KeepItems, k.Near}
		set := func(tx *store.Tx, at time.Time) error { return tx.SetUserNear(k.UserID, at) }
		if err := r.reportNear(ctx, user, k.Account, k.User, "The mailbox of "+k.User, "user "+k.User,
			set); err != nil {
			return err
		}
		sum := sums[k.Account]
		sum.bytes, sum.items = sum.bytes+k.KeptBytes, sum.items+k.KeptItems()
		sums[k.Account] = sum
	}
	return r.findNearAccounts(ctx, sums)
}

func (r *Service) findNearAccounts(ctx context.Context, sums map[string]nearness) error {
	limits, err := r.store.Read(ctx).AccountLimits()
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		sum, own := sums[id], limits[id]
		sum.keepBytes = cmp.Or(own.KeepBytes, r.policy.Load().Account.Bytes)
		sum.keepItems = cmp.Or(own.KeepItems, r.policy.Load().Account.Items)
		sum.told = own.Near
		set := func(tx *store.Tx, at time.Time) error { return tx.SetAccountNear(id, at) }
		if err := r.reportNear(ctx, sum, id, "", "The log-ins of account "+id, "account "+id, set); err != nil {
			return err
		}
	}
	return nil
}

// reportNear emits the event for a limit that is nearly reached, or resets the warning.
func (r *Service) reportNear(ctx context.Context, near nearness, account, user, who, whom string,
	set func(*store.Tx, time.Time) error) error {
	tell, over := near.change()
	if !tell && !over {
		return nil
	}
	now := r.clock().UTC()
	return r.store.Write(ctx, func(tx *store.Tx) error {
		if over {
			return set(tx, time.Time{})
		}
		if err := set(tx, now); err != nil {
			return err
		}
		text := fmt.Sprintf("%s keeps %d of %d bytes and %d of %d files and directories, with older versions and removed "+
			"files that must still be kept. "+
			"At the limit, its uploads are refused.\n\nIf that is in order, give %s more (keep_bytes, keep_items).",
			who, near.bytes, near.keepBytes, near.items, near.keepItems, whom)
		return tx.Emit(model.Event{ID: r.ids.New(), Type: model.EventLimit, At: now, Account: account, User: user,
			Data: model.LimitNear{
				KeptBytes: near.bytes, KeepBytes: near.keepBytes, KeptItems: near.items, KeepItems: near.keepItems,
				Percent: near.share(), Words: text}})
	})
}
