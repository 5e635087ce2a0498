package model

import "time"

// Trace is the answer to a TraceQuery: the files of a name, an account or a content.
type Trace struct {
	About   string        `json:"about" doc:"What was asked for"`
	Kind    string        `json:"kind" enum:"name,account,content"`
	At      time.Time     `json:"at"`
	Account string        `json:"account,omitempty" doc:"Of whom alone was asked, when nothing was found"`
	Files   []TracedFile  `json:"files"`
	Near    []string      `json:"near,omitempty" doc:"Names like it, when nothing was found"`
	Since   *time.Time    `json:"since,omitempty" doc:"When the oldest record was made that was looked at"`
	More    bool          `json:"more,omitempty" doc:"There are more files than are shown"`
	Users   []TracedLogin `json:"users" doc:"The log-ins of those concerned"`
}

// TracedFile is the history of one file in one mailbox.
type TracedFile struct {
	Direction string       `json:"direction" enum:"to_partner,from_partner"`
	ID        string       `json:"id" doc:"Of the delivery, the publication without one, or the received file"`
	Name      string       `json:"name"`
	Path      string       `json:"path,omitempty"`
	Feed      string       `json:"feed,omitempty"`
	Account   string       `json:"account"`
	User      string       `json:"user,omitempty"`
	Issue     int64        `json:"issue,omitempty"`
	Size      int64        `json:"size"`
	SHA256    string       `json:"sha256"`
	State     string       `json:"state"`
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
