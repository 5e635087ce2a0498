package client

import (
	"context"
	"net/url"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for the server, its log and its connections.

// ShowServer describes the deployment.
func (c *Client) ShowServer(ctx context.Context) (model.Server, error) {
	return get[model.Server](ctx, c, "/server", nil)
}

// CheckHealth fails unless the server's database and disk answer.
func (c *Client) CheckHealth(ctx context.Context) (model.Health, error) {
	return get[model.Health](ctx, c, "/health", nil)
}

// ReloadServer has the server read its configuration again.
func (c *Client) ReloadServer(ctx context.Context) (model.Reloaded, error) {
	return send[model.Reloaded](ctx, c, "POST", "/server/reload", nil)
}

// Complete lists names that begin with a text.
func (c *Client) Complete(ctx context.Context, q model.CompleteQuery) (model.Suggestions, error) {
	return get[model.Suggestions](ctx, c, "/complete", q)
}

// ListHostkeys lists the server's host keys.
func (c *Client) ListHostkeys(ctx context.Context, q model.EveryFilter) (model.Page[model.HostKey], error) {
	return get[model.Page[model.HostKey]](ctx, c, "/hostkeys", q)
}

// RotateHostkeys makes new host keys, which are used from a day on, and tells all contacts.
func (c *Client) RotateHostkeys(ctx context.Context, in model.NewRotation) (model.Rotation, error) {
	return send[model.Rotation](ctx, c, "POST", "/hostkeys/rotation", in)
}

// ShowRotation describes the latest rotation of host keys.
func (c *Client) ShowRotation(ctx context.Context) (model.Rotation, error) {
	return get[model.Rotation](ctx, c, "/hostkeys/rotation", nil)
}

// CancelRotation takes a rotation of host keys back before its day.
func (c *Client) CancelRotation(ctx context.Context) error {
	return do(ctx, c, "DELETE", "/hostkeys/rotation", nil, nil)
}

// ListHostkeyClients lists from where users log in while host keys are rotated.
func (c *Client) ListHostkeyClients(ctx context.Context, q model.HostKeyClientFilter) (
	model.Page[model.HostKeyClient], error) {
	return get[model.Page[model.HostKeyClient]](ctx, c, "/hostkeys/clients", q)
}

// ListEndpoints lists listeners with old algorithms.
func (c *Client) ListEndpoints(ctx context.Context, q model.EveryFilter) (model.Page[model.Endpoint], error) {
	return get[model.Page[model.Endpoint]](ctx, c, "/endpoints", q)
}

// AddEndpoint opens a listener of its own for programs that know only old algorithms.
func (c *Client) AddEndpoint(ctx context.Context, in model.NewEndpoint) (model.Endpoint, error) {
	return send[model.Endpoint](ctx, c, "POST", "/endpoints", in)
}

// EditEndpoint changes who may connect to a listener with old algorithms, and until when.
func (c *Client) EditEndpoint(ctx context.Context, name string, in model.EditEndpoint) (model.Endpoint, error) {
	return send[model.Endpoint](ctx, c, "PATCH", at("/endpoints/%s", name), in)
}

// CloseEndpoint closes a listener with old algorithms for good.
func (c *Client) CloseEndpoint(ctx context.Context, name string) (model.Endpoint, error) {
	return send[model.Endpoint](ctx, c, "DELETE", at("/endpoints/%s", name), nil)
}

// ListEndpointUses lists who logged in through listeners with old algorithms.
func (c *Client) ListEndpointUses(ctx context.Context, q model.EndpointUseFilter) (
	model.Page[model.EndpointUse], error) {
	return get[model.Page[model.EndpointUse]](ctx, c, "/endpoints/uses", q)
}

// ListSessions lists live sessions.
func (c *Client) ListSessions(ctx context.Context, q model.EveryFilter) (model.Page[model.Session], error) {
	return get[model.Page[model.Session]](ctx, c, "/sessions", q)
}

// EndSession ends a live session.
func (c *Client) EndSession(ctx context.Context, id string) (model.Ended, error) {
	return send[model.Ended](ctx, c, "DELETE", at("/sessions/%s", id), nil)
}

// Explain says why somebody could not log in. about is a username, an address or a reference.
func (c *Client) Explain(ctx context.Context, about string) (model.Explained, error) {
	return Call[model.Explained](ctx, c, Request{Method: "GET", Path: "/explain", Worded: true,
		Query: url.Values{"about": {about}}})
}

// ListBans lists banned addresses, the newest ban first.
func (c *Client) ListBans(ctx context.Context, q model.EveryFilter) (model.Page[model.Ban], error) {
	return get[model.Page[model.Ban]](ctx, c, "/bans", q)
}

// LiftBan ends the ban of an address.
func (c *Client) LiftBan(ctx context.Context, address string) error {
	return do(ctx, c, "DELETE", "/bans", url.Values{"address": {address}}, nil)
}

// Trace returns the history of files.
func (c *Client) Trace(ctx context.Context, q model.TraceQuery) (model.Sheet, error) {
	return worded[model.Sheet](ctx, c, "/trace", q)
}

// ListAudit lists rows of the audit log, the newest first.
func (c *Client) ListAudit(ctx context.Context, q model.AuditFilter) (model.Page[model.AuditLine], error) {
	return get[model.Page[model.AuditLine]](ctx, c, "/audit", q)
}

// StreamAudit returns the events that follow a cursor, the oldest first.
func (c *Client) StreamAudit(ctx context.Context, q model.StreamFilter) (model.StreamPage, error) {
	return get[model.StreamPage](ctx, c, "/audit/stream", q)
}

// ShowAuditStatus says how much of the audit log is sealed.
func (c *Client) ShowAuditStatus(ctx context.Context) (model.AuditStatus, error) {
	return get[model.AuditStatus](ctx, c, "/audit/status", nil)
}

// MakeCheckpoint seals the rows that wait, and returns the signed checkpoint.
func (c *Client) MakeCheckpoint(ctx context.Context) (model.AuditStatus, error) {
	return send[model.AuditStatus](ctx, c, "POST", "/audit/checkpoint", nil)
}

// ShowSigningKey returns the public key that receipts, reports and checkpoints are verified with.
func (c *Client) ShowSigningKey(ctx context.Context) (model.Receipt, error) {
	return get[model.Receipt](ctx, c, "/signing-key", nil)
}

// ListNamePolicies lists the configured name rules, and the policies that override them.
func (c *Client) ListNamePolicies(ctx context.Context, q model.EveryFilter) (model.Page[model.NamePolicy], error) {
	return get[model.Page[model.NamePolicy]](ctx, c, "/names", q)
}

// SetNamePolicy sets the name rules of a user or a folder.
func (c *Client) SetNamePolicy(ctx context.Context, in model.NamePolicy) (model.NamePolicy, error) {
	return send[model.NamePolicy](ctx, c, "PUT", "/names", in)
}
