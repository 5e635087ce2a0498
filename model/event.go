package model

import (
	"encoding/json"
	"time"
)

// Types of events. Those of accounts and keys are the audit log's actions.
const (
	EventReceived    = "file.received"
	EventRenamed     = "file.renamed" // a received file was renamed before it was claimed
	EventPublished   = "file.published"
	EventCollected   = "file.collected"
	EventRejected    = "file.rejected"
	EventExpiring    = "file.expiring"  // a removal notice was made
	EventRemoved     = "file.removed"   // a retention run removed files
	EventLeft        = "file.left"      // a file kept a temporary name for a day
	EventLimit       = "limit.near"     // a user or an account has reached 80% of a storage limit
	EventAlarm       = "alarm"          // something is wrong with the server's own records
	EventNeed        = "need.raised"    // something needs a person
	EventNeedOver    = "need.over"      // it needs nobody any more
	EventFolder      = "folder.problem" // something in the folder of files to publish is not published
	EventGap         = "feed.gap"       // numbers are missing in a feed's names
	EventMissed      = "expectation.missed"
	EventMet         = "expectation.met"    // met late, after it was missed
	EventLarger      = "expectation.larger" // a file is larger than expected
	EventRefused     = "login.refused"      // a summary of refused log-ins
	EventUserRenamed = "user.renamed"       // a login has another name
	EventTest        = "webhook.test"
	EventCheckpoint  = "audit.checkpoint"  // a checkpoint of the audit log, for keeping elsewhere
	EventJournal     = "audit.journal"     // what was taken back, for a restore of an older backup
	EventRetention   = "retention.confirm" // a run waits for an administrator
	EventRequestsAll = "request.*"         // steps of requests for access: request.submit, request.approve, …
	EventAccountsAll = "account.*"
	EventKeysAll     = "key.*"
)

// Event is a message for webhooks and mail. It is written in the transaction of the change that it
// reports, and sent at least once.
type Event struct {
	ID      string    `json:"id,omitempty"`
	Type    string    `json:"type"`
	At      time.Time `json:"timestamp"`
	Account string    `json:"account,omitempty" doc:"Account ID"`
	User    string    `json:"user,omitempty" doc:"Username"`
	// Data is the payload of the type: see Payloads.
	Data any `json:"data"`
}

// Payloads maps event types to the types of their data. The data of account and key events, which
// are not listed, is a RecordChanged.
var Payloads = map[string]any{
	EventReceived:    FileReceived{},
	EventRenamed:     FileRenamed{},
	EventPublished:   FilePublished{},
	EventCollected:   FileCollected{},
	EventRejected:    FileRejected{},
	EventExpiring:    FilesExpiring{},
	EventRemoved:     FilesRemoved{},
	EventLeft:        FileLeft{},
	EventLimit:       LimitNear{},
	EventAlarm:       Alarm{},
	EventNeed:        NeedChanged{},
	EventNeedOver:    NeedChanged{},
	EventFolder:      FolderProblem{},
	EventGap:         FeedGap{},
	EventMissed:      ExpectationChanged{},
	EventMet:         ExpectationChanged{},
	EventRefused:     LoginsRefused{},
	EventUserRenamed: UserRenamed{},
	EventTest:        WebhookTest{},
	EventCheckpoint:  CheckpointMade{},
	EventJournal:     JournalMade{},
	EventRetention:   RunToConfirm{},
	EventLarger:      ExpectationChanged{},
	EventRequestsAll: RequestChanged{},
}

// UnmarshalJSON reads an event. Data gets the payload type of the event's type.
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

// Fields returns the data's fields by their JSON names, decoded as encoding/json decodes into any.
func (e Event) Fields() map[string]any {
	var fields map[string]any
	if text, err := json.Marshal(e.Data); err == nil {
		_ = json.Unmarshal(text, &fields) // a payload is an object
	}
	return fields
}

// Field returns one field of the data; nil if there is none.
func (e Event) Field(name string) any { return e.Fields()[name] }

// Text returns a text field of the data; "" if there is none.
func (e Event) Text(name string) string {
	s, _ := e.Field(name).(string)
	return s
}
