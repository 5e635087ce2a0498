package feed

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// number counts the number in a publication's name. Gaps and implausible numbers become events.
func (r *Service) number(tx *store.Tx, p *model.Publication, rule counting, n numbered) error {
	if n.seq < 0 {
		return nil
	}
	s, err := tx.Sequence(p.Feed, p.Account)
	var changes heard
	switch c := (counter{rule, &s}); {
	case fault.Is(err, fault.NotFound):
		s = model.Sequence{Account: p.Account, Missing: []model.Gap{}}
		c.begin(n)
	case err != nil:
		return err
	default:
		changes = c.take(n)
	}
	if err := tx.PutSequence(p.Feed, s); err != nil {
		return err
	}
	to := "all subscribers"
	if p.Account != "" {
		to = "account " + p.Account
	}
	if changes.odd {
		return r.emitGap(tx, p, model.FeedGap{Feed: p.Feed, Name: p.Name, Number: &n.seq, Last: &s.Last,
			Words: fmt.Sprintf("The feed %s has an odd number for %s: %s came after %d. It is not counted, unless the next "+
				"one follows it.", p.Feed, to, p.Name, s.Last)})
	}
	for _, g := range changes.gaps {
		words := strings.Replace(g.Text(), "-", " to ", 1)
		p.Missing = append(p.Missing, words)
		data := model.FeedGap{Feed: p.Feed, Name: p.Name, From: &g.From, To: &g.To, Period: g.Period,
			Words: fmt.Sprintf("The feed %s has a gap for %s: %s came, and number %s did not.", p.Feed, to, p.Name, words)}
		if err := r.emitGap(tx, p, data); err != nil {
			return err
		}
	}
	return nil
}

func (r *Service) emitGap(tx *store.Tx, p *model.Publication, data model.FeedGap) error {
	return tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventGap, At: r.now(), Account: p.Account, Data: data})
}

// SetSequence sets the next expected number. It clears the list of missing numbers; gaps are
// detected from next on.
func (r *Service) SetSequence(ctx context.Context, actor, feed, account string,
	next int64) (s model.Sequence, err error) {
	if next < 0 {
		return s, fault.E("feed.SetSequence", fault.Invalid, "The next number is 0 or more.")
	}
	return r.changeSequence(ctx, actor, feed, account, "feed.sequence.set",
		func(now *model.Sequence) (map[string]string, error) {
			was := now.Last
			*now = model.Sequence{Account: account, Last: next - 1, Period: now.Period, Restarts: now.Restarts, Date: now.Date,
				Missing: []model.Gap{}, Earlier: now.Earlier}
			return map[string]string{"next": strconv.FormatInt(next, 10), "last": strconv.FormatInt(was, 10)}, nil
		})
}

// AcceptGap removes numbers from the list of missing ones, because they will never come. It
// returns NotFound if none of them is missing.
func (r *Service) AcceptGap(ctx context.Context, actor, feed, account string, gap model.Gap,
	reason string) (s model.Sequence, err error) {
	const op = "feed.AcceptGap"
	if err := valid.CheckLabel("reason", reason); err != nil {
		return s, err
	}
	if gap.From > gap.To || gap.From < 0 {
		return s, fault.E(op, fault.Invalid, "%s is no range of numbers.", gap.Text())
	}
	return r.changeSequence(ctx, actor, feed, account, "feed.sequence.accept",
		func(now *model.Sequence) (map[string]string, error) {
			var rest []model.Gap
			for _, g := range now.Missing {
				if g.Period != gap.Period || g.To < gap.From || gap.To < g.From {
					rest = append(rest, g)
					continue
				}
				if before := g; before.From < gap.From {
					before.To = gap.From - 1
					rest = append(rest, before)
				}
				if after := g; gap.To < after.To {
					after.From = gap.To + 1
					rest = append(rest, after)
				}
			}
			if slices.Equal(rest, now.Missing) {
				return nil, fault.E(op, fault.NotFound, "None of %s is missing.", gap.Text()).
					WithHint("see what is").WithAction("show-feed", "name", feed)
			}
			now.Missing = append([]model.Gap{}, rest...)
			return map[string]string{"numbers": gap.Text(), "reason": reason}, nil
		})
}

// changeSequence applies fn to a sequence and writes an audit row with the action.
func (r *Service) changeSequence(ctx context.Context, actor, feed, account, action string,
	fn func(s *model.Sequence) (detail map[string]string, err error)) (model.Sequence, error) {
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (s model.Sequence, err error) {
		if _, err := tx.Feed(feed); err != nil {
			return s, fault.Missing("feed", err, "There is no feed %q.", valid.Printable(feed))
		}
		of := account
		if of != "" {
			a, err := tx.Account(of)
			if err != nil {
				return s, fault.Missing("feed", err, "There is no account %q.", valid.Printable(of))
			}
			of = a.ID // the stored spelling
		}
		s, err = tx.Sequence(feed, of)
		if fault.Is(err, fault.NotFound) {
			s = model.Sequence{Account: of, Missing: []model.Gap{}}
		} else if err != nil {
			return s, err
		}
		detail, err := fn(&s)
		if err != nil {
			return s, err
		}
		if err := tx.PutSequence(feed, s); err != nil {
			return s, err
		}
		detail["account"] = of
		return s, r.audit(tx, model.AuditRow{Actor: actor, Action: action, Subject: feed, Detail: detail})
	})
}

// ForgetSequence deletes the sequence of an account; "" is the one for all. The next number
// starts a new sequence.
func (r *Service) ForgetSequence(ctx context.Context, actor, feed, account string) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		s, err := tx.Sequence(feed, account)
		if err != nil {
			return fault.Missing("feed", err, "No numbers of the feed %q were counted for %s.", valid.Printable(feed),
				valid.Printable(allOr(account)))
		}
		if err := tx.RemoveSequence(feed, account); err != nil {
			return err
		}
		return r.audit(tx, model.AuditRow{Actor: actor, Action: "feed.sequence.forget", Subject: feed,
			Detail: map[string]string{"account": account, "last": strconv.FormatInt(s.Last, 10)}})
	})
}

func allOr(account string) string {
	if account == "" {
		return "all"
	}
	return "account " + account
}
