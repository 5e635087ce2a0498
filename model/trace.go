package model

import "time"

// TraceKind says what a trace was asked for.
type TraceKind string

// TraceMatch says how well a file's name matches what was asked for.
type TraceMatch string

// Kinds of traces, matches, and directions of files.
const (
	TraceName    TraceKind = "name"
	TracePart    TraceKind = "part" // of names
	TraceAccount TraceKind = "account"
	TraceUser    TraceKind = "user"
	TraceContent TraceKind = "content"

	MatchExact    TraceMatch = "exact"
	MatchCase     TraceMatch = "case" // exact, but for the case of letters
	MatchBegins   TraceMatch = "begins"
	MatchContains TraceMatch = "contains"

	ToPartner   = "to_partner"
	FromPartner = "from_partner"
)

// Trace is the answer to a TraceQuery: the files of a name, an account, a user or a content.
type Trace struct {
	About    string        `json:"about" doc:"What was asked for"`
	Kind     TraceKind     `json:"kind" enum:"name,part,account,user,content"`
	At       time.Time     `json:"at"`
	Account  string        `json:"account,omitempty" doc:"Of whom alone was asked, when nothing was found"`
	Files    []TracedFile  `json:"files" doc:"The best matches first, then the newest"`
	Near     []string      `json:"near,omitempty" doc:"Names like it, when nothing was found"`
	Since    *time.Time    `json:"since,omitempty" doc:"When the oldest record was made that was looked at"`
	More     bool          `json:"more,omitempty" doc:"There are more files than are shown"`
	Searched int64         `json:"searched,omitempty" doc:"By a part of their names, only so many files were searched"`
	Users    []TracedLogin `json:"users" doc:"The log-ins of those concerned"`
}

// TracedFile is the history of one file in one mailbox.
type TracedFile struct {
	Direction string       `json:"direction" enum:"to_partner,from_partner"`
	ID        string       `json:"id" doc:"Of the delivery, the publication without one, the received file, the upload"`
	Name      string       `json:"name"`
	Match     TraceMatch   `json:"match,omitempty" enum:"exact,case,begins,contains"`
	Path      string       `json:"path,omitempty"`
	Feed      string       `json:"feed,omitempty"`
	Account   string       `json:"account"`
	User      string       `json:"user,omitempty"`
	Issue     int64        `json:"issue,omitempty"`
	Size      int64        `json:"size" doc:"Bytes; of an upload that is not complete, as far as it came"`
	SHA256    string       `json:"sha256" doc:"Empty for an upload that is not complete"`
	State     string       `json:"state" doc:"A delivery's, a received file's, or undelivered, stored, upload_refused, …"`
	Sentence  string       `json:"sentence" doc:"What became of it, to be read aloud"`
	Steps     []TracedStep `json:"steps"`
}

// TracedStep is one event in a file's history.
type TracedStep struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// TracedLogin is when a user last logged in, and last failed to.
type TracedLogin struct {
	User    string     `json:"user"`
	Now     *time.Time `json:"now,omitempty" doc:"It is logged in: since when"`
	LastOK  *time.Time `json:"last_ok,omitempty" doc:"Its latest log-in on record"`
	LastBad *time.Time `json:"last_bad,omitempty" doc:"Its latest failed log-in on record"`
}

// Sheet is a trace, and the same as plain text.
type Sheet struct {
	Trace
	Sheet string `json:"sheet" doc:"A page of text to mail"`
}

// Receipt is a signed text.
type Receipt struct {
	Text string `json:"text" doc:"A signed note; 'sallyport receipt verify' checks it with the public key alone"`
}
