package exchange

import "time"

// OpenFlags say how a file is opened, with the bits of SFTP v3 (draft-ietf-secsh-filexfer-02 §6.3).
type OpenFlags uint32

// What OPEN may ask for.
const (
	FlagRead OpenFlags = 1 << iota
	FlagWrite
	FlagAppend
	FlagCreate
	FlagTruncate
	FlagExclusive
)

// Change is what SETSTAT asks for; nil leaves a field as it is.
type Change struct {
	Size  *int64
	Mtime *time.Time
	Mode  *uint32 // permission bits
}

// Space is what a mailbox may hold (Bytes, Files) and what it holds.
type Space struct {
	Bytes, UsedBytes int64
	Files, UsedFiles int64
}
