package api

import (
	"context"
	"io"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/model"
)

// SetPolicy is the body that gives a feed, a user or a folder a policy.
type SetPolicy struct {
	Feed   string `json:"feed,omitempty"`
	User   string `json:"user,omitempty"`
	Folder string `json:"folder,omitempty" doc:"Of the user, or of every user"`
	Keep   string `json:"keep,omitempty" doc:"90d, 12mo, 7y; nothing takes the policy away"`
}

// NewHold is the body that keeps files.
type NewHold struct {
	Kind   string `json:"kind" enum:"account,user,feed,file"`
	Target string `json:"target" doc:"Account ID, username, feed, or user:/path of a file"`
	Reason string `json:"reason"`
}

// Why is the body that gives a reason.
type Why struct {
	Reason string `json:"reason"`
}

func (rt *routes) retention() {
	room := rt.r.Retain
	huma.Register(rt, op("list-policies", "GET", "/retention/policies", "List retention policies"),
		func(ctx context.Context, _ *nothing) (*List[model.RetentionPolicy], error) {
			v, err := room.Policies(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("set-policy", "PUT", "/retention/policies", "Give a feed, a user or a folder a retention policy, or take it away"),
		func(ctx context.Context, in *Payload[SetPolicy]) (*Payload[model.RetentionPolicy], error) {
			v, err := room.SetPolicy(ctx, actor(ctx), model.RetentionPolicy{Feed: in.Body.Feed, User: in.Body.User, Folder: in.Body.Folder, Keep: in.Body.Keep})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("forecast", "GET", "/retention/forecast", "What would go at a time, by account and policy"),
		func(ctx context.Context, in *struct {
			At      time.Time `query:"at" doc:"The next run's time unless given"`
			Account string    `query:"account"`
			List    bool      `query:"list" doc:"Name every file"`
		}) (*Payload[retention.Forecast], error) {
			v, err := room.Forecast(ctx, in.At, in.Account, in.List)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("list-holds", "GET", "/retention/holds", "List holds"),
		func(ctx context.Context, in *struct {
			All bool `query:"all" doc:"Released ones, too"`
		}) (*List[model.Hold], error) {
			v, err := room.Holds(ctx, in.All)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-hold", "POST", "/retention/holds", "Keep files, whatever their age"),
		func(ctx context.Context, in *Payload[NewHold]) (*Payload[model.Hold], error) {
			v, err := room.Hold(ctx, actor(ctx), model.Hold{Kind: in.Body.Kind, Label: in.Body.Target, Reason: in.Body.Reason})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("release-hold", "DELETE", "/retention/holds/{id}", "Release a hold"),
		func(ctx context.Context, in *ByID) (*Payload[model.Hold], error) {
			v, err := room.Release(ctx, actor(ctx), in.ID)
			return answer(rt, v, err)
		})
	rt.runs()
}

func (rt *routes) runs() {
	room := rt.r.Retain
	huma.Register(rt, op("list-runs", "GET", "/retention/runs", "List retention runs, the newest first"),
		func(ctx context.Context, in *struct {
			Limit int `query:"limit" default:"50" minimum:"1" maximum:"1000"`
		}) (*List[model.RetentionRun], error) {
			v, err := room.Runs(ctx, in.Limit)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("run-retention", "POST", "/retention/runs", "Plan, tell and run what is due now, without waiting for the next look"),
		func(ctx context.Context, _ *nothing) (*List[model.RetentionRun], error) {
			v, err := room.RunNow(context.WithoutCancel(ctx))
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("show-run", "GET", "/retention/runs/{id}", "Show a retention run, with its signed report once it is done"),
		func(ctx context.Context, in *ByID) (*Payload[model.RetentionRun], error) {
			v, err := room.Run(ctx, in.ID)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("list-run-files", "GET", "/retention/runs/{id}/files", "What a run names and what became of it, as CSV"),
		func(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
			if _, err := room.Run(ctx, in.ID); err != nil {
				return nil, rt.fail(err)
			}
			return rt.stream("text/csv; charset=utf-8", func(w io.Writer) error { return room.List(ctx, w, in.ID) }), nil
		})
	huma.Register(rt, op("list-run-notices", "GET", "/retention/runs/{id}/notices", "Whom a run's notices reached"),
		func(ctx context.Context, in *ByID) (*List[model.RetentionNotice], error) {
			v, err := room.Notices(ctx, in.ID)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("note-told", "POST", "/retention/runs/{id}/told/{account}", "Note that an account's people were told by hand"),
		func(ctx context.Context, in *struct {
			ByID
			Account string `path:"account"`
		}) (*nothing, error) {
			return nil, rt.fail(room.Told(ctx, actor(ctx), in.ID, in.Account))
		})
	huma.Register(rt, op("confirm-run", "POST", "/retention/runs/{id}/confirm", "Let a run go on that waits for an administrator"),
		func(ctx context.Context, in *ByID) (*Payload[model.RetentionRun], error) {
			v, err := room.Confirm(ctx, actor(ctx), in.ID)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("cancel-run", "POST", "/retention/runs/{id}/cancel", "Call a run off"),
		func(ctx context.Context, in *struct {
			ByID
			Payload[Why]
		}) (*Payload[model.RetentionRun], error) {
			v, err := room.Cancel(ctx, actor(ctx), in.ID, in.Body.Reason)
			return answer(rt, v, err)
		})
}

// NewExpectation is the body that expects files.
type NewExpectation struct {
	Name    string `json:"name"`
	User    string `json:"user,omitempty" doc:"Username whose uploads are expected"`
	Tell    bool   `json:"tell_partner,omitempty" doc:"Tell the user's technical contacts, too, when it is missed and when it comes late"`
	Feed    string `json:"feed,omitempty" doc:"Feed whose publications are expected"`
	Account string `json:"account,omitempty" doc:"Of a feed: published to this account"`
	Pattern string `json:"pattern,omitempty" doc:"Names that count: cdr-*.csv"`
	AtLeast int64  `json:"at_least,omitempty" doc:"How many files; 1 unless given"`
	Bytes   *int64 `json:"least_bytes,omitempty" doc:"Smaller files do not count; 1 unless given, so that empty ones do not"`
	Rows    int64  `json:"least_rows,omitempty" doc:"Files with fewer lines do not count"`
	Days    string `json:"days" doc:"daily, weekdays, names of days, or a day of the month"`
	By      string `json:"by" doc:"HH:MM"`
	Zone    string `json:"zone" doc:"Australia/Sydney"`
}

func (rt *routes) expectations() {
	room := rt.r.Expect
	huma.Register(rt, op("list-expectations", "GET", "/expectations", "List what is expected, and how it stands"),
		func(ctx context.Context, _ *nothing) (*List[model.Expectation], error) {
			v, err := room.List(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-expectation", "POST", "/expectations", "Expect files by a time"),
		func(ctx context.Context, in *Payload[NewExpectation]) (*Payload[model.Expectation], error) {
			b, bytes := in.Body, int64(1)
			if b.Bytes != nil {
				bytes = *b.Bytes
			}
			v, err := room.Add(ctx, actor(ctx), model.Expectation{Name: b.Name, User: b.User, Feed: b.Feed, Account: b.Account, Glob: b.Pattern,
				AtLeast: b.AtLeast, LeastBytes: bytes, LeastRows: b.Rows, Days: b.Days, Clock: b.By, Zone: b.Zone, Tell: b.Tell})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("remove-expectation", "DELETE", "/expectations/{name}", "Expect something no longer"),
		func(ctx context.Context, in *ByName) (*nothing, error) {
			return nil, rt.fail(room.Remove(ctx, actor(ctx), in.Name))
		})
}
