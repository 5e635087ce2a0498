package model

// More nouns, for completion.
const (
	NounContact     = "contact"
	NounKey         = "key"
	NounPendingKey  = "pending key"
	NounDelivery    = "delivery"
	NounDrop        = "received file"
	NounMessage     = "message"
	NounNotice      = "notice"
	NounLink        = "link"
	NounHold        = "hold"
	NounExpectation = "expectation"
	NounConsumer    = "consumer"
	NounBan         = "ban"
)

// CompleteQuery asks for names that begin with a text.
type CompleteQuery struct {
	Kind   string `query:"kind" required:"true" doc:"Of what: account, user, vendor, feed, webhook, contact, key, …"`
	Prefix string `query:"prefix" doc:"How the name begins; its case does not matter"`
	User   string `query:"user" doc:"Of keys: only this user's"`
}

// Suggestion is a name that may be meant.
type Suggestion struct {
	Name  string `json:"name"`
	About string `json:"about,omitempty" doc:"What it is, in a few words"`
}

// Suggestions are the names that begin with a text, at most a hundred.
type Suggestions struct {
	Items []Suggestion `json:"items"`
}
