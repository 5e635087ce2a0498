package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Report says what was found of a backup.
type Report struct {
	At       time.Time `json:"at" doc:"When it was verified"`
	From     string    `json:"from"`
	Snapshot string    `json:"snapshot"`
	Taken    time.Time `json:"taken"` // when the snapshot was taken
	Program  string    `json:"program"`
	Schema   int64     `json:"schema"`
	Database string    `json:"database"`
	Files    int64     `json:"files"` // stored files that the snapshot names
	Bytes    int64     `json:"bytes"`
	LogRows  int64     `json:"log_rows"`
	OK       bool      `json:"ok"`
	Faults   []string  `json:"faults"`
	More     int       `json:"more_faults,omitempty"` // beyond those listed
}

// mostFaults is how many faults a report lists.
const mostFaults = 1000

func (r *Report) fault(text string) {
	if len(r.Faults) >= mostFaults {
		r.More++
		return
	}
	r.Faults = append(r.Faults, text)
}

// Verify reads a whole backup. It proves that each file of the manifest is there with its SHA-256, that the snapshot of
// the database is sound, and that every stored file it names is among them. It changes nothing.
func Verify(ctx context.Context, s *Source, clock exchange.Clock, progress func(done, total int64)) (*Report, error) {
	r := &Report{At: clock().UTC().Truncate(time.Second), From: s.Name, Faults: []string{}}
	dir, err := os.MkdirTemp("", "sallyport-verify-")
	if err != nil {
		return r, inWords("backup.Verify", "The database cannot be looked into", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	v := verifying{file: filepath.Join(dir, "database"), found: map[string]read{}, progress: progress}
	m, err := s.each(ctx, v.look)
	if err != nil {
		return r, inWords("backup.Verify", "The backup cannot be read", err)
	}
	r.Snapshot, r.Taken, r.Program, r.Schema, r.Database, r.LogRows = m.Snapshot, m.At, m.Program, m.Schema, m.Database,
		m.LogRows
	if err := tooNew(m); err != nil {
		return r, err
	}
	for _, f := range m.Files {
		got, there := v.found[f.Name]
		if says := f.says(got, there); says != "" {
			r.fault(says)
		}
	}
	for _, key := range m.Lost {
		r.fault("the stored file " + key + " was missing or damaged when the backup was made")
	}
	if err := v.database(ctx, m, r); err != nil {
		return r, err
	}
	r.OK = len(r.Faults) == 0
	return r, nil
}

// tooNew refuses a backup of a newer release.
func tooNew(m *Manifest) error {
	if m.Schema <= store.Knows() {
		return nil
	}
	return fault.E("backup.tooNew", fault.Conflict,
		"The backup is of a newer release (%s): its schema is %d, and this release knows %d.", m.Program, m.Schema,
		store.Knows()).WithHint("use that release or a later one")
}

// verifying is one verification.
type verifying struct {
	file        string // where the database is put
	found       map[string]read
	done, total int64
	progress    func(done, total int64)
}

// look reads one file.
func (v *verifying) look(name string, size int64, in io.Reader) error {
	w := io.Discard
	if filepath.Base(name) == databaseName {
		f, err := os.OpenFile(v.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		w = f
	}
	got := hashTo(w, in)
	if errors.Is(got.err, context.Canceled) {
		return got.err
	}
	v.found[name] = got
	if v.done += size; v.progress != nil {
		v.total = max(v.total, v.done)
		v.progress(v.done, v.total)
	}
	return nil
}

// database compares the stored files that the snapshot names with the manifest.
func (v *verifying) database(ctx context.Context, m *Manifest, r *Report) error {
	n, err := store.OpenSnapshot(ctx, v.file)
	if fault.Is(err, fault.NotFound) {
		r.fault("the snapshot of the database is missing")
		return nil
	} else if err != nil {
		r.fault(fault.PublicText(err))
		return nil //nolint:nilerr // the report has it
	}
	defer n.Close()
	says, err := n.Check(ctx)
	if says != "" || err != nil {
		r.fault(fmt.Sprintf("the snapshot of the database is damaged: %s", says))
		return nil //nolint:nilerr // the report has it
	}
	has := make(map[string]File, len(m.Files))
	for _, f := range m.Files {
		has[f.Name] = f
	}
	for after := ""; ; {
		page, err := n.LiveBlobs(ctx, after, blobsPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, b := range page {
			after = b.ID
			r.Files, r.Bytes = r.Files+1, r.Bytes+b.Size
			f, there := has[blobName(b.ID)]
			switch {
			case b.Inline:
				if _, err := n.Body(ctx, b.ID); err != nil {
					r.fault("the bytes of " + b.Key + " in the snapshot of the database are damaged")
				}
			case !there:
				r.fault("the database names " + b.Key + ", which the backup does not have")
			case f.Size != b.Size || string(f.Sum[:]) != string(b.SHA256):
				r.fault("the database has another SHA-256 for " + b.Key + " than the manifest")
			}
		}
	}
}
