package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport-sftp/sallyport/internal/notify"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// NewWebhook is the body that makes a receiver of events.
type NewWebhook struct {
	Name   string   `json:"name"`
	URL    string   `json:"url"`
	Events []string `json:"events,omitempty" doc:"Types; one may end in *; none: all"`
}

// EditWebhook changes a receiver; absent fields stay.
type EditWebhook struct {
	URL     *string   `json:"url,omitempty"`
	Events  *[]string `json:"events,omitempty"`
	Enabled *bool     `json:"enabled,omitempty"`
	Rotate  bool      `json:"rotate_secret,omitempty" doc:"Make a new secret; both sign until the old one is dropped"`
	Retire  bool      `json:"drop_old_secret,omitempty"`
}

// Count says how many.
type Count struct {
	Count int64 `json:"count"`
}

func (rt *routes) notify() {
	room := rt.r.Notify
	huma.Register(rt, op("list-webhooks", "GET", "/webhooks", "List receivers of events"),
		func(ctx context.Context, _ *nothing) (*List[model.Webhook], error) {
			v, err := room.Webhooks(ctx)
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("add-webhook", "POST", "/webhooks", "Add a receiver of events; the answer has its secret, this once"),
		func(ctx context.Context, in *Payload[NewWebhook]) (*Payload[model.Webhook], error) {
			v, err := room.AddWebhook(ctx, actor(ctx), model.Webhook{Name: in.Body.Name, URL: in.Body.URL, Events: in.Body.Events})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("edit-webhook", "PATCH", "/webhooks/{name}", "Change a receiver of events"),
		func(ctx context.Context, in *struct {
			ByName
			Payload[EditWebhook]
		}) (*Payload[model.Webhook], error) {
			e := in.Body
			v, err := room.SetWebhook(ctx, actor(ctx), in.Name, notify.WebhookEdit{URL: e.URL, Events: e.Events, Enabled: e.Enabled, Rotate: e.Rotate, Retire: e.Retire})
			return answer(rt, v, err)
		})
	huma.Register(rt, op("remove-webhook", "DELETE", "/webhooks/{name}", "Remove a receiver of events, and what was still to be sent to it"),
		func(ctx context.Context, in *ByName) (*nothing, error) {
			return nil, rt.fail(room.RemoveWebhook(ctx, actor(ctx), in.Name))
		})
	huma.Register(rt, op("test-webhook", "POST", "/webhooks/{name}/test", "Send a receiver a test event"),
		func(ctx context.Context, in *ByName) (*Payload[model.Message], error) {
			v, err := room.TestWebhook(ctx, actor(ctx), in.Name)
			return answer(rt, v, err)
		})
	rt.messages()
}

func (rt *routes) messages() {
	room := rt.r.Notify
	huma.Register(rt, op("list-messages", "GET", "/messages", "List webhooks and mails, the newest first"),
		func(ctx context.Context, in *struct {
			Channel string `query:"channel" enum:"webhook,mail"`
			State   string `query:"state" enum:"new,queued,sent,dead,bounced"`
			Target  string `query:"target" doc:"Name of a webhook, or an e-mail address"`
			Before  string `query:"before" doc:"Only what has a smaller id"`
			Limit   int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
		}) (*List[model.Message], error) {
			v, err := room.Messages(ctx, store.MessageFilter{Channel: in.Channel, State: in.State, Target: in.Target, Before: in.Before, Limit: in.Limit})
			return answerList(rt, v, err)
		})
	huma.Register(rt, op("show-message", "GET", "/messages/{id}", "Show a webhook or a mail"),
		func(ctx context.Context, in *ByID) (*Payload[model.Message], error) {
			v, err := room.Message(ctx, in.ID)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("replay-message", "POST", "/messages/{id}/replay", "Send a webhook or a mail again, under the same id"),
		func(ctx context.Context, in *ByID) (*nothing, error) {
			return nil, rt.fail(room.Replay(ctx, actor(ctx), in.ID))
		})
	huma.Register(rt, op("replay-dead", "POST", "/messages/replay", "Send everything again that was given up"),
		func(ctx context.Context, in *struct {
			Target string `query:"target" doc:"Only of this receiver"`
		}) (*Payload[Count], error) {
			n, err := room.ReplayDead(ctx, actor(ctx), in.Target)
			return answer(rt, Count{int64(n)}, err)
		})
	huma.Register(rt, op("show-queue", "GET", "/queue", "How much waits to be sent, and since when"),
		func(ctx context.Context, _ *nothing) (*Payload[model.Queue], error) {
			v, err := room.Queue(ctx)
			return answer(rt, v, err)
		})
	huma.Register(rt, op("test-mail", "POST", "/mail/test", "Send a mail now, and say what the server said"),
		func(ctx context.Context, in *Payload[struct {
			To string `json:"to"`
		}]) (*nothing, error) {
			return nil, rt.fail(room.TestMail(ctx, in.Body.To))
		})
	huma.Register(rt, op("note-bounce", "POST", "/mail/bounces", "Note that mail to an address came back"),
		func(ctx context.Context, in *Payload[struct {
			Address string `json:"address"`
			Why     string `json:"why"`
		}]) (*Payload[Count], error) {
			n, err := room.Bounced(ctx, actor(ctx), in.Body.Address, in.Body.Why)
			return answer(rt, Count{n}, err)
		})
	huma.Register(rt, op("report-bounce", "POST", "/mail/reports", "Hand on a mail server's delivery report; it must be about a mail that was sent from here"),
		func(ctx context.Context, in *Payload[MailReport]) (*Payload[model.Message], error) {
			v, err := room.Reported(ctx, actor(ctx), in.Body.Messages, in.Body.Failures)
			return answer(rt, v, err)
		})
}

// MailReport is the body of a delivery report (RFC 3464).
type MailReport struct {
	Messages []string            `json:"messages" doc:"Ids that may be the mail's: before the @ of its Message-ID"`
	Failures []model.MailFailure `json:"failures" doc:"Addresses that were not reached, and why"`
}
