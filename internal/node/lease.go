package node

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// watchLease cancels the node's background work, including jobs, when another process takes over
// its database.
func (n *Node) watchLease(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-n.store.Lost():
		n.log.Error("another sallyport has taken the database over; this one stops", "node", n.name)
		n.cancel()
	}
}

// Failed returns a channel that is closed when another process has taken over the database. The
// node must then be closed.
func (n *Node) Failed() <-chan struct{} { return n.store.Lost() }

// Failure returns why the node must be closed; nil if it need not be.
func (n *Node) Failure() error {
	if n.store == nil {
		return nil
	}
	select {
	case <-n.store.Lost(): // never closed for a store without a lease
		return fault.E("node.Failure", fault.Unavailable, "Another sallyport has taken the database over.").
			WithHint("it took this one for dead: look at why this one could not renew its lease, and at which of the two " +
				"should serve")
	default:
		return nil
	}
}
