package model

import "time"

// ClassDefault is the class of versions that no other policy keeps.
const ClassDefault = "default"

// RetentionPolicy says how long files of a class are kept.
type RetentionPolicy struct {
	Class  string `json:"class" doc:"default, feed:NAME, user:NAME, folder:/PATH, folder:USER:/PATH"`
	Feed   string `json:"feed,omitempty"`
	User   string `json:"user,omitempty" doc:"Username"`
	Folder string `json:"folder,omitempty"`
	Keep   string `json:"keep" doc:"How long from when a file was stored: 90d, 12mo, 7y"`
	UserID string `json:"-"`
}

// HoldKind says what a hold is on.
type HoldKind string

// What a hold is on.
const (
	HoldAccount HoldKind = "account"
	HoldUser    HoldKind = "user"
	HoldFeed    HoldKind = "feed"
	HoldFile    HoldKind = "file"
)

// Hold keeps files from being removed, whatever their age.
type Hold struct {
	ID         string     `json:"id"`
	Kind       HoldKind   `json:"kind" enum:"account,user,feed,file"`
	Target     string     `json:"-"`
	Label      string     `json:"target" doc:"Account ID, username, feed, or user:/path of a file"`
	Reason     string     `json:"reason"`
	Actor      string     `json:"actor"`
	At         time.Time  `json:"at"`
	ReleasedAt *time.Time `json:"released_at,omitempty"`
	ReleasedBy string     `json:"released_by,omitempty"`
}

// RunKind says why a retention run was planned.
type RunKind string

// RunState is the state of a retention run.
type RunState string

// Kinds of runs, and their states.
const (
	RunRegular RunKind = "regular"
	RunClosing RunKind = "closing" // of an account that was closed

	RunAnnounced RunState = "announced"
	RunRunning   RunState = "running"
	RunDone      RunState = "done"
	RunCancelled RunState = "cancelled"
)

// RetentionRun is one removal of files: what was announced, and the result.
type RetentionRun struct {
	ID           string     `json:"id"`
	Kind         RunKind    `json:"kind" enum:"regular,closing"`
	Account      string     `json:"account,omitempty" doc:"Of a closing one"`
	DueAt        time.Time  `json:"due_at"`
	State        RunState   `json:"state" enum:"announced,running,done,cancelled"`
	Confirm      string     `json:"confirm,omitempty" doc:"Why an administrator must confirm it"`
	ConfirmedAt  *time.Time `json:"confirmed_at,omitempty"`
	ConfirmedBy  string     `json:"confirmed_by,omitempty"`
	CreatedAt    time.Time  `json:"created_at"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
	FinishedAt   *time.Time `json:"finished_at,omitempty"`
	Files        int64      `json:"files" doc:"Named in its notices"`
	Bytes        int64      `json:"bytes"`
	RemovedFiles int64      `json:"removed_files"`
	RemovedBytes int64      `json:"removed_bytes"`
	Report       string     `json:"report,omitempty" doc:"The signed removal report"`
	ListKey      string     `json:"-"`
	Planner      string     `json:"-"`
}

// ItemState is the result for one version of a run.
type ItemState string

// States of a run's versions.
const (
	ItemNamed   ItemState = "named"
	ItemRemoved ItemState = "removed"
	ItemHeld    ItemState = "held" // a hold kept it
	ItemKept    ItemState = "kept" // it is no longer due, or its notice reached nobody
	ItemGone    ItemState = "gone" // it was removed before the run by something else
)

// RetentionItem is one version that a run announced for removal.
type RetentionItem struct {
	Account  string    `json:"account"`
	User     string    `json:"user" doc:"Username"`
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	SHA256   string    `json:"sha256"`
	Class    string    `json:"class" doc:"The policy that it is due by"`
	StoredAt time.Time `json:"stored_at"`
	Fetched  string    `json:"fetched,omitempty" doc:"Of a delivery or a received file: its state"`
	State    ItemState `json:"state" enum:"named,removed,held,kept,gone"`
	Why      string    `json:"why,omitempty"`
	Version  string    `json:"version"`
	UserID   string    `json:"-"`
	Sum      []byte    `json:"-"`
}

// RetentionNotice is a notice to an account's contacts before a run.
type RetentionNotice struct {
	ID      string    `json:"id"`
	Run     string    `json:"run"`
	Account string    `json:"account"`
	Mark    string    `json:"mark" enum:"first,reminder,final"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
	ToldBy  string    `json:"told_by,omitempty" doc:"Who told them by hand"`
	Reached bool      `json:"reached" doc:"At least one mail arrived, or somebody told them"`
	Mails   []Mailed  `json:"mails"`
}

