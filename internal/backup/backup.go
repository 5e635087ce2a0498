// Package backup copies a deployment to another place, proves such a copy, and brings it back.
//
// A backup has a snapshot of the database, every stored file that the snapshot names, and the keys of the data folder.
// Make takes the snapshot first and copies the files then, while the sweep removes none. Stored files never change, so
// a place that has a file needs no second copy, and several snapshots share it. The manifest, which lists every file
// with its size and SHA-256, is written last: what has no manifest is no backup (manifest.go).
//
// A place is a folder, a bucket, or a tar stream (folder.go, bucket.go, tar.go), encrypted if asked (crypt.go). Verify
// proves a backup without changing anything. Restore fills an empty data folder, which stays closed until Open has
// replayed what must never come back (restore.go, replay.go).
package backup

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Secret are the parts of the data folder that a backup has, beside the database and the stored files. All of them are
// secret, and so is the database: it has people's addresses and the hashes of passwords and tokens.
//
// signing comes first: it has the newest size and root of the audit log, which the snapshot must not fall behind.
var Secret = []string{"signing", "hostkeys", "secrets.key", "acme"}

// place is where a backup is kept. Names are relative, with slashes.
type place interface {
	// put stores a file, which appears whole or not at all. size is the number of bytes of r.
	put(ctx context.Context, name string, size int64, r io.Reader) error
	// get opens a file. An absent one is NotFound.
	get(ctx context.Context, name string) (io.ReadCloser, error)
	// list calls fn for every file below a folder.
	list(ctx context.Context, folder string, fn func(name string, size int64) error) error
	// remove deletes a file. An absent one is no error.
	remove(ctx context.Context, name string) error
	// flush makes what was put durable.
	flush() error
	close() error
}

// Names in a place.
const (
	markName     = "sallyport-backup"
	blobsDir     = "blobs/"
	snapshotsDir = "snapshots/"
	manifestName = "manifest"
	indexName    = "index"
	databaseName = "database"
	dataPrefix   = "data/"
)

// stampForm is how a snapshot is named, by its time in UTC. Names sort by time.
const stampForm = "20060102T150405.000Z"

// blobName is where a stored file lies in a backup. Ids begin with a time, so their ends spread them over folders.
func blobName(id string) string { return blobsDir + id[max(0, len(id)-2):] + "/" + id }

// Outcome says how a backup went. Status, metrics and the audit log show it.
type Outcome struct {
	At       time.Time `json:"at"`
	Seconds  float64   `json:"seconds"`
	To       string    `json:"to"` // without secrets
	Snapshot string    `json:"snapshot"`
	OK       bool      `json:"ok"`
	Error    string    `json:"error,omitempty"`
	Files    int64     `json:"files"`  // stored files that the snapshot names
	Bytes    int64     `json:"bytes"`  // of them
	Copied   int64     `json:"copied"` // stored files that this backup copied
	Written  int64     `json:"written"`
	Pruned   int       `json:"pruned"` // snapshots that were removed
	Lost     []string  `json:"lost,omitempty"`
}

// Setting is the database's setting with the newest Outcome.
const Setting = "backup.last"

// GoodSetting is the setting with the newest Outcome of a backup that is whole.
const GoodSetting = "backup.good"

// ReadOutcome reads an Outcome from a setting; nil if there was no backup.
func ReadOutcome(setting string) *Outcome {
	var o Outcome
	if setting == "" || json.Unmarshal([]byte(setting), &o) != nil {
		return nil
	}
	return &o
}

// inWords gives an error of a place a public sentence that names the place.
func inWords(op, what string, err error) error {
	var e *fault.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	kind := fault.Unavailable
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		kind = fault.NoSpace
	}
	f := fault.E(op, kind, "%s: %v.", what, fault.InWords(err))
	f.Err = err
	return f
}
