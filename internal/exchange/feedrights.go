package exchange

// What a partner may do with delivered files beside fetching them.
const (
	FeedsLook   = "look"   // nothing
	FeedsRemove = "remove" // remove and rename them; their bytes stay until they are due
)

// FeedRights are the rights in a folder of deliveries.
func FeedRights(may string) Rights {
	if may == FeedsRemove {
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
