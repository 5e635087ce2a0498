package exchange

import (
	"cmp"
	"math"
	"regexp"
	"strings"

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

// Sentences that refuse a change because of a limit. LimitIn knows which limit each is about.
const (
	// LargerThanQuota begins the sentence that refuses a file that is larger than its user's whole quota: removing other
	// files does not help.
	LargerThanQuota   = "The file is larger than the whole quota"
	NoQuotaBytes      = "Quota exceeded: %d of %d bytes are in use."
	NoQuotaFiles      = "Quota exceeded: %d of %d files are in use."
	NoQuotaUnfinished = "Quota exceeded: %d of %d files are in use, and %d uploads are unfinished."
	NoKeep            = "Limit reached: this mailbox keeps %d of %d %s, with older versions " +
		"and removed files that the server must still keep."
	NoAccountBytes = "Limit reached: all log-ins of this account keep %d of %d bytes together."
	NoAccountItems = "Limit reached: all log-ins of this account keep %d of %d files and directories together."
)

// Limit is a limit that can be raised: the field of the user, or of its account, that holds it.
type Limit struct {
	Field     string
	OfAccount bool
}

// limitsSaid finds the limit that a refusal is about by how its sentence begins, numbers apart.
var limitsSaid = []struct {
	begins string
	Limit
}{
	{LargerThanQuota, Limit{Field: "quota_bytes"}},
	{"Quota exceeded: %d of %d bytes", Limit{Field: "quota_bytes"}},
	{"Quota exceeded: %d of %d files", Limit{Field: "quota_files"}},
	{"Limit reached: this mailbox keeps %d of %d bytes", Limit{Field: "keep_bytes"}},
	{"Limit reached: this mailbox keeps %d of %d files", Limit{Field: "keep_items"}},
	{"Limit reached: all log-ins of this account keep %d of %d bytes", Limit{"keep_bytes", true}},
	{"Limit reached: all log-ins of this account keep %d of %d files", Limit{"keep_items", true}},
}

var digits = regexp.MustCompile(`\d+`)

// LimitIn returns the limit that a recorded refusal is about. It is not ok if no limit would help that somebody can
// raise with one command, such as that on unfinished uploads.
func LimitIn(said string) (l Limit, ok bool) {
	said = digits.ReplaceAllString(said, "%d")
	for _, known := range limitsSaid {
		if strings.Contains(said, known.begins) {
			return known.Limit, true
		}
	}
	return l, false
}
