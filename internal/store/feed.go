package store

import (
	"database/sql"
	"encoding/hex"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

func scanFeed(r *sql.Rows) (f exchange.Feed, err error) {
	var types string
	var created int64
	err = r.Scan(&f.Name, &f.Kind, &types, &f.Retention, &created)
	f.Types, f.CreatedAt = list(types), exchange.FromMicros(created)
	return f, err
}

const feedColumns = `SELECT name, kind, types, retention, created_at FROM feeds`

// Feed finds one feed.
func (q *Q) Feed(name string) (exchange.Feed, error) {
	return one(q, "Feed", scanFeed, feedColumns+` WHERE name = $1`, name)
}

// Feeds lists every feed by name.
func (q *Q) Feeds() ([]exchange.Feed, error) {
	return collect(q, "Feeds", scanFeed, feedColumns+` ORDER BY name`)
}

// AddFeed records a feed.
func (tx *Tx) AddFeed(f exchange.Feed) error {
	_, err := tx.exec("AddFeed", `INSERT INTO feeds (name, kind, types, retention, created_at) VALUES ($1, $2, $3, $4, $5)`,
		f.Name, f.Kind, jsonList(f.Types), f.Retention, exchange.Micros(f.CreatedAt))
	return err
}

const subscriptionColumns = `SELECT s.id, s.feed, u.name, s.types, s.dir, s.created_at
	FROM subscriptions s JOIN users u ON u.id = s.user_id`

func scanSubscription(r *sql.Rows) (s exchange.Subscription, err error) {
	var types string
	var created int64
	err = r.Scan(&s.ID, &s.Feed, &s.User, &types, &s.Dir, &created)
	s.Types, s.CreatedAt = list(types), exchange.FromMicros(created)
	return s, err
}

// Subscriptions lists a feed's subscriptions by username.
func (q *Q) Subscriptions(feed string) ([]exchange.Subscription, error) {
	return collect(q, "Subscriptions", scanSubscription, subscriptionColumns+` WHERE s.feed = $1 ORDER BY u.name`, feed)
}

// AddSubscription records a user's entitlement; a second one is Exists.
func (tx *Tx) AddSubscription(userID string, s exchange.Subscription) error {
	_, err := tx.exec("AddSubscription", `INSERT INTO subscriptions (id, feed, user_id, types, dir, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`, s.ID, s.Feed, userID, jsonList(s.Types), s.Dir, exchange.Micros(s.CreatedAt))
	return err
}

// EndSubscription ends an entitlement; what was delivered stays.
func (tx *Tx) EndSubscription(feed, userID string) error {
	return tx.execOne("EndSubscription", `DELETE FROM subscriptions WHERE feed = $1 AND user_id = $2`, feed, userID)
}

// Recipient is a subscription that a publication reaches.
type Recipient struct {
	SubscriptionID, UserID, User, Dir string
	Types                             []string
}

// Recipients lists a feed's subscribers of one account (or of all when
// account is ""), whose account is not closed.
func (q *Q) Recipients(feed, account string) ([]Recipient, error) {
	return collect(q, "Recipients", func(r *sql.Rows) (v Recipient, err error) {
		var types string
		err = r.Scan(&v.SubscriptionID, &v.UserID, &v.User, &v.Dir, &types)
		v.Types = list(types)
		return v, err
	}, `SELECT s.id, u.id, u.name, s.dir, s.types FROM subscriptions s JOIN users u ON u.id = s.user_id
		JOIN accounts a ON a.id = u.account_id
		WHERE s.feed = $1 AND ($2 = '' OR u.account_id = $2) AND a.state <> 'closed' ORDER BY u.id`, feed, account)
}

// NewPublication is a publication's row.
type NewPublication struct {
	ID, Feed, Account, Name, IdempotencyKey, Actor string
	Size                                           int64
	SHA256                                         []byte
	At                                             int64 // µs
}

// AddPublication records a publication; a repeated idempotency key is Exists.
func (tx *Tx) AddPublication(p NewPublication) error {
	_, err := tx.exec("AddPublication", `INSERT INTO publications (id, feed, account_id, name, size, sha256, idempotency_key, actor, published_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, p.ID, p.Feed, p.Account, p.Name, p.Size, p.SHA256,
		null(p.IdempotencyKey), p.Actor, p.At)
	return err
}

// PublicationByKey finds what an idempotency key published before.
func (q *Q) PublicationByKey(feed, key string) (exchange.Publication, error) {
	return one(q, "PublicationByKey", func(r *sql.Rows) (p exchange.Publication, err error) {
		var sum []byte
		var at int64
		err = r.Scan(&p.ID, &p.Feed, &p.Account, &p.Name, &p.Size, &sum, &at, &p.Deliveries)
		p.SHA256, p.PublishedAt = hex.EncodeToString(sum), exchange.FromMicros(at)
		return p, err
	}, `SELECT p.id, p.feed, p.account_id, p.name, p.size, p.sha256, p.published_at,
		(SELECT COUNT(*) FROM deliveries d WHERE d.publication_id = p.id)
		FROM publications p WHERE p.feed = $1 AND p.idempotency_key = $2`, feed, key)
}

// HasPublication reports whether a publication was committed.
func (q *Q) HasPublication(id string) (bool, error) {
	var n int64
	err := q.scanOne("HasPublication", `SELECT COUNT(*) FROM publications WHERE id = $1`, []any{id}, &n)
	return n > 0, err
}

// SubscribedFeed is a feed as one subscriber has it.
type SubscribedFeed struct {
	exchange.Subscription
	Retention string
	FeedTypes []string
}

// SubscriptionsOf lists what a user is entitled to, by feed.
func (q *Q) SubscriptionsOf(userID string) ([]SubscribedFeed, error) {
	return collect(q, "SubscriptionsOf", func(r *sql.Rows) (s SubscribedFeed, err error) {
		var types, feedTypes string
		err = r.Scan(&s.ID, &s.Feed, &types, &s.Dir, &s.Retention, &feedTypes)
		s.Types, s.FeedTypes = list(types), list(feedTypes)
		return s, err
	}, `SELECT s.id, s.feed, s.types, s.dir, f.retention, f.types FROM subscriptions s JOIN feeds f ON f.name = s.feed
		WHERE s.user_id = $1 ORDER BY s.feed`, userID)
}
