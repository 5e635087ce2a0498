// Package overview answers the questions of whoever looks after partners: what needs a person now
// (status.go and needs.go), what a text is the name of (find.go), and who an account or a user is
// (account.go, user.go). It reads, and changes nothing. Each answer looks at a bounded number of rows.
package overview

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Policy is the part of the configuration that may be replaced.
type Policy struct {
	Limits       exchange.DefaultLimits
	Account      exchange.AccountLimits
	Floor        int64         // bytes that uploads leave free
	KeepPartials time.Duration // how long uploads that broke off are kept
	Notice       time.Duration // how long after its announcement a retention run can be confirmed
}

// Options are what the answers are made of.
type Options struct {
	Store  *store.Store
	Clock  exchange.Clock
	IDs    *exchange.IDs
	Zone   *time.Location // the operator's; nil: UTC
	Policy func() Policy  // in force
	// Free returns how many bytes can still be stored; uploads must leave Policy.Floor of them.
	Free func() (int64, error)
	// Partials lists uploads that broke off; see tree.Partials.
	Partials func(userID string, before time.Time) []model.Partial
	Sessions func() []model.Session
	// Flush writes records of connections that wait to be written.
	Flush func()
	Audit func(ctx context.Context) (model.AuditStatus, error)
	// Checkpoints says that the audit log's checkpoints are to leave this machine.
	Checkpoints  bool
	Queue        func(ctx context.Context) (model.Queue, error)
	Expectations func(ctx context.Context) ([]model.Expectation, error)
	// Review is how often who and what has access is to be signed off: "6mo"; "": never.
	Review string
	// Certificate returns when the certificate of the pages for partners expires; zero if there is none.
	Certificate func() (time.Time, error)
	// Endpoints lists the listeners with old algorithms.
	Endpoints func(ctx context.Context) ([]model.Endpoint, error)
	// Backups returns when the newest backup was made, and the newest that is whole; zero for none. why is why the
	// newest failed.
	Backups func(ctx context.Context) (newest, good time.Time, why string, err error)
	// BackupExpected says that there should be backups, even if there was none yet. BackupAge is how old the newest may
	// be.
	BackupExpected bool
	BackupAge      time.Duration
	// Ordered says that the certificate comes from an authority by itself (web.acme).
	Ordered bool
}

// Service answers.
type Service struct{ o Options }

// New makes the service.
func New(o Options) *Service {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Service{o}
}

// reading returns the service for whoever asks: its sentences have times in their zone.
func (s *Service) reading(ctx context.Context) *Service {
	theirs := *s
	theirs.o.Zone = exchange.ReaderZone(ctx, s.o.Zone)
	return &theirs
}

func (s *Service) now() time.Time { return s.o.Clock().UTC().Truncate(time.Microsecond) }

// read returns a Q that sees every connection until now.
func (s *Service) read(ctx context.Context) *store.Q {
	s.o.Flush()
	return s.o.Store.Read(ctx)
}

// words says how long a period is: 3 days for 3d.
func words(period string) string {
	for _, u := range []struct{ unit, one, many string }{{"mo", "a month", "months"}, {"d", "a day", "days"},
		{"y", "a year", "years"}, {"h", "an hour", "hours"}} {
		if n, ok := strings.CutSuffix(period, u.unit); ok && n == "1" {
			return u.one
		} else if ok {
			return n + " " + u.many
		}
	}
	return period
}

// ago returns the time that is a period before now: 12h, 3d, 2mo.
func ago(now time.Time, period string) (time.Time, error) {
	if at, err := valid.Before(now, period); err == nil {
		return at, nil
	}
	d, err := time.ParseDuration(period)
	if err != nil || d <= 0 {
		return now, fault.E("overview.ago", fault.Invalid, "%q is not a length of time.", valid.Printable(period)).
			WithHint("write 12h, 3d or 2mo")
	}
	return now.Add(-d), nil
}

// count says how many of something there are: 1 file, 3 files, more than 10000 files.
func count(n int64, more bool, one, many string) string {
	switch {
	case more:
		return fmt.Sprintf("More than %d %s", n, many)
	case n == 1:
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// verb chooses between the two forms of a verb.
func verb(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// named is how many names a sentence has.
const named = 3

// list joins the first few of some names: a, b, c and 4 more.
func list(names []string, all int) string {
	shown := min(len(names), named)
	words := make([]string, shown)
	for i, n := range names[:shown] {
		words[i] = valid.Printable(n)
	}
	text := strings.Join(words, ", ")
	if all > shown {
		text += fmt.Sprintf(" and %d more", all-shown)
	} else if shown > 1 {
		text = strings.Join(words[:shown-1], ", ") + " and " + words[shown-1]
	}
	return text
}

// date and minute format times in the zone of whoever asks.
func (s *Service) date(t time.Time) string   { return t.In(s.o.Zone).Format(time.DateOnly) }
func (s *Service) minute(t time.Time) string { return t.In(s.o.Zone).Format("2006-01-02 15:04 MST") }
