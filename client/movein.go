package client

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for moving in from an old server. The server answers them on the sockets of its own machine alone.

// BeginMoveIn begins a run, and makes the folder into which it lays files.
func (c *Client) BeginMoveIn(ctx context.Context) (model.MoveInRun, error) {
	return send[model.MoveInRun](ctx, c, "POST", "/move-in", nil)
}

// EndMoveIn ends a run, and removes its folder.
func (c *Client) EndMoveIn(ctx context.Context, run string) error {
	return do(ctx, c, "DELETE", at("/move-in/%s", run), nil, nil)
}

// MoveIn moves directories and files into a user's mailbox, or returns what it would do.
func (c *Client) MoveIn(ctx context.Context, user string, in model.MoveIn) (model.MovedIn, error) {
	return send[model.MovedIn](ctx, c, "POST", at("/users/%s/move-in", user), in)
}

// ListMovedIn lists what was moved in to a user's mailbox, by path.
func (c *Client) ListMovedIn(ctx context.Context, q model.MovedFilter) (model.Page[model.MovedEarlier], error) {
	return get[model.Page[model.MovedEarlier]](ctx, c, at("/users/%s/move-in", q.User), q)
}
