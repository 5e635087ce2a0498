package api

import (
	"cmp"
	"context"

	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/model"
)

// Subscriber names one user of a feed.
type Subscriber struct {
	Keyed
	User string `path:"user"`
}

func (rt *routes) feeds() {
	service := rt.Feed
	list(rt, "list-feeds", "/feeds", "List feeds", func(f model.Feed) string { return f.Name }, service.Feeds)
	create(rt, "add-feed", "/feeds", "Add a feed", service.AddFeed)
	showAndEdit(rt, editable[model.EditFeed, model.Feed]{noun: "feed", path: "/feeds/{id}", edits: "Change a feed",
		read: service.Feed, change: service.SetFeed})
	remove(rt, "remove-feed", "/feeds/{id}", "Remove a feed that nothing was published in", service.RemoveFeed)

	list(rt, "list-subscriptions", "/feeds/{id}/subscriptions", "List a feed's subscriptions",
		func(s model.Subscription) string { return s.User }, service.Subscriptions)
	edit(rt, "subscribe", "POST", "/feeds/{id}/subscriptions", "Entitle a user to a feed", service.Subscribe)
	type change struct {
		Subscriber
		BodyOf[model.EditSubscription]
	}
	route(rt, "edit-subscription", "PATCH", "/feeds/{id}/subscriptions/{user}",
		"Change what a user gets of a feed, and where", func(ctx context.Context, in *change) (model.Subscription, error) {
			return service.SetSubscription(ctx, actor(ctx), in.Key, in.User, in.Body)
		})
	done(rt, "unsubscribe", "DELETE", "/feeds/{id}/subscriptions/{user}", "End a user's entitlement",
		func(ctx context.Context, in *Subscriber) error {
			return service.Unsubscribe(ctx, actor(ctx), in.Key, in.User)
		})

	rt.sequences()
	rt.publications()

	list(rt, "list-deliveries", "/deliveries", "List deliveries", func(d model.Delivery) string { return d.ID },
		service.Deliveries)
	list(rt, "list-uncollected", "/deliveries/uncollected",
		"List the accounts that have not downloaded all of their files, with whom to write to",
		func(u model.Uncollected) string { return u.Account }, service.Uncollected)
	create(rt, "remind-accounts", "/deliveries/remind",
		"Mail the people of accounts that have not downloaded all of their files; once a day at most", service.Remind)
	show(rt, "show-delivery", "/deliveries/{id}", "Show a delivery", service.Delivery)
	edit(rt, "withdraw-delivery", "POST", "/deliveries/{id}/withdraw", "Take a delivery back",
		func(ctx context.Context, who, id string, w model.Why) (model.Delivery, error) {
			return service.Withdraw(ctx, who, id, w.Reason)
		})
	show(rt, "delivery-receipt", "/deliveries/{id}/receipt", "The signed receipt of a delivery", receipt(service.Receipt))
}

// receipt makes an operation's function of one that returns a signed text.
func receipt(read func(ctx context.Context, id string) (string, error)) func(context.Context, string) (
	model.Receipt, error) {
	return func(ctx context.Context, id string) (model.Receipt, error) {
		text, err := read(ctx, id)
		return model.Receipt{Text: text}, err
	}
}

// sequences adds the operations on the numbers in a feed's file names.
func (rt *routes) sequences() {
	service := rt.Feed
	list(rt, "list-sequences", "/feeds/{id}/sequences",
		"How far the numbers in a feed's names have come, and what is missing",
		func(s model.Sequence) string { return cmp.Or(s.Account, " ") }, service.Sequences)
	edit(rt, "set-sequence", "PUT", "/feeds/{id}/sequences", "Say which number comes next",
		func(ctx context.Context, who, feed string, s model.SetSequence) (model.Sequence, error) {
			return service.SetSequence(ctx, who, feed, s.Account, s.Next)
		})
	type of struct {
		Keyed
		Account string `query:"account" doc:"Empty: those of files for all"`
	}
	done(rt, "forget-sequence", "DELETE", "/feeds/{id}/sequences", "Forget how far numbers have come",
		func(ctx context.Context, in *of) error {
			return service.ForgetSequence(ctx, actor(ctx), in.Key, in.Account)
		})
	edit(rt, "accept-gap", "POST", "/feeds/{id}/sequences/accept", "Take missing numbers off the list",
		func(ctx context.Context, who, feed string, g model.AcceptGap) (model.Sequence, error) {
			return service.AcceptGap(ctx, who, feed, g.Account, model.Gap{From: g.From, To: g.To, Period: g.Period}, g.Reason)
		})
}

// publications adds the operations that publish files, in one request or in parts.
func (rt *routes) publications() {
	service := rt.Feed
	type file struct {
		model.PublishFile
		Streamed
	}
	register(rt, upload("publish", "/feeds/{id}/publications/{file}", "Publish a file; its content is the body"),
		func(ctx context.Context, in *file) (model.Publication, error) {
			return service.Publish(ctx, actor(ctx),
				feed.Publication{Feed: in.Feed, Account: in.Account, All: in.All, Name: in.File, Body: in.body,
					Upload: in.Upload, Size: in.Size, SHA256: in.SHA256, IdempotencyKey: in.Key, Via: "api"})
		})
	create(rt, "begin-upload", "/uploads", "Begin to send a file in parts, to publish it afterwards",
		func(_ context.Context, who string, n model.NewUpload) (model.Upload, error) {
			size := int64(-1)
			if n.Size != nil {
				size = *n.Size
			}
			return service.BeginUpload(who, size)
		})
	show(rt, "show-upload", "/uploads/{id}", "How far an upload came",
		func(_ context.Context, id string) (model.Upload, error) { return service.UploadStatus(id) })
	type part struct {
		Keyed
		Offset int64 `query:"offset" minimum:"0" doc:"Where the part begins: the upload's offset"`
		Streamed
	}
	register(rt, upload("send-part", "/uploads/{id}/content",
		"Send the next part; its content is the body. An answer means that it is durable"),
		func(_ context.Context, in *part) (model.Upload, error) {
			return service.Append(in.Key, in.Offset, in.body)
		})
	remove(rt, "cancel-upload", "/uploads/{id}", "Forget an upload",
		func(_ context.Context, _, id string) error { return service.CancelUpload(id) })
}
