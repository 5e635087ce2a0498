package feed

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/mailbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Subscriptions lists a feed's subscriptions.
func (r *Service) Subscriptions(ctx context.Context, f model.FeedFilter) ([]model.Subscription, error) {
	if _, err := r.Feed(ctx, f.Feed); err != nil {
		return nil, err
	}
	return r.o.Store.Read(ctx).Subscriptions(f)
}

// maxBackfill bounds how many earlier files a new subscription gets; the newest ones count.
const maxBackfill = 10_000

// Subscribe entitles a user to a feed. Dir is where deliveries appear, by default
// /download/<feed>; Types limits the file types. Files published in the last Days days are
// placed before it returns, even if the request ends. A second call with the same values places
// what a failed one left out; if nothing is left, it returns Exists.
func (r *Service) Subscribe(ctx context.Context, actor, feed string,
	n model.NewSubscription) (model.Subscription, error) {
	const op = "feed.Subscribe"
	s := model.Subscription{Feed: feed, User: n.User, Types: n.Types, Dir: n.Dir, Mail: n.Mail, May: n.May}
	days := n.Days
	err := checkSubscription(&s)
	if err != nil {
		return s, err
	}
	if days < 0 || days > 36500 {
		return s, fault.E(op, fault.Invalid, "%d is no number of days to fill in.", days)
	}
	s.ID, s.CreatedAt = r.o.IDs.New(), r.now()
	f, err := store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Feed, error) { return r.subscribe(tx, actor, s) })
	// A stored subscription is backfilled even if the request has ended.
	since := s.CreatedAt.AddDate(0, 0, -days)
	switch {
	case days > 0 && err == nil:
		s.Backfilled, err = r.backfill(context.WithoutCancel(ctx), actor, f, s, since)
	case days > 0 && fault.Is(err, fault.Exists):
		return r.backfillRest(context.WithoutCancel(ctx), actor, s, since, err)
	}
	return s, err
}

// subscribe stores a subscription and returns its feed.
func (r *Service) subscribe(tx *store.Tx, actor string, s model.Subscription) (model.Feed, error) {
	const op = "feed.Subscribe"
	f, err := tx.Feed(s.Feed)
	if err != nil {
		return f, fault.Missing("feed", err, "There is no feed %q.", s.Feed)
	}
	u, err := tx.User(s.User)
	if err != nil {
		return f, fault.Missing("feed", err, "There is no user %q.", s.User)
	}
	if u.Kind == model.KindService {
		return f, fault.E(op, fault.Invalid, "%s is a service user: it sees every feed already.", u.Name)
	}
	if len(f.Recipients) > 0 && !slices.Contains(f.Recipients, u.Account) {
		return f, fault.E(op, fault.Denied, "The feed %q is for %s; not for account %s.", f.Name,
			strings.Join(f.Recipients, ", "), u.Account).
			WithHint("add the account first").WithAction("edit-feed", "name", f.Name, "recipients", "")
	}
	if err := checkWanted(f, s.Types); err != nil {
		return f, err
	}
	if err := r.makeDir(tx, u, s); err != nil {
		return f, err
	}
	err = tx.AddSubscription(u.ID, s)
	if fault.Is(err, fault.Exists) {
		return f, fault.E(op, fault.Exists, "The user %q has this feed already.", u.Name)
	} else if err != nil {
		return f, err
	}
	return f, r.audit(tx, model.AuditRow{Actor: actor, Action: "feed.subscribe", Subject: s.Feed, User: u.ID,
		Detail: describeSubscription(s)})
}

// backfillRest places what an earlier call of Subscribe left out. If that is nothing, or the
// stored subscription differs, it returns exists.
func (r *Service) backfillRest(ctx context.Context, actor string, s model.Subscription, since time.Time,
	exists error) (model.Subscription, error) {
	q := r.o.Store.Read(ctx)
	u, err := q.User(s.User)
	if err != nil {
		return s, err
	}
	f, err := q.Feed(s.Feed)
	if err != nil {
		return s, err
	}
	have, err := q.Subscription(f.Name, u.ID)
	if err != nil {
		return s, err
	}
	if !maps.Equal(describeSubscription(have), describeSubscription(s)) {
		return s, exists
	}
	have.Backfilled, err = r.backfill(ctx, actor, f, have, since)
	if err == nil && have.Backfilled == 0 {
		err = exists
	}
	return have, err
}

// checkSubscription validates a subscription's fields and normalizes them.
func checkSubscription(s *model.Subscription) (err error) {
	const op = "feed.checkSubscription"
	if s.Types, err = cleanTypes(s.Types); err != nil {
		return err
	}
	if s.Dir == "" {
		s.Dir = "/download/" + s.Feed
	}
	if s.Dir, err = valid.CleanPath("/", s.Dir); err != nil {
		return err
	}
	if s.Dir == "/" {
		return fault.E(op, fault.Invalid, "A feed needs a directory of its own, not the root.")
	}
	if err := exchange.CheckFeedsMay(s.May); err != nil {
		return err
	}
	if s.Mail != "" && s.Mail != "daily" {
		return fault.E(op, fault.Invalid, "Mail about new files comes daily, or not at all; not %q.", valid.Printable(s.Mail))
	}
	return nil
}

// rights returns what a user may do in the folder of a subscription.
func (r *Service) rights(u model.User, s model.Subscription) exchange.Rights {
	return exchange.FeedRights(s.May, u.FeedsMay, r.o.May(u))
}

