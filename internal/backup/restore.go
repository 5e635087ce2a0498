package backup

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-sftp/sallyport/internal/datadir"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Names in a data folder. restoring is there while a restore is under way, and what it left may be overwritten.
// MarkFile is there until Open has opened what was restored.
const (
	restoring = "restoring"
	MarkFile  = "restored"
)

// Mark says what a data folder was restored from.
type Mark struct {
	At       time.Time `json:"at"`
	From     string    `json:"from"`
	Snapshot string    `json:"snapshot"`
	Taken    time.Time `json:"taken"`
	Program  string    `json:"program"`
	LogRows  int64     `json:"log_rows"`
	Database string    `json:"database"` // what it was restored into: sqlite or postgres
}

// Closed returns the mark of a data folder that was restored and is not open yet; nil if there is none. It fails as
// Conflict if a restore into it is unfinished.
func Closed(data string) (*Mark, error) {
	const op = "backup.Closed"
	if there, err := datadir.Exists(filepath.Join(data, restoring)); err != nil || there {
		if err == nil {
			err = fault.E(op, fault.Conflict, "A restore into %s has not finished.", data).
				WithHint("run the same sallyport restore again; it finishes what was begun")
		}
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(data, MarkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fault.Wrap(op, fault.Unavailable, err)
	}
	m := &Mark{}
	if json.Unmarshal(text, m) != nil {
		return nil, fault.E(op, fault.Invalid, "%s is damaged.", filepath.Join(data, MarkFile)).
			WithHint("restore again, into an empty folder")
	}
	return m, nil
}

// RestoreOptions say where a backup is restored to.
type RestoreOptions struct {
	Data     string // an empty folder, or one where a restore was cut short
	URL      string // of an empty PostgreSQL database; "": SQLite, in the folder
	Clock    exchange.Clock
	Progress func(done, total int64)
}

// Restore brings a backup back, whole or not at all: what it lacks is an error, and the folder stays unfinished. Stored
// files that were lost before the backup are in the Report. The folder is then closed until Open.
func Restore(ctx context.Context, s *Source, o RestoreOptions) (*Report, error) {
	const op = "backup.Restore"
	if s.raw != nil { // before the folder is marked
		m, _, err := s.manifest(ctx)
		if err == nil {
			err = tooNew(m)
		}
		if err != nil {
			return nil, inWords(op, "The backup cannot be read", err)
		}
	}
	r := &restoringTo{RestoreOptions: o, found: map[string]read{}}
	if err := r.begin(ctx); err != nil {
		return nil, inWords(op, "The restore cannot begin", err)
	}
	defer r.close()
	m, err := s.each(ctx, func(name string, size int64, in io.Reader) error { return r.take(ctx, name, size, in) })
	if err != nil {
		return nil, inWords(op, "The restore failed", err)
	}
	report := &Report{At: o.Clock().UTC().Truncate(time.Second), From: s.Name, Snapshot: m.Snapshot, Taken: m.At,
		Program: m.Program, Schema: m.Schema, Database: m.Database, LogRows: m.LogRows, Faults: []string{}}
	if err := r.finish(ctx, m, report); err != nil {
		return report, inWords(op, "The restore failed", err)
	}
	report.OK = len(report.Faults) == 0
	return report, nil
}

// begin checks that the folder and the database are empty, and marks the folder.
func (r *restoringTo) begin(ctx context.Context) error {
	const op = "backup.begin"
	if err := os.MkdirAll(r.Data, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(r.Data)
	if err != nil {
		return err
	}
	begun := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == restoring })
	for _, e := range entries {
		if !begun && !slices.Contains([]string{"lock", "lost+found", restoring + ".new"}, e.Name()) {
			return fault.E(op, fault.Conflict, "The folder %s is not empty: it has %s.", r.Data, valid.Printable(e.Name())).
				WithHint("restore into an empty one: --to FOLDER")
		}
	}
	if begun { // what is there already is written again
		text, err := os.ReadFile(filepath.Join(r.Data, restoring))
		if err != nil {
			return err
		}
		r.mark = string(text)
	}
	if r.URL != "" {
		loaded, err := store.LoadedAs(ctx, r.URL)
		if err != nil {
			return err
		}
		if r.loaded = loaded != "" && loaded == r.mark; !r.loaded {
			if err := store.CheckEmpty(ctx, r.URL); err != nil {
				return err
			}
		}
	}
	if r.mark != "" {
		return nil
	}
	r.mark = r.Clock().UTC().Format(time.RFC3339Nano)
	return errors.Join(os.Chmod(r.Data, 0o700), datadir.Replace(filepath.Join(r.Data, restoring), []byte(r.mark), 0o600))
}

// restoringTo is one restore under way.
type restoringTo struct {
	RestoreOptions
	found    map[string]read
	mark     string // what this restore is known by, after a kill, too
	loaded   bool   // PostgreSQL was filled before that
	database string // the file's name in the backup
	snapshot *store.Snapshot
	done     int64
}

func (r *restoringTo) close() {
	if r.snapshot != nil {
		_ = r.snapshot.Close()
	}
}

func (r *restoringTo) databaseFile() string { return filepath.Join(r.Data, "sallyport.db") }

