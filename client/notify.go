package client

import (
	"context"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for webhooks, messages and mail.

// ListWebhooks lists receivers of events by name, without their secrets.
func (c *Client) ListWebhooks(ctx context.Context, q model.EveryFilter) (model.Page[model.Webhook], error) {
	return get[model.Page[model.Webhook]](ctx, c, "/webhooks", q)
}

// AddWebhook adds a receiver of events. The answer contains its secret, which is not shown again.
func (c *Client) AddWebhook(ctx context.Context, in model.NewWebhook) (model.Webhook, error) {
	return send[model.Webhook](ctx, c, "POST", "/webhooks", in)
}

// EditWebhook changes a receiver of events.
func (c *Client) EditWebhook(ctx context.Context, name string, in model.EditWebhook) (model.Webhook, error) {
	return send[model.Webhook](ctx, c, "PATCH", at("/webhooks/%s", name), in)
}

// RemoveWebhook removes a receiver of events, and the messages that were still to be sent to it.
func (c *Client) RemoveWebhook(ctx context.Context, name string) error {
	return do(ctx, c, "DELETE", at("/webhooks/%s", name), nil, nil)
}

// TestWebhook sends a receiver a test event.
func (c *Client) TestWebhook(ctx context.Context, name string) (model.Message, error) {
	return send[model.Message](ctx, c, "POST", at("/webhooks/%s/test", name), nil)
}

// ListMessages lists webhook messages and mails, the newest first.
func (c *Client) ListMessages(ctx context.Context, q model.MessageFilter) (model.Page[model.Message], error) {
	return get[model.Page[model.Message]](ctx, c, "/messages", q)
}

// ShowMessage returns a webhook message or a mail.
func (c *Client) ShowMessage(ctx context.Context, id string) (model.Message, error) {
	return get[model.Message](ctx, c, at("/messages/%s", id), nil)
}

// ReplayMessage sends a webhook message or a mail again, under the same id.
func (c *Client) ReplayMessage(ctx context.Context, id string) error {
	return do(ctx, c, "POST", at("/messages/%s/replay", id), nil, nil)
}

// ReplayDead sends all messages again that were given up.
func (c *Client) ReplayDead(ctx context.Context, in model.Replay) (model.Count, error) {
	return send[model.Count](ctx, c, "POST", "/messages/replay", in)
}

// ShowQueue says how many messages wait to be sent, and since when.
func (c *Client) ShowQueue(ctx context.Context) (model.Queue, error) {
	return get[model.Queue](ctx, c, "/queue", nil)
}

// ListMailKinds lists the kinds of mail, and the languages that there are templates of.
func (c *Client) ListMailKinds(ctx context.Context) (model.MailKinds, error) {
	return get[model.MailKinds](ctx, c, "/mail/kinds", nil)
}

// PreviewMail writes a mail without sending it.
func (c *Client) PreviewMail(ctx context.Context, in model.PreviewMail) (model.MailPreview, error) {
	return send[model.MailPreview](ctx, c, "POST", "/mail/preview", in)
}

// TestMail sends a mail now. An error has the mail server's answer.
func (c *Client) TestMail(ctx context.Context, in model.TestMail) error {
	return do(ctx, c, "POST", "/mail/test", nil, in)
}

// NoteBounce notes that mail to an address came back.
func (c *Client) NoteBounce(ctx context.Context, in model.Bounce) (model.Bounced, error) {
	return send[model.Bounced](ctx, c, "POST", "/mail/bounces", in)
}

// ReportBounce passes a mail server's delivery report to the server.
func (c *Client) ReportBounce(ctx context.Context, in model.MailReport) (model.Message, error) {
	return send[model.Message](ctx, c, "POST", "/mail/reports", in)
}
