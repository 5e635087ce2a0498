package exchange

import (
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// What happens to a received file that is larger or later than expected. Each step includes the one before, but for
// OddRefuse, whose refusal is told by itself.
const (
	OddFlag   = "flag"   // the file is marked where it is listed
	OddTell   = "tell"   // and the operator is told, and the partner where its expectation says so
	OddRefuse = "refuse" // and it is refused, with the reason
)

// OddConsumer is who refuses files that are not as expected.
const OddConsumer = "system:expect"

// CheckOdd refuses an unknown policy.
func CheckOdd(setting, what string) error {
	if !slices.Contains([]string{OddFlag, OddTell, OddRefuse}, what) {
		return fault.E("exchange.CheckOdd", fault.Invalid, "%s: %q is not one of flag, tell, refuse.", setting, what)
	}
	return nil
}

// Received is a file that has its final name.
type Received struct {
	User model.User
	Name string
	Size int64
	At   time.Time
}

// Odd is what is not as expected about a received file. The zero value is nothing.
type Odd struct {
	Words  string // for the operator
	Refuse bool
	Reason string       // of the refusal, for the partner
	Advice string       // likewise
	Tell   *model.Event // nil: nobody is told
}
