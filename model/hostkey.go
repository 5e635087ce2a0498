package model

import (
	"strings"
	"time"
)

// HostKeyState says what a host key is used for.
type HostKeyState string

// States of host keys.
const (
	HostKeyActive HostKeyState = "active" // the server identifies itself with it
	HostKeyComing HostKeyState = "coming" // announced, and used from a day on
)

// HostKey is one of the server's own keys.
type HostKey struct {
	Type        string       `json:"type"`
	Bits        int          `json:"bits"`
	Fingerprint string       `json:"fingerprint"`
	MD5         string       `json:"md5,omitempty" doc:"The old form of the fingerprint, which some programs show"`
	Public      string       `json:"public" doc:"The key as a known_hosts line has it"`
	State       HostKeyState `json:"state" enum:"active,coming"`
	From        *time.Time   `json:"from,omitempty" doc:"When the server begins to use it; absent: it does"`
}

// NewRotation is the body that replaces host keys.
type NewRotation struct {
	On      *time.Time `json:"on,omitempty" doc:"When the new keys are used; absent: in 30 days"`
	Types   []string   `json:"types,omitempty" maxItems:"3" doc:"ed25519, ecdsa, rsa; none: those that are in use"`
	Urgent  bool       `json:"urgent,omitempty" doc:"Allow a time that is less than a week away"`
	NoMail  bool       `json:"no_mail,omitempty" doc:"Tell only programs, and nobody by mail or at log-in"`
	Subject string     `json:"subject,omitempty" doc:"Of the mail, in place of ours"`
	Text    string     `json:"text,omitempty" doc:"Of the mail, in place of ours; the fingerprints follow it"`
}

// Rotation is a replacement of host keys, announced or done.
type Rotation struct {
	On           time.Time  `json:"on" doc:"When the new keys are used"`
	CreatedAt    time.Time  `json:"created_at"`
	Actor        string     `json:"actor"`
	Keys         []HostKey  `json:"keys" doc:"The new keys"`
	DoneAt       *time.Time `json:"done_at,omitempty" doc:"When the server began to use them"`
	Announcement string     `json:"announcement,omitempty" doc:"ID of what the contacts were mailed"`
	Clients      int64      `json:"clients" doc:"Addresses of users who logged in since it was announced"`
	Learnt       int64      `json:"learnt" doc:"Those of them whose program knows the new keys"`
}

// HostKeyClient is an address from which a user's program logs in while host keys are rotated.
type HostKeyClient struct {
	User     string     `json:"user"`
	Account  string     `json:"account"`
	Address  string     `json:"address,omitempty" doc:"Absent: the user did not log in since the rotation was announced"`
	Client   string     `json:"client,omitempty" doc:"The program, as it names itself"`
	LastAt   *time.Time `json:"last_at,omitempty" doc:"The latest log-in"`
	LearntAt *time.Time `json:"learnt_at,omitempty" doc:"Since when the program knows the new keys"`
}

// HostKeyClientFilter chooses rows of the list of programs that log in while host keys are rotated.
type HostKeyClientFilter struct {
	Paging
	User    string `query:"user" names:"user" doc:"Of this user"`
	Unaware bool   `query:"unaware" doc:"Only those that do not know the new keys, as far as the server can tell"`
}

// Paged returns the paging.
func (f *HostKeyClientFilter) Paged() *Paging { return &f.Paging }

// Mark returns the cursor of a row.
func (c HostKeyClient) Mark() string { return c.User + " " + c.Address }

// Split returns the user and address that the cursor is after.
func (f *HostKeyClientFilter) Split() (user, address string) {
	user, address, _ = strings.Cut(f.Cursor, " ")
	return user, address
}
