package api

import (
	"context"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/model"
)

// retention adds the operations on retention.
func (rt *routes) retention() {
	service := rt.Retain
	listWhole(rt, "list-policies", "/retention/policies", "List retention policies",
		func(ctx context.Context, _ model.EveryFilter) ([]model.RetentionPolicy, error) {
			return service.Policies(ctx)
		})
	route(rt, "set-policy", "PUT", "/retention/policies",
		"Give a feed, a user or a folder a retention policy, or take it away",
		func(ctx context.Context, in *BodyOf[model.SetPolicy]) (model.RetentionPolicy, error) {
			return service.SetPolicy(ctx, actor(ctx), in.Body)
		})
	route(rt, "forecast", "GET", "/retention/forecast",
		"What is announced, what will be announced next, and what is due when",
		func(ctx context.Context, in *model.ForecastQuery) (model.Forecast, error) {
			return service.Forecast(ctx, *in)
		})
	list(rt, "list-holds", "/retention/holds", "List holds", func(h model.Hold) string { return h.ID }, service.Holds)
	create(rt, "add-hold", "/retention/holds", "Keep files, whatever their age", service.Hold)
	act(rt, "release-hold", "DELETE", "/retention/holds/{id}", "Release a hold", service.Release)

	list(rt, "list-runs", "/retention/runs", "List retention runs, the newest first",
		func(r model.RetentionRun) string { return r.ID }, service.Runs)
	route(rt, "run-retention", "POST", "/retention/runs",
		"Plan, tell and run what is due now, without waiting for the next look",
		func(ctx context.Context, _ *nothing) ([]model.RetentionRun, error) {
			return service.RunNow(context.WithoutCancel(ctx))
		})
	show(rt, "show-run", "/retention/runs/{id}", "Show a retention run, with its signed report once it is done",
		service.Run)
	send(rt, "list-run-files", "/retention/runs/{id}/files", "What a run names and what became of it, as CSV",
		func(ctx context.Context, in *Keyed) (*huma.StreamResponse, error) {
			if _, err := service.Run(ctx, in.Key); err != nil {
				return nil, err
			}
			return rt.stream("text/csv; charset=utf-8", func(w io.Writer) error { return service.List(ctx, w, in.Key) }), nil
		})
	list(rt, "list-run-notices", "/retention/runs/{id}/notices", "Whom a run's notices reached",
		func(n model.RetentionNotice) string { return n.ID }, service.Notices)
	type oneNotice struct {
		Keyed
		Account string `path:"account"`
	}
	done(rt, "note-told", "POST", "/retention/runs/{id}/told/{account}", "Note that an account's people were told by hand",
		func(ctx context.Context, in *oneNotice) error {
			return service.Told(ctx, actor(ctx), in.Key, in.Account)
		})
	act(rt, "confirm-run", "POST", "/retention/runs/{id}/confirm", "Let a run go on that waits for an administrator",
		service.Confirm)
	edit(rt, "cancel-run", "POST", "/retention/runs/{id}/cancel", "Call a run off",
		func(ctx context.Context, who, id string, w model.Why) (model.RetentionRun, error) {
			return service.Cancel(ctx, who, id, w.Reason)
		})
}
