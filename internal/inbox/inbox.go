// Package inbox is the operator's side of uploads. Each committed upload with a final name is a
// drop (arrive.go). A drop is a version, so its content never changes. Until it is claimed, it
// follows renames of its file. Removing the file only marks the drop as withdrawn.
//
// A consumer claims drops (claim.go), so that no other consumer gets them until the claim
// expires. It fetches them, and acks or rejects each (settle.go). If a scanner is configured, a
// drop is handed on only after the scanner's ack. The resulting work in the uploader's mailbox,
// a move or a refusal note, is done shortly afterwards (after.go).
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

// What happens to the file after an ack: it stays, or it moves to the folder processed.
const (
	AfterKeep = "keep"
	AfterMove = "move"
)

// Mailbox changes the mailboxes of uploaders.
type Mailbox interface {
	// Move moves a drop's file into a folder. It returns NotFound if the name shows another
	// version or is gone.
	Move(d model.Drop, folder string) error
	// Write stores a small text file.
	Write(d model.Drop, path, text string) error
	// Busy reports whether a user has sessions on this node.
	Busy(userID string) bool
}

// Options configure the service.
type Options struct {
	Store   *store.Store
	Blobs   blob.Store
	Clock   exchange.Clock
	IDs     *exchange.IDs
	Log     *slog.Logger
	Key     *proof.Key    // signs receipts
	Mailbox Mailbox       // nil until Join is called
	Lease   time.Duration // default duration of a claim
	Scanner string        // consumer that gets every drop first; "": none
	After   string        // AfterKeep or AfterMove
	// Names returns the rules for the names of a user's files. nil: every name is final.
	Names func(userID, path string) exchange.NameRules
	// Odd says what is not as expected about a received file. nil: everything is as expected.
	Odd   func(q *store.Q, f exchange.Received) (exchange.Odd, error)
	Zones exchange.Zones // in which people read times
	// KeptUntil returns when retention may remove a version at the earliest, or the zero time if
	// that is unknown.
	KeptUntil func(ctx context.Context, versionID string) time.Time
}

// Service implements the inbox.
type Service struct {
	o     Options
	rests rests
}

// New returns the service.
func New(o Options) *Service { return &Service{o: o, rests: rests{}} }

// Join sets the mailboxes. It must be called before Keep.
func (r *Service) Join(m Mailbox) { r.o.Mailbox = m }

func (r *Service) now() time.Time { return r.o.Clock().UTC().Truncate(time.Microsecond) }

// List lists drops. Their claims are left out, since only the claimant may know them.
func (r *Service) List(ctx context.Context, f model.DropFilter) ([]model.Drop, error) {
	list, err := r.o.Store.Read(ctx).Drops(f)
	for i := range list {
		list[i].Claim = ""
	}
	return list, err
}

// Show finds one drop. Its claim is left out.
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

// Open returns a drop and a reader of its content. Until a scanner has accepted the drop, only
// the scanner's claim gives access.
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
