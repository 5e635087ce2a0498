// Package inbox is the operator's side of uploads: each committed one with a
// final name is a drop (arrive.go). A drop is a version, so its bytes never
// change; it has the name that its file has, until somebody claims it; and
// removing that name only marks it withdrawn.
//
// A consumer claims drops (claim.go), which nobody else then gets until the
// claim runs out; fetches them; and acks or rejects each (settle.go). A scanner
// may be named: then nothing is handed on that it has not acked. What follows
// in the uploader's mailbox, a move or a note of refusal, is done a little
// later (after.go).
package inbox

import (
	"context"
	"log/slog"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// After an ack, a drop stays where it is or moves to the folder processed.
const (
	AfterKeep = "keep"
	AfterMove = "move"
)

// Mailbox is what the inbox does in uploaders' mailboxes.
type Mailbox interface {
	// Move moves a drop's file, if its name still shows it, into a folder.
	Move(d model.Drop, folder string) error
	// Write stores a small file of text.
	Write(d model.Drop, path, text string) error
	// Busy reports whether a user has sessions here.
	Busy(userID string) bool
}

// Options are what the service is made of.
type Options struct {
	Store   *store.Store
	Blobs   blob.Store
	Clock   exchange.Clock
	IDs     *exchange.IDs
	Log     *slog.Logger
	Key     *proof.Key    // signs receipts
	Mailbox Mailbox       // joined after the tree is there
	Lease   time.Duration // of a claim that asks for none
	Scanner string        // consumer that sees every drop first; "" for none
	After   string        // what follows an ack
	// Names are the rules for the names of a user's files; nil: every name is final.
	Names func(userID, path string) exchange.NameRules
	// KeptUntil says when retention may remove a version at the earliest; the
	// zero time when nobody can say.
	KeptUntil func(ctx context.Context, versionID string) time.Time
}

// Service is the inbox.
type Service struct {
	o     Options
	rests rests
}

// New opens the service.
func New(o Options) *Service { return &Service{o: o, rests: rests{}} }

// Join gives the inbox the mailboxes.
func (r *Service) Join(m Mailbox) { r.o.Mailbox = m }

func (r *Service) now() time.Time { return r.o.Clock().UTC().Truncate(time.Microsecond) }

// List lists drops. Whose claim it is stays with whoever claimed.
func (r *Service) List(ctx context.Context, f model.DropFilter) ([]model.Drop, error) {
	list, err := r.o.Store.Read(ctx).Drops(f)
	for i := range list {
		list[i].Claim = ""
	}
	return list, err
}

// Show finds one drop.
func (r *Service) Show(ctx context.Context, id string) (model.Drop, error) {
	d, err := r.o.Store.Read(ctx).Drop(id)
	d.Claim = ""
	return d, noDrop(err, id)
}

func noDrop(err error, id string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.E("inbox", fault.NotFound, "There is no received file %q.", valid.Printable(id)).
			WithAction("list-drops")
	}
	return err
}

// Open opens a drop's bytes. Before the scanner accepted it, only the scanner's
// claim opens it.
func (r *Service) Open(ctx context.Context, id, claim string) (model.Drop, blob.Reader, error) {
	const op = "inbox.Open"
	q := r.o.Store.Read(ctx)
	d, err := q.Drop(id)
	if err != nil {
		return d, nil, noDrop(err, id)
	}
	held := d.Claim
	d.Claim = ""
	if !d.Cleared && (claim == "" || claim != held) {
		return d, nil, fault.E(op, fault.Denied, "The file waits for the scanner; nothing of it is handed on before.")
	}
	c, err := q.Content(id)
	if fault.Is(err, fault.NotFound) {
		if d.RemovedAt != nil {
			return d, nil, fault.E(op, fault.NotFound, "The bytes of this file were removed after their retention period.")
		}
		return d, nil, fault.E(op, fault.NotFound,
			"The bytes of this file are gone: a newer upload replaced it within the hour.")
	} else if err != nil {
		return d, nil, err
	}
	b, err := r.o.Blobs.Open(c.Key, c.Size)
	return d, b, err
}
