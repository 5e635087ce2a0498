// Package feed hands files to those who are entitled: feeds, subscriptions,
// publications and their deliveries.
//
// Publishing writes the bytes once, then, in one transaction, the blob, the
// publication, and for each entitled mailbox a file and a delivery. A delivery
// is collected once every byte was served.
package feed

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// MakeDirs makes a path in a user's mailbox that partners may read and list,
// in a transaction, and returns the directory's id.
type MakeDirs func(tx *store.Tx, userID, path string) (string, error)

// Options are what the room is made of.
type Options struct {
	Store     *store.Store
	Blobs     blob.Store
	Clock     exchange.Clock
	IDs       *exchange.IDs
	MakeDirs  MakeDirs
	MaxFile   int64
	FreeFloor int64
}

// Room is the feeds' room.
type Room struct{ o Options }

// New opens the room.
func New(o Options) *Room { return &Room{o} }

func (r *Room) now() time.Time { return r.o.Clock().UTC().Truncate(time.Microsecond) }

func (r *Room) audit(tx *store.Tx, row exchange.AuditRow) error {
	row.ID, row.At = r.o.IDs.New(), r.now()
	return tx.Audit(row)
}

// AddFeed records a feed.
func (r *Room) AddFeed(ctx context.Context, actor string, f exchange.Feed) (exchange.Feed, error) {
	if err := exchange.CheckID("feed name", f.Name); err != nil {
		return f, err
	}
	if err := exchange.CheckID("feed kind", f.Kind); err != nil {
		return f, err
	}
	var err error
	if f.Types, err = cleanTypes(f.Types); err != nil {
		return f, err
	}
	if f.Retention != "" {
		if err := CheckRetention(f.Retention); err != nil {
			return f, err
		}
	}
	f.CreatedAt = r.now()
	err = r.o.Store.Write(ctx, func(tx *store.Tx) error {
		err := tx.AddFeed(f)
		if exchange.Is(err, exchange.Exists) {
			return exchange.E("feed.AddFeed", exchange.Exists, "A feed %q already exists.", f.Name)
		} else if err != nil {
			return err
		}
		return r.audit(tx, exchange.AuditRow{Actor: actor, Action: "feed.add", Subject: f.Name,
			Detail: map[string]string{"kind": f.Kind, "types": strings.Join(f.Types, ","), "retention": f.Retention}})
	})
	return f, err
}

// CheckRetention accepts a whole number of days, months or years: 90d, 12mo, 7y.
func CheckRetention(s string) error {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	unit := s[len(digits):]
	ok := digits != "" && len(digits) <= 4 && strings.Trim(digits, "0123456789") == "" && strings.Trim(digits, "0") != ""
	if !ok || unit != "d" && unit != "mo" && unit != "y" {
		return exchange.E("feed.CheckRetention", exchange.Invalid, "%q is not a retention period.", exchange.Printable(s)).
			WithHint("write days, months or years: 90d, 12mo, 7y")
	}
	return nil
}

// cleanTypes makes file types comparable: lower case, no dot, each once.
func cleanTypes(in []string) ([]string, error) {
	out := []string{}
	for _, t := range in {
		t = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(t), "."))
		if t == "" || strings.Trim(t, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(t) > 16 {
			return nil, exchange.E("feed.cleanTypes", exchange.Invalid, "%q is not a file type.", exchange.Printable(t)).
				WithHint("name them by their ending: csv,pdf")
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out, nil
}

// Feed finds one feed.
func (r *Room) Feed(ctx context.Context, name string) (exchange.Feed, error) {
	f, err := r.o.Store.Read(ctx).Feed(name)
	return f, missing(err, "There is no feed %q.", name)
}

// Feeds lists all feeds.
func (r *Room) Feeds(ctx context.Context) ([]exchange.Feed, error) {
	return r.o.Store.Read(ctx).Feeds()
}

// Subscriptions lists a feed's subscriptions.
func (r *Room) Subscriptions(ctx context.Context, feed string) ([]exchange.Subscription, error) {
	if _, err := r.Feed(ctx, feed); err != nil {
		return nil, err
	}
	return r.o.Store.Read(ctx).Subscriptions(feed)
}

// Subscribe entitles a user to a feed. Dir is where deliveries appear, by
// default /download/<feed>; Types narrows what comes.
func (r *Room) Subscribe(ctx context.Context, actor string, s exchange.Subscription) (exchange.Subscription, error) {
	var err error
	if s.Types, err = cleanTypes(s.Types); err != nil {
		return s, err
	}
	if s.Dir == "" {
		s.Dir = "/download/" + s.Feed
	}
	if s.Dir, err = exchange.CleanPath("/", s.Dir); err != nil {
		return s, err
	}
	if s.Dir == "/" {
		return s, exchange.E("feed.Subscribe", exchange.Invalid, "A feed needs a directory of its own, not the root.")
	}
	s.ID, s.CreatedAt = r.o.IDs.New(), r.now()
	err = r.o.Store.Write(ctx, func(tx *store.Tx) error {
		f, err := tx.Feed(s.Feed)
		if err != nil {
			return missing(err, "There is no feed %q.", s.Feed)
		}
		u, err := tx.User(s.User)
		if err != nil {
			return missing(err, "There is no user %q.", s.User)
		}
		for _, t := range s.Types {
			if len(f.Types) > 0 && !slices.Contains(f.Types, t) {
				return exchange.E("feed.Subscribe", exchange.Invalid, "The feed %q has no %s files.", f.Name, t)
			}
		}
		if _, err := r.o.MakeDirs(tx, u.ID, s.Dir); err != nil {
			return err
		}
		err = tx.AddSubscription(u.ID, s)
		if exchange.Is(err, exchange.Exists) {
			return exchange.E("feed.Subscribe", exchange.Exists, "The user %q has this feed already.", u.Name)
		} else if err != nil {
			return err
		}
		return r.audit(tx, exchange.AuditRow{Actor: actor, Action: "feed.subscribe", Subject: s.Feed, User: u.ID,
			Detail: map[string]string{"user": u.Name, "types": strings.Join(s.Types, ","), "dir": s.Dir}})
	})
	return s, err
}

// Unsubscribe ends an entitlement; what was delivered stays.
func (r *Room) Unsubscribe(ctx context.Context, actor, feed, user string) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		u, err := tx.User(user)
		if err != nil {
			return missing(err, "There is no user %q.", user)
		}
		if err := tx.EndSubscription(feed, u.ID); err != nil {
			return missing(err, "The user %q does not have the feed %q.", user, feed)
		}
		return r.audit(tx, exchange.AuditRow{Actor: actor, Action: "feed.unsubscribe", Subject: feed, User: u.ID,
			Detail: map[string]string{"user": u.Name}})
	})
}

// missing says in words what was not found; other errors pass.
func missing(err error, format string, args ...any) error {
	if exchange.Is(err, exchange.NotFound) {
		return exchange.E("feed", exchange.NotFound, format, args...)
	}
	return err
}
