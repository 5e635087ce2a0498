package model

import "time"

// LinkKind says what a one-time link hands over.
type LinkKind string

// Link kinds.
const (
	LinkKey        LinkKind = "key"        // the encrypted private key files
	LinkPassphrase LinkKind = "passphrase" // the passphrase of the key files
	LinkVerify     LinkKind = "verify"     // proves that a contact reads its e-mail
)

// LinkState says whether a one-time link can be opened.
type LinkState string

// Link states.
const (
	LinkWaiting LinkState = "waiting"
	LinkOpened  LinkState = "opened"
	LinkRevoked LinkState = "revoked"
	LinkExpired LinkState = "expired"
)

// Link is a one-time link as operators see it, without its secret.
type Link struct {
	ID          string     `json:"id"`
	Kind        LinkKind   `json:"kind" enum:"key,passphrase,verify"`
	User        string     `json:"user,omitempty" doc:"Username that it is about"`
	Contact     string     `json:"contact" doc:"E-mail of the contact it is for"`
	Fingerprint string     `json:"fingerprint,omitempty"`
	State       LinkState  `json:"state" enum:"waiting,opened,revoked,expired"`
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   time.Time  `json:"expires_at"`
	EndedAt     *time.Time `json:"ended_at,omitempty" doc:"When it was opened or revoked"`
	OpenedFrom  string     `json:"opened_from,omitempty" doc:"Address"`
	UserID      string     `json:"-"`
	ContactID   string     `json:"-"`
}

// MailLink has what a link is mailed with. The server does not keep it once the mail is sent.
type MailLink struct {
	Secret string `json:"secret" doc:"The last part of the link's address"`
}

// NewLink is the body that makes a one-time link.
type NewLink struct {
	Kind        LinkKind `json:"kind" enum:"key,passphrase,verify"`
	User        string   `json:"user,omitempty"`
	Contact     string   `json:"contact" doc:"Id or e-mail"`
	Fingerprint string   `json:"fingerprint,omitempty" names:"key"`
	Token       []byte   `json:"token" doc:"SHA-256 of what finds the link"`
	Sealed      []byte   `json:"sealed,omitempty" doc:"What it hands over, sealed with a key that only the link holds"`
}
