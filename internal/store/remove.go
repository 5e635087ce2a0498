package store

import (
	"database/sql"
	"fmt"
	"strings"
)

// Use is something that was used, and so keeps a record of it from being removed.
type Use struct {
	What  string // "received files"
	Count int64
}

// uses counts the rows of several queries; those without rows are left out. Each use is what it is called and
// the rest of a query after SELECT COUNT(*) FROM, about $1.
func (q *Q) uses(op, id string, of [][2]string) ([]Use, error) {
	parts := make([]string, len(of))
	for i, u := range of {
		parts[i] = fmt.Sprintf("SELECT %d AS place, '%s' AS what, COUNT(*) AS n FROM %s", i, u[0], u[1])
	}
	return collect(q, op, func(r *sql.Rows) (u Use, err error) {
		err = r.Scan(&u.What, &u.Count)
		return u, err
	}, `SELECT what, n FROM (`+strings.Join(parts, " UNION ALL ")+`) AS used WHERE n > 0 ORDER BY place`, id)
}

// UserUses says what a user was used for. Keys that never logged in, links and notices do not count.
func (q *Q) UserUses(userID string) ([]Use, error) {
	return q.uses("UserUses", userID, [][2]string{
		{"log-ins", `connections WHERE user_id = $1 AND logged_in = 1`},
		{"keys that logged in", `keys WHERE user_id = $1 AND last_used_at IS NOT NULL`},
		{"received files", `drops WHERE user_id = $1`},
		{"deliveries", `deliveries WHERE user_id = $1`},
		{"stored files", `versions WHERE user_id = $1`},
		{"things that it did, in the audit log", `audit a JOIN users u ON u.id = a.user_id WHERE a.user_id = $1
			AND a.actor = 'user:' || u.name`},
		{"feeds that it gets", `subscriptions WHERE user_id = $1`},
		{"expectations", `expectations WHERE user_id = $1`},
		{"holds", `holds WHERE kind = 'user' AND target = $1`},
		{"retention policies", `retention_policies WHERE user_id = $1`},
		{"earlier names", `former_names WHERE user_id = $1`},
	})
}

// RemoveUser deletes a user that was never used, with what was made along with it. The caller holds the
// user's mailbox.
func (tx *Tx) RemoveUser(userID string) error {
	for _, of := range []struct {
		r     rank
		query string
	}{{rankKey, `SELECT id FROM keys WHERE user_id = $1 ORDER BY id`},
		{rankLink, `SELECT id FROM links WHERE user_id = $1 ORDER BY id`}} {
		if _, err := tx.lockRows("RemoveUser", of.r, of.query, userID); err != nil {
			return err
		}
	}
	for _, table := range []string{"pending_keys", "keys", "links", "notices", "digests", "name_policies", "moved_in",
		"dirs",
		"mailboxes"} {
		if _, err := tx.exec("RemoveUser", `DELETE FROM `+table+` WHERE user_id = $1`, userID); err != nil {
			return err
		}
	}
	return tx.execOne("RemoveUser", `DELETE FROM users WHERE id = $1`, userID)
}

// VendorUses says what a vendor was used for.
func (q *Q) VendorUses(short string) ([]Use, error) {
	return q.uses("VendorUses", short, [][2]string{
		{"users", `users WHERE vendor = $1`},
		{"contacts", `contacts WHERE vendor = $1`},
	})
}

// RemoveVendor deletes a vendor that nothing refers to.
func (tx *Tx) RemoveVendor(short string) error {
	return tx.execOne("RemoveVendor", `DELETE FROM vendors WHERE short = $1`, short)
}

// AccountUses says what an account was used for.
func (q *Q) AccountUses(id string) ([]Use, error) {
	return q.uses("AccountUses", id, [][2]string{
		{"users", `users WHERE account_id = $1`},
		{"contacts", `contacts WHERE account_id = $1`},
		{"accounts below it", `accounts WHERE parent = $1`},
		{"feeds that it publishes into", `feeds WHERE producer = $1`},
		{"feeds that name it as a recipient", `feeds WHERE REPLACE(recipients, '"' || $1 || '"', '') <> recipients`},
		{"publications", `publications WHERE account_id = $1`},
		{"numbered files", `feed_sequences WHERE account_id = $1`},
		{"expectations", `expectations WHERE account_id = $1`},
		{"holds", `holds WHERE kind = 'account' AND target = $1`},
		{"removals of files", `retention_runs WHERE account_id = $1`},
		{"notices of removals", `retention_notices WHERE account_id = $1`},
	})
}

// RemoveAccount deletes an account that nothing refers to.
func (tx *Tx) RemoveAccount(id string) error {
	return tx.execOne("RemoveAccount", `DELETE FROM accounts WHERE id = $1`, id)
}

// ContactUses says what a contact was used for.
func (q *Q) ContactUses(id string) ([]Use, error) {
	return q.uses("ContactUses", id, [][2]string{
		{"keys", `keys WHERE holder = $1 OR frozen_by = $1`},
		{"one-time links", `links WHERE contact_id = $1`},
		{"mails", `messages WHERE contact_id = $1`},
	})
}

// RemoveContact deletes a contact that nothing refers to. The caller holds its row.
func (tx *Tx) RemoveContact(id string) error {
	return tx.execOne("RemoveContact", `DELETE FROM contacts WHERE id = $1`, id)
}
