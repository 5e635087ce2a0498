package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	// mostSuggested is how many names a completion has.
	mostSuggested = 100
	// latestRows is how many of the newest rows are looked at where names are not unique, or old ones are
	// rarely meant.
	latestRows = `2000`
)

// suggestions are the names that may be completed, by noun, each with a few words. $1 is a pattern for
// LIKE, in lower case, $2 a folded username or "", and $3 the limit.
var suggestions = map[string]string{
	model.NounAccount: `SELECT id, name FROM accounts WHERE LOWER(id) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY id LIMIT $3`,
	model.NounUser: `SELECT name, kind FROM users WHERE LOWER(name) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY name
		LIMIT $3`,
	model.NounVendor: `SELECT short, name FROM vendors WHERE short LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY short
		LIMIT $3`,
	model.NounOwner: `SELECT name, about FROM (SELECT id AS name, name AS about FROM accounts
		UNION ALL SELECT short, name FROM vendors) o WHERE LOWER(name) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY name LIMIT $3`,
	model.NounFeed: `SELECT name, title FROM feeds WHERE name LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY name LIMIT $3`,
	model.NounWebhook: `SELECT name, url FROM webhooks WHERE name LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY name
		LIMIT $3`,
	model.NounReceiver: `SELECT name, about FROM (SELECT name, url AS about FROM webhooks
		UNION SELECT email, name FROM contacts WHERE left_at IS NULL) o
		WHERE LOWER(name) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY name LIMIT $3`,
	model.NounContact: `SELECT DISTINCT email, name FROM contacts WHERE left_at IS NULL
		AND LOWER(email) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY email LIMIT $3`,
	model.NounKey: `SELECT k.fingerprint, u.name FROM keys k JOIN users u ON u.id = k.user_id
		WHERE k.revoked_at IS NULL AND LOWER(k.fingerprint) LIKE $1 ESCAPE '!' AND ($2 = '' OR u.folded = $2)
		ORDER BY k.fingerprint LIMIT $3`,
	model.NounPendingKey: `SELECT p.fingerprint, u.name FROM pending_keys p JOIN users u ON u.id = p.user_id
		WHERE LOWER(p.fingerprint) LIKE $1 ESCAPE '!' AND ($2 = '' OR u.folded = $2) ORDER BY p.fingerprint LIMIT $3`,
	model.NounDelivery: `SELECT id, about FROM (SELECT d.id, u.name || ' ' || p.name AS about FROM deliveries d
		JOIN publications p ON p.id = d.publication_id JOIN users u ON u.id = d.user_id ORDER BY d.id DESC
		LIMIT ` + latestRows + `) o WHERE LOWER(id) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY id DESC LIMIT $3`,
	model.NounDrop: `SELECT id, name FROM (SELECT d.id, u.name FROM drops d JOIN users u ON u.id = d.user_id
		ORDER BY d.id DESC LIMIT ` + latestRows + `) o WHERE LOWER(id) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY id DESC
		LIMIT $3`,
	model.NounMessage: `SELECT id, about FROM (SELECT id, kind || ' to ' || target AS about FROM messages ORDER BY id DESC
		LIMIT ` + latestRows + `) o WHERE LOWER(id) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY id DESC LIMIT $3`,
	model.NounNotice: `SELECT n.id, n.kind || ' ' || u.name FROM notices n JOIN users u ON u.id = n.user_id
		WHERE n.done_at IS NULL AND LOWER(n.id) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY n.id LIMIT $3`,
	model.NounLink: `SELECT l.id, l.kind || ' for ' || c.email FROM links l JOIN contacts c ON c.id = l.contact_id
		WHERE l.state = 'waiting' AND LOWER(l.id) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY l.id DESC LIMIT $3`,
	model.NounHold: `SELECT id, kind || ' ' || label FROM holds WHERE released_at IS NULL
		AND LOWER(id) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY id LIMIT $3`,
	model.NounRun: `SELECT id, state FROM retention_runs WHERE LOWER(id) LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY id DESC
		LIMIT $3`,
	model.NounExpectation: `SELECT name, glob FROM expectations WHERE LOWER(name) LIKE $1 ESCAPE '!' AND $2 = $2
		ORDER BY name LIMIT $3`,
	model.NounConsumer: `SELECT DISTINCT consumer, '' FROM (SELECT consumer FROM drops ORDER BY id DESC
		LIMIT ` + latestRows + `) o WHERE consumer <> '' AND LOWER(consumer) LIKE $1 ESCAPE '!' AND $2 = $2
		ORDER BY consumer LIMIT $3`,
	model.NounBan: `SELECT address, reason FROM bans WHERE address LIKE $1 ESCAPE '!' AND $2 = $2 ORDER BY address
		LIMIT $3`,
}

// Complete lists names of a kind, one of the model's nouns, that begin with a text.
func (s *Store) Complete(ctx context.Context, c model.CompleteQuery) ([]model.Suggestion, error) {
	query, ok := suggestions[c.Kind]
	if !ok {
		return nil, fault.E("store.Complete", fault.Invalid, "Names of %q cannot be completed.", valid.Printable(c.Kind))
	}
	pattern := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(c.Prefix)) + "%"
	return collect(s.Read(ctx), "Complete", func(r *sql.Rows) (v model.Suggestion, err error) {
		err = r.Scan(&v.Name, &v.About)
		return v, err
	}, query, pattern, valid.Fold(c.User), mostSuggested)
}
