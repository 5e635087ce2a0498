package exchange

import "cmp"

// What becomes of a feed's content that is not what its name says.
const (
	ChecksRefuse = "refuse" // it is refused if that is certain, and else flagged
	ChecksFlag   = "flag"   // it is published, and flagged
	ChecksOff    = "off"    // nobody looks
)

// CheckChecks accepts one of them; empty is a wider setting's.
func CheckChecks(s string) error {
	if s == "" || s == ChecksRefuse || s == ChecksFlag || s == ChecksOff {
		return nil
	}
	return E("exchange.CheckChecks", Invalid, "Content that is not what its name says is refused, or flagged, or nobody looks; not %q.", Printable(s)).
		WithHint("say refuse, flag or off")
}

// What a partner may do with delivered files beside fetching them.
const (
	FeedsLook   = "look"   // nothing
	FeedsRemove = "remove" // remove and rename them; their bytes stay until they are due
)

// FeedRights are the rights in a folder of deliveries: what the narrowest setting says that
// says anything, the narrowest first: that of a subscription, of its user, of a template.
func FeedRights(settings ...string) Rights {
	if cmp.Or(settings...) == FeedsRemove {
		return Read | List | Delete | Rename
	}
	return Read | List
}

// CheckFeedsMay accepts what a partner may do with delivered files; empty is a wider setting.
func CheckFeedsMay(may string) error {
	if may != "" && may != FeedsLook && may != FeedsRemove {
		return E("exchange.CheckFeedsMay", Invalid, "A partner may look at delivered files, or remove them; not %q.", Printable(may)).WithHint("say look or remove")
	}
	return nil
}
