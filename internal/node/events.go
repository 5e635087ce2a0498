package node

import (
	"context"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

const eventsEvery = 15 * time.Second

// makeEvents makes the events that belong to no single change: summaries of refused log-ins,
// temporary names that were never finished, and limits that are nearly reached.
func (n *Node) makeEvents(ctx context.Context) {
	do := func(ctx context.Context) error {
		for _, do := range []func(context.Context) error{n.records.SumRefused, n.naming.FindLeft, n.accounts.FindNear} {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	exchange.Task{Every: eventsEvery, Do: do, Failure: "events could not be made", Log: n.log}.Run(ctx)
}
