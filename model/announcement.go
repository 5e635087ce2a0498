package model

import "time"

// Scope says whom an announcement concerns.
type Scope string

// Scopes of announcements.
const (
	ScopeAll    Scope = "all"
	ScopeRegion Scope = "region" // accounts of a region
	ScopeFeed   Scope = "feed"   // accounts that get a feed
	ScopeTag    Scope = "tag"    // accounts with a tag, or with a user that has it
)

// Announcement is what the contacts of many accounts are told at once, such as maintenance.
type Announcement struct {
	ID        string     `json:"id"`
	Scope     Scope      `json:"scope" enum:"all,region,feed,tag"`
	Target    string     `json:"target,omitempty" doc:"The region, feed or tag"`
	Subject   string     `json:"subject"`
	Text      string     `json:"text" doc:"Paragraphs, separated by empty lines"`
	From      *time.Time `json:"from,omitempty" doc:"Whom it concerns is shown it at log-in from here"`
	Until     *time.Time `json:"until,omitempty" doc:"to here; absent: it is not shown"`
	CreatedAt time.Time  `json:"created_at"`
	Actor     string     `json:"actor"`
	EndedAt   *time.Time `json:"ended_at,omitempty" doc:"When it was ended by hand"`
	EndedBy   string     `json:"ended_by,omitempty"`
	Mailed    int64      `json:"mailed" doc:"Mails written so far"`
	DoneAt    *time.Time `json:"done_at,omitempty" doc:"When the last mail was written"`
	After     string     `json:"-"`
}

// Shown reports whether an announcement is shown at log-in at a time.
func (a *Announcement) Shown(now time.Time) bool {
	return a.EndedAt == nil && a.From != nil && a.Until != nil && !now.Before(*a.From) && now.Before(*a.Until)
}

// NewAnnouncement is the body that tells many contacts something. One of Region, Feed, Tag and All is
// given.
type NewAnnouncement struct {
	All     bool       `json:"all,omitempty" doc:"To everyone; or"`
	Region  string     `json:"region,omitempty" doc:"to the accounts of a region; or"`
	Feed    string     `json:"feed,omitempty" doc:"to the accounts that get a feed; or"`
	Tag     string     `json:"tag,omitempty" doc:"to the accounts with a tag"`
	Subject string     `json:"subject"`
	Text    string     `json:"text"`
	From    *time.Time `json:"from,omitempty" doc:"Show it at log-in from here; now, if only until is given"`
	Until   *time.Time `json:"until,omitempty" doc:"to here"`
	NoMail  bool       `json:"no_mail,omitempty" doc:"Show it at log-in, and mail nobody"`
	DryRun  bool       `json:"dry_run,omitempty" doc:"Tell nobody; say who would be told"`
}

// Announced says whom an announcement reaches.
type Announced struct {
	Announcement Announcement `json:"announcement"`
	Contacts     int64        `json:"contacts" doc:"People whom it concerns, one for each address"`
	Mails        bool         `json:"mails" doc:"They are mailed"`
	First        []Contact    `json:"first" doc:"The first of them"`
	Accounts     int64        `json:"accounts" doc:"Accounts that it concerns"`
	Unreached    []string     `json:"unreached" doc:"Accounts that it concerns, without a contact whom mail reaches"`
}
