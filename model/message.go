package model

import "time"

// Channel is a way to send messages.
type Channel string

// MessageState is the state of a message.
type MessageState string

// Channels of messages, and their states.
const (
	ChannelWebhook Channel = "webhook"
	ChannelMail    Channel = "mail"

	MessageNew     MessageState = "new"
	MessageQueued  MessageState = "queued"
	MessageSent    MessageState = "sent"
	MessageDead    MessageState = "dead"    // given up; can be sent again
	MessageBounced MessageState = "bounced" // a mail that came back
)

// Message is one thing to send to one receiver.
type Message struct {
	ID        string       `json:"id"`
	Channel   Channel      `json:"channel" enum:"webhook,mail"`
	Target    string       `json:"target" doc:"Name of the webhook, or an e-mail address"`
	EventID   string       `json:"event_id,omitempty"`
	Kind      string       `json:"kind" doc:"Type of the event, or what a mail is about"`
	Ref       string       `json:"ref,omitempty" doc:"The notice that it carries"`
	ContactID string       `json:"contact_id,omitempty"`
	Subject   string       `json:"subject,omitempty"`
	Body      string       `json:"body,omitempty"`
	HTML      string       `json:"-"`
	State     MessageState `json:"state" enum:"new,queued,sent,dead,bounced"`
	Attempts  int64        `json:"attempts"`
	Error     string       `json:"error,omitempty" doc:"What the last try said"`
	CreatedAt time.Time    `json:"created_at"`
	TriedAt   *time.Time   `json:"tried_at,omitempty"`
	SentAt    *time.Time   `json:"sent_at,omitempty"`

	Files  []MessageFile `json:"files,omitempty" doc:"Attached to a mail"`
	Secret string        `json:"-"` // sealed: the end of a one-time link
}

// MessageFile is a file that is attached to a mail.
type MessageFile struct {
	Name    string `json:"name"`
	Type    string `json:"type" doc:"Media type"`
	Content []byte `json:"-"`
}

// Queue says how much waits to be sent.
type Queue struct {
	Events   int64      `json:"events" doc:"Events not handed out yet"`
	Waiting  int64      `json:"waiting" doc:"Messages not sent yet"`
	Dead     int64      `json:"dead" doc:"Messages that were given up"`
	OldestAt *time.Time `json:"oldest_at,omitempty" doc:"When the oldest of what waits was made"`
}

// Count says how many.
type Count struct {
	Count int64 `json:"count"`
}

// MailReport is the content of a mail server's delivery report (RFC 3464). Anybody can send one.
// Only receivers of the mail that it is about know that mail's id.
type MailReport struct {
	Messages []string      `json:"messages" doc:"Ids that may be the mail's, from its Message-ID"`
	Failures []MailFailure `json:"failures" doc:"Addresses that were not reached, and why"`
}

// MailFailure is an address that a delivery report says was not reached.
type MailFailure struct {
	Address string `json:"address"`
	Why     string `json:"why"`
	Full    bool   `json:"full,omitempty" doc:"The mailbox was full, so the address is not wrong"`
}

// Replay chooses dead messages that are sent again.
type Replay struct {
	Target string `json:"target,omitempty" doc:"Only of this receiver"`
}

// Bounced says what came of noting that mail to an address came back.
type Bounced struct {
	Address  string    `json:"address"`
	Mails    int64     `json:"mails" doc:"Mails of the last 14 days that count as not reached now"`
	Contacts []Contact `json:"contacts" doc:"Contacts with the address, who get no more notices there"`
}

// MailKind is a kind of mail.
type MailKind struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

// MailKinds lists the kinds of mail, and the languages that there are templates of.
type MailKinds struct {
	Kinds     []MailKind `json:"kinds"`
	Languages []string   `json:"languages"`
}

// PreviewMail asks for a mail that is not sent.
type PreviewMail struct {
	Kind     string `json:"kind"`
	User     string `json:"user,omitempty" doc:"Whose facts are shown; none: a sample"`
	Language string `json:"language,omitempty"`
}

// MailPreview is a mail that is not sent.
type MailPreview struct {
	Subject string        `json:"subject"`
	Text    string        `json:"text"`
	HTML    string        `json:"html" doc:"With its logo inside, as a browser shows it"`
	Sample  bool          `json:"sample" doc:"It shows a sample, because its facts are of an event"`
	Files   []MessageFile `json:"files,omitempty"`
}

// TestMail asks for a mail now.
type TestMail struct {
	To string `json:"to"`
}

// Bounce says that mail to an address came back.
type Bounce struct {
	Address string `json:"address"`
	Why     string `json:"why"`
}
