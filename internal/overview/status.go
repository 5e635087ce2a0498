package overview

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// counted is how many rows of one kind are counted; beyond it, there are "more than".
const counted = 10_000

// Ages from which something needs a person, unless it is asked for another.
const (
	expiringKeys = 30 * 24 * time.Hour // before they expire
	certificate  = 14 * 24 * time.Hour // before it expires
	// before a listener with old algorithms closes
	endpointCloses = 14 * 24 * time.Hour
	confirmSoon    = 3 * 24 * time.Hour // before a run that waits for a confirmation
	scannerLate    = time.Hour
	queueStuck     = 15 * time.Minute
	unsealed       = 10 * time.Minute
	checkpointAge  = 49 * time.Hour // they are sent once a day
	oldPartial     = 24 * time.Hour
	untoldAfter    = time.Hour
	growthWindow   = 7 * 24 * time.Hour
	fullWithin     = 14 * 24 * time.Hour // the disk, at the present growth
	unusedToken    = 90 * 24 * time.Hour
	partnerWithin  = 90 * 24 * time.Hour // an address from which somebody logged in is a partner's
)

// asked is one question for what needs a person.
type asked struct {
	s                      *Service
	q                      *store.Q
	ctx                    context.Context
	now                    time.Time
	uncollected, unclaimed time.Time
	period                 model.StatusQuery
	needs                  []model.Need
}

// Status says what needs a person now, the most urgent first.
func (s *Service) Status(ctx context.Context, f model.StatusQuery) (model.Status, error) {
	s = s.reading(ctx)
	a := asked{s: s, q: s.read(ctx), ctx: ctx, now: s.now(), period: f}
	out := model.Status{At: a.now}
	var err error
	if a.uncollected, err = ago(a.now, f.Uncollected); err != nil {
		return out, err
	}
	if a.unclaimed, err = ago(a.now, f.Unclaimed); err != nil {
		return out, err
	}
	for _, look := range []func() error{a.disk, a.audit, a.backups, a.runs, a.missed, a.gaps, a.bans, a.queue, a.scanner,
		a.claims, a.unclaimedDrops, a.dead, a.certificate, a.endpoints, a.keysPending, a.keysFlagged, a.unreachable,
		a.bounced, a.late, a.untold,
		a.keysExpiring, a.tokens, a.review, a.dueToday, a.partials, a.limits, a.requests} {
		if err := look(); err != nil {
			return out, err
		}
	}
	order := []model.Urgency{model.UrgencyNow, model.UrgencyToday, model.UrgencySoon}
	slices.SortStableFunc(a.needs, func(x, y model.Need) int {
		return slices.Index(order, x.Urgency) - slices.Index(order, y.Urgency)
	})
	out.Needs = a.needs
	if out.Needs == nil {
		out.Needs = []model.Need{}
	}
	return out, nil
}

// need adds something.
func (a *asked) need(topic string, u model.Urgency, do *model.Action, format string, args ...any) *model.Need {
	a.needs = append(a.needs, model.Need{Topic: topic, Urgency: u, Action: do, Text: fmt.Sprintf(format, args...)})
	return &a.needs[len(a.needs)-1]
}

// few adds something with a count and names.
func (a *asked) few(topic string, u model.Urgency, do *model.Action, n int64, more bool, names []string, text string) {
	v := a.need(topic, u, do, "%s", text)
	v.Count, v.More, v.Names = n, more, names[:min(len(names), named)]
}

// heaps sums up, and lists the names with their counts.
func heaps(all []store.Heap) (n int64, more bool, names, counts []string, oldest time.Time) {
	for _, h := range all {
		n += h.Count
		names = append(names, h.Name)
		counts = append(counts, fmt.Sprintf("%s (%d)", h.Name, h.Count))
		if oldest.IsZero() || h.Oldest.Before(oldest) {
			oldest = h.Oldest
		}
	}
	if n > counted {
		return counted, true, names, counts, oldest
	}
	return n, false, names, counts, oldest
}
