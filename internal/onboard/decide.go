package onboard

import (
	"context"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Requests lists requests, the newest first.
func (s *Service) Requests(ctx context.Context, f model.RequestFilter) ([]model.Request, error) {
	list, err := s.o.Store.Read(ctx).Requests(f, s.now())
	for i := range list {
		s.late(&list[i])
	}
	return list, err
}

// Counts says how many requests wait, and for whom.
func (s *Service) Counts(ctx context.Context, c model.RequestCountQuery) (model.RequestCounts, error) {
	return s.o.Store.Read(ctx).RequestCounts(c.Owner, s.now())
}

// Late lists requests that wait for an operator for longer than they should, the longest first.
func (s *Service) Late(ctx context.Context, most int) ([]model.Request, error) {
	return s.o.Store.Read(ctx).LateRequests(s.now(), most)
}

// late sets whether whoever is waited for should have acted.
func (s *Service) late(r *model.Request) { r.Late = r.Due != nil && r.Due.Before(s.now()) }

// Request finds a request by its id or its reference, with its history.
func (s *Service) Request(ctx context.Context, id string) (model.Request, error) {
	return s.whole(s.o.Store.Read(ctx), id)
}

func (s *Service) whole(q *store.Q, id string) (model.Request, error) {
	r, err := q.Request(id)
	if err != nil {
		return r, noRequest(err, id)
	}
	s.late(&r)
	r.History, err = q.RequestSteps(r.ID)
	return r, err
}

func noRequest(err error, id string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.E("onboard", fault.NotFound, "There is no request %q.", valid.Printable(id)).
			WithAction("list-requests")
	}
	return err
}

// locked finds a request and holds its row.
func (s *Service) locked(tx *store.Tx, id string) (model.Request, error) {
	r, err := tx.Request(id)
	if err != nil {
		return r, noRequest(err, id)
	}
	r, err = tx.LockRequest(r.ID)
	return r, noRequest(err, id)
}

// change does a step of an operator: fn changes the locked request, and may write mails behind it.
func (s *Service) change(ctx context.Context, id string, d step,
	fn func(tx *store.Tx, r *model.Request) (mail func(r model.Request) error, err error)) (model.Request, error) {
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Request, error) {
		r, err := s.locked(tx, id)
		if err != nil {
			return r, err
		}
		if err := may(r, d.action); err != nil {
			return r, err
		}
		mail, err := fn(tx, &r)
		if err != nil {
			return r, err
		}
		if err := s.move(tx, r, d); err != nil {
			return r, err
		}
		if mail != nil {
			if err := mail(r); err != nil {
				return r, err
			}
		}
		return s.whole(&tx.Q, r.ID)
	})
}

// mails is how a step ends whose requester is mailed, if its address is confirmed.
func (s *Service) mails(tx *store.Tx, kind, text string) func(r model.Request) error {
	return func(r model.Request) error {
		if r.VerifiedAt == nil { // a stranger's word that somebody has this address
			return nil
		}
		return s.mailStatus(tx, kind, r, text)
	}
}

// words checks what is said to a requester.
func words(what, field, text string) (string, error) {
	text, err := cleanText(what, text)
	if err == nil && text == "" {
		err = fault.E("onboard.words", fault.Invalid, "The %s is empty.", what)
	}
	return text, fault.InField(field, err)
}

// Ask asks the requester something. The request waits for the answer.
func (s *Service) Ask(ctx context.Context, actor, id string, a model.AskRequest) (model.Request, error) {
	text, err := words("question", "text", a.Text)
	if err != nil {
		return model.Request{}, err
	}
	return s.change(ctx, id, step{actor: actor, action: model.StepAsk, text: text},
		func(tx *store.Tx, r *model.Request) (func(model.Request) error, error) {
			if s.o.Mail == nil {
				return nil, fault.E("onboard.Ask", fault.Conflict, "No mail server is configured, so nobody would be asked.").
					WithHint("ask on the phone (%s); then approve or reject", r.Phone)
			}
			s.enter(r, model.RequestNeedsAnswer)
			r.Approver, r.Approval = "", nil
			return s.mails(tx, MailQuestion, text), nil
		})
}

// Reject ends a request, with a reason that the requester reads.
func (s *Service) Reject(ctx context.Context, actor, id string, j model.RejectRequest) (model.Request, error) {
	reason, err := words("reason", "reason", j.Reason)
	if err != nil {
		return model.Request{}, err
	}
	return s.change(ctx, id, step{actor: actor, action: model.StepReject, text: reason},
		func(tx *store.Tx, r *model.Request) (func(model.Request) error, error) {
			s.enter(r, model.RequestRejected)
			r.Reason = reason
			return s.mails(tx, MailRejected, reason), nil
		})
}

// WithdrawFor ends a request at the word of its requester, who told an operator.
func (s *Service) WithdrawFor(ctx context.Context, actor, id string, w model.WithdrawRequest) (model.Request, error) {
	reason, err := words("reason", "reason", w.Reason)
	if err != nil {
		return model.Request{}, err
	}
	return s.change(ctx, id, step{actor: actor, action: model.StepWithdraw, text: reason},
		func(tx *store.Tx, r *model.Request) (func(model.Request) error, error) {
			s.enter(r, model.RequestWithdrawn)
			return s.mails(tx, MailWithdrawn, ""), nil
		})
}

