package model

import (
	"slices"
	"time"
)

// Urgency says how soon a person should act.
type Urgency string

// Degrees of urgency. A monitor is told of what is urgent now.
const (
	UrgencyNow   Urgency = "now"
	UrgencyToday Urgency = "today"
	UrgencySoon  Urgency = "soon"
)

// Over reports whether somebody should act sooner than with another urgency.
func (u Urgency) Over(other Urgency) bool {
	order := []Urgency{UrgencySoon, UrgencyToday, UrgencyNow}
	return slices.Index(order, u) > slices.Index(order, other)
}

// StatusQuery asks what needs a person.
type StatusQuery struct {
	Uncollected string `query:"uncollected" default:"3d" doc:"How long published files may wait to be downloaded"`
	Unclaimed   string `query:"unclaimed" default:"1d" doc:"How long received files may wait to be claimed"`
}

// Status is what needs a person at a time, the most urgent first.
type Status struct {
	At    time.Time `json:"at"`
	Needs []Need    `json:"needs"`
}

// Urgent reports whether something cannot wait.
func (s *Status) Urgent() bool {
	for _, n := range s.Needs {
		if n.Urgency == UrgencyNow {
			return true
		}
	}
	return false
}

// Need is one thing that needs a person.
type Need struct {
	Topic   string   `json:"topic" doc:"A fixed word for what it is about: uncollected, disk, keys_expiring, …"`
	Urgency Urgency  `json:"urgency" enum:"now,today,soon"`
	Text    string   `json:"text" doc:"A sentence with the count and the first few names"`
	Count   int64    `json:"count,omitempty"`
	More    bool     `json:"more,omitempty" doc:"There are more than were counted"`
	Names   []string `json:"names,omitempty" doc:"The first few"`
	Action  *Action  `json:"action,omitempty" doc:"An operation that shows or changes it"`
}

// FindQuery asks what a text is the name of.
type FindQuery struct {
	Text string `query:"text" required:"true" doc:"An ID, a name, a mail address, a fingerprint, a file name or its part"`
}

// Found is what a text is the name of, by kind.
type Found struct {
	Text   string       `json:"text"`
	Groups []FoundGroup `json:"groups"`
	Near   []string     `json:"near,omitempty" doc:"Names like it, when nothing was found"`
	// Part says how far names of files were searched for the text inside them. Names that begin with it
	// are all found.
	Part string `json:"part,omitempty" doc:"How far names of files were searched for the text inside them"`
}

// FoundGroup is what was found of one kind.
type FoundGroup struct {
	Kind string `json:"kind" doc:"account, user, vendor, contact, key, feed, file, publication, received, …"`
	Hits []Hit  `json:"hits"`
	More bool   `json:"more,omitempty" doc:"There are more"`
}

// Hit is one thing that was found.
type Hit struct {
	Name   string  `json:"name" doc:"What it is called, or its id"`
	Text   string  `json:"text,omitempty" doc:"What else is known of it"`
	Action *Action `json:"action,omitempty" doc:"An operation that shows it"`
}

