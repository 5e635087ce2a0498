package client

import (
	"context"
	"net/url"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for keys.

// ListKeys lists a user's keys.
func (c *Client) ListKeys(ctx context.Context, q model.UserKeyFilter) (model.Page[model.Key], error) {
	return get[model.Page[model.Key]](ctx, c, at("/users/%s/keys", q.User), q)
}

// AddKeys enrols public keys, or replaces one.
func (c *Client) AddKeys(ctx context.Context, user string, in model.NewKey) ([]model.Key, error) {
	return send[[]model.Key](ctx, c, "POST", at("/users/%s/keys", user), in)
}

// EditKey changes a key's holder, expiry or flag.
func (c *Client) EditKey(ctx context.Context, user string, in model.EditKey) (model.Key, error) {
	return send[model.Key](ctx, c, "PATCH", at("/users/%s/keys", user), in)
}

// ShowKey lists every user's record of a key.
func (c *Client) ShowKey(ctx context.Context, q model.FingerprintFilter) (model.Page[model.Key], error) {
	return get[model.Page[model.Key]](ctx, c, "/keys", q)
}

// RevokeKey revokes a key, or all keys of a contact or a user, and ends their sessions.
func (c *Client) RevokeKey(ctx context.Context, in model.RevokeKey) (model.Revoked, error) {
	return send[model.Revoked](ctx, c, "POST", "/keys/revoke", in)
}

// FreezeKey freezes a key on a contact's request.
func (c *Client) FreezeKey(ctx context.Context, in model.ByContact) ([]model.Key, error) {
	return send[[]model.Key](ctx, c, "POST", "/keys/freeze", in)
}

// ThawKey unfreezes a key on a second contact's request.
func (c *Client) ThawKey(ctx context.Context, in model.ByContact) ([]model.Key, error) {
	return send[[]model.Key](ctx, c, "POST", "/keys/thaw", in)
}

// ExposeKeys blocks or flags the keys whose private files were sent.
func (c *Client) ExposeKeys(ctx context.Context, in model.ExposedKeys) (model.Exposure, error) {
	return send[model.Exposure](ctx, c, "POST", "/keys/exposed", in)
}

// ListBurnedKeys lists keys that can never be enrolled, the newest first.
func (c *Client) ListBurnedKeys(ctx context.Context, q model.EveryFilter) (model.Page[model.BurnedKey], error) {
	return get[model.Page[model.BurnedKey]](ctx, c, "/keys/burned", q)
}

// ListPendingKeys lists unknown keys that wait for approval, the newest first.
func (c *Client) ListPendingKeys(ctx context.Context, q model.OfUserFilter) (model.Page[model.PendingKey], error) {
	return get[model.Page[model.PendingKey]](ctx, c, "/keys/pending", q)
}

// ApproveKey enrols a pending key.
func (c *Client) ApproveKey(ctx context.Context, user string, in model.ApproveKey) ([]model.Key, error) {
	return send[[]model.Key](ctx, c, "POST", at("/users/%s/keys/approve", user), in)
}

// RefuseKey discards a pending key.
func (c *Client) RefuseKey(ctx context.Context, user, fingerprint string) error {
	return do(ctx, c, "DELETE", at("/users/%s/keys/pending", user), url.Values{"fingerprint": {fingerprint}}, nil)
}

// KeyActivity reports everything that was done with a key.
func (c *Client) KeyActivity(ctx context.Context, fingerprint string) (model.KeyActivity, error) {
	return Call[model.KeyActivity](ctx, c,
		Request{Method: "GET", Path: "/keys/activity", Query: url.Values{"fingerprint": {fingerprint}}})
}
