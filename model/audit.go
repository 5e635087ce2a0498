package model

import "time"

// AuditRow is one change of state: who did what to what. It is written in the
// change's own transaction.
type AuditRow struct {
	ID      string            `json:"id"`
	At      time.Time         `json:"at"`
	Actor   string            `json:"actor"`
	Action  string            `json:"action"`
	Subject string            `json:"subject"`
	User    string            `json:"-"` // id of the user meant, or ""
	Detail  map[string]string `json:"detail,omitempty"`
}

// AuditStatus says how much of the audit log is sealed.
type AuditStatus struct {
	Sealed     int64      `json:"sealed" doc:"Rows in the log"`
	Expired    int64      `json:"expired" doc:"Rows whose content is gone by age; their hashes stay"`
	Waiting    int64      `json:"waiting" doc:"Rows not sealed yet"`
	OldestAt   *time.Time `json:"oldest_at,omitempty" doc:"When the oldest of them was written"`
	Checkpoint string     `json:"checkpoint,omitempty" doc:"The newest signed checkpoint"`
	SentAt     *time.Time `json:"sent_at,omitempty" doc:"When the newest checkpoint was made that has left the machine"`
	PublicKey  string     `json:"public_key"`
	Stopped    string     `json:"stopped,omitempty" doc:"Why rows are not sealed any more"`
}

// AuditLine is one row of the audit log as lists show it.
type AuditLine struct {
	Seq     int64             `json:"seq" doc:"Its number in the log; -1: not sealed yet"`
	ID      string            `json:"id,omitempty"`
	At      string            `json:"at,omitempty" doc:"RFC 3339 with microseconds"`
	Actor   string            `json:"actor,omitempty"`
	Action  string            `json:"action,omitempty"`
	Subject string            `json:"subject,omitempty"`
	UserID  string            `json:"user_id,omitempty" doc:"Id of the user meant"`
	Detail  map[string]string `json:"detail,omitempty"`
}

// SampledLine is a row that was drawn at random.
type SampledLine struct {
	AuditLine
	Proven bool   `json:"proven" doc:"It is what was sealed, by its proof under the newest checkpoint"`
	Why    string `json:"why,omitempty"`
}