// Note is what somebody wrote down about an account, a vendor or a user.
type Note struct {
	ID      string    `json:"id"`
	Account string    `json:"account,omitempty" doc:"Account ID; or"`
	Vendor  string    `json:"vendor,omitempty" doc:"vendor short name; or"`
	User    string    `json:"user,omitempty" doc:"username"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Text    string    `json:"text"`
}

// NewNote is the body that adds a note.
type NewNote struct {
	Account string `json:"account,omitempty" doc:"Account ID; or"`
	Vendor  string `json:"vendor,omitempty" doc:"vendor short name; or"`
	User    string `json:"user,omitempty" doc:"username"`
	Text    string `json:"text"`
}

// NoteFilter chooses notes.
type NoteFilter struct {
	Account string `query:"account" doc:"Only about this account"`
	Vendor  string `query:"vendor" doc:"Only about this vendor"`
	User    string `query:"user" doc:"Only about this user"`
	Paging
}

// EditTags is the body that adds tags to an account, a vendor or a user, and takes tags away.
type EditTags struct {
	Account string   `json:"account,omitempty" doc:"Account ID; or"`
	Vendor  string   `json:"vendor,omitempty" doc:"vendor short name; or"`
	User    string   `json:"user,omitempty" doc:"username"`
	Add     []string `json:"add,omitempty"`
	Remove  []string `json:"remove,omitempty"`
}

// Tags are the tags of an account, a vendor or a user.
type Tags struct {
	Of   string   `json:"of" doc:"Account ID, vendor short name or username"`
	Tags []string `json:"tags"`
}

// Person is somebody on the operator's side.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// AccountPage is all that support needs to know of an account.
type AccountPage struct {
	Account      Account       `json:"account"`
	Findings     []Finding     `json:"findings" doc:"What is wrong with it now"`
	Parent       *Account      `json:"parent,omitempty"`
	Children     []string      `json:"children" doc:"Account IDs"`
	Contacts     []Contact     `json:"contacts"`
	Users        []UserLine    `json:"users"`
	Keys         []Key         `json:"keys" doc:"Of all its users, but for those that are revoked"`
	Feeds        []FeedLine    `json:"feeds"`
	Kept         int64         `json:"kept_bytes" doc:"What its users keep alive together"`
	KeptItems    int64         `json:"kept_items"`
	KeepBytes    int64         `json:"keep_bytes" doc:"The limit in force; 0: none"`
	KeepItems    int64         `json:"keep_items" doc:"The limit in force; 0: none"`
	Waiting      Waiting       `json:"waiting"`
	Expectations []Expectation `json:"expectations"`
	Holds        []Hold        `json:"holds"`
	Notes        []Note        `json:"notes" doc:"The newest first"`
	More         []string      `json:"more,omitempty" doc:"Lists that are longer than is shown"`
}

// UserLine is a user on the page of its account.
type UserLine struct {
	User
	LastLogin *time.Time `json:"last_login,omitempty"`
	Keys      int        `json:"keys" doc:"Keys that work"`
}

// FeedLine is a feed that a user gets.
type FeedLine struct {
	User  string   `json:"user"`
	Feed  string   `json:"feed"`
	Title string   `json:"title,omitempty"`
	Dir   string   `json:"dir"`
	Types []string `json:"types" doc:"File types it wants; empty: every type"`
}

// Waiting is what has not been fetched yet.
type Waiting struct {
	Uncollected []Delivery `json:"uncollected" doc:"Published and not downloaded in full, the oldest first"`
	Received    []Drop     `json:"received" doc:"Received and not claimed, the oldest first"`
	Unfinished  []Partial  `json:"unfinished" doc:"Uploads that broke off"`
}

// Partial is an upload that broke off, and can be resumed.
type Partial struct {
	User   string    `json:"user" doc:"Username"`
	UserID string    `json:"-"`
	DirID  string    `json:"-"`
	Path   string    `json:"path"`
	Size   int64     `json:"size" doc:"Bytes that are here"`
	At     time.Time `json:"at" doc:"When it was last written to"`
}

// UserPage is all that support needs to know of a user.
type UserPage struct {
	User      User         `json:"user"`
	Findings  []Finding    `json:"findings" doc:"What is wrong with it now"`
	Account   Account      `json:"account"`
	Contacts  []Contact    `json:"contacts" doc:"Who may speak for it"`
	Keys      []Key        `json:"keys" doc:"The newest first, revoked ones included"`
	Pending   []PendingKey `json:"pending_keys"`
	Folders   []Folder     `json:"folders" doc:"Those that the operator made"`
	Feeds     []FeedLine   `json:"feeds"`
	Sessions  []Session    `json:"sessions" doc:"Live ones"`
	LastLogin *Connection  `json:"last_login,omitempty"`
	// FirstLogin is as old as the records of connections are kept.
	FirstLogin *time.Time   `json:"first_login,omitempty" doc:"As far as connections are on record"`
	FirstFile  *time.Time   `json:"first_file,omitempty" doc:"When a file was first sent, or downloaded in full"`
	Failures   []Connection `json:"failures" doc:"The latest connections that failed, the newest first"`
	Waiting    Waiting      `json:"waiting"`
	Notes      []Note       `json:"notes" doc:"The newest first"`
	More       []string     `json:"more,omitempty" doc:"Lists that are longer than is shown"`
}

// Folder is a directory with rights of its own.
type Folder struct {
	Path   string   `json:"path"`
	Rights []string `json:"rights" doc:"read, write, list, delete, rename, mkdir"`
}
