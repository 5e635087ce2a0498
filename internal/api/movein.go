package api

import (
	"context"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// maxMoveIn is the largest body of a batch that is moved in: movein.MaxBatch paths, the longest there are.
const maxMoveIn = 32 << 20

// moveIn adds the operations that move files in from an old server. They name files of this machine, so they are open
// on its sockets alone.
func (rt *routes) moveIn() {
	service := rt.MoveIn
	route(rt, "begin-move-in", "POST", "/move-in", "Begin to move in from an old server on the same machine",
		func(ctx context.Context, _ *nothing) (out model.MoveInRun, err error) {
			if err := onMachine(ctx); err != nil {
				return out, err
			}
			return service.Begin(ctx)
		})
	done(rt, "end-move-in", "DELETE", "/move-in/{id}", "End a run, and remove the folder into which it laid files",
		func(ctx context.Context, in *Keyed) error {
			if err := onMachine(ctx); err != nil {
				return err
			}
			return service.End(ctx, in.Key)
		})
	list(rt, "list-moved-in", "/users/{id}/move-in", "List what was moved in to a user's mailbox, as it was there",
		func(m model.MovedEarlier) string { return string(m.Path) }, service.Earlier)
	take := op("move-in", "POST", "/users/{id}/move-in",
		"Move directories and files of a run into a user's mailbox, or say what would be done")
	take.MaxBodyBytes = maxMoveIn
	register(rt, take, func(ctx context.Context, in *KeyedBody[model.MoveIn]) (out model.MovedIn, err error) {
		if err := onMachine(ctx); err != nil {
			return out, err
		}
		return service.Take(ctx, actor(ctx), in.Key, in.Body)
	})
}

// onMachine refuses whoever asks over the network.
func onMachine(ctx context.Context) error {
	if !strings.HasPrefix(actor(ctx), "local:") {
		return fault.E("api.onMachine", fault.Unsupported, "Files are moved in on the server's own machine alone.").
			WithHint("run the command there, without --url")
	}
	return nil
}
