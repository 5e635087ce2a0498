package model

import (
	"fmt"
	"time"
)

// Session is one live SSH login.
type Session struct {
	ID          string    `json:"id"`
	User        string    `json:"user" doc:"Username"`
	Account     string    `json:"account" doc:"Account ID"`
	Address     string    `json:"address"`
	Client      string    `json:"client" doc:"The client's version string"`
	Fingerprint string    `json:"fingerprint" doc:"The key it logged in with"`
	Since       time.Time `json:"since"`
	Received    int64     `json:"received" doc:"Bytes from the client"`
	Sent        int64     `json:"sent" doc:"Bytes to the client"`
	Rate        int64     `json:"rate" doc:"Bytes a second, in both directions, during the last seconds"`
	RateLimit   int64     `json:"rate_limit,omitempty" doc:"Bytes of files a second at most; absent: any number"`
	Slowed      bool      `json:"slowed,omitempty" doc:"It waits for its share of the bandwidth now"`
}

// Connection is the record of one connection.
type Connection struct {
	Reference   string     `json:"reference" doc:"Short, as said to partners"`
	At          time.Time  `json:"at"`
	Address     string     `json:"address"`
	User        string     `json:"user" doc:"Username as tried, escaped"`
	Client      string     `json:"client" doc:"Version string, escaped"`
	Algorithms  string     `json:"algorithms,omitempty" doc:"Negotiated: key exchange, host key, cipher, MAC, signature"`
	Offered     []string   `json:"offered" doc:"Fingerprints of the keys offered"`
	Methods     []string   `json:"methods" doc:"Log-in methods tried"`
	Outcome     string     `json:"outcome" doc:"A fixed reason code: ok, unknown_key, …"`
	Detail      string     `json:"detail,omitempty" doc:"What the code is about: a path, an algorithm"`
	LoggedIn    bool       `json:"logged_in"`
	Fingerprint string     `json:"fingerprint,omitempty" doc:"The key that logged in"`
	Session     string     `json:"session,omitempty"`
	UserID      string     `json:"-"`
	KeyID       string     `json:"-"`
	EndedAt     *time.Time `json:"ended_at,omitempty" doc:"Absent while a session lives"`
	Received    int64      `json:"received" doc:"Bytes from the client"`
	Sent        int64      `json:"sent" doc:"Bytes to the client"`
}

// Explanation describes how a connection went, and what to tell the partner.
type Explanation struct {
	Connection Connection      `json:"connection"`
	Sentence   string          `json:"sentence" doc:"What happened, as it was then"`
	Since      string          `json:"since,omitempty" doc:"What has changed since then, so that they should try again"`
	Advice     string          `json:"advice,omitempty" doc:"What to tell the partner"`
	Action     *Action         `json:"action,omitempty" doc:"An operation that would help"`
	Uploads    []RefusedUpload `json:"uploads,omitempty" doc:"Its uploads that were refused"`
}

// RefusedUpload is an upload that was refused, with what the partner was told.
type RefusedUpload struct {
	ID          string     `json:"id"`
	At          time.Time  `json:"at" doc:"When it was refused first"`
	Last        time.Time  `json:"last" doc:"When it was refused last, in the same session"`
	User        string     `json:"user" doc:"Username"`
	Account     string     `json:"account"`
	Path        string     `json:"path" doc:"Escaped if it is not UTF-8"`
	Reason      string     `json:"reason" doc:"Kind of the error: quota, denied, …; unfinished: the connection ended"`
	Said        string     `json:"said" doc:"What the partner's program was told, if it was still there"`
	Size        int64      `json:"size" doc:"How far it had come, in bytes; the file may be larger"`
	Times       int64      `json:"times" doc:"How often in the session"`
	Session     string     `json:"session"`
	Fingerprint string     `json:"fingerprint"`
	Address     string     `json:"address"`
	Stored      *time.Time `json:"stored,omitempty" doc:"When a file of this path was stored after that"`
	Words       string     `json:"words,omitempty" doc:"All of this in a sentence"`
}

// Ban blocks an address for a while, because too many of its connections failed.
type Ban struct {
	Address  string    `json:"address"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Failures int64     `json:"failures" doc:"Failed connections that led to it"`
	Refused  int64     `json:"refused" doc:"Connections turned away since"`
	Reason   string    `json:"reason" doc:"Reason code of the last failure"`
}

// Explained answers "why can't they log in?".
type Explained struct {
	About        string        `json:"about" doc:"A user, an address or a reference"`
	Summary      []Finding     `json:"summary" doc:"What holds now: a ban, a disabled user, no key on file"`
	Explanations []Explanation `json:"explanations" doc:"The newest first"`
}

// Find adds a finding and returns it, so that the caller can set its action. The pointer is valid
// until the next Find.
func (e *Explained) Find(format string, args ...any) *Finding {
	e.Summary = append(e.Summary, Finding{Text: fmt.Sprintf(format, args...)})
	return &e.Summary[len(e.Summary)-1]
}

// Kinds of actions in a key activity report.
const (
	ActivitySession = "session"
	ActivityRead    = "read"
	ActivityList    = "list"
	ActivityWrite   = "write"
	ActivityRemove  = "remove"
	ActivityChange  = "change" // renamed, made a directory, set attributes
)

// Activity is one line of a key activity report.
type Activity struct {
	At      time.Time  `json:"at"`
	Until   *time.Time `json:"until,omitempty" doc:"End of a session, last of several reads"`
	User    string     `json:"user" doc:"Username"`
	Session string     `json:"session"`
	Action  string     `json:"action" enum:"session,read,list,write,remove,change"`
	Path    string     `json:"path,omitempty" doc:"Escaped if it is not UTF-8"`
	Bytes   int64      `json:"bytes" doc:"Served, stored, or both ways for a session"`
	Times   int64      `json:"times" doc:"How often within one session"`
	Address string     `json:"address,omitempty"`
	Client  string     `json:"client,omitempty"`
	Note    string     `json:"note,omitempty"`
}

// KeyActivity is everything that was done with a key: the key activity report.
type KeyActivity struct {
	Fingerprint string     `json:"fingerprint"`
	Users       []string   `json:"users" doc:"Who held it"`
	Made        time.Time  `json:"made" doc:"When this report was made"`
	Since       time.Time  `json:"since" doc:"When the key was first enrolled"`
	Lost        int64      `json:"lost" doc:"Log-ins, reads and listings, of any key, that could not be recorded"`
	Sessions    int        `json:"sessions"`
	Addresses   []string   `json:"addresses"`
	Rows        []Activity `json:"rows" doc:"In the order of time"`
}

// Check is one result of the test of a user's set-up.
type Check struct {
	What   string  `json:"what"`
	OK     bool    `json:"ok"`
	Left   bool    `json:"not_tested,omitempty" doc:"It was not tested: neither good nor bad"`
	Says   string  `json:"says"`
	Hint   string  `json:"hint,omitempty"`
	Action *Action `json:"action,omitempty" doc:"An operation that would help"`
}
