package model

import (
	"time"
)

// Roles of contacts.
const (
	RoleTechnical = "technical"
	RoleBilling   = "billing"
	RoleSecurity  = "security"
)

// Told says how often a contact is told about something.
type Told string

// How often a contact is told.
const (
	ToldNever Told = ""
	ToldEach  Told = "each"  // each time, at once
	ToldDaily Told = "daily" // once a day
)

// Contact is a person of an account or of a vendor.
type Contact struct {
	ID         string     `json:"id"`
	Account    string     `json:"account,omitempty" doc:"Account ID, for an account's contact"`
	Vendor     string     `json:"vendor,omitempty" doc:"Short name, for a vendor's contact"`
	Name       string     `json:"name"`
	Email      string     `json:"email"`
	Phone      string     `json:"phone,omitempty"`
	Roles      []string   `json:"roles" doc:"technical, billing, security"`
	CreatedAt  time.Time  `json:"created_at"`
	VerifiedAt *time.Time `json:"verified_at,omitempty" doc:"When the e-mail address was proven to reach the person"`
	Verified   string     `json:"verified,omitempty" doc:"How: by link, or an operator's word"`
	BouncedAt  *time.Time `json:"bounced_at,omitempty"`
	LeftAt     *time.Time `json:"left_at,omitempty"`
	Language   string     `json:"language,omitempty" doc:"Of mails; empty: the account's"`
	Received   Told       `json:"received,omitempty" enum:"each,daily" doc:"Mails about files that we received"`
	// ReceivedVendors says that Received is meant of the files of the account's vendors, too.
	ReceivedVendors bool `json:"received_vendors,omitempty" doc:"Of the files of the account's vendors, too"`
}

// Of returns the account ID or vendor short name that the contact belongs to.
func (c *Contact) Of() string { return c.Account + c.Vendor }

// Notice is something that people should be told about.
type Notice struct {
	ID          string     `json:"id"`
	At          time.Time  `json:"at"`
	Kind        string     `json:"kind" doc:"key.expiring, key.old, key.flagged, …"`
	User        string     `json:"user" doc:"Username"`
	UserID      string     `json:"-"`
	Fingerprint string     `json:"fingerprint,omitempty"`
	Mark        string     `json:"-"` // a notice is made once for a user, kind, fingerprint and mark
	Roles       []string   `json:"roles" doc:"Contacts with one of these roles should hear of it"`
	To          []string   `json:"to" doc:"Their e-mail addresses today"`
	Text        string     `json:"text"`
	DoneAt      *time.Time `json:"done_at,omitempty"`
}

// Leaving is the result of a contact's departure: the keys to replace and the contacts that remain.
type Leaving struct {
	Contact Contact `json:"contact"`
	Keys    []Key   `json:"keys" doc:"Keys whose private half the person has; rotate or revoke them"`
	Left    int     `json:"left" doc:"Contacts that remain"`
}

// NewContact is the body that makes a contact.
type NewContact struct {
	Account string   `json:"account,omitempty" doc:"Account ID; or"`
	Vendor  string   `json:"vendor,omitempty" doc:"vendor short name"`
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Phone   string   `json:"phone,omitempty"`
	Roles   []string `json:"roles,omitempty" doc:"technical (default), billing, security"`

	Language        string `json:"language,omitempty" doc:"Of mails: de, pt-BR"`
	Received        Told   `json:"received,omitempty" enum:"each,daily" doc:"Mails about files that we received"`
	ReceivedVendors bool   `json:"received_vendors,omitempty" doc:"Of the files of the account's vendors, too"`
}

// EditContact changes a contact; absent fields stay.
type EditContact struct {
	Name     *string   `json:"name,omitempty"`
	Email    *string   `json:"email,omitempty" doc:"A new address is unverified"`
	Phone    *string   `json:"phone,omitempty"`
	Roles    *[]string `json:"roles,omitempty"`
	Verified *string   `json:"verified,omitempty" doc:"An operator's word on how the address was verified"`

	Language        *string `json:"language,omitempty" doc:"Of mails; empty: the account's"`
	Received        *string `json:"received,omitempty" enum:"none,each,daily" doc:"Mails about files that we received"`
	ReceivedVendors *bool   `json:"received_vendors,omitempty" doc:"Of the files of the account's vendors, too"`
}
