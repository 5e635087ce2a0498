package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/model"
)

// SetSequence is the body that says which number comes next.
type SetSequence struct {
	Account string `json:"account,omitempty" doc:"Account that the files are published to; empty: those for all"`
	Next    int64  `json:"next"`
}

// AcceptGap is the body that takes missing numbers off the list.
type AcceptGap struct {
	Account string `json:"account,omitempty" doc:"Account that the files were published to; empty: those for all"`
	From    int64  `json:"from"`
	To      int64  `json:"to"`
	Period  string `json:"period,omitempty" doc:"As the list shows it"`
	Reason  string `json:"reason"`
}

func (rt *routes) sequences() {
	room := rt.r.Feed
	huma.Register(rt, op("list-sequences", "GET", "/feeds/{name}/sequences", "How far the numbers in a feed's names have come, and what is missing"),
		func(ctx context.Context, in *ByName) (*List[model.Sequence], error) {
			v, err := room.Sequences(ctx, in.Name)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("set-sequence", "PUT", "/feeds/{name}/sequences", "Say which number comes next"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[SetSequence]
		}) (*Payload[model.Sequence], error) {
			v, err := room.SetSequence(ctx, actor(ctx), in.Name, in.Body.Account, in.Body.Next)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("forget-sequence", "DELETE", "/feeds/{name}/sequences", "Forget how far numbers have come"),
		func(ctx context.Context, in *struct {
			ByName
			Account string `query:"account" doc:"Empty: those of files for all"`
		}) (*nothing, error) {
			return nil, rt.fail(room.ForgetSequence(ctx, actor(ctx), in.Name, in.Account))
		})
	huma.Register(rt, op("accept-gap", "POST", "/feeds/{name}/sequences/accept", "Take missing numbers off the list"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[AcceptGap]
		}) (*Payload[model.Sequence], error) {
			b := in.Body
			v, err := room.AcceptGap(ctx, actor(ctx), in.Name, b.Account, model.Gap{From: b.From, To: b.To, Period: b.Period}, b.Reason)
			return answer(rt, v, err)
		})
}
