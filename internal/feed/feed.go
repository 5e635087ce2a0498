// Package feed hands files to those who are entitled: feeds, subscriptions,
// publications and their deliveries.
//
// Publishing (publish.go) writes the bytes once, then the blob and the
// publication, and for each entitled mailbox a file and a delivery (place.go),
// in one transaction or, for many mailboxes, in several, which a restart
// finishes. What a name must look like is pattern.go, what content must,
// content.go; numbers that are missing are noticed in sequence.go. A delivery
// is collected once every byte was served (delivery.go), and has a signed
// receipt (receipt.go). Large files may come in parts (upload.go).
package feed

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/proof"
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
	Key       *proof.Key // signs receipts
	MakeDirs  MakeDirs
	MaxFile   int64
	FreeFloor int64
	// Class is the retention policy of a file of a feed at a path; nil is the
	// default's.
	Class func(userID, path, feed string) string
	// KeepUploads is how long parts of a file wait for the rest.
	KeepUploads time.Duration
}

// Room is the feeds' room.
type Room struct {
	o Options

	mu      sync.Mutex
	uploads map[string]*upload
}

// New opens the room.
func New(o Options) *Room { return &Room{o: o, uploads: map[string]*upload{}} }

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
	f.CreatedAt = r.now()
	err := r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := checkFeed(tx, &f); err != nil {
			return err
		}
		err := tx.AddFeed(f)
		if exchange.Is(err, exchange.Exists) {
			return exchange.E("feed.AddFeed", exchange.Exists, "A feed %q already exists.", f.Name)
		} else if err != nil {
			return err
		}
		return r.audit(tx, exchange.AuditRow{Actor: actor, Action: "feed.add", Subject: f.Name, Detail: describe(f)})
	})
	return f, err
}

func describe(f exchange.Feed) map[string]string {
	return map[string]string{"kind": f.Kind, "types": strings.Join(f.Types, ","), "retention": f.Retention, "pattern": f.Pattern, "folders": f.Folders,
		"producer": f.Producer, "recipients": strings.Join(f.Recipients, ","), "parent_sees": f.ParentSees}
}

// checkFeed checks what people typed, and tidies it.
func checkFeed(tx *store.Tx, f *exchange.Feed) (err error) {
	const op = "feed.checkFeed"
	if err := exchange.CheckID("feed kind", f.Kind); err != nil {
		return err
	}
	if f.Types, err = cleanTypes(f.Types); err != nil {
		return err
	}
	if f.Retention != "" {
		if err := exchange.CheckPeriod(f.Retention); err != nil {
			return err
		}
	}
	if _, err := ParsePattern(f.Pattern); err != nil {
		return err
	}
	if err := checkFolders(f.Folders); err != nil {
		return err
	}
	if f.ParentSees == "" {
		f.ParentSees = exchange.ParentNothing
	}
	if f.ParentSees != exchange.ParentNothing && f.ParentSees != exchange.ParentFiles {
		return exchange.E(op, exchange.Invalid, "A parent sees nothing, or files; not %q.", exchange.Printable(f.ParentSees))
	}
	slices.Sort(f.Recipients)
	f.Recipients = slices.Compact(f.Recipients)
	named := f.Recipients
	if f.Producer != "" {
		named = append(slices.Clone(named), f.Producer)
	}
	for _, id := range named {
		if _, err := tx.Account(id); err != nil {
			return missing(err, "There is no account %q.", exchange.Printable(id))
		}
	}
	return nil
}

// FeedEdit is a change of a feed; nil leaves a field as it is. How long its
// files stay is a retention policy's matter.
type FeedEdit struct {
	Kind, Pattern, Folders, Producer, ParentSees *string
	Types, Recipients                            *[]string
}

