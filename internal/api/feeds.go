package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/model"
)

// NewFeed is the body that makes a feed.
type NewFeed struct {
	Name       string   `json:"name"`
	Title      string   `json:"title,omitempty" doc:"What people read: Call detail records"`
	Kind       string   `json:"kind" doc:"An open label: cdr, data, invoice, report"`
	Types      []string `json:"types,omitempty" doc:"File types it takes; none: every type; any: every type, whatever the content"`
	Zone       string   `json:"zone,omitempty" doc:"Time zone of dated sub-folders"`
	Checks     string   `json:"checks,omitempty" enum:"refuse,flag,off" doc:"What becomes of content that is not what its name says"`
	Retention  string   `json:"retention,omitempty" doc:"How long files stay: 12mo, 90d"`
	Pattern    string   `json:"pattern,omitempty" doc:"What names look like: {account}-{yyyy}{mm}-{seq}.csv"`
	Folders    string   `json:"folders,omitempty" doc:"Dated sub-folders: {yyyy}/{mm}"`
	Producer   string   `json:"producer,omitempty" doc:"Account whose users may publish into it"`
	Recipients []string `json:"recipients,omitempty" doc:"Accounts that may subscribe; none: all"`
	ParentSees string   `json:"parent_sees,omitempty" doc:"nothing or files"`
}

// EditFeed changes a feed; absent fields stay. How long its files stay is a
// retention policy.
type EditFeed struct {
	Title      *string   `json:"title,omitempty"`
	Kind       *string   `json:"kind,omitempty"`
	Zone       *string   `json:"zone,omitempty"`
	Checks     *string   `json:"checks,omitempty" doc:"refuse, flag or off; empty: as configured"`
	Types      *[]string `json:"types,omitempty"`
	Pattern    *string   `json:"pattern,omitempty"`
	Folders    *string   `json:"folders,omitempty"`
	Producer   *string   `json:"producer,omitempty"`
	Recipients *[]string `json:"recipients,omitempty"`
	ParentSees *string   `json:"parent_sees,omitempty"`
}

// NewSubscription is the body that entitles a user to a feed.
type NewSubscription struct {
	User  string   `json:"user"`
	Types []string `json:"types,omitempty" doc:"File types it wants; none: every type of the feed"`
	Dir   string   `json:"dir,omitempty" doc:"Where deliveries appear; by default /download/<feed>"`
	Mail  string   `json:"mail,omitempty" doc:"daily: mail about new files to the technical contacts"`
	May   string   `json:"may,omitempty" enum:"look,remove" doc:"What the user may do with the files"`
	Days  int      `json:"backfill_days,omitempty" doc:"Place what was published in the last days, too"`
}

// EditSubscription changes what a user gets of a feed; absent fields stay.
type EditSubscription struct {
	Types *[]string `json:"types,omitempty" doc:"File types it wants; none: every type of the feed"`
	Dir   *string   `json:"dir,omitempty" doc:"Where deliveries appear from now on"`
	Mail  *string   `json:"mail,omitempty" doc:"daily, or empty for none"`
	May   *string   `json:"may,omitempty" doc:"look or remove; empty: as the user's own setting says"`
}

// Subscriber is one user of a feed.
type Subscriber struct {
	ByName
	User string `path:"user"`
}

// publishInput is a file on its way to a feed.
type publishInput struct {
	Feed    string `path:"name"`
	File    string `path:"file" doc:"File name"`
	Account string `query:"account" doc:"Publish to this account's subscribers"`
	All     bool   `query:"all" doc:"Publish to every subscriber"`
	SHA256  string `query:"sha256" doc:"What the content must have; hexadecimal"`
	Size    int64  `query:"size" default:"-1" doc:"What the content must have, in bytes"`
	Upload  string `query:"upload" doc:"Id of an upload in parts that has the content already"`
	Key     string `header:"Idempotency-Key" doc:"A repeated key publishes nothing again"`
	Streamed
}

