package store

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func scanFeed(r *sql.Rows) (f model.Feed, err error) {
	var types, recipients string
	err = r.Scan(&f.Name, &f.Title, &f.Kind, &types, &f.Retention, &f.Pattern, &f.Folders, &f.Zone, &f.Checks, &f.Producer,
		&recipients, &f.ParentSees, stamp{&f.CreatedAt})
	f.Types, f.Recipients = list(types), list(recipients)
	return f, err
}

const feedColumns = `SELECT name, title, kind, types, retention, pattern, folders, zone, checks, producer, recipients,
	parent_sees, created_at FROM feeds`

// Feed finds one feed.
func (q *Q) Feed(name string) (model.Feed, error) {
	return one(q, "Feed", scanFeed, feedColumns+` WHERE name = $1`, name)
}

// Feeds lists feeds by name, one page of them.
func (q *Q) Feeds(p model.Paging) ([]model.Feed, error) {
	return collect(q, "Feeds", scanFeed, feedColumns+` WHERE name > $1 ORDER BY name LIMIT $2`, p.Cursor, most(p))
}

// AddFeed records a feed.
func (tx *Tx) AddFeed(f model.Feed) error {
	_, err := tx.exec("AddFeed", `INSERT INTO feeds (name, kind, types, retention, pattern, folders, producer, recipients,
		parent_sees, created_at, title, zone, checks)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, f.Name, f.Kind, jsonList(f.Types), f.Retention,
		f.Pattern, f.Folders, f.Producer,
		jsonList(f.Recipients), f.ParentSees, micros(f.CreatedAt), f.Title, f.Zone, f.Checks)
	return err
}

// SetFeed changes a feed, except its retention (SetFeedRetention).
func (tx *Tx) SetFeed(f model.Feed) error {
	return tx.execOne("SetFeed", `UPDATE feeds SET kind = $2, types = $3, pattern = $4, folders = $5, producer = $6,
		recipients = $7,
		parent_sees = $8, title = $9, zone = $10, checks = $11 WHERE name = $1`, f.Name, f.Kind, jsonList(f.Types), f.Pattern,
		f.Folders, f.Producer,
		jsonList(f.Recipients), f.ParentSees, f.Title, f.Zone, f.Checks)
}

// FeedUsed reports whether anything was ever published in a feed.
func (q *Q) FeedUsed(name string) (used bool, err error) {
	err = q.scanOne("FeedUsed", `SELECT EXISTS (SELECT 1 FROM publications WHERE feed = $1)`, []any{name}, &used)
	return used, err
}

// RemoveFeed deletes a feed that nothing refers to.
func (tx *Tx) RemoveFeed(name string) error {
	return tx.execOne("RemoveFeed", `DELETE FROM feeds WHERE name = $1`, name)
}

const subscriptionColumns = `SELECT s.id, s.feed, u.name, s.types, s.dir, s.mail, s.may, s.created_at
	FROM subscriptions s JOIN users u ON u.id = s.user_id`

func scanSubscription(r *sql.Rows) (s model.Subscription, err error) {
	var types string
	err = r.Scan(&s.ID, &s.Feed, &s.User, &types, &s.Dir, &s.Mail, &s.May, stamp{&s.CreatedAt})
	s.Types = list(types)
	return s, err
}

// Subscriptions lists a feed's subscriptions by username, one page of them.
func (q *Q) Subscriptions(f model.FeedFilter) ([]model.Subscription, error) {
	return collect(q, "Subscriptions", scanSubscription,
		subscriptionColumns+` WHERE s.feed = $1 AND u.name > $2 ORDER BY u.name LIMIT $3`, f.Feed, f.Cursor, most(f.Paging))
}

// Subscription finds a user's subscription to a feed.
func (q *Q) Subscription(feed, userID string) (model.Subscription, error) {
	return one(q, "Subscription", scanSubscription, subscriptionColumns+` WHERE s.feed = $1 AND s.user_id = $2`, feed,
		userID)
}

// SetSubscription changes a subscription's types, directory, mail address and what the user may do.
func (tx *Tx) SetSubscription(s model.Subscription) error {
	return tx.execOne("SetSubscription",
		`UPDATE subscriptions SET types = $2, dir = $3, mail = $4, may = $5 WHERE id = $1`, s.ID, jsonList(s.Types), s.Dir,
		s.Mail, s.May)
}

// AddSubscription records a user's entitlement; a second one is Exists.
func (tx *Tx) AddSubscription(userID string, s model.Subscription) error {
	_, err := tx.exec("AddSubscription", `INSERT INTO subscriptions (id, feed, user_id, types, dir, mail, created_at, may)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, s.ID, s.Feed, userID, jsonList(s.Types), s.Dir, s.Mail,
		micros(s.CreatedAt), s.May)
	return err
}

