package model

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// decodePayload reads the data of an event of a type.
func decodePayload(kind string, text json.RawMessage) (any, error) {
	if len(text) == 0 {
		return nil, nil
	}
	if strings.HasPrefix(kind, "request.") {
		kind = EventRequestsAll
	}
	shape, known := Payloads[kind]
	if !known {
		shape = RecordChanged{}
	}
	to := reflect.New(reflect.TypeOf(shape))
	err := json.Unmarshal(text, to.Interface())
	return to.Elem().Interface(), err
}

// FileReceived is an upload that is available in the inbox.
type FileReceived struct {
	Drop        string `json:"drop" doc:"Id of the received file"`
	Path        string `json:"path"`
	Name        string `json:"name"`
	Size        int64  `json:"size" doc:"Bytes"`
	SHA256      string `json:"sha256"`
	Key         string `json:"key" doc:"Fingerprint of the key that uploaded it"`
	Address     string `json:"address"`
	Vendor      string `json:"vendor,omitempty" doc:"Vendor short name"`
	Duplicate   string `json:"duplicate,omitempty" doc:"name, content or both: what it shares with an earlier one"`
	DuplicateOf string `json:"duplicate_of,omitempty"`
}

// FileRenamed is a received file that was renamed before it was claimed.
type FileRenamed struct {
	Drop   string `json:"drop"`
	Path   string `json:"path"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Was    string `json:"was" doc:"The path before"`
}

// FileRejected is a received file that was refused.
type FileRejected struct {
	Drop     string `json:"drop"`
	Path     string `json:"path"`
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Reason   string `json:"reason"`
	Advice   string `json:"advice"`
	Consumer string `json:"consumer"`
}

// FilePublished is a publication that has been placed in every entitled mailbox.
type FilePublished struct {
	Publication string `json:"publication"`
	Feed        string `json:"feed"`
	Kind        string `json:"kind" doc:"Of the feed"`
	Name        string `json:"name"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
	Deliveries  int    `json:"deliveries"`
	Via         string `json:"via" doc:"How it came: api, sftp, folder"`
	Flag        string `json:"flag,omitempty" doc:"What is odd about its content"`
}

