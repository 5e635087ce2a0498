package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// NewFeed is the body that makes a feed.
type NewFeed struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind" doc:"An open label: cdr, data, invoice, report"`
	Types     []string `json:"types,omitempty" doc:"File types it takes; none: every type"`
	Retention string   `json:"retention,omitempty" doc:"How long files stay: 12mo, 90d"`
}

// NewSubscription is the body that entitles a user to a feed.
type NewSubscription struct {
	User  string   `json:"user"`
	Types []string `json:"types,omitempty" doc:"File types it wants; none: every type of the feed"`
	Dir   string   `json:"dir,omitempty" doc:"Where deliveries appear; by default /download/<feed>"`
}

// publishInput is a file on its way to a feed.
type publishInput struct {
	Feed    string `path:"name"`
	File    string `path:"file" doc:"File name"`
	Account string `query:"account" doc:"Publish to this account's subscribers"`
	All     bool   `query:"all" doc:"Publish to every subscriber"`
	SHA256  string `query:"sha256" doc:"What the content must have; hexadecimal"`
	Size    int64  `query:"size" default:"-1" doc:"What the content must have, in bytes"`
	Key     string `header:"Idempotency-Key" doc:"A repeated key publishes nothing again"`
	Streamed
}

func (rt *routes) feeds() {
	room := rt.r.Feed
	huma.Register(rt, op("list-feeds", "GET", "/feeds", "List feeds"),
		func(ctx context.Context, _ *nothing) (*List[exchange.Feed], error) {
			v, err := room.Feeds(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-feed", "POST", "/feeds", "Add a feed"),
		func(ctx context.Context, in *Payload[NewFeed]) (*Payload[exchange.Feed], error) {
			v, err := room.AddFeed(ctx, actor(ctx), exchange.Feed{Name: in.Body.Name, Kind: in.Body.Kind, Types: in.Body.Types, Retention: in.Body.Retention})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("show-feed", "GET", "/feeds/{name}", "Show a feed"),
		func(ctx context.Context, in *ByName) (*Payload[exchange.Feed], error) {
			v, err := room.Feed(ctx, in.Name)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("list-subscriptions", "GET", "/feeds/{name}/subscriptions", "List a feed's subscriptions"),
		func(ctx context.Context, in *ByName) (*List[exchange.Subscription], error) {
			v, err := room.Subscriptions(ctx, in.Name)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("subscribe", "POST", "/feeds/{name}/subscriptions", "Entitle a user to a feed"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[NewSubscription]
		}) (*Payload[exchange.Subscription], error) {
			v, err := room.Subscribe(ctx, actor(ctx), exchange.Subscription{Feed: in.Name, User: in.Body.User, Types: in.Body.Types, Dir: in.Body.Dir})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("unsubscribe", "DELETE", "/feeds/{name}/subscriptions/{user}", "End a user's entitlement"),
		func(ctx context.Context, in *struct {
			ByName
			User string `path:"user"`
		}) (*nothing, error) {
			return nil, rt.fail(room.Unsubscribe(ctx, actor(ctx), in.Name, in.User))
		})
	publish := op("publish", "PUT", "/feeds/{name}/publications/{file}", "Publish a file; its content is the body")
	publish.MaxBodyBytes = -1
	publish.BodyReadTimeout = -1
	huma.Register(rt, publish, func(ctx context.Context, in *publishInput) (*Payload[exchange.Publication], error) {
		v, err := room.Publish(ctx, actor(ctx), feed.Publication{Feed: in.Feed, Account: in.Account, All: in.All, Name: in.File,
			Body: in.body, Size: in.Size, SHA256: in.SHA256, IdempotencyKey: in.Key})
		return answer(rt, v, err)
	})
	huma.Register(rt, op("list-deliveries", "GET", "/deliveries", "List deliveries"),
		func(ctx context.Context, in *struct {
			Feed    string `query:"feed"`
			Account string `query:"account"`
			State   string `query:"state" enum:"published,opened,collected,expired,withdrawn"`
			Page
		}) (*List[exchange.Delivery], error) {
			v, err := room.Deliveries(ctx, store.DeliveryFilter{Feed: in.Feed, Account: in.Account, State: in.State, After: in.After, Limit: in.Limit})
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("show-delivery", "GET", "/deliveries/{id}", "Show a delivery"),
		func(ctx context.Context, in *ByID) (*Payload[exchange.Delivery], error) {
			v, err := room.Delivery(ctx, in.ID)
			return answer(rt, v, err)
		})
}

// page asks for a part of a list in order of id.
type Page struct {
	After string `query:"after" doc:"Only what has a larger id"`
	Limit int    `query:"limit" default:"1000" minimum:"1" maximum:"10000"`
}
