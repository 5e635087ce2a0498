package model

import "time"

// FileInfo is one name in a mailbox, as the API, SFTP and the pages show it.
type FileInfo struct {
	Name  string    `json:"name" doc:"Escaped if it is not UTF-8"`
	Raw   []byte    `json:"name_bytes,omitempty" doc:"The name itself, if it is not UTF-8"`
	Dir   bool      `json:"dir,omitempty"`
	Size  int64     `json:"size" doc:"Bytes"`
	Mtime time.Time `json:"mtime"`
	Mode  uint32    `json:"mode" doc:"POSIX permission bits, as the uploader set them"`
	// Partners see an unfinished upload in place of the file. Operators see the file, and the upload
	// beside it.
	Unfinished *Unfinished `json:"unfinished,omitempty" doc:"An upload of this name that was not finished"`
	Partial    bool        `json:"partial,omitempty" doc:"There is only the unfinished upload; nothing is stored yet"`
}

// Unfinished is an upload that is under way, or that broke off and can be resumed.
type Unfinished struct {
	Size    int64     `json:"size" doc:"Bytes from the start that are kept; a resumed upload goes on there"`
	At      time.Time `json:"at" doc:"When it was last written to"`
	Writing bool      `json:"writing,omitempty" doc:"A session is uploading it now"`
}

// Version is one set of committed bytes of a file.
type Version struct {
	ID       string    `json:"id"`
	Size     int64     `json:"size" doc:"Bytes"`
	SHA256   string    `json:"sha256" doc:"Lower-case hexadecimal"`
	Actor    string    `json:"actor" doc:"Who stored it"`
	StoredAt time.Time `json:"stored_at"`
	Current  bool      `json:"current" doc:"What the name shows now"`
}
