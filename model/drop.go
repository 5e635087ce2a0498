package model

import "time"

// DropState is the state of a received file.
type DropState string

// Drop states.
const (
	DropUnscanned  DropState = "unscanned" // the scanner has not accepted it yet
	DropNew        DropState = "new"
	DropClaimed    DropState = "claimed"    // one consumer has it, until its lease ends
	DropAcked      DropState = "acked"      // accepted
	DropRejected   DropState = "rejected"   // refused, with a reason
	DropSuperseded DropState = "superseded" // a newer upload of the same name came before this one was claimed
)

// What tables say beside a received file's state. It is a state for DropFilter alone: the drop has a field of its own.
const (
	DropWithdrawn  DropState = "withdrawn" // the uploader removed the name
	DropRemoved    DropState = "removed"   // retention removed the bytes
	DropDuplicate  DropState = "duplicate" // an earlier one has the same name, content or both
	DropUnexpected DropState = "odd"       // larger or later than expected
)

// What makes a drop a duplicate of an earlier drop of the same user.
const (
	DuplicateName    = "name"
	DuplicateContent = "content"
	DuplicateBoth    = "both"
)

// Drop is one committed upload by a partner, as the operator's inbox shows it.
type Drop struct {
	ID          string     `json:"id"`
	User        string     `json:"user" doc:"Username"`
	Account     string     `json:"account" doc:"Account ID"`
	Vendor      string     `json:"vendor,omitempty" doc:"Vendor short name, for a vendor's upload"`
	Path        string     `json:"path" doc:"Where it lies, or lay when it was claimed; escaped if it is not UTF-8"`
	Raw         []byte     `json:"path_bytes,omitempty" doc:"The path itself, if it is not UTF-8"`
	Size        int64      `json:"size" doc:"Bytes"`
	SHA256      string     `json:"sha256" doc:"Lower-case hexadecimal"`
	Fingerprint string     `json:"fingerprint" doc:"The key that uploaded it"`
	Address     string     `json:"address" doc:"The client's address"`
	State       DropState  `json:"state" enum:"unscanned,new,claimed,acked,rejected,superseded"`
	Withdrawn   bool       `json:"withdrawn,omitempty" doc:"The uploader removed the name since"`
	Duplicate   string     `json:"duplicate,omitempty" enum:"name,content,both" doc:"What an earlier one has, too"`
	DuplicateOf string     `json:"duplicate_of,omitempty" doc:"Id of that one"`
	Flag        string     `json:"flag,omitempty" doc:"What is not as expected about it"`
	ReceivedAt  time.Time  `json:"received_at"`
	ReadyAt     *time.Time `json:"ready_at,omitempty" doc:"Its name may be temporary: when it is handed on"`
	Claim       string     `json:"claim,omitempty" doc:"Proves whose claim it is; told to whoever claims"`
	Consumer    string     `json:"consumer,omitempty" doc:"Who claimed, or settled, it"`
	ClaimUntil  *time.Time `json:"claim_until,omitempty" doc:"When the claim ends by itself"`
	SettledAt   *time.Time `json:"settled_at,omitempty" doc:"When it was accepted or refused"`
	Reason      string     `json:"reason,omitempty" doc:"Why it was refused"`
	Advice      string     `json:"advice,omitempty" doc:"What the partner should do"`
	RemovedAt   *time.Time `json:"removed_at,omitempty" doc:"When retention removed its bytes"`
	UserID      string     `json:"-"`
	Cleared     bool       `json:"-"` // the scanner accepted it, or no scanner is configured
}

// NewClaim is the body that claims received files.
type NewClaim struct {
	Consumer string `json:"consumer" doc:"Who works on them"`
	Limit    int    `json:"limit,omitempty" doc:"At most; 1 unless given"`
	Lease    string `json:"lease,omitempty" doc:"How long, 15m; the policy's unless given"`
	User     string `json:"user,omitempty" names:"user" doc:"Only this user's"`
	Account  string `json:"account,omitempty" names:"account" doc:"Only this account's users'"`
}

// Settling is the body that ends a claim.
type Settling struct {
	Claim  string `json:"claim,omitempty" doc:"As claiming told it; may be left out when nobody has claimed the file"`
	Lease  string `json:"lease,omitempty" doc:"Of renewing: how long from now"`
	Reason string `json:"reason,omitempty" doc:"Of refusing: what the partner reads"`
	Advice string `json:"advice,omitempty" doc:"Of refusing: what the partner should do"`
}

// Clearing is the body that releases files which wait for a scanner.
type Clearing struct {
	Reason string `json:"reason" doc:"Why they are handed on unscanned; it goes into the audit log"`
}

// Cleared says how many files were released.
type Cleared struct {
	Files int64 `json:"files"`
}
