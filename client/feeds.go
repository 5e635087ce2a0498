package client

import (
	"context"
	"net/url"

	"github.com/sallyport-sftp/sallyport/model"
)

// Methods for feeds, subscriptions, sequences and deliveries.

// ListFeeds lists feeds by name.
func (c *Client) ListFeeds(ctx context.Context, q model.EveryFilter) (model.Page[model.Feed], error) {
	return get[model.Page[model.Feed]](ctx, c, "/feeds", q)
}

// AddFeed adds a feed.
func (c *Client) AddFeed(ctx context.Context, in model.NewFeed) (model.Feed, error) {
	return send[model.Feed](ctx, c, "POST", "/feeds", in)
}

// ShowFeed returns a feed.
func (c *Client) ShowFeed(ctx context.Context, name string) (model.Feed, error) {
	return get[model.Feed](ctx, c, at("/feeds/%s", name), nil)
}

// EditFeed changes a feed. Files already delivered are not changed.
func (c *Client) EditFeed(ctx context.Context, name string, in model.EditFeed) (model.Feed, error) {
	return send[model.Feed](ctx, c, "PATCH", at("/feeds/%s", name), in)
}

// RemoveFeed removes a feed in which nothing was published.
func (c *Client) RemoveFeed(ctx context.Context, name string) error {
	return do(ctx, c, "DELETE", at("/feeds/%s", name), nil, nil)
}

// ListSubscriptions lists a feed's subscriptions by username.
func (c *Client) ListSubscriptions(ctx context.Context, q model.FeedFilter) (model.Page[model.Subscription], error) {
	return get[model.Page[model.Subscription]](ctx, c, at("/feeds/%s/subscriptions", q.Feed), q)
}

// Subscribe entitles a user to a feed.
func (c *Client) Subscribe(ctx context.Context, feed string, in model.NewSubscription) (model.Subscription, error) {
	return send[model.Subscription](ctx, c, "POST", at("/feeds/%s/subscriptions", feed), in)
}

// EditSubscription changes what a user gets of a feed, and where.
func (c *Client) EditSubscription(ctx context.Context, feed, user string,
	in model.EditSubscription) (model.Subscription, error) {
	return send[model.Subscription](ctx, c, "PATCH", at("/feeds/%s/subscriptions/%s", feed, user), in)
}

// Unsubscribe ends a user's subscription. Files already delivered stay.
func (c *Client) Unsubscribe(ctx context.Context, feed, user string) error {
	return do(ctx, c, "DELETE", at("/feeds/%s/subscriptions/%s", feed, user), nil, nil)
}

// ListSequences lists the state of the numbers in a feed's file names, by account.
func (c *Client) ListSequences(ctx context.Context, q model.FeedFilter) (model.Page[model.Sequence], error) {
	return get[model.Page[model.Sequence]](ctx, c, at("/feeds/%s/sequences", q.Feed), q)
}

// SetSequence sets the next expected number.
func (c *Client) SetSequence(ctx context.Context, feed string, in model.SetSequence) (model.Sequence, error) {
	return send[model.Sequence](ctx, c, "PUT", at("/feeds/%s/sequences", feed), in)
}

// ForgetSequence deletes the state of the numbers for an account.
func (c *Client) ForgetSequence(ctx context.Context, feed, account string) error {
	return do(ctx, c, "DELETE", at("/feeds/%s/sequences", feed), url.Values{"account": {account}}, nil)
}

// AcceptGap accepts missing numbers, so that they are no longer listed.
func (c *Client) AcceptGap(ctx context.Context, feed string, in model.AcceptGap) (model.Sequence, error) {
	return send[model.Sequence](ctx, c, "POST", at("/feeds/%s/sequences/accept", feed), in)
}

// ListDeliveries lists deliveries in the order they were made.
func (c *Client) ListDeliveries(ctx context.Context, q model.DeliveryFilter) (model.Page[model.Delivery], error) {
	return get[model.Page[model.Delivery]](ctx, c, "/deliveries", q)
}

// ListUncollected lists the accounts that have not downloaded all of their files.
func (c *Client) ListUncollected(ctx context.Context, q model.UncollectedFilter) (model.Page[model.Uncollected],
	error) {
	return get[model.Page[model.Uncollected]](ctx, c, "/deliveries/uncollected", q)
}

// RemindAccounts mails the people of accounts that have not downloaded all of their files.
func (c *Client) RemindAccounts(ctx context.Context, in model.Remind) ([]model.Reminder, error) {
	return send[[]model.Reminder](ctx, c, "POST", "/deliveries/remind", in)
}

// ShowDelivery returns a delivery.
func (c *Client) ShowDelivery(ctx context.Context, id string) (model.Delivery, error) {
	return get[model.Delivery](ctx, c, at("/deliveries/%s", id), nil)
}

// WithdrawDelivery withdraws a delivery.
func (c *Client) WithdrawDelivery(ctx context.Context, id string, in model.Why) (model.Delivery, error) {
	return send[model.Delivery](ctx, c, "POST", at("/deliveries/%s/withdraw", id), in)
}

// DeliveryReceipt returns the signed receipt of a delivery.
func (c *Client) DeliveryReceipt(ctx context.Context, id string) (model.Receipt, error) {
	return get[model.Receipt](ctx, c, at("/deliveries/%s/receipt", id), nil)
}
