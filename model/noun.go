package model

// Nouns are the kinds of things whose names a filter may have. A filter's field says in its names
// tag which of them it takes; a name that nothing has is not found, and no empty list.
const (
	NounAccount     = "account"
	NounUser        = "user"
	NounVendor      = "vendor"
	NounFeed        = "feed"
	NounWebhook     = "webhook"
	NounReceiver    = "webhook or mail address"
	NounOwner       = "account or vendor"
	NounPublication = "publication"
	NounRun         = "run"
	NounTag         = "tag"
)
