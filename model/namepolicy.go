package model

import "time"

// NamePolicy overrides the configured name rules for a user, for a folder, or for a folder of one
// user. A nil field means the configured rule.
type NamePolicy struct {
	User      string         `json:"user,omitempty" doc:"Username; empty: every user"`
	Folder    string         `json:"folder,omitempty" doc:"Files in this folder and below; empty: everywhere"`
	Temporary []string       `json:"temporary" required:"false" nullable:"true" doc:"Names of files being written"`
	Doubtful  []string       `json:"doubtful" required:"false" nullable:"true" doc:"Names handed on after the grace"`
	Ignored   []string       `json:"ignored" required:"false" nullable:"true" doc:"Names never received"`
	Grace     *time.Duration `json:"-"`
	GraceText string         `json:"grace,omitempty" doc:"How long a doubtful name waits to be changed: 1m"`
	UserID    string         `json:"-"`
}
