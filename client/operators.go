package client

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for who may manage the server.

// ShowIdentity says who this client is to the server.
func (c *Client) ShowIdentity(ctx context.Context) (model.Identity, error) {
	return get[model.Identity](ctx, c, "/me", nil)
}

// ListTokens lists API tokens, the newest first.
func (c *Client) ListTokens(ctx context.Context, q model.EveryFilter) (model.Page[model.Token], error) {
	return get[model.Page[model.Token]](ctx, c, "/tokens", q)
}

// AddToken makes an API token. The answer has its secret, this once.
func (c *Client) AddToken(ctx context.Context, in model.NewToken) (model.Token, error) {
	return send[model.Token](ctx, c, "POST", "/tokens", in)
}

// ShowToken returns an API token, by name or id.
func (c *Client) ShowToken(ctx context.Context, name string) (model.Token, error) {
	return get[model.Token](ctx, c, at("/tokens/%s", name), nil)
}

// RevokeToken revokes an API token, by name or id.
func (c *Client) RevokeToken(ctx context.Context, name string) (model.Token, error) {
	return send[model.Token](ctx, c, "DELETE", at("/tokens/%s", name), nil)
}

// ListOperators lists operators, the newest first.
func (c *Client) ListOperators(ctx context.Context, q model.OperatorFilter) (model.Page[model.Operator], error) {
	return get[model.Page[model.Operator]](ctx, c, "/operators", q)
}

// AddOperator invites an operator. The answer has its link to join, this once.
func (c *Client) AddOperator(ctx context.Context, in model.NewOperator) (model.Operator, error) {
	return send[model.Operator](ctx, c, "POST", "/operators", in)
}

// FirstOperator makes a new link for the first administrator, if nobody has joined yet.
func (c *Client) FirstOperator(ctx context.Context) (model.Operator, error) {
	return send[model.Operator](ctx, c, "POST", "/operators/first", nil)
}

// ShowOperator returns an operator, by e-mail address or id.
func (c *Client) ShowOperator(ctx context.Context, name string) (model.Operator, error) {
	return get[model.Operator](ctx, c, at("/operators/%s", name), nil)
}

// EditOperator changes an operator's name or role.
func (c *Client) EditOperator(ctx context.Context, name string, in model.EditOperator) (model.Operator, error) {
	return send[model.Operator](ctx, c, "PATCH", at("/operators/%s", name), in)
}

// ResetOperator takes an operator's password, codes and passkeys away. The answer has a new link to join,
// this once.
func (c *Client) ResetOperator(ctx context.Context, name string) (model.Operator, error) {
	return send[model.Operator](ctx, c, "POST", at("/operators/%s/reset", name), nil)
}

// DisableOperator keeps an operator from signing in, and ends its sessions.
func (c *Client) DisableOperator(ctx context.Context, name string, why model.Why) (model.Operator, error) {
	return send[model.Operator](ctx, c, "POST", at("/operators/%s/disable", name), why)
}

// EnableOperator lets an operator sign in again.
func (c *Client) EnableOperator(ctx context.Context, name string) (model.Operator, error) {
	return send[model.Operator](ctx, c, "POST", at("/operators/%s/enable", name), nil)
}

// RemoveOperator removes an operator who has never joined.
func (c *Client) RemoveOperator(ctx context.Context, name string) (model.Operator, error) {
	return send[model.Operator](ctx, c, "DELETE", at("/operators/%s", name), nil)
}

// ListOperatorSessions lists browsers in which operators are, or were, signed in, the newest first.
func (c *Client) ListOperatorSessions(ctx context.Context, q model.OperatorSessionFilter) (
	model.Page[model.OperatorSession], error) {
	return get[model.Page[model.OperatorSession]](ctx, c, "/operator-sessions", q)
}

// EndOperatorSession signs a browser out.
func (c *Client) EndOperatorSession(ctx context.Context, id string) error {
	return do(ctx, c, "DELETE", at("/operator-sessions/%s", id), nil, nil)
}

// ListReviews lists reviews of access, the newest first, without what they list.
func (c *Client) ListReviews(ctx context.Context, q model.EveryFilter) (model.Page[model.Review], error) {
	return get[model.Page[model.Review]](ctx, c, "/reviews", q)
}

// MakeReview lists who and what has access now, and keeps the list to be signed off.
func (c *Client) MakeReview(ctx context.Context) (model.Review, error) {
	return send[model.Review](ctx, c, "POST", "/reviews", nil)
}

// ShowReview returns a review with what it lists.
func (c *Client) ShowReview(ctx context.Context, id string) (model.Review, error) {
	return get[model.Review](ctx, c, at("/reviews/%s", id), nil)
}

// SignReview signs a review off.
func (c *Client) SignReview(ctx context.Context, id string, in model.SignReview) (model.Review, error) {
	return send[model.Review](ctx, c, "POST", at("/reviews/%s/sign", id), in)
}
