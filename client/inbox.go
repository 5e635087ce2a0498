package client

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for received files and expectations.

// ListDrops lists received files in the order they came.
func (c *Client) ListDrops(ctx context.Context, q model.DropFilter) (model.Page[model.Drop], error) {
	return get[model.Page[model.Drop]](ctx, c, "/inbox", q)
}

// ClaimDrops claims the oldest received files. No other consumer gets them until the claim ends.
func (c *Client) ClaimDrops(ctx context.Context, in model.NewClaim) ([]model.Drop, error) {
	return send[[]model.Drop](ctx, c, "POST", "/inbox/claims", in)
}

// ClearDrops releases, unscanned, the files that wait for a scanner that is no longer configured.
func (c *Client) ClearDrops(ctx context.Context, in model.Clearing) (model.Cleared, error) {
	return send[model.Cleared](ctx, c, "POST", "/inbox/clear", in)
}

// ShowDrop returns a received file.
func (c *Client) ShowDrop(ctx context.Context, id string) (model.Drop, error) {
	return get[model.Drop](ctx, c, at("/inbox/%s", id), nil)
}

// DropReceipt returns the signed receipt of a received file.
func (c *Client) DropReceipt(ctx context.Context, id string) (model.Receipt, error) {
	return get[model.Receipt](ctx, c, at("/inbox/%s/receipt", id), nil)
}

// AckDrop accepts a received file.
func (c *Client) AckDrop(ctx context.Context, id string, in model.Settling) (model.Drop, error) {
	return send[model.Drop](ctx, c, "POST", at("/inbox/%s/ack", id), in)
}

// RejectDrop refuses a received file with a reason that is shown to its uploader.
func (c *Client) RejectDrop(ctx context.Context, id string, in model.Settling) (model.Drop, error) {
	return send[model.Drop](ctx, c, "POST", at("/inbox/%s/reject", id), in)
}

// RenewDrop extends a claim, counted from now.
func (c *Client) RenewDrop(ctx context.Context, id string, in model.Settling) (model.Drop, error) {
	return send[model.Drop](ctx, c, "POST", at("/inbox/%s/renew", id), in)
}

// ReleaseDrop gives a claim back.
func (c *Client) ReleaseDrop(ctx context.Context, id string, in model.Settling) (model.Drop, error) {
	return send[model.Drop](ctx, c, "POST", at("/inbox/%s/release", id), in)
}

// ListExpectations lists expectations by name, with their states.
func (c *Client) ListExpectations(ctx context.Context, q model.EveryFilter) (model.Page[model.Expectation], error) {
	return get[model.Page[model.Expectation]](ctx, c, "/expectations", q)
}

// AddExpectation adds an expectation.
func (c *Client) AddExpectation(ctx context.Context, in model.NewExpectation) (model.Expectation, error) {
	return send[model.Expectation](ctx, c, "POST", "/expectations", in)
}

// RemoveExpectation removes an expectation.
func (c *Client) RemoveExpectation(ctx context.Context, name string) error {
	return do(ctx, c, "DELETE", at("/expectations/%s", name), nil, nil)
}
