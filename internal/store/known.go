package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	mostNames = 50_000 // names that an unknown one is compared with; more are not looked at
	mostUsers = 10     // usernames that a sentence lists
)

// noun is how one kind of thing is named: whether a name exists, and all names with a second
// spelling each, or "". find gets the name as it was typed, and folded.
type noun struct {
	find, all string
	list      string // the operation that lists them
	many      bool   // each row of all is a list of names
}

var nouns = map[string]noun{
	model.NounAccount: {find: `SELECT id FROM accounts WHERE folded = $2 AND $1 = $1`,
		all: `SELECT id, name FROM accounts LIMIT $1`, list: "list-accounts"},
	model.NounUser: {find: `SELECT name FROM users WHERE folded = $2 AND $1 = $1`,
		all: `SELECT name, '' FROM users LIMIT $1`, list: "list-users"},
	model.NounVendor: {find: `SELECT short FROM vendors WHERE short = $2 AND $1 = $1`,
		all: `SELECT short, name FROM vendors LIMIT $1`, list: "list-vendors"},
	model.NounFeed: {find: `SELECT name FROM feeds WHERE name = $2 AND $1 = $1`,
		all: `SELECT name, title FROM feeds LIMIT $1`, list: "list-feeds"},
	model.NounWebhook: {find: `SELECT name FROM webhooks WHERE name = $2 AND $1 = $1`,
		all: `SELECT name, '' FROM webhooks LIMIT $1`, list: "list-webhooks"},
	model.NounReceiver: {find: `SELECT name FROM webhooks WHERE name = $2
		UNION ALL SELECT email FROM contacts WHERE LOWER(email) = $2
		UNION ALL SELECT target FROM (SELECT target FROM messages WHERE target = $1 LIMIT 1) m`,
		all: `SELECT name, '' FROM webhooks UNION ALL SELECT email, '' FROM contacts LIMIT $1`, list: "list-webhooks"},
	model.NounOwner: {find: `SELECT id FROM accounts WHERE folded = $2 UNION ALL SELECT short FROM vendors
		WHERE short = $2 AND $1 = $1`,
		all: `SELECT id, name FROM accounts UNION ALL SELECT short, name FROM vendors LIMIT $1`, list: "list-accounts"},
	model.NounPublication: {find: `SELECT id FROM publications WHERE id = $1 AND $2 = $2`},
	model.NounRun:         {find: `SELECT id FROM retention_runs WHERE id = $1 AND $2 = $2`, list: "list-runs"},
	model.NounTag: {find: `SELECT $2 FROM ` + tagLists + ` t WHERE ` + tagged("tags", "$2") + ` AND $1 = $1 LIMIT 1`,
		all: `SELECT DISTINCT tags, '' FROM ` + tagLists + ` t LIMIT $1`, many: true},
}

// tagLists are the tags of whatever has some, as lists.
const tagLists = `(SELECT tags FROM accounts UNION ALL SELECT tags FROM vendors UNION ALL SELECT tags FROM users)`

// Known returns the name as it is stored, if a thing of the kind has it in any case of its letters. Otherwise it
// returns NotFound, which says what else has that name, or which name is most similar. A kind is one of the model's
// nouns.
func (s *Store) Known(ctx context.Context, kind, name string) (stored string, err error) {
	const op = "store.Known"
	if prints[kind] != "" {
		return s.Read(ctx).knownKey(kind, name)
	}
	n, ok := nouns[kind]
	if !ok {
		return "", fault.E(op, fault.Internal, "There is no kind of thing %q.", kind)
	}
	q := s.Read(ctx)
	found, err := collect(q, "Known", scanString, n.find, name, valid.Fold(name))
	if err != nil {
		return "", err
	} else if len(found) > 0 {
		return found[0], nil
	}
	return "", q.unknown(kind, name)
}

// unknown is the error for a name that nothing of a kind has.
func (q *Q) unknown(kind, name string) error {
	const op = "store.Known"
	n := nouns[kind]
	if text, hint, err := q.otherwise(kind, name); err != nil {
		return err
	} else if text != "" {
		return fault.E(op, fault.NotFound, "%s", text).WithHint("%s", hint)
	}
	missing := fault.E(op, fault.NotFound, "There is no %s %q.", kind, valid.Printable(name))
	near, err := q.nearest(n, name)
	switch {
	case err != nil:
		return err
	case near != "":
		return missing.WithHint("did you mean %s?", near)
	case n.list != "":
		return missing.WithAction(n.list)
	}
	return missing
}

// Near returns the name of a thing of a kind that is most similar to a name; "" if there is none.
func (q *Q) Near(kind, name string) (string, error) { return q.nearest(nouns[kind], name) }

