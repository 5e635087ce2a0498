package model

import "time"

// Types of events. Those of accounts and keys are the audit log's actions.
const (
	EventReceived    = "file.received"
	EventRenamed     = "file.renamed" // a received file that nobody had claimed got another name
	EventPublished   = "file.published"
	EventCollected   = "file.collected"
	EventRejected    = "file.rejected"
	EventExpiring    = "file.expiring"  // a removal notice was made
	EventRemoved     = "file.removed"   // a retention run removed files
	EventLeft        = "file.left"      // a temporary name was left for a day
	EventLimit       = "limit.near"     // a user or an account keeps 80% of what it may
	EventAlarm       = "alarm"          // something is wrong with the server's own records
	EventFolder      = "folder.problem" // in the folder of files to publish lies something that is not published
	EventGap         = "feed.gap"       // numbers are missing in a feed's names
	EventMissed      = "expectation.missed"
	EventMet         = "expectation.met" // late, after it was missed
	EventRefused     = "login.refused"   // summed
	EventTest        = "webhook.test"
	EventRetention   = "retention.confirm" // a run waits for an administrator
	EventAccountsAll = "account.*"
	EventKeysAll     = "key.*"
)

// Event is something that programs and people elsewhere may want to hear of.
// It is written with the change that it tells of, and sent at least once.
type Event struct {
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	At      time.Time      `json:"timestamp"`
	Account string         `json:"account,omitempty" doc:"Account ID"`
	User    string         `json:"user,omitempty" doc:"Username"`
	Data    map[string]any `json:"data"`
}

// Webhook is a receiver of events.
type Webhook struct {
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	Events    []string  `json:"events" doc:"Types; one may end in *"`
	Enabled   bool      `json:"enabled"`
	Note      string    `json:"note,omitempty" doc:"Why it was switched off"`
	Secret    string    `json:"secret,omitempty" doc:"What its requests are signed with; told once"`
	OldSecret string    `json:"-"`
	CreatedAt time.Time `json:"created_at"`
}

// Channels of messages, and their states.
const (
	ChannelWebhook = "webhook"
	ChannelMail    = "mail"

	MessageNew     = "new"
	MessageQueued  = "queued"
	MessageSent    = "sent"
	MessageDead    = "dead"    // given up; can be sent again
	MessageBounced = "bounced" // a mail that came back
)

// Message is one thing to send to one receiver.
type Message struct {
	ID        string     `json:"id"`
	Channel   string     `json:"channel" enum:"webhook,mail"`
	Target    string     `json:"target" doc:"Name of the webhook, or an e-mail address"`
	EventID   string     `json:"event_id,omitempty"`
	Kind      string     `json:"kind" doc:"Type of the event, or what a mail is about"`
	Ref       string     `json:"ref,omitempty" doc:"The notice that it carries"`
	ContactID string     `json:"contact_id,omitempty"`
	Subject   string     `json:"subject,omitempty"`
	Body      string     `json:"body,omitempty"`
	HTML      string     `json:"-"`
	State     string     `json:"state" enum:"new,queued,sent,dead,bounced"`
	Attempts  int64      `json:"attempts"`
	Error     string     `json:"error,omitempty" doc:"What the last try said"`
	CreatedAt time.Time  `json:"created_at"`
	TriedAt   *time.Time `json:"tried_at,omitempty"`
	SentAt    *time.Time `json:"sent_at,omitempty"`
}

// Queue says how much waits to be sent.
type Queue struct {
	Events   int64      `json:"events" doc:"Events not handed out yet"`
	Waiting  int64      `json:"waiting" doc:"Messages not sent yet"`
	Dead     int64      `json:"dead" doc:"Messages that were given up"`
	OldestAt *time.Time `json:"oldest_at,omitempty" doc:"When the oldest of what waits was made"`
}
