// Package announce tells the contacts of many accounts something at once: maintenance, an outage. An
// announcement is mailed once to each address, some at a time; between two times it is also shown at
// log-in to those whom it concerns.
package announce

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	every    = 2 * time.Second
	atOnce   = 50        // mails in a transaction
	maxText  = 4000      // bytes
	shown    = 20        // contacts that an answer names
	unnamed  = 1000      // accounts that an answer names
	repeated = time.Hour // within it, the same announcement is a repeated request
	longest  = 31 * 24 * time.Hour
	narrow   = 76   // columns of a banner
	inBanner = 1000 // bytes of the text
)

// Options are the dependencies of the service.
type Options struct {
	Store *store.Store
	Clock exchange.Clock
	IDs   *exchange.IDs
	Log   *slog.Logger
	// Mail queues a mail of an announcement to a contact. Nil: no mail server is configured.
	Mail func(tx *store.Tx, a model.Announcement, to model.Contact) error
	// Regions are the configured ones; empty: any name is one.
	Regions []string
	Zone    *time.Location // the operator's; nil: UTC
}

// Service tells people.
type Service struct {
	o    Options
	soon chan struct{}
	// current are the announcements that are shown, now or later, as of the latest look.
	current atomic.Pointer[[]model.Announcement]
}

// New makes the service.
func New(o Options) *Service {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Service{o: o, soon: make(chan struct{}, 1)}
}

func (s *Service) now() time.Time { return s.o.Clock().UTC().Truncate(time.Microsecond) }

// Keep writes the mails, and looks which announcements are shown, until ctx ends.
func (s *Service) Keep(ctx context.Context) {
	exchange.Task{Every: every, Soon: s.soon, Do: s.Step, Failure: "announcements could not be mailed", Log: s.o.Log}.
		Run(ctx)
}

// wake has Keep look at once.
func (s *Service) wake() {
	select {
	case s.soon <- struct{}{}:
	default: // it looks anyhow
	}
}

// Step does what Keep does, once.
func (s *Service) Step(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	open, err := s.o.Store.Read(ctx).OpenAnnouncements()
	if err != nil {
		return err
	}
	for _, a := range open {
		for ctx.Err() == nil && a.DoneAt == nil {
			if a, err = s.mailSome(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// look reads which announcements are shown.
func (s *Service) look(ctx context.Context) error {
	list, err := s.o.Store.Read(ctx).ShownUntil(s.now())
	if err == nil {
		s.current.Store(&list)
	}
	return err
}

// mailSome mails the next contacts, and returns the announcement with how far it is.
func (s *Service) mailSome(ctx context.Context, a model.Announcement) (model.Announcement, error) {
	next, err := store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Announcement, error) {
		a := a
		people, err := tx.Audience(a.Scope, a.Target, a.After, atOnce)
		if err != nil {
			return a, err
		}
		upTo := a.After
		if len(people) < atOnce {
			a.DoneAt = new(s.now())
		}
		if len(people) > 0 {
			upTo = people[len(people)-1].ID
		}
		if err := tx.Announced(a, upTo, int64(len(people)), a.DoneAt); err != nil {
			return a, err
		}
		a.After = upTo
		for _, c := range people {
			if s.o.Mail == nil {
				break
			}
			if err := s.o.Mail(tx, a, c); err != nil {
				return a, err
			}
		}
		return a, nil
	})
	if fault.Is(err, fault.NotFound) { // it was ended, or another node was faster
		next, err = s.o.Store.Read(ctx).Announcement(a.ID)
		if err == nil && next.DoneAt == nil {
			next.DoneAt = new(s.now()) // the other node goes on
		}
	}
	return next, err
}

// Announce tells everybody in a scope something, or says who would be told.
func (s *Service) Announce(ctx context.Context, actor string, n model.NewAnnouncement) (model.Announced, error) {
	out := model.Announced{First: []model.Contact{}, Unreached: []string{}}
	a, err := s.check(ctx, n)
	if err != nil {
		return out, err
	}
	a.ID, a.CreatedAt, a.Actor = s.o.IDs.New(), s.now(), actor
	if out.Mails = !n.NoMail && s.o.Mail != nil; !out.Mails {
		a.DoneAt = &a.CreatedAt
	}
	q := s.o.Store.Read(ctx)
	if out.Contacts, out.Accounts, err = q.AudienceSize(a.Scope, a.Target); err != nil {
		return out, err
	}
	if out.First, err = q.Audience(a.Scope, a.Target, "", shown); err != nil {
		return out, err
	}
	if out.Unreached, err = q.Unreached(a.Scope, a.Target, unnamed); err != nil {
		return out, err
	}
	if out.Announcement = a; n.DryRun {
		out.Announcement.ID = ""
		return out, nil
	}
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := s.notAgain(ctx, tx, a); err != nil {
			return err
		}
		if err := tx.AddAnnouncement(a); err != nil {
			return err
		}
		detail := map[string]string{"scope": string(a.Scope), "target": a.Target, "subject": a.Subject}
		if a.Until != nil {
			detail["from"], detail["until"] = a.From.Format(time.RFC3339), a.Until.Format(time.RFC3339)
		}
		return s.audit(tx, actor, "announcement.add", a.ID, detail)
	})
	if err == nil {
		err = s.look(ctx)
	}
	s.wake()
	return out, err
}

