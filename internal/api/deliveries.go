package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// Receipt is a signed text.
type Receipt struct {
	Text string `json:"text" doc:"A signed note; 'sallyport receipt verify' checks it with the public key alone"`
}

func (rt *routes) deliveries() {
	room := rt.r.Feed
	huma.Register(rt, op("list-deliveries", "GET", "/deliveries", "List deliveries"),
		func(ctx context.Context, in *struct {
			Feed        string    `query:"feed"`
			Account     string    `query:"account"`
			User        string    `query:"user"`
			Name        string    `query:"name" doc:"File name"`
			Publication string    `query:"publication" doc:"Only of this publication"`
			State       string    `query:"state" enum:"published,opened,collected,expired,withdrawn,replaced"`
			Since       time.Time `query:"published_after" doc:"Only what was published at this time or later"`
			Uncollected time.Time `query:"uncollected_before" doc:"Only what was published before this and not collected since"`
			Page
		}) (*List[model.Delivery], error) {
			if first := exchange.FirstID(in.Since); !in.Since.IsZero() && first > in.After {
				in.After = first
			}
			f := store.DeliveryFilter{Feed: in.Feed, Account: in.Account, User: in.User, Name: in.Name, State: in.State, Publication: in.Publication, After: in.After, Limit: in.Limit}
			if !in.Uncollected.IsZero() {
				f.Uncollected = exchange.Micros(in.Uncollected)
			}
			v, err := room.Deliveries(ctx, f)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("show-delivery", "GET", "/deliveries/{id}", "Show a delivery"),
		func(ctx context.Context, in *ByID) (*Payload[model.Delivery], error) {
			v, err := room.Delivery(ctx, in.ID)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("withdraw-delivery", "POST", "/deliveries/{id}/withdraw", "Take a delivery back"),
		func(ctx context.Context, in *struct {
			ByID
			Payload[struct {
				Reason string `json:"reason"`
			}]
		}) (*Payload[model.Delivery], error) {
			v, err := room.Withdraw(ctx, actor(ctx), in.ID, in.Body.Reason)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("delivery-receipt", "GET", "/deliveries/{id}/receipt", "The signed receipt of a delivery"),
		func(ctx context.Context, in *ByID) (*Payload[Receipt], error) {
			text, err := room.Receipt(ctx, in.ID)
			return answer(rt, Receipt{text}, err)
		})
}

// NewUpload is the body that begins a file in parts.
type NewUpload struct {
	Size *int64 `json:"size,omitempty" doc:"Bytes that are to come in all"`
}

// partInput is one part.
type partInput struct {
	ByID
	Offset int64 `query:"offset" minimum:"0" doc:"Where the part begins: the upload's offset"`
	Streamed
}

func (rt *routes) uploads() {
	room := rt.r.Feed
	huma.Register(rt, op("begin-upload", "POST", "/uploads", "Begin to send a file in parts, to publish it afterwards"),
		func(ctx context.Context, in *Payload[NewUpload]) (*Payload[feed.Upload], error) {
			size := int64(-1)
			if in.Body.Size != nil {
				size = *in.Body.Size
			}
			v, err := room.BeginUpload(actor(ctx), size)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("show-upload", "GET", "/uploads/{id}", "How far an upload came"),
		func(_ context.Context, in *ByID) (*Payload[feed.Upload], error) {
			v, err := room.UploadStatus(in.ID)
			return answer(rt, v, err)
		})
	part := op("send-part", "PUT", "/uploads/{id}/content", "Send the next part; its content is the body. An answer means that it is durable")
	part.MaxBodyBytes = -1
	part.BodyReadTimeout = -1
	huma.Register(rt, part, func(_ context.Context, in *partInput) (*Payload[feed.Upload], error) {
		body := in.body
		if body == nil {
			body = http.NoBody
		}
		v, err := room.Append(in.ID, in.Offset, io.Reader(body))
		return answer(rt, v, err)
	})
	huma.Register(rt, op("cancel-upload", "DELETE", "/uploads/{id}", "Forget an upload"),
		func(_ context.Context, in *ByID) (*nothing, error) { return nil, rt.fail(room.CancelUpload(in.ID)) })
}
