package store

import (
	"database/sql"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// Heap sums up what waits of one account, consumer or receiver.
type Heap struct {
	Name   string
	Count  int64
	Oldest time.Time
}

func scanHeap(r *sql.Rows) (h Heap, err error) {
	err = r.Scan(&h.Name, &h.Count, stamp{&h.Oldest})
	return h, err
}

// The queries below look at most rows at the oldest rows of a partial index, so that they take the same
// time among a million files. A sum of most counts as "at least".

// LateDeliveries sums up, by account, what was published before a time and is not collected. Closed
// accounts are left out.
func (q *Q) LateDeliveries(before time.Time, most int) ([]Heap, error) {
	return collect(q, "LateDeliveries", scanHeap, `SELECT u.account_id, COUNT(*), MIN(d.published_at)
		FROM (SELECT user_id, published_at FROM deliveries WHERE state IN ('published', 'opened') AND taken_at IS NULL
		AND published_at < $1 ORDER BY published_at LIMIT $2) d
		JOIN users u ON u.id = d.user_id JOIN accounts a ON a.id = u.account_id WHERE a.state <> 'closed'
		GROUP BY u.account_id ORDER BY 2 DESC, 1`, micros(before), most)
}

// WaitingDropsBefore sums up, by account, received files in a state that came before a time. Those that
// their sender took back, and those whose name may be temporary, are left out.
func (q *Q) WaitingDropsBefore(state model.DropState, before time.Time, most int) ([]Heap, error) {
	return collect(q, "WaitingDropsBefore", scanHeap, `SELECT u.account_id, COUNT(*), MIN(d.received_at)
		FROM (SELECT user_id, received_at FROM drops WHERE state = $1 AND id < $2 AND withdrawn = 0 AND ready_at = 0
		ORDER BY id LIMIT $3) d JOIN users u ON u.id = d.user_id
		GROUP BY u.account_id ORDER BY 2 DESC, 1`, state, exchange.FirstID(before), most)
}

// ExpiredClaims sums up, by consumer, claims that ended without an answer.
func (q *Q) ExpiredClaims(now time.Time, most int) ([]Heap, error) {
	return collect(q, "ExpiredClaims", scanHeap, `SELECT consumer, COUNT(*), MIN(claim_until)
		FROM (SELECT consumer, claim_until FROM drops WHERE state = 'claimed' AND claim_until < $1
		ORDER BY claim_until LIMIT $2) d GROUP BY consumer ORDER BY 2 DESC, 1`, micros(now), most)
}

// DeadMessages sums up, by receiver, messages that were given up.
func (q *Q) DeadMessages(most int) ([]Heap, error) {
	return collect(q, "DeadMessages", scanHeap, `SELECT target, COUNT(*), MIN(created_at)
		FROM (SELECT target, created_at FROM messages WHERE state = 'dead' ORDER BY created_at LIMIT $1) m
		GROUP BY target ORDER BY 2 DESC, 1`, most)
}

// BouncedContacts lists present contacts whose mail came back, the latest first.
func (q *Q) BouncedContacts(most int) ([]model.Contact, error) {
	return collect(q, "BouncedContacts", scanContact, contactColumns+` WHERE bounced_at IS NOT NULL AND left_at IS NULL
		ORDER BY bounced_at DESC, id LIMIT $1`, most)
}

// UnreachableAccounts lists accounts with users, and without a present contact whose mail arrives.
// Closed accounts are left out.
func (q *Q) UnreachableAccounts(most int) ([]string, error) {
	return collect(q, "UnreachableAccounts", scanString, `SELECT a.id FROM accounts a WHERE a.state <> 'closed'
		AND EXISTS (SELECT 1 FROM users u WHERE u.account_id = a.id AND u.kind <> 'service' AND u.enabled = 1)
		AND NOT EXISTS (SELECT 1 FROM contacts c WHERE c.account_id = a.id AND c.left_at IS NULL AND c.bounced_at IS NULL)
		ORDER BY a.id LIMIT $1`, most)
}

// BannedPartners lists banned addresses from which somebody logged in after a time.
func (q *Q) BannedPartners(now, since time.Time, most int) ([]string, error) {
	return collect(q, "BannedPartners", scanString, `SELECT b.address FROM bans b JOIN addresses a ON a.address = b.address
		WHERE b.until > $1 AND a.last_ok > $2 ORDER BY b.since DESC, b.address LIMIT $3`, micros(now), micros(since), most)
}

// ExpiringKeys lists keys that expire in a span of time and are not being replaced, the first first.
func (q *Q) ExpiringKeys(from, to time.Time, most int) ([]model.Key, error) {
	return collect(q, "ExpiringKeys", scanKey, keyColumns+` WHERE k.expires_at >= $1 AND k.expires_at < $2
		AND k.revoked_at IS NULL AND k.retires_at IS NULL AND u.enabled = 1 ORDER BY k.expires_at, k.id LIMIT $3`,
		micros(from), micros(to), most)
}

// FlaggedKeys lists keys that somebody should look into.
func (q *Q) FlaggedKeys(most int) ([]model.Key, error) {
	return collect(q, "FlaggedKeys", scanKey, keyColumns+` WHERE k.flag <> '' AND k.revoked_at IS NULL ORDER BY k.id
		LIMIT $1`, most)
}

// NearLimits lists users and accounts that are close to a storage limit.
func (q *Q) NearLimits(most int) (users, accounts []string, err error) {
	if users, err = collect(q, "NearLimits", scanString, `SELECT u.name FROM mailboxes m JOIN users u ON u.id = m.user_id
		WHERE m.near_at > 0 ORDER BY u.name LIMIT $1`, most); err != nil {
		return nil, nil, err
	}
	accounts, err = collect(q, "NearLimits", scanString, `SELECT id FROM accounts WHERE near_at > 0 ORDER BY id LIMIT $1`,
		most)
	return users, accounts, err
}

// UntoldNotices lists the users of notices made before a time that nobody was told of.
func (q *Q) UntoldNotices(before time.Time, most int) ([]string, error) {
	return collect(q, "UntoldNotices", scanString, `SELECT COALESCE(u.name, '') FROM notices n
		LEFT JOIN users u ON u.id = n.user_id WHERE n.done_at IS NULL AND n.mailed_at IS NULL AND n.at < $1
		ORDER BY n.id LIMIT $2`, micros(before), most)
}

// DisabledWebhooks lists receivers that the server switched off.
func (q *Q) DisabledWebhooks() ([]string, error) {
	return collect(q, "DisabledWebhooks", scanString, `SELECT name FROM webhooks WHERE enabled = 0 AND note <> ''
		ORDER BY name`)
}

// grown is how many blobs Growth looks at, at most.
const grown = 20_000

// Growth returns how many bytes were stored since a time, and since when: the time may be later if many
// were stored.
func (q *Q) Growth(since time.Time) (bytes int64, from time.Time, err error) {
	var n int64
	var oldest time.Time
	err = q.scanOne("Growth", `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT), COUNT(*), COALESCE(MIN(created_at), 0)
		FROM (SELECT size, created_at FROM blobs WHERE id >= $1 ORDER BY id DESC LIMIT $2) b`,
		[]any{exchange.FirstID(since), grown}, &bytes, &n, stampOrZero{&oldest})
	if n < grown {
		return bytes, since, err
	}
	return bytes, oldest, err
}

// OpenDeliveries lists what a user has not collected, the oldest first.
func (q *Q) OpenDeliveries(userID string, most int) ([]DeliveryRow, error) {
	return collect(q, "OpenDeliveries", scanDelivery, deliveryColumns+` WHERE d.user_id = $1
		AND d.state IN ('published', 'opened') AND d.taken_at IS NULL ORDER BY d.id LIMIT $2`, userID, most)
}

// OpenDrops lists what a user sent and nobody has claimed, the oldest first. The bound on the path has
// the index of unclaimed drops used, and not that of all.
func (q *Q) OpenDrops(userID string, most int) ([]model.Drop, error) {
	return collect(q, "OpenDrops", scanDrop, dropColumns+` WHERE d.user_id = $1 AND d.state IN ('new', 'unscanned')
		AND d.path >= $3 AND d.withdrawn = 0 ORDER BY d.id || '' LIMIT $2`, userID, most, []byte{})
}

// recentTries is how many of a user's latest connections LastTries looks at, by name.
const recentTries = 1000

// LastTries returns the latest log-in and the latest failed connections of a user with some names (NamesOf),
// among its recent ones.
func (q *Q) LastTries(names []string, failures int) (ok *model.Connection, failed []model.Connection, err error) {
	recent := `SELECT * FROM (` + connectionColumns + ` WHERE user_name = $1 ORDER BY at DESC LIMIT $2) c
		WHERE logged_in = $3 ORDER BY at DESC LIMIT $4`
	failed = []model.Connection{}
	for _, name := range names {
		good, err := collect(q, "LastTries", scanConnection, recent, name, recentTries, 1, 1)
		if err != nil {
			return nil, nil, err
		}
		if len(good) > 0 && (ok == nil || good[0].At.After(ok.At)) {
			ok = &good[0]
		}
		bad, err := collect(q, "LastTries", scanConnection, recent, name, recentTries, 0, failures)
		if err != nil {
			return nil, nil, err
		}
		failed = append(failed, bad...)
	}
	slices.SortStableFunc(failed, func(a, b model.Connection) int { return b.At.Compare(a.At) })
	return ok, failed[:min(failures, len(failed))], nil
}

// FirstLogin returns the first log-in of a user with some names, among its oldest connections on record; nil
// if there is none.
func (q *Q) FirstLogin(names []string) (first *time.Time, err error) {
	for _, name := range names {
		var at time.Time
		err := q.scanOne("FirstLogin", `SELECT MIN(at) FROM (SELECT at, logged_in FROM connections WHERE user_name = $1
			ORDER BY at LIMIT $2) c WHERE logged_in = 1`, []any{name, recentTries}, stamp{&at})
		if err != nil {
			return nil, err
		}
		if !at.IsZero() && (first == nil || at.Before(*first)) {
			first = &at
		}
	}
	return first, nil
}

// KeysOfAccount lists the keys of an account's users that are not revoked, by user.
func (q *Q) KeysOfAccount(account string, most int) ([]model.Key, error) {
	return collect(q, "KeysOfAccount", scanKey, keyColumns+` WHERE u.account_id = $1 AND k.revoked_at IS NULL
		ORDER BY u.name, k.id LIMIT $2`, account, most)
}

// FeedsOfAccount lists what the users of an account are entitled to, by user and feed.
func (q *Q) FeedsOfAccount(account string, most int) ([]model.FeedLine, error) {
	return collect(q, "FeedsOfAccount", func(r *sql.Rows) (l model.FeedLine, err error) {
		var types string
		err = r.Scan(&l.User, &l.Feed, &l.Title, &l.Dir, &types)
		l.Types = list(types)
		return l, err
	}, `SELECT u.name, s.feed, f.title, s.dir, s.types FROM subscriptions s JOIN users u ON u.id = s.user_id
		JOIN feeds f ON f.name = s.feed WHERE u.account_id = $1 ORDER BY u.name, s.feed LIMIT $2`, account, most)
}

// ChildAccounts lists the accounts below an account.
func (q *Q) ChildAccounts(id string, most int) ([]string, error) {
	return collect(q, "ChildAccounts", scanString, `SELECT id FROM accounts WHERE parent = $1 ORDER BY id LIMIT $2`, id,
		most)
}

// HoldsOf lists the live holds on an account and on its users.
func (q *Q) HoldsOf(account string, most int) ([]model.Hold, error) {
	return collect(q, "HoldsOf", scanHold, holdColumns+` WHERE released_at IS NULL AND (kind = 'account' AND target = $1
		OR kind = 'user' AND target IN (SELECT id FROM users WHERE account_id = $1)) ORDER BY id LIMIT $2`, account, most)
}

// AccountExpectations lists the expectations of an account: of its users' uploads, and of what is published
// to it.
func (q *Q) AccountExpectations(account string) ([]model.Expectation, error) {
	return collect(q, "AccountExpectations", scanExpectation, expectationColumns+` WHERE e.account_id = $1
		OR e.user_id IN (SELECT id FROM users WHERE account_id = $1) ORDER BY e.name`, account)
}
