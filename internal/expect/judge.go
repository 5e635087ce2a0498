package expect

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

const judgeEvery = 5 * time.Second

// maxLate bounds how many past deadlines of one expectation are judged in one transaction, the
// oldest first, for example after the server was down. The remaining ones are skipped.
const maxLate = 100

// Keep runs Judge until ctx ends. Several nodes may run it at once; row locks make each
// deadline be judged once.
func (r *Service) Keep(ctx context.Context) {
	exchange.Task{Every: judgeEvery, Log: r.log, Failure: "expectations could not be judged", Do: r.Judge}.Run(ctx)
}

// Judge judges every deadline that has passed, and checks whether missed files have come late.
// It tries all expectations and joins the errors.
func (r *Service) Judge(ctx context.Context) error {
	list, err := r.store.Read(ctx).Expectations(model.Paging{})
	if err != nil {
		return err
	}
	now := r.now()
	var errs []error // an error with one must not stop the others
	for _, e := range list {
		s, err := parseSchedule(e)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if s.after(e.CheckedAt).After(now) && e.State != model.ExpectMissed {
			continue
		}
		if err := r.readAhead(ctx, e, s, now); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := r.store.Write(ctx, func(tx *store.Tx) error { return r.judge(tx, e.ID, s, now) }); err != nil &&
			!fault.Is(err, fault.NotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *Service) judge(tx *store.Tx, id string, s schedule, now time.Time) error {
	e, err := tx.LockExpectation(id)
	if err != nil {
		return err
	}
	if e.State == model.ExpectMissed {
		if err := r.late(tx, &e, now); err != nil {
			return err
		}
	}
	for due, n := s.after(e.CheckedAt), 0; !due.After(now); due, n = s.after(due), n+1 {
		if n == maxLate { // the clock jumped, or the server was down for years
			e.CheckedAt = s.before(now)
			break
		}
		if err := r.deadline(tx, &e, s.before(due), due, now); err != nil {
			return err
		}
		e.CheckedAt = due
	}
	return tx.JudgeExpectation(e)
}

// deadline judges the window from the previous deadline, or from since, to due.
func (r *Service) deadline(tx *store.Tx, e *model.Expectation, since, due, now time.Time) error {
	if e.State == model.ExpectMet && e.Since != nil && e.Since.After(since) {
		since = *e.Since // files that met the last deadline late do not count again
	}
	n, _, small, err := r.came(&tx.Q, e, since, due)
	if err != nil {
		return err
	}
	was := e.State
	e.Since, e.DueAt, e.ChangedAt = &since, &due, &now
	if n >= e.AtLeast {
		e.State = model.ExpectMet
		return nil
	}
	e.State = model.ExpectMissed
	text := fmt.Sprintf("Expected %s by %s (%s); %d came. The expectation is %q.", words(*e), localText(due, e.Zone),
		e.Zone, n, e.Name)
	text += tooSmall(small)
	if was == model.ExpectMissed {
		text += " It was missed the time before, too."
	}
	partner := fmt.Sprintf("We expected %s by %s (%s), and %s came. Please upload what is missing as soon as you can. "+
		"If it is on its way, there is nothing else to do.",
		words(*e), localText(due, e.Zone), e.Zone, count(n)) + tooSmall(small)
	data := model.ExpectationChanged{Came: n, TooSmall: small[:min(len(small), namedSmall)],
		Again: was == model.ExpectMissed, Words: text, Partner: partner}
	return r.raise(tx, e, "expectation.miss", model.Event{Type: model.EventMissed, Data: data})
}

// late marks a missed expectation as met once enough files have come.
func (r *Service) late(tx *store.Tx, e *model.Expectation, now time.Time) error {
	if e.Since == nil || e.DueAt == nil {
		return nil
	}
	n, enough, _, err := r.came(&tx.Q, e, *e.Since, now)
	if err != nil || n < e.AtLeast {
		return err
	}
	next := enough.Add(time.Microsecond) // later files count for the next deadline
	e.State, e.ChangedAt, e.Since = model.ExpectMet, &now, &next
	text := fmt.Sprintf("It came late: %s, expected by %s (%s). The expectation is %q.", words(*e),
		localText(*e.DueAt, e.Zone), e.Zone, e.Name)
	partner := fmt.Sprintf("What we expected by %s (%s) has come: %s. Thank you. There is nothing to do.",
		localText(*e.DueAt, e.Zone), e.Zone, words(*e))
	if r.policy.Later == exchange.OddFlag {
		return r.audit(tx, "system:expect", "expectation.meet", e.Name,
			map[string]string{"due": e.DueAt.Format(time.RFC3339), "text": text})
	}
	return r.raise(tx, e, "expectation.meet", model.Event{Type: model.EventMet,
		Data: model.ExpectationChanged{Came: n, Words: text, Partner: partner}})
}

func localText(t time.Time, zone string) string {
	if l, err := time.LoadLocation(zone); err == nil {
		t = t.In(l)
	}
	return t.Format("Monday 2 January 2006, 15:04")
}

// count formats a number of files.
func count(n int64) string {
	if n == 0 {
		return "none"
	}
	return strconv.FormatInt(n, 10)
}

// raise emits an event about an expectation. The partner's text stays in it only if e.Tell is set.
func (r *Service) raise(tx *store.Tx, e *model.Expectation, action string, event model.Event) error {
	event.ID, event.At, event.Account, event.User = r.ids.New(), r.now(), e.Account, e.User
	if e.UserID != "" {
		u, err := tx.UserByID(e.UserID)
		if err != nil {
			return err
		}
		event.Account = u.Account
	}
	data := event.Data.(model.ExpectationChanged)
	data.Expectation, data.Feed, data.Pattern, data.AtLeast = e.Name, e.Feed, e.Glob, e.AtLeast
	data.Due, data.Zone = e.DueAt.Truncate(time.Second), e.Zone
	if !e.Tell {
		data.Partner = ""
	}
	event.Data = data
	if err := tx.Emit(event); err != nil {
		return err
	}
	return r.audit(tx, "system:expect", action, e.Name,
		map[string]string{"due": e.DueAt.Format(time.RFC3339), "text": data.Words})
}