func (rt *routes) feeds() {
	room := rt.r.Feed
	huma.Register(rt, op("list-feeds", "GET", "/feeds", "List feeds"),
		func(ctx context.Context, _ *nothing) (*List[model.Feed], error) {
			v, err := room.Feeds(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-feed", "POST", "/feeds", "Add a feed"),
		func(ctx context.Context, in *Payload[NewFeed]) (*Payload[model.Feed], error) {
			v, err := room.AddFeed(ctx, actor(ctx), newFeed(in.Body))
			return answer(rt, v, err)
		})
	huma.Register(rt, op("show-feed", "GET", "/feeds/{name}", "Show a feed"),
		func(ctx context.Context, in *ByName) (*Payload[model.Feed], error) {
			v, err := room.Feed(ctx, in.Name)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("list-subscriptions", "GET", "/feeds/{name}/subscriptions", "List a feed's subscriptions"),
		func(ctx context.Context, in *ByName) (*List[model.Subscription], error) {
			v, err := room.Subscriptions(ctx, in.Name)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("subscribe", "POST", "/feeds/{name}/subscriptions", "Entitle a user to a feed"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[NewSubscription]
		}) (*Payload[model.Subscription], error) {
			v, err := room.Subscribe(ctx, actor(ctx), model.Subscription{Feed: in.Name, User: in.Body.User, Types: in.Body.Types, Dir: in.Body.Dir, Mail: in.Body.Mail, May: in.Body.May}, in.Body.Days)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("unsubscribe", "DELETE", "/feeds/{name}/subscriptions/{user}", "End a user's entitlement"),
		func(ctx context.Context, in *Subscriber) (*nothing, error) {
			return nil, rt.fail(room.Unsubscribe(ctx, actor(ctx), in.Name, in.User))
		})
	huma.Register(rt, op("edit-subscription", "PATCH", "/feeds/{name}/subscriptions/{user}", "Change what a user gets of a feed, and where"),
		func(ctx context.Context, in *struct {
			Subscriber
			Payload[EditSubscription]
		}) (*Payload[model.Subscription], error) {
			v, err := room.SetSubscription(ctx, actor(ctx), in.Name, in.User, feed.SubscriptionEdit{Types: in.Body.Types, Dir: in.Body.Dir, Mail: in.Body.Mail, May: in.Body.May})
			return answer(rt, v, err)
		})
	publish := op("publish", "PUT", "/feeds/{name}/publications/{file}", "Publish a file; its content is the body")
	publish.MaxBodyBytes = -1
	publish.BodyReadTimeout = -1
	huma.Register(rt, publish, func(ctx context.Context, in *publishInput) (*Payload[model.Publication], error) {
		v, err := room.Publish(ctx, actor(ctx), feed.Publication{Feed: in.Feed, Account: in.Account, All: in.All, Name: in.File,
			Body: in.body, Upload: in.Upload, Size: in.Size, SHA256: in.SHA256, IdempotencyKey: in.Key, Via: "api"})
		return answer(rt, v, err)
	})
	huma.Register(rt, op("edit-feed", "PATCH", "/feeds/{name}", "Change a feed"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[EditFeed]
		}) (*Payload[model.Feed], error) {
			e := in.Body
			v, err := room.SetFeed(ctx, actor(ctx), in.Name, feed.FeedEdit{Title: e.Title, Zone: e.Zone, Checks: e.Checks, Kind: e.Kind, Types: e.Types, Pattern: e.Pattern, Folders: e.Folders,
				Producer: e.Producer, Recipients: e.Recipients, ParentSees: e.ParentSees})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("remove-feed", "DELETE", "/feeds/{name}", "Forget a feed that nothing was published in"),
		func(ctx context.Context, in *ByName) (*nothing, error) {
			return nil, rt.fail(room.RemoveFeed(ctx, actor(ctx), in.Name))
		})
}

func newFeed(f NewFeed) model.Feed {
	return model.Feed{Name: f.Name, Title: f.Title, Zone: f.Zone, Checks: f.Checks, Kind: f.Kind, Types: f.Types, Retention: f.Retention, Pattern: f.Pattern, Folders: f.Folders,
		Producer: f.Producer, Recipients: f.Recipients, ParentSees: f.ParentSees}
}

// page asks for a part of a list in order of id.
type Page struct {
	After string `query:"after" doc:"Only what has a larger id"`
	Limit int    `query:"limit" default:"1000" minimum:"1" maximum:"10000"`
}
