package exchange

import (
	"cmp"
	"math"

	"github.com/sallyport-sftp/sallyport/model"
)

// NearPercent is from where a limit is near: the operator is told.
const NearPercent = 80

// leastRoom is how many more items than its quota of files a mailbox may keep alive at
// least, so that one of three files can still be replaced.
const leastRoom = 10

// DefaultLimits are those of users without limits of their own.
type DefaultLimits struct {
	QuotaBytes, QuotaFiles int64
	KeptPercent            int64 // of the quota in force: the limits on what is kept; 0: none
}

// Of are the limits in force for a user whose own are given; 0 means the default.
func (d DefaultLimits) Of(own model.StorageLimits) model.StorageLimits {
	out := model.StorageLimits{QuotaBytes: cmp.Or(own.QuotaBytes, d.QuotaBytes),
		QuotaFiles: cmp.Or(own.QuotaFiles, d.QuotaFiles)}
	share := func(n int64) int64 {
		if d.KeptPercent == 0 || n/100 > math.MaxInt64/d.KeptPercent-1 {
			return math.MaxInt64
		}
		return n/100*d.KeptPercent + n%100*d.KeptPercent/100
	}
	out.KeepBytes = cmp.Or(own.KeepBytes, share(out.QuotaBytes))
	out.KeepItems = cmp.Or(own.KeepItems, max(share(out.QuotaFiles), out.QuotaFiles+leastRoom))
	return out
}

// AccountLimits bound what the users of an account keep alive together, unless it
// has limits of its own; 0 is no limit.
type AccountLimits struct{ Bytes, Items int64 }