// Mailed is the state of one mail.
type Mailed struct {
	To    string       `json:"to"`
	State MessageState `json:"state" enum:"new,queued,sent,dead,bounced"`
	Error string       `json:"error,omitempty"`
}

// SetPolicy is the body that sets or removes the policy of a feed, a user or a folder.
type SetPolicy struct {
	Feed   string `json:"feed,omitempty"`
	User   string `json:"user,omitempty"`
	Folder string `json:"folder,omitempty" doc:"Of the user, or of every user"`
	Keep   string `json:"keep,omitempty" doc:"90d, 12mo, 7y; nothing takes the policy away"`
}

// NewHold is the body that adds a hold.
type NewHold struct {
	Kind   HoldKind `json:"kind" enum:"account,user,feed,file"`
	Target string   `json:"target" doc:"Account ID, username, feed, or user:/path of a file"`
	Reason string   `json:"reason"`
}

// Why is the body that gives a reason.
type Why struct {
	Reason string `json:"reason"`
}

// Forecast is what retention removes: what is announced, what will be announced next, and what is due later.
type Forecast struct {
	Announced []ForecastRun `json:"announced" doc:"Runs that are announced or going on, the first due first"`

	At         time.Time       `json:"at" doc:"The run that will be announced next, or the time that was asked for"`
	AnnounceAt *time.Time      `json:"announce_at,omitempty" doc:"When that run will be announced"`
	Confirm    string          `json:"confirm,omitempty" doc:"Why it will wait for an administrator's confirmation"`
	Files      int64           `json:"files" doc:"Due by then, and not in an announced run"`
	Bytes      int64           `json:"bytes"`
	Lines      []ForecastLine  `json:"lines"`
	Stays      []ForecastStay  `json:"stays" doc:"Of the files: what keeps them"`
	Named      []ForecastItem  `json:"items,omitempty"`
	Holds      []Hold          `json:"holds" doc:"Holds in force, which keep what they are on"`
	Later      []ForecastLater `json:"later,omitempty" doc:"What the runs after that will name, beyond the files above"`
}

// ForecastRun is an announced run, and what would become of the files that it names.
type ForecastRun struct {
	Run         RetentionRun   `json:"run"`
	Waits       bool           `json:"waits,omitempty" doc:"It waits for an administrator's confirmation"`
	ConfirmFrom *time.Time     `json:"confirm_from,omitempty" doc:"From when on it can be confirmed"`
	Files       int64          `json:"files" doc:"That it will remove"`
	Bytes       int64          `json:"bytes"`
	Lines       []ForecastLine `json:"lines" doc:"By account"`
	Stays       []ForecastStay `json:"stays" doc:"What it names and will not remove, and why"`
	Named       []ForecastItem `json:"items,omitempty"`
}

// ForecastStay counts files that stay for one reason.
type ForecastStay struct {
	Why   string `json:"why"`
	Files int64  `json:"files"`
	Bytes int64  `json:"bytes"`
}

// ForecastLater counts what a later run will name.
type ForecastLater struct {
	At    time.Time `json:"at"`
	Files int64     `json:"files"`
	Bytes int64     `json:"bytes"`
}

// ForecastLine sums up what would be removed of one account, by one policy or by an announced run.
type ForecastLine struct {
	Account     string `json:"account"`
	Class       string `json:"class,omitempty"`
	Keep        string `json:"keep,omitempty"`
	Files       int64  `json:"files" doc:"Due, with those that stay"`
	Bytes       int64  `json:"bytes"`
	Uncollected int64  `json:"uncollected" doc:"Deliveries that were never downloaded in full"`
	Unclaimed   int64  `json:"unclaimed" doc:"Received files that nobody has accepted or refused"`
	Held        int64  `json:"held" doc:"Of the files: kept by a hold"`
	Stay        int64  `json:"stay" doc:"Of the files: kept by a hold or for another reason"`
	Told        string `json:"told,omitempty" doc:"Whether an announced run's notice has reached its people"`
}

// ForecastItem is one file that would be removed.
type ForecastItem struct {
	Account  string    `json:"account"`
	User     string    `json:"user"`
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	StoredAt time.Time `json:"stored_at"`
	Fetched  string    `json:"fetched,omitempty"`
	Held     bool      `json:"held,omitempty"`
	Stays    string    `json:"stays,omitempty" doc:"Why it stays"`
}