// notAgain refuses what was announced a short while ago, so that a request that is repeated after a lost
// answer mails nobody twice.
func (s *Service) notAgain(ctx context.Context, tx *store.Tx, a model.Announcement) error {
	latest, err := tx.Announcements(model.Paging{Limit: shown})
	for _, old := range latest {
		if old.Scope == a.Scope && old.Target == a.Target && old.Subject == a.Subject && old.Text == a.Text &&
			old.EndedAt == nil && a.CreatedAt.Sub(old.CreatedAt) < repeated {
			return fault.E("announce.Announce", fault.Exists, "The same was announced on %s.",
				old.CreatedAt.In(exchange.ReaderZone(ctx, s.o.Zone)).Format("2006-01-02 15:04 MST")).
				WithHint("end it first, if it is to be announced again")
		}
	}
	return err
}

func (s *Service) audit(tx *store.Tx, actor, action, subject string, detail map[string]string) error {
	return tx.Audit(model.AuditRow{ID: s.o.IDs.New(), At: s.now(), Actor: actor, Action: action, Subject: subject,
		Detail: detail})
}

// check validates an announcement.
func (s *Service) check(ctx context.Context, n model.NewAnnouncement) (a model.Announcement, err error) {
	const op = "announce.Announce"
	if a.Scope, a.Target, err = s.scope(ctx, n); err != nil {
		return a, err
	}
	a.Subject, a.Text = strings.TrimSpace(n.Subject), strings.TrimSpace(strings.ReplaceAll(n.Text, "\r\n", "\n"))
	if err := valid.CheckLabel("subject", a.Subject); err != nil {
		return a, err
	}
	switch {
	case a.Text == "":
		return a, fault.E(op, fault.Invalid, "The text is empty.")
	case len(a.Text) > maxText:
		return a, fault.E(op, fault.Invalid, "The text is longer than %d bytes.", maxText)
	}
	for line := range strings.SplitSeq(a.Text, "\n") {
		if valid.Printable(line) != line {
			return a, fault.E(op, fault.Invalid, "The text has control characters, or is not UTF-8.")
		}
	}
	now := s.now()
	if n.Until != nil {
		from := now
		if n.From != nil {
			from = n.From.UTC().Truncate(time.Microsecond)
		}
		until := n.Until.UTC().Truncate(time.Microsecond)
		a.From, a.Until = &from, &until
	}
	switch {
	case n.From != nil && n.Until == nil:
		return a, fault.E(op, fault.Invalid, "It would be shown at log-in for ever: say until when.")
	case a.Until != nil && (!a.Until.After(*a.From) || !a.Until.After(now)):
		return a, fault.E(op, fault.Invalid, "It would end before it begins, or is over already.")
	case a.Until != nil && a.Until.Sub(*a.From) > longest:
		return a, fault.E(op, fault.Invalid, "It would be shown at log-in for more than 31 days.")
	case a.Until == nil && n.NoMail:
		return a, fault.E(op, fault.Invalid, "Nobody would be mailed, and it would not be shown at log-in: say until when.")
	case a.Until == nil && s.o.Mail == nil && !n.DryRun:
		return a, fault.E(op, fault.Conflict, "No mail server is configured, so nobody would be told.").
			WithHint("say until when it is shown at log-in, or see who it concerns with a dry run")
	}
	return a, nil
}

// scope finds whom an announcement concerns. Exactly one scope must be given.
func (s *Service) scope(ctx context.Context, n model.NewAnnouncement) (model.Scope, string, error) {
	const op = "announce.scope"
	given := map[model.Scope]string{}
	for scope, target := range map[model.Scope]string{model.ScopeRegion: n.Region, model.ScopeFeed: n.Feed,
		model.ScopeTag: n.Tag} {
		if target != "" {
			given[scope] = target
		}
	}
	if n.All {
		given[model.ScopeAll] = ""
	}
	if len(given) != 1 {
		return "", "", fault.E(op, fault.Invalid, "Say whom it concerns: everyone, a region, a feed or a tag.")
	}
	for scope, target := range given {
		return scope, target, s.known(ctx, scope, target)
	}
	return "", "", nil
}

// known refuses a region, a feed or a tag that nothing has, since it is probably mistyped.
func (s *Service) known(ctx context.Context, scope model.Scope, target string) error {
	const op = "announce.known"
	q := s.o.Store.Read(ctx)
	switch scope {
	case model.ScopeFeed:
		_, err := q.Feed(target)
		return fault.Missing(op, err, "There is no feed %q.", valid.Printable(target))
	case model.ScopeRegion, model.ScopeTag:
		_, accounts, err := q.AudienceSize(scope, target)
		if err != nil || accounts > 0 {
			return err
		}
		e := fault.E(op, fault.NotFound, "No account has the %s %q.", scope, valid.Printable(target))
		if near := valid.Nearest(target, s.o.Regions); near != "" && near != target && scope == model.ScopeRegion {
			return e.WithHint("did you mean %s?", near)
		}
		return e
	}
	return nil
}

// List lists announcements, the newest first.
func (s *Service) List(ctx context.Context, f model.EveryFilter) ([]model.Announcement, error) {
	return s.o.Store.Read(ctx).Announcements(f.Paging)
}

// End ends an announcement: no more mails are written, and it is not shown any more.
func (s *Service) End(ctx context.Context, actor, id string) (model.Announcement, error) {
	a, err := store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Announcement, error) {
		a, err := tx.Announcement(id)
		if err != nil {
			return a, fault.Missing("announce.End", err, "There is no announcement %q.", valid.Printable(id))
		}
		if err := tx.EndAnnouncement(a.ID, actor, s.now()); fault.Is(err, fault.NotFound) {
			return a, fault.E("announce.End", fault.Conflict, "The announcement is over already.")
		} else if err != nil {
			return a, err
		}
		if err := s.audit(tx, actor, "announcement.end", a.ID, map[string]string{"subject": a.Subject}); err != nil {
			return a, err
		}
		return tx.Announcement(a.ID)
	})
	if err == nil {
		err = s.look(ctx)
	}
	return a, err
}
