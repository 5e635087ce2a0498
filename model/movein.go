package model

import "time"

// MoveInRun is a run of the command that moves files in from an old server on the same machine.
type MoveInRun struct {
	Run       string `json:"run" doc:"Its id"`
	Folder    string `json:"folder" doc:"Where it lays files; it holds a lock on the file lock in it"`
	UID       int    `json:"uid" doc:"Of the server: the files must belong to it, and be read-only for it alone"`
	GID       int    `json:"gid"`
	FreeFloor int64  `json:"free_floor" doc:"Bytes that must stay free on the disk"`
}

// MoveIn is the body that moves directories and files into a user's mailbox: all of them, or none. The files lie in the
// run's folder.
type MoveIn struct {
	Run          string      `json:"run,omitempty" doc:"Not needed if nothing is to be changed"`
	DryRun       bool        `json:"dry_run,omitempty" doc:"Change nothing; say what would be done"`
	Dirs         []MovedDir  `json:"dirs,omitempty" doc:"Parents before their children"`
	Files        []MovedFile `json:"files,omitempty"`
	Drops        bool        `json:"drops,omitempty" doc:"The files are received files, as if they were uploaded now"`
	FromOriginal bool        `json:"from_original,omitempty" doc:"Retention counts from the files' dates; else from now"`
}

// MovedDir is a directory of an old server.
type MovedDir struct {
	Path   []byte    `json:"path" doc:"In the mailbox; any bytes"`
	Rights *[]string `json:"rights,omitempty" doc:"The operator's directory with these rights; else one of the partner's"`
	Mtime  time.Time `json:"mtime"`
}

// MovedFile is a file of an old server.
type MovedFile struct {
	Path   []byte    `json:"path" doc:"In the mailbox; any bytes"`
	Size   int64     `json:"size" minimum:"0"`
	Mtime  time.Time `json:"mtime" doc:"Its date, which is kept"`
	Ctime  time.Time `json:"ctime,omitzero" doc:"When its inode was changed; absent: not compared"`
	Mode   uint32    `json:"mode,omitempty" doc:"Permissions, which are shown"`
	Stage  string    `json:"stage,omitempty" doc:"Its name in the run's folder; absent in a dry run"`
	SHA256 string    `json:"sha256,omitempty" doc:"Hex; absent in a dry run"`
}

// MovedDoes says what moving in does with one directory or file.
type MovedDoes string

// What moving in does.
const (
	MovedAdds    MovedDoes = "add"
	MovedSame    MovedDoes = "same"    // it was moved in, and is as it was then
	MovedChanges MovedDoes = "change"  // it is a new version of what was moved in
	MovedTouched MovedDoes = "touched" // its date was changed, perhaps its bytes; only in a dry run
	MovedKept    MovedDoes = "kept"    // what is here stays: somebody has changed it here
)

// MovedOutcome is what moving in did, or would do, with one directory or file.
type MovedOutcome struct {
	Does MovedDoes `json:"does" enum:"add,same,change,touched,kept"`
	Text string    `json:"text,omitempty" doc:"Why what is here stays"`
}

// MovedIn is what moving in did or, as a dry run, would do.
type MovedIn struct {
	Dirs  []MovedOutcome `json:"dirs" doc:"In the order of the request"`
	Files []MovedOutcome `json:"files" doc:"In the order of the request"`
}

// MovedEarlier is a file or directory that was moved in, as it was on the old server.
type MovedEarlier struct {
	Path  []byte    `json:"path"`
	Dir   bool      `json:"dir,omitempty"`
	Size  int64     `json:"size"`
	Mtime time.Time `json:"mtime"`
}

// MovedFilter selects what was moved in to a user's mailbox.
type MovedFilter struct {
	Paging
	User string `path:"id" json:"-" doc:"Username"`
}
