package api

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/trace"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// records adds the operations that read the records of connections and files.
func (rt *routes) records() {
	service := rt.Records
	type about struct {
		About string `query:"about" required:"true" doc:"A username, an address, or the reference that a partner read out"`
	}
	route(rt, "explain", "GET", "/explain", "Say why somebody could not log in",
		func(ctx context.Context, in *about) (model.Explained, error) { return service.Explain(ctx, in.About) })
	list(rt, "list-bans", "/bans", "List addresses that are kept out",
		func(b model.Ban) string { return store.LatestCursor(b.Since, b.Address) }, service.Bans)
	type ban struct {
		Address string `query:"address" required:"true"`
	}
	done(rt, "lift-ban", "DELETE", "/bans", "Let an address in again",
		func(ctx context.Context, in *ban) error { return service.Unban(ctx, actor(ctx), in.Address) })
	route(rt, "trace", "GET", "/trace", "A file's whole life, by name, part of a name, account, user or SHA-256", rt.trace)
}

func (rt *routes) trace(ctx context.Context, in *model.TraceQuery) (model.Sheet, error) {
	t, zone, err := rt.Trace.Find(ctx, *in)
	if err != nil {
		return model.Sheet{}, err
	}
	s := rt.Server()
	head := trace.Letterhead{Operator: rt.Operator(), Host: s.Host, Help: s.Help, Zone: zone}
	if account := trace.OnlyAccount(t, in.Account); account != "" {
		head.Help = rt.HelpOf(ctx, account)
	}
	return model.Sheet{Trace: t, Sheet: trace.Sheet(t, head)}, nil
}

// server adds the operations on this deployment and its live sessions.
func (rt *routes) server() {
	route(rt, "show-server", "GET", "/server", "Show what this deployment says of itself",
		func(context.Context, *nothing) (model.Server, error) {
			s := rt.Server()
			s.Time = rt.Clock().UTC()
			return s, nil
		})
	route(rt, "check-health", "GET", "/health", "Fail unless the database and the disk answer",
		func(ctx context.Context, _ *nothing) (model.Health, error) { return rt.Health(ctx) })
	route(rt, "reload-server", "POST", "/server/reload", "Read the configuration again, and change what needs no restart",
		func(ctx context.Context, _ *nothing) (model.Reloaded, error) { return rt.Reload(ctx, actor(ctx)) })
	route(rt, "complete", "GET", "/complete", "List names that begin with a text, for completion",
		func(ctx context.Context, in *model.CompleteQuery) (model.Suggestions, error) {
			list, err := rt.Names.Complete(ctx, *in)
			return model.Suggestions{Items: list}, err
		})
	listWhole(rt, "list-hostkeys", "/hostkeys", "List the server's host keys",
		func(context.Context, model.EveryFilter) ([]model.HostKey, error) { return rt.HostKeys.List(), nil })
	create(rt, "rotate-hostkeys", "/hostkeys/rotation", "Make new host keys, and announce them", rt.HostKeys.Rotate)
	route(rt, "show-rotation", "GET", "/hostkeys/rotation", "Show the latest rotation of host keys",
		func(ctx context.Context, _ *nothing) (model.Rotation, error) { return rt.HostKeys.Rotation(ctx) })
	done(rt, "cancel-rotation", "DELETE", "/hostkeys/rotation", "Take a rotation of host keys back before its day",
		func(ctx context.Context, _ *nothing) error { return rt.HostKeys.Cancel(ctx, actor(ctx)) })
	list(rt, "list-hostkey-clients", "/hostkeys/clients",
		"List from where users log in while host keys are rotated, and who knows the new keys",
		model.HostKeyClient.Mark, rt.HostKeys.Clients)
	listWhole(rt, "list-endpoints", "/endpoints", "List listeners with old algorithms",
		func(ctx context.Context, _ model.EveryFilter) ([]model.Endpoint, error) {
			return rt.Endpoints.List(ctx)
		})
	create(rt, "add-endpoint", "/endpoints", "Open a listener of its own for programs that know only old algorithms",
		rt.Endpoints.Add)
	edit(rt, "edit-endpoint", "PATCH", "/endpoints/{id}",
		"Change who may connect to a listener with old algorithms, and until when", rt.Endpoints.Edit)
	act(rt, "close-endpoint", "DELETE", "/endpoints/{id}", "Close a listener with old algorithms for good",
		rt.Endpoints.Close)
	list(rt, "list-endpoint-uses", "/endpoints/uses", "List who logged in through listeners with old algorithms",
		model.EndpointUse.Mark, rt.Endpoints.Uses)
	listWhole(rt, "list-sessions", "/sessions", "List live sessions",
		func(context.Context, model.EveryFilter) ([]model.Session, error) { return rt.Sessions.Sessions(), nil })
	act(rt, "end-session", "DELETE", "/sessions/{id}", "End a live session", rt.endSession)
}

func (rt *routes) endSession(_ context.Context, who, id string) (model.Ended, error) {
	n := rt.Sessions.End(func(l *exchange.Login) bool { return l.Session == id })
	if n == 0 {
		return model.Ended{}, fault.E("api.endSession", fault.NotFound, "There is no live session %q.", valid.Printable(id)).
			WithAction("list-sessions")
	}
	rt.Log.Info("a session was ended", "session", id, "actor", who)
	return model.Ended{Ended: n}, nil
}