// EndSubscription ends an entitlement; what was delivered stays.
func (tx *Tx) EndSubscription(feed, userID string) error {
	return tx.execOne("EndSubscription", `DELETE FROM subscriptions WHERE feed = $1 AND user_id = $2`, feed, userID)
}

// Recipient is a subscription that a publication reaches.
type Recipient struct {
	SubscriptionID, UserID, User, Account, Dir, Mail string
	Types                                            []string
}

func scanRecipient(r *sql.Rows) (v Recipient, err error) {
	var types string
	err = r.Scan(&v.SubscriptionID, &v.UserID, &v.User, &v.Account, &v.Dir, &v.Mail, &types)
	v.Types = list(types)
	return v, err
}

// Recipients lists up to limit of a feed's subscribers in the order of user ids, beginning after one.
// Only subscribers of an account are listed, unless it is "". Subscribers of closed accounts are left
// out.
func (q *Q) Recipients(feed, account, after string, limit int) ([]Recipient, error) {
	const columns = `SELECT s.id, u.id, u.name, u.account_id, s.dir, s.mail, s.types FROM `
	if account == "" {
		return collect(q, "Recipients", scanRecipient, columns+`subscriptions s JOIN users u ON u.id = s.user_id
			JOIN accounts a ON a.id = u.account_id WHERE s.feed = $1 AND s.user_id > $2 AND a.state <> 'closed'
			ORDER BY s.user_id LIMIT 0 + $3`, feed, after, limit)
	}
	// By the account's few users, not by the feed's many subscribers: a file for one account costs the same however
	// many others there are. CROSS JOIN keeps SQLite to that order. Of LIMIT $4 alone it would make a new plan for
	// each call.
	return collect(q, "Recipients", scanRecipient, columns+`users u CROSS JOIN accounts a CROSS JOIN subscriptions s
		WHERE u.account_id = $2 AND u.id > $3 AND a.id = u.account_id AND a.state <> 'closed' AND s.feed = $1
		AND s.user_id = u.id ORDER BY u.id LIMIT 0 + $4`, feed, account, after, limit)
}

// RecipientOf finds one user's subscription, also if the user's account is closed.
func (q *Q) RecipientOf(feed, userID string) (Recipient, error) {
	return one(q, "RecipientOf", scanRecipient, `SELECT s.id, u.id, u.name, u.account_id, s.dir, s.mail, s.types
		FROM subscriptions s JOIN users u ON u.id = s.user_id WHERE s.feed = $1 AND s.user_id = $2`, feed, userID)
}

// NewPublication is a publication's row.
type NewPublication struct {
	ID, Feed, Account, Name, IdempotencyKey, Actor, Via, Flag string
	Size                                                      int64
	SHA256                                                    []byte
	At                                                        time.Time
	Placing                                                   bool // not every mailbox has it yet
}

