package client

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for retention.

// ListPolicies lists retention policies, the default first.
func (c *Client) ListPolicies(ctx context.Context, q model.EveryFilter) (model.Page[model.RetentionPolicy], error) {
	return get[model.Page[model.RetentionPolicy]](ctx, c, "/retention/policies", q)
}

// SetPolicy sets or removes the policy of a feed, a user or a folder.
func (c *Client) SetPolicy(ctx context.Context, in model.SetPolicy) (model.RetentionPolicy, error) {
	return send[model.RetentionPolicy](ctx, c, "PUT", "/retention/policies", in)
}

// Forecast says what retention would remove at a time.
func (c *Client) Forecast(ctx context.Context, q model.ForecastQuery) (model.Forecast, error) {
	return get[model.Forecast](ctx, c, "/retention/forecast", q)
}

// ListHolds lists holds, the newest first.
func (c *Client) ListHolds(ctx context.Context, q model.HoldFilter) (model.Page[model.Hold], error) {
	return get[model.Page[model.Hold]](ctx, c, "/retention/holds", q)
}

// AddHold adds a hold, which keeps files whatever their age.
func (c *Client) AddHold(ctx context.Context, in model.NewHold) (model.Hold, error) {
	return send[model.Hold](ctx, c, "POST", "/retention/holds", in)
}

// ReleaseHold releases a hold.
func (c *Client) ReleaseHold(ctx context.Context, id string) (model.Hold, error) {
	return send[model.Hold](ctx, c, "DELETE", at("/retention/holds/%s", id), nil)
}

// ListRuns lists retention runs, the newest first.
func (c *Client) ListRuns(ctx context.Context, q model.EveryFilter) (model.Page[model.RetentionRun], error) {
	return get[model.Page[model.RetentionRun]](ctx, c, "/retention/runs", q)
}

// RunRetention plans runs, sends their notices and carries out what is due now.
func (c *Client) RunRetention(ctx context.Context) ([]model.RetentionRun, error) {
	return send[[]model.RetentionRun](ctx, c, "POST", "/retention/runs", nil)
}

// ShowRun returns a retention run, with its signed report once it is done.
func (c *Client) ShowRun(ctx context.Context, id string) (model.RetentionRun, error) {
	return get[model.RetentionRun](ctx, c, at("/retention/runs/%s", id), nil)
}

// ListRunNotices lists a run's notices and whom they reached.
func (c *Client) ListRunNotices(ctx context.Context, q model.RunFilter) (model.Page[model.RetentionNotice], error) {
	return get[model.Page[model.RetentionNotice]](ctx, c, at("/retention/runs/%s/notices", q.Run), q)
}

// NoteTold records that an account's people were told by other means.
func (c *Client) NoteTold(ctx context.Context, run, account string) error {
	return do(ctx, c, "POST", at("/retention/runs/%s/told/%s", run, account), nil, nil)
}

// ConfirmRun confirms a run that waits for an administrator.
func (c *Client) ConfirmRun(ctx context.Context, id string) (model.RetentionRun, error) {
	return sendWorded[model.RetentionRun](ctx, c, "POST", at("/retention/runs/%s/confirm", id), nil)
}

// CancelRun cancels a run.
func (c *Client) CancelRun(ctx context.Context, id string, in model.Why) (model.RetentionRun, error) {
	return send[model.RetentionRun](ctx, c, "POST", at("/retention/runs/%s/cancel", id), in)
}
