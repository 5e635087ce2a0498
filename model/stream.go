package model

import "time"

// StreamFilter says where a stream of events is taken up.
type StreamFilter struct {
	Cursor      string `query:"cursor" maxLength:"200" doc:"From the page before; none: begin with from"`
	From        int64  `query:"from" minimum:"0" doc:"Without a cursor: the number of the first row of the audit log"`
	Connections bool   `query:"connections" doc:"Log-ins, refusals and ends of sessions, too"`
	Limit       int    `query:"limit" default:"500" minimum:"1" maximum:"1000" doc:"Most events of each source"`
}

// StreamPage is a piece of the stream of events. Without events, there are no newer ones yet.
type StreamPage struct {
	Items  []StreamEvent `json:"items"`
	Cursor string        `json:"cursor" doc:"Asks for what follows"`
	// Expired counts rows that were too old to be kept, and so are not in the stream.
	Expired int64 `json:"expired,omitempty" doc:"Rows of the audit log that expired before they were asked for"`
}

// Sources of events.
const (
	SourceAudit      = "audit"
	SourceConnection = "connection"
)

// Actions of events about connections.
const (
	ActionLogin   = "connection.login"
	ActionRefused = "connection.refused"
	ActionEnd     = "connection.end"
)

// StreamEvent is an event for a SIEM: a sealed row of the audit log, or something that happened to a connection.
type StreamEvent struct {
	Time    time.Time         `json:"time" doc:"UTC"`
	Source  string            `json:"source" enum:"audit,connection"`
	Seq     int64             `json:"seq" doc:"Rises by source; the audit log's numbers have no gaps"`
	ID      string            `json:"id" doc:"Of the row, or the reference of the connection"`
	Action  string            `json:"action"`
	Actor   string            `json:"actor"`
	Subject string            `json:"subject,omitempty"`
	User    string            `json:"user,omitempty" doc:"Username"`
	Account string            `json:"account,omitempty" doc:"Account of the user"`
	Address string            `json:"address,omitempty" doc:"IP address of the client"`
	Outcome string            `json:"outcome" doc:"done, of rows of the audit log; else ok or the reason"`
	Detail  map[string]string `json:"detail,omitempty"`
}