// makeDir creates the folder of a subscription, or updates its rights.
func (r *Service) makeDir(tx *store.Tx, u model.User, s model.Subscription) error {
	rows, err := mailbox.Lock(tx, u.ID)
	if err != nil {
		return err
	}
	rights := r.rights(u, s)
	_, err = rows.FeedDirs(mailbox.NewDirs{Path: s.Dir, Rights: &rights, IDs: r.o.IDs, At: r.now()})
	return err
}

// checkWanted refuses types that the feed does not accept.
func checkWanted(f model.Feed, types []string) error {
	for _, t := range types {
		if len(f.Types) > 0 && !slices.Contains(f.Types, t) {
			return fault.E("feed.checkWanted", fault.Invalid, "The feed %q has no %s files.", f.Name, t)
		}
	}
	return nil
}

func describeSubscription(s model.Subscription) map[string]string {
	return map[string]string{"user": s.User, "types": strings.Join(s.Types, ","), "dir": s.Dir, "mail": s.Mail,
		"may": s.May}
}

// SetSubscription changes the types, folder, mail or rights of a subscription. Files that were
// delivered stay where they are.
func (r *Service) SetSubscription(ctx context.Context, actor, feed, user string,
	e model.EditSubscription) (model.Subscription, error) {
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (s model.Subscription, err error) {
		f, err := tx.Feed(feed)
		if err != nil {
			return s, fault.Missing("feed", err, "There is no feed %q.", valid.Printable(feed))
		}
		u, err := tx.User(user)
		if err != nil {
			return s, fault.Missing("feed", err, "There is no user %q.", valid.Printable(user))
		}
		if s, err = tx.Subscription(feed, u.ID); err != nil {
			return s, fault.Missing("feed", err, "The user %q does not have the feed %q.", u.Name, f.Name)
		}
		before := describeSubscription(s)
		if e.Types != nil {
			s.Types = slices.Clone(*e.Types)
		}
		for _, f := range []struct{ new, old *string }{{e.Dir, &s.Dir}, {e.Mail, &s.Mail}, {e.May, &s.May}} {
			if f.new != nil {
				*f.old = *f.new
			}
		}
		if err := checkSubscription(&s); err != nil {
			return s, err
		}
		if err := checkWanted(f, s.Types); err != nil {
			return s, err
		}
		if err := r.makeDir(tx, u, s); err != nil {
			return s, err
		}
		if err := tx.SetSubscription(s); err != nil {
			return s, err
		}
		detail := difference(before, describeSubscription(s))
		detail["user"] = u.Name
		return s, r.audit(tx, model.AuditRow{Actor: actor, Action: "feed.subscription", Subject: feed, User: u.ID,
			Detail: detail})
	})
}

// Unsubscribe ends a subscription. Files that were delivered stay.
func (r *Service) Unsubscribe(ctx context.Context, actor, feed, user string) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		u, err := tx.User(user)
		if err != nil {
			return fault.Missing("feed", err, "There is no user %q.", user)
		}
		if err := tx.EndSubscription(feed, u.ID); err != nil {
			return fault.Missing("feed", err, "The user %q does not have the feed %q.", user, feed)
		}
		return r.audit(tx, model.AuditRow{Actor: actor, Action: "feed.unsubscribe", Subject: feed, User: u.ID,
			Detail: map[string]string{"user": u.Name}})
	})
}

// SubscribeWithin is Subscribe in a transaction, without earlier files. A user that has the feed keeps its
// subscription, and added is false.
func (r *Service) SubscribeWithin(tx *store.Tx, actor string, s model.Subscription) (added bool, err error) {
	if err := checkSubscription(&s); err != nil {
		return false, err
	}
	u, err := tx.User(s.User)
	if err != nil {
		return false, fault.Missing("feed", err, "There is no user %q.", s.User)
	}
	if _, err := tx.Subscription(s.Feed, u.ID); !fault.Is(err, fault.NotFound) {
		return false, err
	}
	s.ID, s.CreatedAt = r.o.IDs.New(), r.now()
	_, err = r.subscribe(tx, actor, s)
	return err == nil, err
}

// Fill places the files that were published since a time for a subscription that a user has. It can be repeated.
func (r *Service) Fill(ctx context.Context, actor, feed, user string, since time.Time) (n int, err error) {
	q := r.o.Store.Read(ctx)
	f, err := q.Feed(feed)
	if err != nil {
		return 0, fault.Missing("feed", err, "There is no feed %q.", feed)
	}
	u, err := q.User(user)
	if err != nil {
		return 0, fault.Missing("feed", err, "There is no user %q.", user)
	}
	s, err := q.Subscription(feed, u.ID)
	if err != nil {
		return 0, fault.Missing("feed", err, "The user %q does not have the feed %q.", u.Name, f.Name)
	}
	return r.backfill(ctx, actor, f, s, since)
}

// Earlier counts the files since a time that a new subscription of an account would be filled with. No types
// are all.
func (r *Service) Earlier(q *store.Q, feed, account string, types []string, since time.Time) (n int, err error) {
	list, err := q.PublicationsSince(feed, account, "", since)
	for _, p := range list {
		if len(types) == 0 || slices.Contains(types, r.types.of(p.Name)) {
			n++
		}
	}
	return min(n, maxBackfill), err
}
