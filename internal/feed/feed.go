// Package feed delivers files to entitled users: feeds, subscriptions, publications and
// deliveries.
//
// Entitlement is in subscription.go. Publishing (publish.go) writes the bytes once. It then
// records the blob and the publication and, for each entitled mailbox, a file and a delivery
// (place.go). That is one transaction or, for many mailboxes, several, which a restart
// completes. File names are checked by pattern.go, content by content.go. sequence.go detects
// missing numbers. A delivery is collected once every byte was served (delivery.go); it has a
// signed receipt (receipt.go). Large files may come in parts (upload.go).
package feed

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Options configure the service.
type Options struct {
	Store  *store.Store
	Blobs  blob.Store
	Desk   *deposit.Desk // nil: the service makes its own
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Key    *proof.Key // signs receipts
	Bounds Bounds
	// Class returns the retention class of a file that a feed places at a path. nil: always the
	// default class.
	Class func(userID, path, feed string) string
	// Changed is called when a feed was added, changed or removed: its period may be another. May be nil.
	Changed func()
	// May returns what a user may do with delivered files if neither the user nor the subscription
	// says. nil: FeedsLook.
	May func(u model.User) string
	// Types add to the built-in file types or replace them, by name. Checks says what to do with
	// content that does not match its type: refuse, flag or off; "": refuse.
	Types  map[string]Type
	Checks string
	Zone   *time.Location // of dated folders; nil: UTC
	// Remind mails a letter, in a transaction. nil: mail is not configured.
	Remind func(tx *store.Tx, l Letter) error
}

// Bounds limit what is stored.
type Bounds struct {
	MaxFile   int64
	FreeFloor int64 // bytes of the disk that stay free
	// KeepUploads is how long an unfinished upload or a file on hold is kept after its last write.
	KeepUploads time.Duration
}

// Service implements feeds. It is safe for concurrent use.
type Service struct {
	o      Options
	bounds atomic.Pointer[Bounds] // in force
	types  *types

	mu      sync.Mutex
	uploads map[string]*upload
	held    map[heldKey]*Held
}

// New returns the service.
func New(o Options) *Service {
	if o.Desk == nil {
		o.Desk = deposit.New(o.Store, slog.New(slog.DiscardHandler))
	}
	if o.Class == nil {
		o.Class = func(string, string, string) string { return model.ClassDefault }
	}
	if o.May == nil {
		o.May = func(model.User) string { return model.FeedsLook }
	}
	r := &Service{o: o, types: newTypes(o.Types), uploads: map[string]*upload{}, held: map[heldKey]*Held{}}
	r.bounds.Store(&o.Bounds)
	return r
}

// Replace puts other bounds in force, from now on.
func (r *Service) Replace(b Bounds) { r.bounds.Store(&b) }

func (r *Service) now() time.Time { return r.o.Clock().UTC().Truncate(time.Microsecond) }

func (r *Service) audit(tx *store.Tx, row model.AuditRow) error {
	row.ID, row.At = r.o.IDs.New(), r.now()
	return tx.Audit(row)
}

// changed says that feeds have changed.
func (r *Service) changed() {
	if r.o.Changed != nil {
		r.o.Changed()
	}
}

// AddFeed records a feed.
func (r *Service) AddFeed(ctx context.Context, actor string, n model.NewFeed) (f model.Feed, err error) {
	defer r.changed()
	if err := valid.CheckID("feed name", n.Name); err != nil {
		return f, err
	}
	asked := model.Feed{Name: n.Name, Title: n.Title, Kind: n.Kind, Types: n.Types, Zone: n.Zone, Checks: n.Checks,
		Retention: n.Retention, Pattern: n.Pattern, Folders: n.Folders, Producer: n.Producer, Recipients: n.Recipients,
		ParentSees: n.ParentSees,
		CreatedAt:  r.now()}
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Feed, error) {
		f := asked // each run checks what was asked
		if err := checkFeed(tx, &f); err != nil {
			return f, err
		}
		err := tx.AddFeed(f)
		if fault.Is(err, fault.Exists) {
			return f, fault.E("feed.AddFeed", fault.Exists, "A feed %q already exists.", f.Name)
		} else if err != nil {
			return f, err
		}
		return f, r.audit(tx, model.AuditRow{Actor: actor, Action: "feed.add", Subject: f.Name, Detail: describe(f)})
	})
}

func describe(f model.Feed) map[string]string {
	return map[string]string{"title": f.Title, "zone": f.Zone, "checks": f.Checks, "kind": f.Kind,
		"types": strings.Join(f.Types, ","), "retention": f.Retention, "pattern": f.Pattern, "folders": f.Folders,
		"producer": f.Producer, "recipients": strings.Join(f.Recipients, ","), "parent_sees": f.ParentSees}
}