// SetFeed changes a feed. What was delivered stays as it is.
func (r *Room) SetFeed(ctx context.Context, actor, name string, e FeedEdit) (f exchange.Feed, err error) {
	err = r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if f, err = tx.Feed(name); err != nil {
			return missing(err, "There is no feed %q.", exchange.Printable(name))
		}
		before := describe(f)
		for _, s := range []struct{ new, old *string }{{e.Kind, &f.Kind}, {e.Pattern, &f.Pattern}, {e.Folders, &f.Folders}, {e.Producer, &f.Producer}, {e.ParentSees, &f.ParentSees}} {
			if s.new != nil {
				*s.old = *s.new
			}
		}
		if e.Types != nil {
			f.Types = slices.Clone(*e.Types)
		}
		if e.Recipients != nil {
			f.Recipients = slices.Clone(*e.Recipients)
		}
		if err := checkFeed(tx, &f); err != nil {
			return err
		}
		if err := tx.SetFeed(f); err != nil {
			return err
		}
		detail := map[string]string{}
		for field, now := range maps.All(describe(f)) {
			if was := before[field]; was != now {
				detail[field] = was + " → " + now
			}
		}
		return r.audit(tx, exchange.AuditRow{Actor: actor, Action: "feed.set", Subject: name, Detail: detail})
	})
	return f, err
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

// Sequences says how far the numbers in a feed's names have come.
func (r *Room) Sequences(ctx context.Context, feed string) ([]exchange.Sequence, error) {
	return r.o.Store.Read(ctx).Sequences(feed)
}

// maxBackfill bounds how many earlier files a new subscription gets.
const maxBackfill = 10_000

// Subscribe entitles a user to a feed. Dir is where deliveries appear, by
// default /download/<feed>; Types narrows what comes. What was published in the
// last days is placed at once.
func (r *Room) Subscribe(ctx context.Context, actor string, s exchange.Subscription, days int) (exchange.Subscription, error) {
	const op = "feed.Subscribe"
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
		return s, exchange.E(op, exchange.Invalid, "A feed needs a directory of its own, not the root.")
	}
	if days < 0 || days > 36500 {
		return s, exchange.E(op, exchange.Invalid, "%d is no number of days to fill in.", days)
	}
	if s.Mail != "" && s.Mail != "daily" {
		return s, exchange.E(op, exchange.Invalid, "Mail about new files comes daily, or not at all; not %q.", exchange.Printable(s.Mail))
	}
	s.ID, s.CreatedAt = r.o.IDs.New(), r.now()
	var f exchange.Feed
	err = r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if f, err = tx.Feed(s.Feed); err != nil {
			return missing(err, "There is no feed %q.", s.Feed)
		}
		u, err := tx.User(s.User)
		if err != nil {
			return missing(err, "There is no user %q.", s.User)
		}
		if u.Kind == exchange.KindService {
			return exchange.E(op, exchange.Invalid, "%s is a service user: it sees every feed already.", u.Name)
		}
		if len(f.Recipients) > 0 && !slices.Contains(f.Recipients, u.Account) {
			return exchange.E(op, exchange.Denied, "The feed %q is for %s; not for account %s.", f.Name, strings.Join(f.Recipients, ", "), u.Account).
				WithHint("add the account first: sallyport feed set %s --recipient …", f.Name)
		}
		for _, t := range s.Types {
			if len(f.Types) > 0 && !slices.Contains(f.Types, t) {
				return exchange.E(op, exchange.Invalid, "The feed %q has no %s files.", f.Name, t)
			}
		}
		if _, err := r.o.MakeDirs(tx, u.ID, s.Dir); err != nil {
			return err
		}
		err = tx.AddSubscription(u.ID, s)
		if exchange.Is(err, exchange.Exists) {
			return exchange.E(op, exchange.Exists, "The user %q has this feed already.", u.Name)
		} else if err != nil {
			return err
		}
		return r.audit(tx, exchange.AuditRow{Actor: actor, Action: "feed.subscribe", Subject: s.Feed, User: u.ID,
			Detail: map[string]string{"user": u.Name, "types": strings.Join(s.Types, ","), "dir": s.Dir, "mail": s.Mail}})
	})
	if err == nil && days > 0 {
		s.Backfilled, err = r.backfill(ctx, actor, f, s, s.CreatedAt.AddDate(0, 0, -days))
	}
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
