package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Ended says how many sessions were ended.
type Ended struct {
	Ended int `json:"ended"`
}

func (rt *routes) server() {
	huma.Register(rt, op("show-server", "GET", "/server", "Show what this deployment says of itself"),
		func(context.Context, *nothing) (*Payload[Server], error) { return &Payload[Server]{rt.r.Server}, nil })
	huma.Register(rt, op("list-hostkeys", "GET", "/hostkeys", "List the server's host keys"),
		func(context.Context, *nothing) (*List[model.HostKey], error) {
			return answerList(rt, rt.r.HostKeys, nil)
		})
	huma.Register(rt, op("list-sessions", "GET", "/sessions", "List live sessions"),
		func(context.Context, *nothing) (*List[model.Session], error) {
			return answerList(rt, rt.r.Sessions.Sessions(), nil)
		})
	huma.Register(rt, op("end-session", "DELETE", "/sessions/{id}", "End a live session"),
		func(ctx context.Context, in *ByID) (*Payload[Ended], error) {
			n := rt.r.Sessions.End(func(l *exchange.Login) bool { return l.Session == in.ID })
			if n == 0 {
				return nil, rt.fail(fault.E("api.endSession", fault.NotFound, "There is no live session %q.", valid.Printable(in.ID)).
					WithHint("list them with: sallyport session list"))
			}
			rt.r.Log.Info("a session was ended", "session", in.ID, "actor", actor(ctx))
			return &Payload[Ended]{Ended{n}}, nil
		})
}