// checkFeed validates a feed's fields and normalizes them.
func checkFeed(tx *store.Tx, f *model.Feed) (err error) {
	const op = "feed.checkFeed"
	if err := valid.CheckID("feed kind", f.Kind); err != nil {
		return err
	}
	if f.Types, err = cleanTypes(f.Types); err != nil {
		return err
	}
	if slices.Contains(f.Types, AnyType) {
		f.Types, f.Checks = []string{}, model.ChecksOff
	}
	if err := exchange.CheckChecks(f.Checks); err != nil {
		return err
	}
	if f.Title != "" {
		if err := valid.CheckLabel("feed title", f.Title); err != nil {
			return err
		}
	}
	if _, err := valid.ParseZone(f.Zone); err != nil {
		return err
	}
	if f.Retention != "" {
		if err := valid.CheckPeriod(f.Retention); err != nil {
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
		f.ParentSees = model.ParentNothing
	}
	if f.ParentSees != model.ParentNothing && f.ParentSees != model.ParentFiles {
		return fault.E(op, fault.Invalid, "A parent sees nothing, or files; not %q.", valid.Printable(f.ParentSees))
	}
	recipients := make([]string, len(f.Recipients))
	named := []*string{}
	for i, id := range f.Recipients {
		recipients[i] = id
		named = append(named, &recipients[i])
	}
	if f.Producer != "" {
		named = append(named, &f.Producer)
	}
	for _, id := range named {
		a, err := tx.Account(*id)
		if err != nil {
			return fault.Missing("feed", err, "There is no account %q.", valid.Printable(*id))
		}
		*id = a.ID // the stored spelling
	}
	slices.Sort(recipients)
	f.Recipients = slices.Compact(recipients)
	return nil
}

// SetFeed changes a feed. Past deliveries stay as they are.
func (r *Service) SetFeed(ctx context.Context, actor, name string, e model.EditFeed) (model.Feed, error) {
	defer r.changed()
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Feed, error) {
		f, err := tx.Feed(name)
		if err != nil {
			return f, fault.Missing("feed", err, "There is no feed %q.", valid.Printable(name))
		}
		before := describe(f)
		for _, s := range []struct{ new, old *string }{{e.Title, &f.Title}, {e.Kind, &f.Kind}, {e.Pattern, &f.Pattern},
			{e.Folders, &f.Folders}, {e.Zone, &f.Zone}, {e.Checks, &f.Checks}, {e.Producer, &f.Producer},
			{e.ParentSees, &f.ParentSees}} {
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
			return f, err
		}
		if err := tx.SetFeed(f); err != nil {
			return f, err
		}
		return f, r.audit(tx, model.AuditRow{Actor: actor, Action: "feed.set", Subject: name,
			Detail: difference(before, describe(f))})
	})
}

// difference returns the fields that changed, as "old → new".
func difference(before, after map[string]string) map[string]string {
	out := map[string]string{}
	for field, now := range after {
		if was := before[field]; was != now {
			out[field] = was + " → " + now
		}
	}
	return out
}

// RemoveFeed deletes a feed in which nothing was ever published. A feed with publications,
// subscribers or expectations is a Conflict.
func (r *Service) RemoveFeed(ctx context.Context, actor, name string) error {
	defer r.changed()
	const op = "feed.RemoveFeed"
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Feed(name); err != nil {
			return fault.Missing(op, err, "There is no feed %q.", valid.Printable(name))
		}
		subscribers, err := tx.Subscriptions(model.FeedFilter{Feed: name})
		if err != nil {
			return err
		}
		if len(subscribers) > 0 {
			return fault.E(op, fault.Conflict, "The feed %q has subscribers (%d).", name, len(subscribers)).
				WithAction("unsubscribe", "feed", name, "user", subscribers[0].User)
		}
		expected, err := tx.Expectations(model.Paging{})
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(expected, func(e model.Expectation) bool { return e.Feed == name }); i >= 0 {
			return fault.E(op, fault.Conflict, "The expectation %q is about the feed %q.", expected[i].Name, name).
				WithAction("remove-expectation", "name", expected[i].Name)
		}
		used, err := tx.FeedUsed(name)
		if err != nil {
			return err
		}
		if used {
			return fault.E(op, fault.Conflict,
				"Files were published in the feed %q, so it stays on record. Nobody gets it any more.", name)
		}
		if err := tx.RemoveFeed(name); err != nil {
			return err
		}
		return r.audit(tx, model.AuditRow{Actor: actor, Action: "feed.remove", Subject: name})
	})
}

// cleanTypes normalizes file types: lower case, no dot, no duplicates.
func cleanTypes(in []string) ([]string, error) {
	out := []string{}
	for _, t := range in {
		t = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(t), "."))
		if t == "" || strings.Trim(t, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(t) > 16 {
			return nil, fault.E("feed.cleanTypes", fault.Invalid, "%q is not a file type.", valid.Printable(t)).
				WithHint("name them by their ending: csv,pdf")
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out, nil
}

// zone returns the time zone of a feed's dated folders.
func (r *Service) zone(f model.Feed) *time.Location {
	if f.Zone != "" {
		if z, err := valid.ParseZone(f.Zone); err == nil {
			return z
		}
	}
	if r.o.Zone != nil {
		return r.o.Zone
	}
	return time.UTC
}

// Feed finds one feed.
func (r *Service) Feed(ctx context.Context, name string) (model.Feed, error) {
	f, err := r.o.Store.Read(ctx).Feed(name)
	return f, fault.Missing("feed", err, "There is no feed %q.", name)
}

// Feeds lists feeds by name.
func (r *Service) Feeds(ctx context.Context, f model.EveryFilter) ([]model.Feed, error) {
	return r.o.Store.Read(ctx).Feeds(f.Paging)
}

// Sequences lists how far the numbers in a feed's file names have come, per account.
func (r *Service) Sequences(ctx context.Context, f model.FeedFilter) ([]model.Sequence, error) {
	return r.o.Store.Read(ctx).Sequences(f)
}
