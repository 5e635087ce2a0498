// Package audit turns the rows that changes write into a log that anyone can verify.
//
// A change writes its row in its own transaction, without a number. Sealing (seal.go) gives rows
// their numbers, appends their hashes to a Merkle tree (golang.org/x/mod/sumdb/tlog) and signs a
// checkpoint of it. Verifying (verify.go) computes the tree anew from the rows, and names those
// that were changed, removed or moved since. Exports (export.go) contain what is needed to verify
// them elsewhere. Expiry removes the content of rows, never their hashes. Package proof defines the
// form of entries and checkpoints.
package audit

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Options are the dependencies and settings of the service.
type Options struct {
	Store *store.Store
	Clock exchange.Clock
	IDs   *exchange.IDs
	Log   *slog.Logger
	Key   *proof.Key
	Keep  string // how long rows stay, as a retention period; "" for ever
	// Head keeps the newest checkpoint outside the database. Nil: it is not kept.
	Head Head
	// To is where the newest checkpoint is sent once a day, off this machine: file:PATH, mail:ADDRESS or
	// webhook:NAME. Mail and Post send to the last two.
	To         []string
	Mail, Post func(ctx context.Context, to, note string) error
	// MailJournal and PostJournal send entries of the journal there. A mail has it in a file, and says how many
	// rows it has.
	MailJournal func(ctx context.Context, to, file string, rows int, note string) error
	PostJournal func(ctx context.Context, to, note string) error
}

// Service is the audit log.
type Service struct {
	o Options

	mu   sync.Mutex
	head *proof.Checkpoint // the content of Options.Head; nil: not read yet

	looked map[string]int64     // by journal: rows below this are in it, or take nothing back
	told   map[string]time.Time // by journal: when its last entry was written

	streaming sync.Mutex
	streams   map[string]time.Time // when the last row about a reader of the stream was written, by actor

	stopped atomic.Value // string: why sealing has stopped; "" or nil: it works
}

// New makes the service.
func New(o Options) *Service {
	return &Service{o: o, looked: map[string]int64{}, told: map[string]time.Time{}, streams: map[string]time.Time{}}
}

func (r *Service) now() time.Time { return r.o.Clock().UTC().Truncate(time.Microsecond) }

// Key returns the public key that verifies checkpoints and receipts.
func (r *Service) Key() string { return r.o.Key.Public() }

// entry converts a stored row to the form that is hashed.
func entry(v store.LogRow) proof.Entry {
	return proof.Entry{ID: v.ID, At: v.At.UnixMicro(), Actor: v.Actor, Action: v.Action, Subject: v.Subject, User: v.User,
		Detail: v.Detail}
}

// Note writes a row that belongs to no other change, such as a look at the log or a start of the
// server.
func (r *Service) Note(ctx context.Context, row model.AuditRow) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error { return r.write(tx, row) })
}

func (r *Service) write(tx *store.Tx, row model.AuditRow) error {
	row.ID, row.At = r.o.IDs.New(), r.now()
	return tx.Audit(row)
}

// Status reads how much of the log is sealed.
func (r *Service) Status(ctx context.Context) (s model.AuditStatus, err error) {
	q := r.o.Store.Read(ctx)
	s.PublicKey = r.Key()
	s.Stopped, _ = r.stopped.Load().(string)
	if s.Sealed, err = q.Counter(sealedCounter); err != nil {
		return s, err
	}
	if s.Expired, err = q.Counter(expiredCounter); err != nil {
		return s, err
	}
	waiting, oldest, err := q.CountUnsealed()
	if err != nil {
		return s, err
	}
	if s.Waiting = waiting; waiting > 0 {
		s.OldestAt = &oldest
	}
	c, err := q.LastCheckpoint()
	if err != nil && !fault.Is(err, fault.NotFound) {
		return s, err
	}
	s.Checkpoint = c.Note
	sent, err := q.LastSent()
	if !sent.IsZero() {
		s.SentAt = &sent
	}
	return s, err
}
