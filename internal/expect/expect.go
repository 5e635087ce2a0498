// Package expect detects files that do not come: for example a vendor's upload by six in the
// morning on weekdays, or a publication in a feed by the third of the month.
//
// Each deadline is judged once, by the files since the previous deadline (judge.go). A missed
// deadline emits an event. When the files come late, the expectation is met and another event
// says so. Deadlines are wall clock times in a time zone (schedule.go).
package expect

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Service manages expectations.
type Service struct {
	store  *store.Store
	clock  exchange.Clock
	ids    *exchange.IDs
	log    *slog.Logger
	lines  *lines
	policy Policy
}

// Options are the dependencies and the policy of the service.
type Options struct {
	Store *store.Store
	Clock exchange.Clock
	IDs   *exchange.IDs
	Log   *slog.Logger
	// Count returns the number of non-empty lines of a version's content. If it is nil, lines are not checked.
	Count  func(versionID string) (int64, error)
	Policy Policy
}

// New returns the service.
func New(o Options) *Service {
	return &Service{o.Store, o.Clock, o.IDs, o.Log, &lines{count: o.Count, known: map[string]int64{}}, o.Policy}
}

func (r *Service) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

func (r *Service) audit(tx *store.Tx, actor, action, subject string, detail map[string]string) error {
	return tx.Audit(model.AuditRow{ID: r.ids.New(), At: r.now(), Actor: actor, Action: action, Subject: subject,
		Detail: detail})
}

// Add adds an expectation. Its first deadline is the next one from now.
func (r *Service) Add(ctx context.Context, actor string, n model.NewExpectation) (model.Expectation, error) {
	const op = "expect.Add"
	e := model.Expectation{Name: n.Name, User: n.User, Feed: n.Feed, Account: n.Account, Glob: n.Glob, AtLeast: n.AtLeast,
		LeastBytes: 1, LeastRows: n.LeastRows, MostBytes: n.MostBytes, Days: n.Days, Clock: n.Clock,
		Zone: n.Zone, Tell: n.Tell}
	if n.LeastBytes != nil {
		e.LeastBytes = *n.LeastBytes
	}
	if err := valid.CheckID("expectation's name", e.Name); err != nil {
		return e, err
	}
	if (e.User == "") == (e.Feed == "") || e.User != "" && e.Account != "" {
		return e, fault.E(op, fault.Invalid, "Expect a user's uploads, or a feed's publications.").
			WithHint("give --user NAME, or --feed NAME and perhaps --account ID")
	}
	if e.Tell && e.User == "" {
		return e, fault.E(op, fault.Invalid, "Partners are told of their own uploads only.").
			WithHint("give --user NAME with --tell-partner")
	}
	if _, err := path.Match(e.Glob, "x"); err != nil || valid.Printable(e.Glob) != e.Glob {
		return e, fault.E(op, fault.Invalid, "%q is not a pattern of names.", valid.Printable(e.Glob)).
			WithHint("such as cdr-*.csv")
	}
	if e.AtLeast == 0 {
		e.AtLeast = 1
	}
	if e.AtLeast < 1 || e.AtLeast > 10_000 {
		return e, fault.E(op, fault.Invalid, "Expect 1 to 10000 files.")
	}
	if e.LeastBytes < 0 || e.LeastRows < 0 {
		return e, fault.E(op, fault.Invalid, "A least size is not negative.")
	}
	if e.MostBytes < 0 || e.MostBytes > 0 && e.MostBytes < e.LeastBytes {
		return e, fault.E(op, fault.Invalid, "The largest size is below the least, which is %d bytes.", e.LeastBytes)
	}
	if e.MostBytes > 0 && e.User == "" {
		return e, fault.E(op, fault.Invalid, "A largest size is for a user's uploads only.").WithHint("give --user NAME")
	}
	s, err := parseSchedule(e)
	if err != nil {
		return e, err
	}
	e.ID, e.CreatedAt, e.State = r.ids.New(), r.now(), model.ExpectWaiting
	e.CheckedAt = e.CreatedAt
	next := s.after(e.CreatedAt)
	e.NextAt = &next
	return store.Change(ctx, r.store, func(tx *store.Tx) (model.Expectation, error) { return r.add(tx, actor, e) })
}

func (r *Service) add(tx *store.Tx, actor string, e model.Expectation) (model.Expectation, error) {
	if e.User != "" {
		u, err := tx.User(e.User)
		if err != nil {
			return e, fault.Missing("expect", err, "There is no user %q.", e.User)
		}
		e.UserID = u.ID
	} else if _, err := tx.Feed(e.Feed); err != nil {
		return e, fault.Missing("expect", err, "There is no feed %q.", e.Feed)
	}
	if e.Account != "" {
		a, err := tx.Account(e.Account)
		if err != nil {
			return e, fault.Missing("expect", err, "There is no account %q.", e.Account)
		}
		e.Account = a.ID // the stored spelling
	}
	err := tx.AddExpectation(e)
	if fault.Is(err, fault.Exists) {
		return e, fault.E("expect.Add", fault.Exists, "An expectation %q already exists.", e.Name)
	} else if err != nil {
		return e, err
	}
	return e, r.audit(tx, actor, "expectation.add", e.Name,
		map[string]string{"user": e.User, "feed": e.Feed, "account": e.Account, "pattern": e.Glob,
			"at_least": strconv.FormatInt(e.AtLeast, 10), "least_bytes": strconv.FormatInt(e.LeastBytes, 10),
			"least_rows": strconv.FormatInt(e.LeastRows, 10), "most_bytes": strconv.FormatInt(e.MostBytes, 10),
			"days": e.Days, "by": e.Clock, "zone": e.Zone, "tell_partner": strconv.FormatBool(e.Tell)})
}

// List lists expectations with their next deadlines.
func (r *Service) List(ctx context.Context, f model.EveryFilter) ([]model.Expectation, error) {
	list, err := r.store.Read(ctx).Expectations(f.Paging)
	now := r.now()
	for i := range list {
		if s, err := parseSchedule(list[i]); err == nil {
			next := s.after(now)
			list[i].NextAt = &next
		}
	}
	return list, err
}

// Remove deletes an expectation.
func (r *Service) Remove(ctx context.Context, actor, name string) error {
	return r.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.RemoveExpectation(name); err != nil {
			return fault.Missing("expect", err, "There is no expectation %q.", valid.Printable(name))
		}
		return r.audit(tx, actor, "expectation.remove", name, nil)
	})
}

// words describes an expectation for people.
func words(e model.Expectation) string {
	what := "a file"
	if e.AtLeast > 1 {
		what = fmt.Sprintf("%d files", e.AtLeast)
	}
	if e.Glob != "" {
		what += " called " + e.Glob
	}
	if e.LeastBytes > 1 {
		what += fmt.Sprintf(" of at least %d bytes", e.LeastBytes)
	}
	if e.LeastRows > 0 {
		what += fmt.Sprintf(" with at least %d lines", e.LeastRows)
	}
	if e.MostBytes > 0 {
		what += fmt.Sprintf(" of at most %d bytes", e.MostBytes)
	}
	if e.User != "" {
		return what + " from " + e.User
	}
	to := ""
	if e.Account != "" {
		to = " for " + e.Account
	}
	return what + " in the feed " + e.Feed + to
}
