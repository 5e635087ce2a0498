// Package inbox is the operator's side of uploads: each committed one with a
// final name is a drop, listed in the order it came. A drop is a version, so
// its bytes never change; renaming it is no news, and removing its name only
// marks it withdrawn.
package inbox

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Room is the inbox.
type Room struct {
	store *store.Store
	blobs blob.Store
}

// New opens the room.
func New(s *store.Store, b blob.Store) *Room { return &Room{store: s, blobs: b} }

// Arrived records a drop, in the upload's transaction.
func (r *Room) Arrived(tx *store.Tx, d store.NewDrop) error { return tx.AddDrop(d) }

// Gone is told, in the transaction, that a name no longer shows a version. A
// replaced drop that nobody claimed is superseded; one whose name was removed
// stays, withdrawn. held says that the version is still needed.
func (r *Room) Gone(tx *store.Tx, versionID string, replaced bool) (held bool, err error) {
	state, err := tx.DropState(versionID)
	if err != nil || state == "" {
		return false, err
	}
	if !replaced {
		return state != exchange.DropSuperseded, tx.WithdrawDrop(versionID)
	}
	return state != exchange.DropNew && state != exchange.DropSuperseded, tx.SupersedeDrop(versionID)
}

// List lists drops.
func (r *Room) List(ctx context.Context, f store.DropFilter) ([]exchange.Drop, error) {
	return r.store.Read(ctx).Drops(f)
}

// Show finds one drop.
func (r *Room) Show(ctx context.Context, id string) (exchange.Drop, error) {
	d, err := r.store.Read(ctx).Drop(id)
	if exchange.Is(err, exchange.NotFound) {
		return d, exchange.E("inbox.Show", exchange.NotFound, "There is no drop %q.", exchange.Printable(id)).
			WithHint("list them with: sallyport inbox list")
	}
	return d, err
}

// Open opens a drop's bytes.
func (r *Room) Open(ctx context.Context, id string) (exchange.Drop, blob.Reader, error) {
	d, err := r.Show(ctx, id)
	if err != nil {
		return d, nil, err
	}
	c, err := r.store.Read(ctx).Content(id)
	if exchange.Is(err, exchange.NotFound) {
		return d, nil, exchange.E("inbox.Open", exchange.NotFound, "The bytes of this drop are gone: a newer upload replaced it within the hour.")
	} else if err != nil {
		return d, nil, err
	}
	b, err := r.blobs.Open(c.Key)
	return d, b, err
}
