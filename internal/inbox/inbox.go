// Package inbox is the operator's side of uploads: each committed one with a
// final name is a drop. A drop is a version, so its bytes never change;
// renaming it is no news, and removing its name only marks it withdrawn.
//
// A consumer claims drops (claim.go), which nobody else then gets until the
// claim runs out; fetches them; and acks or rejects each (settle.go). A scanner
// may be named: then nothing is handed on that it has not acked. What follows
// in the uploader's mailbox, a move or a note of refusal, is done a little
// later (after.go).
package inbox

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"path"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// After an ack, a drop stays where it is or moves to the folder processed.
const (
	AfterKeep = "keep"
	AfterMove = "move"
)

// Mailbox is what the inbox does in uploaders' mailboxes.
type Mailbox interface {
	// Move moves a drop's file, if its name still shows it, into a folder.
	Move(d exchange.Drop, folder string) error
	// Write stores a small file of text.
	Write(d exchange.Drop, path, text string) error
	// Busy reports whether a user has sessions here.
	Busy(userID string) bool
}

// Options are what the room is made of.
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
	// KeptUntil says when retention may remove a version at the earliest; the
	// zero time when nobody can say.
	KeptUntil func(ctx context.Context, versionID string) time.Time
}

// Room is the inbox.
type Room struct {
	o     Options
	rests rests
}

// New opens the room.
func New(o Options) *Room { return &Room{o: o, rests: rests{}} }

// Join gives the inbox the mailboxes.
func (r *Room) Join(m Mailbox) { r.o.Mailbox = m }

func (r *Room) now() time.Time { return r.o.Clock().UTC().Truncate(time.Microsecond) }

// Arrival is an upload at the moment it becomes final.
type Arrival struct {
	Login     *exchange.Login
	Path      string
	VersionID string
	Size      int64
	SHA256    []byte
	At        time.Time
}

// Arrived records a drop, in the upload's transaction.
func (r *Room) Arrived(tx *store.Tx, a Arrival) error {
	d := store.NewDrop{VersionID: a.VersionID, UserID: a.Login.User.ID, Path: a.Path, Size: a.Size, SHA256: a.SHA256,
		Fingerprint: a.Login.Fingerprint, Address: a.Login.Address, ReceivedAt: exchange.Micros(a.At), Scanner: r.o.Scanner}
	if err := twins(tx, &d); err != nil {
		return err
	}
	if err := tx.AddDrop(d); err != nil {
		return err
	}
	data := map[string]any{"drop": d.VersionID, "path": exchange.Printable(d.Path), "name": exchange.Printable(path.Base(d.Path)), "size": d.Size,
		"sha256": hex.EncodeToString(d.SHA256), "key": d.Fingerprint, "address": d.Address}
	if a.Login.User.Vendor != "" {
		data["vendor"] = a.Login.User.Vendor
	}
	if d.Duplicate != "" {
		data["duplicate"], data["duplicate_of"] = d.Duplicate, d.DuplicateOf
		if err := r.digest(tx, d.UserID, a.At, path.Base(d.Path), duplicateWords[d.Duplicate], "If it was sent twice by mistake, there is nothing to do."); err != nil {
			return err
		}
	}
	return tx.Emit(exchange.Event{ID: r.o.IDs.New(), Type: exchange.EventReceived, At: a.At, Account: a.Login.User.Account, User: a.Login.User.Name, Data: data})
}

var duplicateWords = map[string]string{
	exchange.DuplicateName:    "A file of this name had come before, with another content.",
	exchange.DuplicateContent: "The same content had come before, under another name.",
	exchange.DuplicateBoth:    "The same file had come before.",
}

// twins finds out whether the same user sent the same before.
func twins(tx *store.Tx, d *store.NewDrop) error {
	content, err := tx.TwinByContent(d.UserID, d.SHA256)
	if err != nil {
		return err
	}
	name, err := tx.TwinByName(d.UserID, path.Base(d.Path))
	if err != nil {
		return err
	}
	switch {
	case content != "" && name != "":
		d.Duplicate, d.DuplicateOf = exchange.DuplicateBoth, content
	case content != "":
		d.Duplicate, d.DuplicateOf = exchange.DuplicateContent, content
	case name != "":
		d.Duplicate, d.DuplicateOf = exchange.DuplicateName, name
	}
	return nil
}

// digest remembers a line for the uploader's technical contacts.
func (r *Room) digest(tx *store.Tx, userID string, at time.Time, name, reason, advice string) error {
	detail, err := json.Marshal(map[string]string{"Name": exchange.Printable(name), "Reason": reason, "Advice": advice})
	if err != nil {
		return exchange.Wrap("inbox.digest", exchange.Internal, err)
	}
	return tx.AddDigest(store.Digest{ID: r.o.IDs.New(), UserID: userID, At: exchange.Micros(at), Kind: "refused", Detail: string(detail)})
}

// Gone is told, in the transaction, that a name no longer shows a version. A
// replaced drop that nobody claimed is superseded; one whose name was removed
// stays, withdrawn. held says that the version is still needed.
func (r *Room) Gone(tx *store.Tx, versionID string, replaced bool) (held bool, err error) {
	state, err := tx.LockDropState(versionID)
	if err != nil || state == "" {
		return false, err
	}
	if !replaced {
		return state != exchange.DropSuperseded, tx.WithdrawDrop(versionID)
	}
	unclaimed := state == exchange.DropNew || state == exchange.DropUnscanned || state == exchange.DropSuperseded
	return !unclaimed, tx.SupersedeDrop(versionID)
}

// List lists drops. Whose claim it is stays with whoever claimed.
func (r *Room) List(ctx context.Context, f store.DropFilter) ([]exchange.Drop, error) {
	list, err := r.o.Store.Read(ctx).Drops(f)
	for i := range list {
		list[i].Claim = ""
	}
	return list, err
}

// Show finds one drop.
func (r *Room) Show(ctx context.Context, id string) (exchange.Drop, error) {
	d, err := r.o.Store.Read(ctx).Drop(id)
	d.Claim = ""
	return d, noDrop(err, id)
}

func noDrop(err error, id string) error {
	if exchange.Is(err, exchange.NotFound) {
		return exchange.E("inbox", exchange.NotFound, "There is no received file %q.", exchange.Printable(id)).WithHint("list them with: sallyport inbox list")
	}
	return err
}

// Open opens a drop's bytes. Before the scanner accepted it, only the scanner's
// claim opens it.
func (r *Room) Open(ctx context.Context, id, claim string) (exchange.Drop, blob.Reader, error) {
	const op = "inbox.Open"
	q := r.o.Store.Read(ctx)
	d, err := q.Drop(id)
	if err != nil {
		return d, nil, noDrop(err, id)
	}
	held := d.Claim
	d.Claim = ""
	if !d.Cleared && (claim == "" || claim != held) {
		return d, nil, exchange.E(op, exchange.Denied, "The file waits for the scanner; nothing of it is handed on before.")
	}
	c, err := q.Content(id)
	if exchange.Is(err, exchange.NotFound) {
		if d.RemovedAt != nil {
			return d, nil, exchange.E(op, exchange.NotFound, "The bytes of this file were removed after their retention period.")
		}
		return d, nil, exchange.E(op, exchange.NotFound, "The bytes of this file are gone: a newer upload replaced it within the hour.")
	} else if err != nil {
		return d, nil, err
	}
	b, err := r.o.Blobs.Open(c.Key, c.Size)
	return d, b, err
}
