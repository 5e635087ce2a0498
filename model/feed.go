package model

import (
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// What becomes of a feed's content that is not what its name says.
const (
	ChecksRefuse = "refuse" // it is refused if that is certain, and else flagged
	ChecksFlag   = "flag"   // it is published, and flagged
	ChecksOff    = "off"    // nobody looks
)

// What a partner may do with delivered files beside fetching them.
const (
	FeedsLook   = "look"   // nothing
	FeedsRemove = "remove" // remove and rename them; their bytes stay until they are due
)

// CheckChecks accepts one of them; empty is a wider setting's.
func CheckChecks(s string) error {
	if s == "" || s == ChecksRefuse || s == ChecksFlag || s == ChecksOff {
		return nil
	}
	return fault.E("model.CheckChecks", fault.Invalid, "Content that is not what its name says is refused, or flagged, or nobody looks; not %q.", valid.Printable(s)).
		WithHint("say refuse, flag or off")
}

// CheckFeedsMay accepts what a partner may do with delivered files; empty is a wider setting.
func CheckFeedsMay(may string) error {
	if may != "" && may != FeedsLook && may != FeedsRemove {
		return fault.E("model.CheckFeedsMay", fault.Invalid, "A partner may look at delivered files, or remove them; not %q.", valid.Printable(may)).WithHint("say look or remove")
	}
	return nil
}
