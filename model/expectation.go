package model

import "time"

// ExpectState says whether the expected files came.
type ExpectState string

// States of an expectation.
const (
	ExpectWaiting ExpectState = "waiting" // no deadline has passed yet
	ExpectMet     ExpectState = "met"
	ExpectMissed  ExpectState = "missed"
)

// Expectation is a file that should come, or be published, by a time.
type Expectation struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	User       string      `json:"user,omitempty" doc:"Username whose uploads are expected"`
	Feed       string      `json:"feed,omitempty" doc:"Feed whose publications are expected"`
	Account    string      `json:"account,omitempty" doc:"Of a feed: published to this account"`
	Glob       string      `json:"pattern,omitempty" doc:"Names that count: cdr-*.csv"`
	AtLeast    int64       `json:"at_least" doc:"How many files"`
	LeastBytes int64       `json:"least_bytes" doc:"Smaller files do not count; 0: empty ones do"`
	LeastRows  int64       `json:"least_rows,omitempty" doc:"Files with fewer lines that are not empty do not count"`
	MostBytes  int64       `json:"most_bytes,omitempty" doc:"Larger files are not as expected; 0: any size is"`
	Days       string      `json:"days" doc:"daily, weekdays, monday…sunday, or 1 to 31, a day of the month"`
	Clock      string      `json:"by" doc:"HH:MM"`
	Zone       string      `json:"zone" doc:"Time zone: Australia/Sydney"`
	Tell       bool        `json:"tell_partner" doc:"The user's technical contacts are told, too"`
	CreatedAt  time.Time   `json:"created_at"`
	CheckedAt  time.Time   `json:"-"`
	State      ExpectState `json:"state" enum:"waiting,met,missed"`
	DueAt      *time.Time  `json:"due_at,omitempty" doc:"The deadline that was judged last"`
	Since      *time.Time  `json:"since,omitempty" doc:"Where its time began"`
	ChangedAt  *time.Time  `json:"changed_at,omitempty" doc:"When it was missed or met"`
	NextAt     *time.Time  `json:"next_at,omitempty" doc:"The next deadline"`
	UserID     string      `json:"-"`
}

// NewExpectation is the body that adds an expectation.
type NewExpectation struct {
	Name       string `json:"name"`
	User       string `json:"user,omitempty" doc:"Username whose uploads are expected"`
	Tell       bool   `json:"tell_partner,omitempty" doc:"Tell the user's technical contacts, too"`
	Feed       string `json:"feed,omitempty" doc:"Feed whose publications are expected"`
	Account    string `json:"account,omitempty" doc:"Of a feed: published to this account"`
	Glob       string `json:"pattern,omitempty" doc:"Names that count: cdr-*.csv"`
	AtLeast    int64  `json:"at_least,omitempty" doc:"How many files; 1 unless given"`
	LeastBytes *int64 `json:"least_bytes,omitempty" doc:"Smaller files do not count; 1 unless given"`
	LeastRows  int64  `json:"least_rows,omitempty" doc:"Files with fewer lines do not count"`
	MostBytes  int64  `json:"most_bytes,omitempty" doc:"Of a user's uploads: larger files are not as expected"`
	Days       string `json:"days" doc:"daily, weekdays, names of days, or a day of the month"`
	Clock      string `json:"by" doc:"HH:MM"`
	Zone       string `json:"zone" doc:"Australia/Sydney"`
}