// take writes one file of the backup.
func (r *restoringTo) take(ctx context.Context, name string, size int64, in io.Reader) error {
	const op = "backup.take"
	_, part, _ := strings.Cut(strings.TrimPrefix(name, snapshotsDir), "/")
	var path string
	mode := fs.FileMode(0o600)
	switch {
	case strings.HasPrefix(name, blobsDir):
		if r.snapshot == nil {
			return fault.E(op, fault.Invalid, "The backup has stored files before the database that names them.")
		}
		b, err := r.snapshot.LiveBlob(ctx, name[strings.LastIndexByte(name, '/')+1:])
		if err != nil || blobName(b.ID) != name || !filepath.IsLocal(b.Key) {
			return fault.E(op, fault.Invalid, "The database of the backup does not name %s.", name)
		}
		path, mode = filepath.Join(r.Data, "blobs", filepath.FromSlash(b.Key)), 0o400
	case part == databaseName:
		for _, end := range []string{"", "-wal", "-shm", "-journal"} { // of a restore that was cut short
			if err := os.Remove(r.databaseFile() + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		path, r.database = r.databaseFile(), name
	case strings.HasPrefix(part, dataPrefix):
		if path = strings.TrimPrefix(part, dataPrefix); !secretName(path) {
			return fault.E(op, fault.Invalid, "The backup has a file that belongs to no data folder: %s.", path)
		}
		if strings.HasSuffix(path, ".pub") {
			mode = 0o644
		}
		path = filepath.Join(r.Data, filepath.FromSlash(path))
	default:
		return fault.E(op, fault.Invalid, "The backup has a file that is none of its parts: %s.", name)
	}
	got := r.write(path, in, mode)
	if got.err != nil && !fault.Is(got.err, fault.NotFound) && !fault.Is(got.err, fault.Invalid) {
		return got.err
	}
	r.found[name] = got
	if r.done += size; r.Progress != nil {
		r.Progress(r.done, r.done)
	}
	if part != databaseName || got.err != nil {
		return nil
	}
	var err error
	r.snapshot, err = store.OpenSnapshot(ctx, path)
	return err
}

// secretName reports whether a path is that of a key.
func secretName(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	return filepath.IsLocal(path) && slices.Contains(Secret, top)
}

// write writes a file under its name. It is synced with all others, at the end.
func (r *restoringTo) write(path string, in io.Reader, mode fs.FileMode) (got read) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return read{err: err}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return read{err: err}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return read{err: err}
	}
	got = hashTo(f, in)
	got.err = errors.Join(got.err, f.Chmod(mode), f.Close())
	return got
}

// finish compares what was written with the manifest and the database, loads PostgreSQL, and closes the folder.
func (r *restoringTo) finish(ctx context.Context, m *Manifest, report *Report) error {
	if err := tooNew(m); err != nil {
		return err
	}
	if r.snapshot == nil || r.database != m.part(databaseName) {
		return fault.E("backup.finish", fault.Invalid, "The backup has no snapshot of the database.")
	}
	if len(r.found) != len(m.Files) {
		report.fault("the backup has files that its manifest does not list")
	}
	for _, f := range m.Files {
		got, there := r.found[f.Name]
		if says := f.says(got, there); says != "" {
			report.fault(says)
		}
	}
	v := verifying{file: r.databaseFile()}
	if err := v.database(ctx, m, report); err != nil {
		return err
	}
	lost := missing(report.Faults, m.Lost)
	if len(lost) > 0 {
		return fault.E("backup.finish", fault.Conflict, "The backup is not whole: %s.", few(lost)).
			WithHint("look at it whole with --verify; restore another one with --snapshot")
	}
	if err := r.sync(); err != nil {
		return err
	}
	kind := "sqlite"
	if r.URL != "" {
		kind = "postgres"
		if err := r.load(ctx); err != nil {
			return err
		}
	}
	mark, err := json.MarshalIndent(Mark{At: report.At, From: report.From, Snapshot: m.Snapshot, Taken: m.At,
		Program: m.Program, LogRows: m.LogRows, Database: kind}, "", "  ")
	if err != nil {
		return err
	}
	if err := datadir.Replace(filepath.Join(r.Data, MarkFile), append(mark, '\n'), 0o600); err != nil {
		return err
	}
	return errors.Join(os.Remove(filepath.Join(r.Data, restoring)), datadir.SyncDir(r.Data))
}

// missing returns the faults that are not about files which were lost before the backup.
func missing(faults, lost []string) (out []string) {
	for _, f := range faults {
		if !slices.ContainsFunc(lost, func(key string) bool { return strings.Contains(f, key) }) {
			out = append(out, f)
		}
	}
	return out
}

// load fills PostgreSQL, and removes the snapshot.
func (r *restoringTo) load(ctx context.Context) error {
	err := r.snapshot.Close()
	if r.snapshot = nil; err != nil {
		return err
	}
	if !r.loaded {
		if err := store.Load(ctx, r.URL, r.databaseFile(), r.mark); err != nil {
			return err
		}
	}
	return os.Remove(r.databaseFile())
}

// sync makes all files durable at once.
func (r *restoringTo) sync() error {
	d, err := os.Open(r.Data)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}
