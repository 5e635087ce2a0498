package store

// CountUncollected counts the deliveries to an account's users that were not downloaded in full and are still there.
func (q *Q) CountUncollected(account string) (n int64, err error) {
	err = q.scanOne("CountUncollected", `SELECT COUNT(*) FROM deliveries d JOIN users u ON u.id = d.user_id
		WHERE u.account_id = $1 AND d.state IN ('published', 'opened') AND d.taken_at IS NULL`, []any{account}, &n)
	return n, err
}

// FeedNames lists the feeds that an account's users subscribe to.
func (q *Q) FeedNames(account string) ([]string, error) {
	return collect(q, "FeedNames", scanString, `SELECT DISTINCT s.feed FROM subscriptions s
		JOIN users u ON u.id = s.user_id WHERE u.account_id = $1 ORDER BY s.feed`, account)
}

// FeedsOfProducer lists the feeds that an account's users may publish into.
func (q *Q) FeedsOfProducer(account string) ([]string, error) {
	return collect(q, "FeedsOfProducer", scanString, `SELECT name FROM feeds WHERE producer = $1 ORDER BY name`, account)
}
