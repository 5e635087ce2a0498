package model

import (
	"encoding/json"
	"time"
)

// Types of events. Those of accounts and keys are the audit log's actions.
const (
	EventReceived    = "file.received"
	EventRenamed     = "file.renamed" // a received file that nobody had claimed got another name
	EventPublished   = "file.published"
	EventCollected   = "file.collected"
	EventRejected    = "file.rejected"
	EventExpiring    = "file.expiring"  // a removal notice was made
	EventRemoved     = "file.removed"   // a retention run removed files
	EventLeft        = "file.left"      // a temporary name was left for a day
	EventLimit       = "limit.near"     // a user or an account keeps 80% of what it may
	EventAlarm       = "alarm"          // something is wrong with the server's own records
	EventFolder      = "folder.problem" // in the folder of files to publish lies something that is not published
	EventGap         = "feed.gap"       // numbers are missing in a feed's names
	EventMissed      = "expectation.missed"
	EventMet         = "expectation.met" // late, after it was missed
	EventRefused     = "login.refused"   // summed
	EventTest        = "webhook.test"
	EventCheckpoint  = "audit.checkpoint"  // a checkpoint of the audit log, for keeping elsewhere
	EventRetention   = "retention.confirm" // a run waits for an administrator
	EventAccountsAll = "account.*"
	EventKeysAll     = "key.*"
)

// Event is something that programs and people elsewhere may want to hear of.
// It is written with the change that it tells of, and sent at least once.
type Event struct {
	ID      string    `json:"id,omitempty"`
	Type    string    `json:"type"`
	At      time.Time `json:"timestamp"`
	Account string    `json:"account,omitempty" doc:"Account ID"`
	User    string    `json:"user,omitempty" doc:"Username"`
	// Data is the payload of the type: see Payloads.
	Data any `json:"data"`
}

// Payloads is what each type of event has as its data. Events of accounts and keys have
// RecordChanged.
var Payloads = map[string]any{
	EventReceived:   FileReceived{},
	EventRenamed:    FileRenamed{},
	EventPublished:  FilePublished{},
	EventCollected:  FileCollected{},
	EventRejected:   FileRejected{},
	EventExpiring:   FilesExpiring{},
	EventRemoved:    FilesRemoved{},
	EventLeft:       FileLeft{},
	EventLimit:      LimitNear{},
	EventAlarm:      Alarm{},
	EventFolder:     FolderProblem{},
	EventGap:        FeedGap{},
	EventMissed:     ExpectationChanged{},
	EventMet:        ExpectationChanged{},
	EventRefused:    LoginsRefused{},
	EventTest:       WebhookTest{},
	EventCheckpoint: CheckpointMade{},
	EventRetention:  RunToConfirm{},
}

// UnmarshalJSON reads an event; Data becomes the payload of its type.
func (e *Event) UnmarshalJSON(text []byte) error {
	type plain Event
	var raw struct {
		plain
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	*e = Event(raw.plain)
	data, err := decodePayload(e.Type, raw.Data)
	e.Data = data
	return err
}

// Fields are the data's fields by their JSON names, decoded as encoding/json decodes into any.
func (e Event) Fields() map[string]any {
	var fields map[string]any
	if text, err := json.Marshal(e.Data); err == nil {
		_ = json.Unmarshal(text, &fields) // a payload is an object
	}
	return fields
}

// Field is one of them; nil if there is none.
func (e Event) Field(name string) any { return e.Fields()[name] }

// Text is a field that is text; "" if there is none.
func (e Event) Text(name string) string {
	s, _ := e.Field(name).(string)
	return s
}
