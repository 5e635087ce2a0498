package exchange

import (
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// CheckChecks accepts refuse, flag and off, and "", which leaves the choice to a wider setting.
// Anything else is Invalid.
func CheckChecks(s string) error {
	if s == "" || s == model.ChecksRefuse || s == model.ChecksFlag || s == model.ChecksOff {
		return nil
	}
	return fault.E("exchange.CheckChecks", fault.Invalid,
		"Content that is not what its name says is refused, or flagged, or nobody looks; not %q.", valid.Printable(s)).
		WithHint("say refuse, flag or off")
}

// CheckFeedsMay accepts look and remove, which say what a partner may do with delivered files, and "",
// which leaves the choice to a wider setting. Anything else is Invalid.
func CheckFeedsMay(may string) error {
	if may != "" && may != model.FeedsLook && may != model.FeedsRemove {
		return fault.E("exchange.CheckFeedsMay", fault.Invalid,
			"A partner may look at delivered files, or remove them; not %q.", valid.Printable(may)).
			WithHint("say look or remove")
	}
	return nil
}
