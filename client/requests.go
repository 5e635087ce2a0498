package client

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for requests for access. An id is a request's id or its reference.

// ListRequests lists requests, the newest first.
func (c *Client) ListRequests(ctx context.Context, q model.RequestFilter) (model.Page[model.Request], error) {
	return get[model.Page[model.Request]](ctx, c, "/requests", q)
}

// CountRequests returns how many requests wait, and for whom.
func (c *Client) CountRequests(ctx context.Context, q model.RequestCountQuery) (model.RequestCounts, error) {
	return get[model.RequestCounts](ctx, c, "/requests/counts", q)
}

// ShowRequest returns a request with its history.
func (c *Client) ShowRequest(ctx context.Context, id string) (model.Request, error) {
	return get[model.Request](ctx, c, at("/requests/%s", id), nil)
}

// JudgeRequest returns what is needed to decide about a request.
func (c *Client) JudgeRequest(ctx context.Context, id string) (model.Judgement, error) {
	return get[model.Judgement](ctx, c, at("/requests/%s/judgement", id), nil)
}

// AddRequest records a request that came by mail or phone.
func (c *Client) AddRequest(ctx context.Context, in model.AddRequest) (model.Request, error) {
	return send[model.Request](ctx, c, "POST", "/requests", in)
}

// ApproveRequest approves a request: it makes the log-in, or is the first of two approvals.
func (c *Client) ApproveRequest(ctx context.Context, id string, in model.Approval) (model.Request, error) {
	return send[model.Request](ctx, c, "POST", at("/requests/%s/approve", id), in)
}

// AskRequest asks the requester something.
func (c *Client) AskRequest(ctx context.Context, id string, in model.AskRequest) (model.Request, error) {
	return send[model.Request](ctx, c, "POST", at("/requests/%s/ask", id), in)
}

// RejectRequest rejects a request.
func (c *Client) RejectRequest(ctx context.Context, id string, in model.RejectRequest) (model.Request, error) {
	return send[model.Request](ctx, c, "POST", at("/requests/%s/reject", id), in)
}

// WithdrawRequest withdraws a request at the requester's word.
func (c *Client) WithdrawRequest(ctx context.Context, id string, in model.WithdrawRequest) (model.Request, error) {
	return send[model.Request](ctx, c, "POST", at("/requests/%s/withdraw", id), in)
}

// AssignRequest says who looks after a request.
func (c *Client) AssignRequest(ctx context.Context, id string, in model.AssignRequest) (model.Request, error) {
	return send[model.Request](ctx, c, "POST", at("/requests/%s/assign", id), in)
}

// RemindRequest reminds whoever a request waits for.
func (c *Client) RemindRequest(ctx context.Context, id string) (model.Request, error) {
	return send[model.Request](ctx, c, "POST", at("/requests/%s/remind", id), nil)
}