// AddPublication records a publication; a repeated idempotency key is Exists.
func (tx *Tx) AddPublication(p NewPublication) error {
	if err := tx.take(rankPublication, p.ID); err != nil { // the new row is held until the transaction ends
		return err
	}
	var upTo any
	if p.Placing {
		upTo = ""
	}
	_, err := tx.exec("AddPublication", `INSERT INTO publications (id, feed, account_id, name, size, sha256,
		idempotency_key, actor, via, published_at, placed_up_to, flag)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, p.ID, p.Feed, p.Account, p.Name, p.Size, p.SHA256,
		null(p.IdempotencyKey), p.Actor, p.Via, micros(p.At), upTo, p.Flag)
	return err
}

// Placed records that a publication was placed in mailboxes up to the user id upTo; done means that
// every mailbox has it. It is NotFound if the recorded progress is no longer was.
func (tx *Tx) Placed(id, was, upTo string, done bool) error {
	if err := tx.take(rankPublication, id); err != nil {
		return err
	}
	var now any = upTo
	if done {
		now = nil
	}
	return tx.execOne("Placed", `UPDATE publications SET placed_up_to = $3 WHERE id = $1 AND placed_up_to = $2`, id, was,
		now)
}

// PublicationRow is a publication as it is stored.
type PublicationRow struct {
	model.Publication
	Actor    string
	PlacedTo *string // nil: every mailbox has it
	Key      string  // idempotency key
}

const publicationColumns = `SELECT p.id, p.feed, p.account_id, p.name, p.size, p.sha256, p.published_at, p.via, p.actor,
	p.placed_up_to, COALESCE(p.idempotency_key, ''), p.flag,
	(SELECT COUNT(*) FROM deliveries d WHERE d.publication_id = p.id) FROM publications p`

func scanPublication(r *sql.Rows) (p PublicationRow, err error) {
	var sum []byte
	var upTo sql.NullString
	err = r.Scan(&p.ID, &p.Feed, &p.Account, &p.Name, &p.Size, &sum, stamp{&p.PublishedAt}, &p.Via, &p.Actor, &upTo,
		&p.Key, &p.Flag, &p.Deliveries)
	p.SHA256 = hex.EncodeToString(sum)
	if upTo.Valid {
		p.PlacedTo = &upTo.String
	}
	return p, err
}

// PublicationByKey finds the publication that was made with an idempotency key.
func (q *Q) PublicationByKey(feed, key string) (PublicationRow, error) {
	return one(q, "PublicationByKey", scanPublication, publicationColumns+` WHERE p.feed = $1 AND p.idempotency_key = $2`,
		feed, key)
}

// Publication finds one publication.
func (q *Q) Publication(id string) (PublicationRow, error) {
	return one(q, "Publication", scanPublication, publicationColumns+` WHERE p.id = $1`, id)
}

// LockPublication finds one publication and holds its row.
func (tx *Tx) LockPublication(id string) (PublicationRow, error) {
	if err := tx.take(rankPublication, id); err != nil {
		return PublicationRow{}, err
	}
	lock := tx.s.dialect.lock
	if lock != "" {
		lock += " OF p"
	}
	return one(&tx.Q, "LockPublication", scanPublication, publicationColumns+` WHERE p.id = $1 `+lock, id)
}

// Unplaced lists publications that some mailboxes still lack.
func (q *Q) Unplaced() ([]PublicationRow, error) {
	return collect(q, "Unplaced", scanPublication, publicationColumns+` WHERE p.placed_up_to IS NOT NULL ORDER BY p.id`)
}

// PublicationsSince lists a feed's publications to an account, or to all accounts, from a time on, the
// oldest first. Only those are listed that are placed in every mailbox, whose bytes are still stored,
// and that the user never had.
func (q *Q) PublicationsSince(feed, account, userID string, since time.Time) ([]PublicationRow, error) {
	return collect(q, "PublicationsSince", scanPublication, publicationColumns+` JOIN blobs b ON b.id = p.id
		WHERE p.feed = $1 AND p.published_at >= $3 AND p.account_id IN ('', $2) AND b.state = 'live'
		AND p.placed_up_to IS NULL
		AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.publication_id = p.id AND d.user_id = $4)
		ORDER BY p.published_at, p.id`, feed, account, micros(since), userID)
}

// Came is a file that was received or published at a time.
type Came struct {
	ID      string // of the drop, or the publication
	Version string // a version with the bytes; "" if there is none
	Name    string
	Size    int64
	At      time.Time
}

// PublicationsBetween lists up to 10,000 publications of a feed made in [from, to), in their order:
// those to an account or to all accounts, or every one if account is "". Publications of which every
// delivery was withdrawn are left out.
func (q *Q) PublicationsBetween(feed, account string, from, to time.Time) ([]Came, error) {
	return collect(q, "PublicationsBetween", func(r *sql.Rows) (c Came, err error) {
		err = r.Scan(&c.ID, &c.Name, &c.Size, stamp{&c.At}, &c.Version)
		return c, err
	},
		`SELECT p.id, p.name, p.size, p.published_at,
			COALESCE((SELECT MIN(d.version_id) FROM deliveries d WHERE d.publication_id = p.id), '') FROM publications p
		WHERE p.feed = $1 AND ($2 = '' OR p.account_id IN ('', $2)) AND p.published_at >= $3 AND p.published_at < $4
		AND (NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.publication_id = p.id AND d.state = 'withdrawn')
			OR EXISTS (SELECT 1 FROM deliveries d WHERE d.publication_id = p.id
			AND d.state <> 'withdrawn')) ORDER BY p.published_at LIMIT 10000`, feed, account,
		micros(from), micros(to))
}

// Sequence reads the state of a feed's number sequence for an account and holds the row; NotFound
// before the first number.
func (tx *Tx) Sequence(feed, account string) (model.Sequence, error) {
	if err := tx.take(rankSequence, feed+"/"+account); err != nil {
		return model.Sequence{}, err
	}
	return one(&tx.Q, "Sequence", scanSequence, sequenceColumns+` AND account_id = $2 `+tx.s.dialect.lock, feed, account)
}

const sequenceColumns = `SELECT account_id, last, missing, state FROM feed_sequences WHERE feed = $1`

func scanSequence(r *sql.Rows) (s model.Sequence, err error) {
	var account, missing, state string
	var last int64
	if err = r.Scan(&account, &last, &missing, &state); err == nil {
		err = json.Unmarshal([]byte(state), &s)
	}
	s.Account, s.Last, s.Missing = account, last, nil
	if err == nil {
		err = json.Unmarshal([]byte(missing), &s.Missing)
	}
	return s, err
}

// Sequences lists the states of a feed's number sequences by account, one page of them.
func (q *Q) Sequences(f model.FeedFilter) ([]model.Sequence, error) {
	return collect(q, "Sequences", scanSequence,
		sequenceColumns+` AND ($2 = '' OR account_id > $2) ORDER BY account_id LIMIT $3`, f.Feed, f.Cursor, most(f.Paging))
}

// Gappy is the state of a feed's number sequence in which numbers are missing.
type Gappy struct {
	Feed string
	model.Sequence
}

// GappySequences lists up to limit number sequences in which numbers are missing, of all feeds.
func (q *Q) GappySequences(limit int) ([]Gappy, error) {
	return collect(q, "GappySequences", func(r *sql.Rows) (g Gappy, err error) {
		var missing string
		if err = r.Scan(&g.Feed, &g.Account, &missing); err == nil {
			err = json.Unmarshal([]byte(missing), &g.Missing)
		}
		return g, err
	}, `SELECT feed, account_id, missing FROM feed_sequences WHERE missing NOT IN ('', '[]', 'null')
		ORDER BY feed, account_id LIMIT $1`, limit)
}

// PutSequence records the state of a feed's number sequence for an account.
func (tx *Tx) PutSequence(feed string, s model.Sequence) error {
	missing, err := json.Marshal(s.Missing)
	if err != nil {
		return fault.Wrap("store.PutSequence", fault.Internal, err)
	}
	account, last := s.Account, s.Last
	s.Account, s.Last, s.Missing = "", 0, nil // they have columns of their own
	state, err := json.Marshal(s)
	if err != nil {
		return fault.Wrap("store.PutSequence", fault.Internal, err)
	}
	_, err = tx.exec("PutSequence", `INSERT INTO feed_sequences (feed, account_id, last, missing, state)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (feed, account_id) DO UPDATE SET last = excluded.last, missing = excluded.missing,
		state = excluded.state`,
		feed, account, last, string(missing), string(state))
	return err
}

// RemoveSequence deletes the state of a feed's number sequence for an account.
func (tx *Tx) RemoveSequence(feed, account string) error {
	return tx.execOne("RemoveSequence", `DELETE FROM feed_sequences WHERE feed = $1 AND account_id = $2`, feed, account)
}

// SubscribedFeed is a subscription with its feed's title, retention and types.
type SubscribedFeed struct {
	model.Subscription
	Title, Retention string
	FeedTypes        []string
}

// SubscriptionsOf lists what a user is entitled to, by feed.
func (q *Q) SubscriptionsOf(userID string) ([]SubscribedFeed, error) {
	return collect(q, "SubscriptionsOf", func(r *sql.Rows) (s SubscribedFeed, err error) {
		var types, feedTypes string
		err = r.Scan(&s.ID, &s.Feed, &types, &s.Dir, &s.May, &s.Title, &s.Retention, &feedTypes)
		s.Types, s.FeedTypes = list(types), list(feedTypes)
		return s, err
	}, `SELECT s.id, s.feed, s.types, s.dir, s.may, f.title, f.retention, f.types FROM subscriptions s
		JOIN feeds f ON f.name = s.feed
		WHERE s.user_id = $1 ORDER BY s.feed`, userID)
}

// SubscribedAccounts lists the accounts that have subscribers of a feed.
func (q *Q) SubscribedAccounts(feed string) ([]string, error) {
	return collect(q, "SubscribedAccounts", scanString, `SELECT DISTINCT u.account_id FROM subscriptions s
		JOIN users u ON u.id = s.user_id WHERE s.feed = $1 ORDER BY u.account_id`, feed)
}

// Produces reports whether an account's users may publish into any feed.
func (q *Q) Produces(account string) (yes bool, err error) {
	err = q.scanOne("Produces", `SELECT CASE WHEN EXISTS (SELECT 1 FROM feeds WHERE producer = $1) THEN 1 ELSE 0 END`,
		[]any{account}, &yes)
	return yes, err
}
