package onboard

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	keepEvery    = 10 * time.Second
	keepAtOnce   = 200
	maxReminders = 3
	// keepUnconfirmed is how long a request stays whose address nobody confirmed, after it is over.
	keepUnconfirmed = 7 * 24 * time.Hour
	keeper          = "system:requests"
)

// Keep runs Step every ten seconds until ctx ends. First log-ins and first files are found here and not in the
// transactions of log-ins and uploads: those are many and must be fast, and requests that wait for them are few.
func (s *Service) Keep(ctx context.Context) {
	exchange.Task{Every: keepEvery, Do: s.Step, Failure: "requests could not be looked after", Log: s.o.Log}.Run(ctx)
}

// Step expires, reminds, notes the first use of new log-ins, places earlier files, and removes what nobody confirmed.
func (s *Service) Step(ctx context.Context) error {
	return errors.Join(s.expire(ctx), s.remindAll(ctx), s.noteUse(ctx), s.Fill(ctx), s.prune(ctx))
}

// each runs fn on the requests in some states, page by page.
func (s *Service) each(ctx context.Context, fn func(r model.Request) error, states ...model.RequestState) error {
	for _, state := range states {
		for after := ""; ; {
			list, err := s.o.Store.Read(ctx).RequestsIn(state, after, keepAtOnce)
			if err != nil {
				return err
			}
			for _, r := range list {
				if err := fn(r); err != nil && !fault.Is(err, fault.Conflict) { // a person was faster
					return err
				}
			}
			if len(list) < keepAtOnce {
				break
			}
			after = list[len(list)-1].ID
		}
	}
	return nil
}

// expire ends requests whose requester did not answer in time.
func (s *Service) expire(ctx context.Context) error {
	return s.each(ctx, func(r model.Request) error {
		if r.Due == nil || s.now().Before(*r.Due) {
			return nil
		}
		_, err := s.change(ctx, r.ID, step{actor: keeper, action: model.StepExpire},
			func(tx *store.Tx, r *model.Request) (func(model.Request) error, error) {
				if r.Due == nil || s.now().Before(*r.Due) { // it was answered, and asked again
					return nil, fault.E("onboard.expire", fault.Conflict, "It is not due.")
				}
				s.enter(r, model.RequestExpired)
				return s.mails(tx, MailExpired, ""), nil
			})
		return err
	}, model.RequestUnverified, model.RequestNeedsAnswer)
}

// remindAll reminds whoever is waited for: requesters after a time, and operators once they are late.
func (s *Service) remindAll(ctx context.Context) error {
	if s.o.Mail == nil {
		return nil
	}
	return s.each(ctx, func(r model.Request) error {
		if !s.toRemind(r) {
			return nil
		}
		why, err := s.unused(ctx, r)
		if err != nil {
			return err
		}
		_, err = s.change(ctx, r.ID, step{actor: keeper, action: model.StepRemind},
			func(tx *store.Tx, r *model.Request) (func(model.Request) error, error) {
				if !s.toRemind(*r) {
					return nil, fault.E("onboard.remindAll", fault.Conflict, "Another node was faster.")
				}
				r.RemindedAt = new(s.now())
				r.Reminders++
				return s.reminder(tx, r, why)
			})
		return err
	}, model.RequestNew, model.RequestApproved, model.RequestNeedsAnswer, model.RequestReady)
}

// toRemind reports whether it is time to remind whoever a request waits for.
func (s *Service) toRemind(r model.Request) bool {
	if r.Reminders >= maxReminders {
		return false
	}
	next := r.Since.Add(s.policy.Load().RemindAfter)
	if r.WaitsFor != model.AwaitedRequester && r.Due != nil {
		next = *r.Due
	}
	if r.RemindedAt != nil {
		next = r.RemindedAt.Add(s.policy.Load().RemindAfter)
	}
	return !s.now().Before(next)
}

// noteUse notes first log-ins and first files.
func (s *Service) noteUse(ctx context.Context) error {
	return s.each(ctx, func(r model.Request) error {
		login, file, err := s.o.Store.Read(ctx).FirstUse(r.UserID, r.Since)
		if err != nil || login.IsZero() && file.IsZero() {
			return err
		}
		if r.State == model.RequestReady {
			if r, err = s.used(ctx, r, model.StepFirstLogin, model.RequestFirstLogin, login); err != nil {
				return err
			}
		}
		if !file.IsZero() {
			_, err = s.used(ctx, r, model.StepFirstFile, model.RequestFirstFile, file)
		}
		return err
	}, model.RequestReady, model.RequestFirstLogin)
}

// used notes a first use, with the time of the use.
func (s *Service) used(ctx context.Context, r model.Request, action string, to model.RequestState,
	at time.Time) (model.Request, error) {
	detail := map[string]string{}
	if !at.IsZero() {
		detail["at"] = at.Format(time.RFC3339)
	}
	return s.change(ctx, r.ID, step{actor: keeper, action: action, detail: detail},
		func(_ *store.Tx, r *model.Request) (func(model.Request) error, error) {
			since := r.Since
			s.enter(r, to)
			if !at.IsZero() && at.After(since) {
				r.Since = at
			} else {
				r.Since = since
			}
			return nil, nil
		})
}

// prune removes links that have expired, and requests whose address was never confirmed.
func (s *Service) prune(ctx context.Context) error {
	now := s.now()
	stale, err := s.o.Store.Read(ctx).StaleRequestLinks(now)
	if err == nil && stale {
		err = s.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.PruneRequestLinks(now) })
	}
	if err != nil {
		return err
	}
	old, err := s.o.Store.Read(ctx).UnconfirmedRequests(now.Add(-keepUnconfirmed), keepAtOnce)
	for _, id := range old {
		err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
			r, err := tx.LockRequest(id)
			if err != nil {
				return err
			}
			if err := tx.PruneRequest(id); err != nil {
				return err
			}
			return tx.Audit(model.AuditRow{ID: s.o.IDs.New(), At: now, Actor: keeper, Action: "request.remove",
				Subject: r.Reference, Detail: map[string]string{"request": r.ID, "why": "its address was never confirmed"}})
		})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return err
}