// spelling is a name, and what else people call the thing.
type spelling struct{ name, title string }

// nearest returns the name that is most similar to name, itself or by its title; "" if there is none.
func (q *Q) nearest(n noun, name string) (string, error) {
	if n.all == "" {
		return "", nil
	}
	list, err := collect(q, "Known", func(r *sql.Rows) (s spelling, err error) {
		err = r.Scan(&s.name, &s.title)
		return s, err
	}, n.all, mostNames)
	if err != nil {
		return "", err
	}
	if n.many {
		list = apart(list)
	}
	of, known := map[string]spelling{}, make([]string, 0, 2*len(list))
	for _, s := range list {
		for _, word := range []string{s.name, s.title} {
			if folded := strings.ToLower(word); word != "" && of[folded] == (spelling{}) {
				of[folded] = s
				known = append(known, folded)
			}
		}
	}
	s := of[valid.Nearest(strings.ToLower(name), known)]
	if s.title != "" && !strings.EqualFold(s.title, s.name) {
		return fmt.Sprintf("%s (%s)", s.name, valid.Printable(s.title)), nil
	}
	return s.name, nil
}

// apart returns the names of lists.
func apart(lists []spelling) (out []spelling) {
	for _, l := range lists {
		for _, name := range list(l.name) {
			out = append(out, spelling{name: name})
		}
	}
	return out
}

// otherwise says what a name is that is not of the kind that was asked for, and what to name in its
// place. text is "" if the name is nothing else either.
func (q *Q) otherwise(kind, name string) (text, hint string, err error) {
	switch kind {
	case model.NounUser:
		for _, other := range []string{model.NounAccount, model.NounVendor} {
			if text, hint, err = q.usersOf(other, name); err != nil || text != "" {
				return text, hint, err
			}
		}
	case model.NounAccount, model.NounVendor, model.NounOwner:
		u, err := q.User(name)
		if err == nil {
			return userInstead(kind, u)
		} else if !fault.Is(err, fault.NotFound) {
			return "", "", err
		}
		for _, other := range []string{model.NounAccount, model.NounVendor} {
			found, err := collect(q, "Known", scanString, nouns[other].find, name, valid.Fold(name))
			if err != nil {
				return "", "", err
			} else if len(found) > 0 {
				return fmt.Sprintf("%s is %s, not %s.", found[0], article(other), article(kind)), "name " + article(kind), nil
			}
		}
	}
	return "", "", nil
}

// userInstead is otherwise's answer for a username where an account or a vendor is wanted.
func userInstead(kind string, u model.User) (text, hint string, err error) {
	if kind == model.NounVendor {
		if u.Vendor == "" {
			return fmt.Sprintf("%s is a user, and has no vendor.", u.Name), "name a vendor", nil
		}
		return fmt.Sprintf("%s is a user; its vendor is %s.", u.Name, u.Vendor), "did you mean " + u.Vendor + "?", nil
	}
	return fmt.Sprintf("%s is a user; its account is %s.", u.Name, u.Account), "did you mean " + u.Account + "?", nil
}

// usersOf is otherwise's answer for an account or a vendor where a user is wanted.
func (q *Q) usersOf(kind, name string) (text, hint string, err error) {
	found, err := collect(q, "Known", scanString, nouns[kind].find, name, valid.Fold(name))
	if err != nil || len(found) == 0 {
		return "", "", err
	}
	users, err := collect(q, "Known", scanString, `SELECT name FROM users
		WHERE ($1 = 'account' AND account_id = $2) OR ($1 = 'vendor' AND vendor = $2) ORDER BY name LIMIT $3`, kind,
		found[0], mostUsers+1)
	switch {
	case err != nil:
		return "", "", err
	case len(users) == 0:
		return fmt.Sprintf("%s is %s, and has no users yet.", found[0], article(kind)), "add one, or name another user", nil
	case len(users) == 1:
		return fmt.Sprintf("%s is %s; its user is %s.", found[0], article(kind), users[0]), "did you mean " + users[0] + "?",
			nil
	case len(users) > mostUsers:
		return fmt.Sprintf("%s is %s; its users are %s, and more.", found[0], article(kind),
			strings.Join(users[:mostUsers], ", ")), "name one of its users", nil
	}
	return fmt.Sprintf("%s is %s; its users are %s.", found[0], article(kind), strings.Join(users, ", ")),
		"name one of its users", nil
}

func article(kind string) string {
	if strings.HasPrefix(kind, "a") {
		return "an " + kind
	}
	return "a " + kind
}
