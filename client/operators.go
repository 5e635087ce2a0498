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
