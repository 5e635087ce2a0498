package node

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// watchLease stops what the node does by itself, jobs included, once another
// process serves its database.
func (n *Node) watchLease(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-n.store.Lost():
		n.log.Error("another sallyport has taken the database over; this one stops", "node", n.name)
		n.cancel()
	}
}

// Failed is closed when the node may not go on and must be closed: another
// process serves its database.
func (n *Node) Failed() <-chan struct{} { return n.store.Lost() }

// Failure is why the node may not go on; nil while it may.
func (n *Node) Failure() error {
	if n.store == nil {
		return nil
	}
	select {
	case <-n.store.Lost(): // never, for a store without a lease
		return fault.E("node.Failure", fault.Unavailable, "Another sallyport has taken the database over.").
			WithHint("it took this one for dead: look at why this one could not renew its lease, and at which of the two " +
				"should serve")
	default:
		return nil
	}
}