// FileCollected is a delivery whose every byte was served.
type FileCollected struct {
	Delivery    string `json:"delivery"`
	Publication string `json:"publication"`
	Feed        string `json:"feed"`
	Name        string `json:"name"`
	Path        string `json:"path"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
	Key         string `json:"key" doc:"Fingerprint of the key that fetched it"`
	Address     string `json:"address"`
	Client      string `json:"client"`
}

// FilesExpiring is a notice that files of an account will be removed.
type FilesExpiring struct {
	Run         string    `json:"run"`
	Kind        string    `json:"kind" doc:"regular, or closing"`
	Due         time.Time `json:"due"`
	Notice      string    `json:"notice"`
	Mark        string    `json:"mark" doc:"Which notice it is"`
	Files       int64     `json:"files"`
	Bytes       int64     `json:"bytes"`
	Uncollected int64     `json:"uncollected"`
	Names       []string  `json:"names" doc:"Some that were never downloaded"`
	Mails       int       `json:"mails" doc:"How many mails were written"`
}

// FilesRemoved is what a retention run removed of an account.
type FilesRemoved struct {
	Run         string `json:"run"`
	Kind        string `json:"kind"`
	Files       int64  `json:"files"`
	Bytes       int64  `json:"bytes"`
	Uncollected int64  `json:"uncollected"`
}

// FileLeft is a file that kept a temporary name.
type FileLeft struct {
	Path   string    `json:"path"`
	Size   int64     `json:"size"`
	Stored time.Time `json:"stored"`
	Feed   string    `json:"feed,omitempty" doc:"Of a file that was to be published"`
	Why    string    `json:"why,omitempty" doc:"Why it was not published"`
	Words  string    `json:"text"`
}

// UserRenamed says that a login has another name. Its keys and files are the same.
type UserRenamed struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// LimitNear says that a user or an account is near a storage limit.
type LimitNear struct {
	KeptBytes int64  `json:"kept_bytes"`
	KeepBytes int64  `json:"keep_bytes" doc:"The limit"`
	KeptItems int64  `json:"kept_items"`
	KeepItems int64  `json:"keep_items" doc:"The limit"`
	Percent   int64  `json:"percent"`
	Words     string `json:"text"`
}

// Alarm says that something is wrong with the server's own records.
type Alarm struct {
	About string `json:"about"`
	Words string `json:"text"`
}

// NeedChanged says that something needs a person, or needs nobody any more.
type NeedChanged struct {
	Topic   string    `json:"topic" doc:"As in the status: disk, unclaimed, backup, …"`
	Urgency Urgency   `json:"urgency" enum:"now,today,soon"`
	Count   int64     `json:"count,omitempty"`
	Since   time.Time `json:"since" doc:"When it was first seen"`
	Words   string    `json:"text"`
}

// FolderProblem says why something in the folder of files to publish is not published.
type FolderProblem struct {
	Path  string `json:"path"`
	Words string `json:"text"`
}

// FeedGap is a range of numbers missing in a feed's names, or a number far from all others.
type FeedGap struct {
	Feed   string `json:"feed"`
	Name   string `json:"name" doc:"The file that showed it"`
	From   *int64 `json:"from,omitempty" doc:"The first number that is missing"`
	To     *int64 `json:"to,omitempty" doc:"The last one"`
	Period string `json:"period,omitempty"`
	Number *int64 `json:"number,omitempty" doc:"The odd number"`
	Last   *int64 `json:"last,omitempty" doc:"The number before the odd one"`
	Words  string `json:"text"`
}

// ExpectationChanged says that an expectation was missed, or met late.
type ExpectationChanged struct {
	Expectation string    `json:"expectation"`
	Feed        string    `json:"feed"`
	Pattern     string    `json:"pattern"`
	AtLeast     int64     `json:"at_least"`
	Came        int64     `json:"came"`
	Due         time.Time `json:"due"`
	Zone        string    `json:"zone"`
	TooSmall    []string  `json:"too_small,omitempty" doc:"Files that came, and were too small to count"`
	Again       bool      `json:"again,omitempty" doc:"It was missed the time before, too"`
	File        string    `json:"file,omitempty" doc:"Of expectation.larger: the file's name"`
	Size        int64     `json:"size,omitempty" doc:"Its bytes"`
	Most        int64     `json:"most,omitempty" doc:"The bytes that are expected at most"`
	Words       string    `json:"text"`
	Partner     string    `json:"partner_text,omitempty" doc:"What the partner is told"`
}

// LoginsRefused sums up the log-ins that were refused in a period.
type LoginsRefused struct {
	From    time.Time      `json:"from"`
	To      time.Time      `json:"to"`
	Times   int64          `json:"times"`
	Refused []LoginRefused `json:"refused"`
}

// LoginRefused sums up those of one user and reason.
type LoginRefused struct {
	User      string `json:"user"`
	Reason    string `json:"reason"`
	Times     int64  `json:"times"`
	Addresses int64  `json:"addresses" doc:"How many different ones"`
}

// WebhookTest is a test event, sent on request.
type WebhookTest struct {
	Webhook string `json:"webhook"`
}

// CheckpointMade is a signed checkpoint of the audit log.
type CheckpointMade struct {
	Checkpoint string `json:"checkpoint" doc:"A signed note"`
}

// JournalMade is a signed entry of the audit log's journal: what was revoked, blocked, disabled, removed or used.
type JournalMade struct {
	Journal string `json:"journal" doc:"A signed note; a restore of an older backup reads it"`
}

// RunToConfirm is a retention run that waits for an administrator.
type RunToConfirm struct {
	Run   string    `json:"run"`
	Due   time.Time `json:"due"`
	Files int64     `json:"files"`
	Bytes int64     `json:"bytes"`
	Why   string    `json:"why" doc:"Why it waits"`
	Words string    `json:"text"`
}

// RecordChanged is the data of account and key events: the actor, the details of the audit row
// and, for a key, its fingerprint.
type RecordChanged map[string]string
