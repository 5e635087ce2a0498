package model

import "time"

// FileRef names a file in a user's mailbox.
type FileRef struct {
	User    string `path:"id" doc:"Username"`
	Path    string `query:"path" default:"/"`
	Version string `query:"version" doc:"A version other than the newest"`
}

// GetFile names a file in a user's mailbox whose content is fetched.
type GetFile struct {
	FileRef
	Reasoned
}

// FetchDrop are the parameters with which a received file's content is fetched.
type FetchDrop struct {
	Claim string `query:"claim" doc:"The scanner's, for a file that it has not accepted yet"`
	Reasoned
}

// PublishFile are the parameters of a publication.
type PublishFile struct {
	Feed    string `path:"id" doc:"Name of the feed"`
	File    string `path:"file" doc:"File name"`
	Account string `query:"account" doc:"Publish to this account's subscribers"`
	All     bool   `query:"all" doc:"Publish to every subscriber"`
	SHA256  string `query:"sha256" doc:"What the content must have; hexadecimal"`
	Size    int64  `query:"size" default:"-1" doc:"What the content must have, in bytes; -1: not known"`
	Upload  string `query:"upload" doc:"Id of an upload in parts that has the content already"`
	Key     string `header:"Idempotency-Key" doc:"A repeated key publishes nothing again"`
}

// GuideQuery chooses the form of a guide.
type GuideQuery struct {
	User   string `path:"id" doc:"Username"`
	Format string `query:"format" enum:"html,md,text" default:"text"`
	// For is a program of package guide.
	For string `query:"for" enum:"winscp,filezilla,cyberduck,putty,openssh,rclone,curl" doc:"Its steps come first"`
}

// ForecastQuery asks what retention would remove.
type ForecastQuery struct {
	At      time.Time `query:"at" doc:"What is due by then; the next run that will be announced unless given"`
	Account string    `query:"account" names:"account"`
	List    bool      `query:"list" doc:"Name every file"`
}

// TraceQuery asks for the history of files.
type TraceQuery struct {
	About   string `query:"about" required:"true" doc:"A name, a part of it, a path, an account, a user or a SHA-256"`
	Account string `query:"account" doc:"Only this account's"`
	Exact   bool   `query:"exact" doc:"About is a name or a path, exactly so; with an account, nothing is an answer, too"`
}
