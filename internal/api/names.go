package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/model"
)

func (rt *routes) names() {
	room := rt.r.Naming
	huma.Register(rt, op("list-name-policies", "GET", "/names", "List what file names mean: as configured, and what differs for users and folders"),
		func(ctx context.Context, _ *nothing) (*List[model.NamePolicy], error) {
			v, err := room.Policies(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("set-name-policy", "PUT", "/names", "Say what file names mean for a user or in a folder; with no rule, it is as configured again"),
		func(ctx context.Context, in *Payload[model.NamePolicy]) (*Payload[model.NamePolicy], error) {
			v, err := room.SetPolicy(ctx, actor(ctx), in.Body)
			return answer(rt, v, err)
		})
}
