package node

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// Alive returns why the server cannot do its work: the database or the disk does not answer. Nil: it can.
func (n *Node) Alive(ctx context.Context) error {
	if err := n.store.Ping(ctx); err != nil {
		return err
	}
	return n.dir.Probe()
}

// health says whether the server can do its work, for whoever watches it.
func (n *Node) health(ctx context.Context) (model.Health, error) {
	return model.Health{Version: exchange.Version, Sandbox: n.o.Sandbox}, n.Alive(ctx)
}
