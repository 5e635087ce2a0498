package api

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// notify adds the operations on webhooks, messages and mail.
func (rt *routes) notify() {
	service := rt.Notify
	list(rt, "list-webhooks", "/webhooks", "List receivers of events", func(w model.Webhook) string { return w.Name },
		service.Webhooks)
	create(rt, "add-webhook", "/webhooks", "Add a receiver of events; the answer has its secret, this once",
		service.AddWebhook)
	edit(rt, "edit-webhook", "PATCH", "/webhooks/{id}", "Change a receiver of events", service.SetWebhook)
	remove(rt, "remove-webhook", "/webhooks/{id}", "Remove a receiver of events, and what was still to be sent to it",
		service.RemoveWebhook)
	act(rt, "test-webhook", "POST", "/webhooks/{id}/test", "Send a receiver a test event", service.TestWebhook)

	list(rt, "list-messages", "/messages", "List webhooks and mails, the newest first",
		func(m model.Message) string { return m.ID }, service.Messages)
	show(rt, "show-message", "/messages/{id}", "Show a webhook or a mail", service.Message)
	done(rt, "replay-message", "POST", "/messages/{id}/replay", "Send a webhook or a mail again, under the same id",
		func(ctx context.Context, in *Keyed) error { return service.Replay(ctx, actor(ctx), in.Key) })
	create(rt, "replay-dead", "/messages/replay", "Send everything again that was given up",
		func(ctx context.Context, who string, r model.Replay) (model.Count, error) {
			n, err := service.ReplayDead(ctx, who, r.Target)
			return model.Count{Count: int64(n)}, err
		})
	route(rt, "show-queue", "GET", "/queue", "How much waits to be sent, and since when",
		func(ctx context.Context, _ *nothing) (model.Queue, error) { return service.Queue(ctx) })

	route(rt, "list-mail-kinds", "GET", "/mail/kinds", "List the kinds of mail, and the languages of their templates",
		func(ctx context.Context, _ *nothing) (model.MailKinds, error) { return service.MailKinds(ctx) })
	route(rt, "preview-mail", "POST", "/mail/preview", "Write a mail without sending it",
		func(ctx context.Context, in *BodyOf[model.PreviewMail]) (model.MailPreview, error) {
			return service.Preview(ctx, in.Body)
		})
	done(rt, "test-mail", "POST", "/mail/test", "Send a mail now, and say what the server said",
		func(ctx context.Context, in *BodyOf[model.TestMail]) error { return service.TestMail(ctx, in.Body.To) })
	create(rt, "note-bounce", "/mail/bounces", "Note that mail to an address came back",
		service.Bounced)
	create(rt, "report-bounce", "/mail/reports",
		"Hand on a mail server's delivery report; it must be about a mail that was sent from here",
		func(ctx context.Context, who string, r model.MailReport) (model.Message, error) {
			return service.Reported(ctx, who, r.Messages, r.Failures)
		})
}
