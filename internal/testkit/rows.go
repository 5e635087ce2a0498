package testkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Must fails the test on an error.
func (w *World) Must(err error) { w.Helper(); Must(w, err) }

// Write runs a transaction without an audit row.
func (w *World) Write(fn func(tx *store.Tx) error) {
	w.Helper()
	w.Must(Write(context.Background(), w.Store, fn))
}

// Exec changes tables directly, without the product.
func (w *World) Exec(query string, args ...any) {
	w.Helper()
	_, err := w.DB.Exec(query, args...)
	w.Must(err)
}

// Count counts rows. from is the part of the query after FROM.
func (w *World) Count(from string, args ...any) (n int) {
	w.Helper()
	w.Must(w.DB.QueryRow("SELECT COUNT(*) FROM "+from, args...).Scan(&n))
	return n
}

// Texts returns the values of a query with one column.
func (w *World) Texts(query string, args ...any) (out []string) {
	w.Helper()
	rows, err := w.DB.Query(query, args...)
	w.Must(err)
	defer rows.Close()
	for rows.Next() {
		var text string
		w.Must(rows.Scan(&text))
		out = append(out, text)
	}
	w.Must(rows.Err())
	return out
}

// Audited returns the actors of an action, one for each row of the audit log.
func (w *World) Audited(action string) (actors []string) {
	w.Helper()
	return w.Texts("SELECT actor FROM audit WHERE action = $1 ORDER BY id", action)
}

// Events returns the events of some types, or all, that wait in the outbox, the oldest first.
func (w *World) Events(types ...string) []model.Event {
	w.Helper()
	all, err := store.Change(context.Background(), w.Store, func(tx *store.Tx) ([]model.Event, error) {
		tx.Unaudited("it changes nothing")
		return tx.Outbox(time.UnixMicro(1<<62), 1000)
	})
	w.Must(err)
	return slices.DeleteFunc(all,
		func(e model.Event) bool { return len(types) > 0 && !slices.Contains(types, e.Type) })
}

// OpenBlobs opens the blob store on Root, as a server's start does.
func (w *World) OpenBlobs() {
	w.Helper()
	files, err := disk.Open(w.Root, w.Clock)
	w.Must(err)
	w.UseDisk(files)
}

// UseDisk has Blobs keep what is not small in a store.
func (w *World) UseDisk(files *disk.Store) {
	w.Disk, w.Blobs = files, w.Small(files, w.Store)
}

// Small returns a store of small files over another one and a database.
func (w *World) Small(files blob.Store, rows *store.Store) *small.Store {
	return small.New(small.Options{Large: files, Rows: rows, Clock: w.Clock, Log: slog.New(slog.DiscardHandler),
		Policy: small.Policy{Bound: SmallText, Memory: 1 << 20, Stay: time.Hour}})
}

// AddBlob stores bytes, and returns the row to insert for them.
func (w *World) AddBlob(owner, name, text string) store.Blob {
	w.Helper()
	sum := sha256.Sum256([]byte(text))
	b := store.Blob{ID: w.IDs.New(), Size: int64(len(text)), SHA256: sum[:]}
	b.Key = blob.Key(owner, b.ID, name, w.Clock())
	stage, err := w.Blobs.Stage(b.ID)
	w.Must(err)
	_, err = stage.WriteAt([]byte(text), 0)
	w.Must(err)
	w.Must(stage.Commit(b.Key, b.Size))
	if c, ok := stage.(blob.Carrier); ok {
		b.Body = c.Carry()
	}
	w.Must(stage.Close())
	return b
}

// Bytes reads the blob with a key.
func (w *World) Bytes(key string) string {
	w.Helper()
	b, err := w.Blobs.Open(key, -1)
	w.Must(err)
	defer b.Close()
	text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	w.Must(err)
	return string(text)
}

// File reads the file at a path in a mailbox; there is false if there is none.
func (w *World) File(u model.User, path string) (text string, there bool) {
	w.Helper()
	found, err := w.Store.Read(context.Background()).Look(u.ID, store.SplitPath(path))
	w.Must(err)
	if found.File == nil {
		return "", false
	}
	return w.Bytes(found.Content.Key), true
}

// Usage returns what counts towards a mailbox's quota.
func (w *World) Usage(u model.User) store.Usage {
	w.Helper()
	use, err := w.Store.Read(context.Background()).Usage(u.ID)
	w.Must(err)
	return use
}

// Hash returns a text's SHA-256 in hexadecimal.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Plan is how SQLite would answer a query, a step a line. Its parameters are NULL.
func (w *World) Plan(query string) string {
	w.Helper()
	rows, err := w.DB.Query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "$"))...)
	w.Must(err)
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		w.Must(rows.Scan(&id, &parent, &unused, &detail))
		steps = append(steps, detail)
	}
	w.Must(rows.Err())
	return strings.Join(steps, "\n")
}