// Assign gives a request an owner; "" takes it away.
func (s *Service) Assign(ctx context.Context, actor, id string, a model.AssignRequest) (model.Request, error) {
	owner := strings.TrimSpace(a.Owner)
	if owner != "" {
		if err := valid.CheckLabel("owner", owner); err != nil {
			return model.Request{}, fault.InField("owner", err)
		}
	}
	return s.change(ctx, id, step{actor: actor, action: model.StepAssign, text: owner,
		detail: map[string]string{"owner": owner}},
		func(_ *store.Tx, r *model.Request) (func(model.Request) error, error) {
			if r.Owner == owner {
				return nil, fault.E("onboard.Assign", fault.Exists, "That is so already.")
			}
			r.Owner = owner
			return nil, nil
		})
}

// Remind reminds whoever a request waits for, by mail.
func (s *Service) Remind(ctx context.Context, actor, id string) (model.Request, error) {
	if s.o.Mail == nil {
		return model.Request{}, fault.E("onboard.Remind", fault.Conflict,
			"No mail server is configured, so nobody can be reminded.").
			WithHint("set mail.host, mail.from and web.url in the configuration")
	}
	r, err := s.Request(ctx, id)
	if err != nil {
		return r, err
	}
	why, err := s.unused(ctx, r)
	if err != nil {
		return r, err
	}
	return s.change(ctx, r.ID, step{actor: actor, action: model.StepRemind},
		func(tx *store.Tx, r *model.Request) (func(model.Request) error, error) {
			r.RemindedAt = new(s.now())
			r.Reminders++
			return s.reminder(tx, r, why)
		})
}

// unused returns why nobody has logged in with a request's log-in.
func (s *Service) unused(ctx context.Context, r model.Request) (string, error) {
	if r.State != model.RequestReady || s.o.Explain == nil || r.User == "" {
		return "", nil
	}
	return s.o.Explain(ctx, r.User)
}

// reminder returns how whoever is waited for is reminded. why is why nobody has logged in.
func (s *Service) reminder(tx *store.Tx, r *model.Request, why string) (func(model.Request) error, error) {
	switch r.State {
	case model.RequestUnverified:
		r.Due = new(s.now().Add(s.policy.Load().VerifyWithin))
		return func(r model.Request) error {
			if err := tx.EndRequestLinks(r.ID, forVerify); err != nil {
				return err
			}
			return s.mailVerify(tx, r)
		}, nil
	case model.RequestNeedsAnswer:
		steps, err := tx.RequestSteps(r.ID)
		asked := model.Request{History: steps}
		return s.mails(tx, MailReminder, asked.Question()), err
	case model.RequestReady:
		return s.mails(tx, MailUnused, why), nil
	}
	return func(r model.Request) error {
		return s.mail(tx, Letter{Kind: MailLate, Request: r, Operators: true})
	}, nil
}

// Add records a request that came another way than the form.
func (s *Service) Add(ctx context.Context, actor string, n model.AddRequest) (model.Request, error) {
	const op = "onboard.Add"
	channels := []model.RequestChannel{model.ChannelByMail, model.ChannelPhone, model.ChannelOperator}
	if n.Channel == "" {
		n.Channel = model.ChannelOperator
	}
	known := false
	for _, c := range channels {
		known = known || c == n.Channel
	}
	if !known {
		return model.Request{}, fault.E(op, fault.Invalid, "%q is no way in which a request comes.",
			valid.Printable(string(n.Channel))).WithHint("say mail, phone or operator").WithField("channel")
	}
	r, err := s.read(ctx, n.NewRequest, "request")
	if err != nil {
		return r, err
	}
	if r.Channel = n.Channel; n.Verified != "" {
		if err := valid.CheckLabel("how it was checked", n.Verified); err != nil {
			return r, err
		}
		r.VerifiedAt, r.Verified = new(s.now()), n.Verified
	} else if s.o.Mail == nil {
		return r, fault.E(op, fault.Conflict, "No mail server is configured, so no link can confirm the address.").
			WithHint("say how you checked that the requester is who they say").WithField("verified")
	}
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (model.Request, error) {
		r := r
		state := model.RequestNew
		if r.VerifiedAt == nil {
			state = model.RequestUnverified
		}
		s.enter(&r, state)
		if err := s.notAgain(tx, r); err != nil {
			return r, err
		}
		if err := tx.AddRequest(r); err != nil {
			return r, err
		}
		if err := s.record(tx, r, step{actor: actor, action: model.StepAdd, detail: map[string]string{"email": r.Email,
			"account_number": r.AccountNumber, "company": r.Company, "fingerprint": r.Key.Fingerprint,
			"channel": string(r.Channel), "verified": r.Verified}}); err != nil {
			return r, err
		}
		announce := s.arrived
		if state == model.RequestUnverified {
			announce = s.mailVerify
		}
		if err := announce(tx, r); err != nil {
			return r, err
		}
		return s.whole(&tx.Q, r.ID)
	})
}

// notAgain refuses what is there already, undecided, with the same address, number and key: the call was
// repeated after a lost answer.
func (s *Service) notAgain(tx *store.Tx, r model.Request) error {
	list, err := tx.RelatedRequests(r, maxRelated)
	for _, old := range list {
		if !old.State.Over() && old.Email == r.Email && old.AccountNumber == r.AccountNumber &&
			old.Key.Fingerprint == r.Key.Fingerprint {
			return fault.E("onboard.Add", fault.Exists, "The request %s is the same, and %s.", old.Reference, standing(old)).
				WithAction("show-request", "request", old.Reference)
		}
	}
	return err
}
