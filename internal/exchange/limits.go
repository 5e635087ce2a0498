package exchange

import (
	"cmp"
	"math"

	"github.com/sallyport-sftp/sallyport/model"
)

// NearPercent is the part of a limit, in percent, from which the operator is told that it is near.
const NearPercent = 80

// leastRoom is by how many items at least the limit on kept items exceeds the quota of files, so that
// a mailbox with a quota of three files can still replace one.
const leastRoom = 10

// DefaultLimits are those of users without limits of their own.
type DefaultLimits struct {
	QuotaBytes, QuotaFiles int64
	KeptPercent            int64 // limits on what is kept, as a percentage of the quota in force; 0: no limit
}

// Of returns the limits in force for a user whose own limits are given; 0 means the default.
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

// LargerThanQuota begins the sentence that refuses a file that is larger than its user's whole quota: removing other
// files does not help.
const LargerThanQuota = "The file is larger than the whole quota"
