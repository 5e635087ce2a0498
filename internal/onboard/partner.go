package onboard

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Look returns what a link that confirms an address is about. It changes nothing.
func (s *Service) Look(ctx context.Context, secret string) (model.RequestStatus, error) {
	return s.see(ctx, secret, forVerify)
}

// Status returns what a requester may see of its request. It changes nothing.
func (s *Service) Status(ctx context.Context, secret string) (model.RequestStatus, error) {
	return s.see(ctx, secret, forStatus)
}

func (s *Service) see(ctx context.Context, secret, purpose string) (out model.RequestStatus, err error) {
	q := s.o.Store.Read(ctx)
	r, of, err := s.requestOf(q, secret)
	if err != nil {
		return out, err
	}
	if of != purpose || purpose == forVerify && r.State != model.RequestUnverified {
		return out, gone()
	}
	if r.History, err = q.RequestSteps(r.ID); err != nil {
		return out, err
	}
	return statusOf(r), nil
}

// statusOf returns what a requester may see. Of operators it sees neither names nor what they say to each other.
func statusOf(r model.Request) model.RequestStatus {
	out := model.RequestStatus{Reference: r.Reference, State: r.State, Since: r.Since, WaitsFor: r.WaitsFor, Due: r.Due,
		Name: r.Name(), Email: r.Email, Company: r.Company, AccountNumber: r.AccountNumber, Username: r.Username, Key: r.Key,
		Feeds: r.Feeds, Types: r.Types, Message: r.Message, Reason: r.Reason,
		MayAnswer: may(r, model.StepAnswer) == nil, MayWithdraw: may(r, model.StepWithdraw) == nil,
		MayVerify: may(r, model.StepVerify) == nil}
	if r.State == model.RequestApproved { // the requester waits for us as before
		out.State, out.WaitsFor = model.RequestNew, model.AwaitedOperator
	}
	if r.User != "" {
		out.Username = r.User
	}
	if r.State == model.RequestNeedsAnswer {
		out.Question = r.Question()
	}
	var last model.RequestState
	for _, h := range r.History {
		if h.Action == model.StepAsk || h.Action == model.StepAnswer {
			out.Talk = append(out.Talk, model.RequestWord{At: h.At, Question: h.Action == model.StepAsk, Text: h.Text})
		}
		if h.State != last && h.State != model.RequestApproved {
			out.Steps = append(out.Steps, model.RequestMark{At: h.At, State: h.State})
			last = h.State
		}
	}
	return out
}

// within runs fn on the locked request of a link.
func (s *Service) within(tx *store.Tx, secret, purpose string) (model.Request, error) {
	r, of, err := s.requestOf(&tx.Q, secret)
	if err != nil {
		return r, err
	}
	if of != purpose {
		return r, gone()
	}
	return tx.LockRequest(r.ID)
}

// Verify confirms the address of a request, once. The answer has the secret of a status page.
func (s *Service) Verify(ctx context.Context, secret string) (model.Verified, error) {
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (out model.Verified, err error) {
		r, err := s.within(tx, secret, forVerify)
		if err != nil {
			return out, err
		}
		if may(r, model.StepVerify) != nil {
			return out, gone()
		}
		s.enter(&r, model.RequestNew)
		r.VerifiedAt, r.Verified = new(s.now()), "by link"
		if err := tx.EndRequestLinks(r.ID, forVerify); err != nil {
			return out, err
		}
		if err := s.move(tx, r, step{actor: requester(r), action: model.StepVerify,
			detail: map[string]string{"email": r.Email}}); err != nil {
			return out, err
		}
		if err := s.arrived(tx, r); err != nil {
			return out, err
		}
		out.Reference = r.Reference
		out.Status, err = s.link(tx, r, forStatus)
		return out, err
	})
}

// arrived tells of a request whose address is confirmed: the requester, the account's contacts and the operators.
func (s *Service) arrived(tx *store.Tx, r model.Request) error {
	if err := s.mailStatus(tx, MailReceived, r, ""); err != nil {
		return err
	}
	if err := s.tellContacts(tx, r, r.AccountNumber); err != nil {
		return err
	}
	if s.o.Mail == nil {
		return nil
	}
	j, err := s.judge(&tx.Q, r)
	if err != nil {
		return err
	}
	return s.mail(tx, Letter{Kind: MailNew, Request: r, Operators: true, Findings: j.Findings})
}

// tellContacts tells the contacts of an account, if there is one of that number, that somebody asks for access.
func (s *Service) tellContacts(tx *store.Tx, r model.Request, number string) error {
	if s.o.Mail == nil || number == "" {
		return nil
	}
	a, err := tx.Account(number)
	if fault.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	people, err := tx.Contacts(a.ID, "")
	told := map[string]bool{valid.Fold(r.Email): true} // the requester has a mail of its own
	for _, c := range people {
		if c.LeftAt != nil || told[valid.Fold(c.Email)] {
			continue
		}
		told[valid.Fold(c.Email)] = true
		if err := s.mail(tx, Letter{Kind: MailContacts, Request: r, Contact: &c}); err != nil {
			return err
		}
	}
	return err
}

// Answer answers what an operator asked.
func (s *Service) Answer(ctx context.Context, secret, text string) (model.RequestStatus, error) {
	text, err := cleanText("answer", text)
	if err == nil && text == "" {
		err = fault.E("onboard.Answer", fault.Invalid, "Please write an answer.")
	}
	if err != nil {
		return model.RequestStatus{}, fault.Mistakes{{Field: "text", Text: fault.PublicText(err)}}
	}
	return s.partnerStep(ctx, secret, step{action: model.StepAnswer, text: text}, model.RequestNew)
}

// Withdraw ends a request at the requester's wish.
func (s *Service) Withdraw(ctx context.Context, secret string) (model.RequestStatus, error) {
	return s.partnerStep(ctx, secret, step{action: model.StepWithdraw}, model.RequestWithdrawn)
}

// partnerStep does a step of the requester behind a status link.
func (s *Service) partnerStep(ctx context.Context, secret string, d step,
	to model.RequestState) (model.RequestStatus, error) {
	return store.Change(ctx, s.o.Store, func(tx *store.Tx) (out model.RequestStatus, err error) {
		d := d
		r, err := s.within(tx, secret, forStatus)
		if err != nil {
			return out, err
		}
		if err := may(r, d.action); err != nil {
			return out, err
		}
		s.enter(&r, to)
		d.actor = requester(r)
		if err := s.move(tx, r, d); err != nil {
			return out, err
		}
		if to == model.RequestWithdrawn {
			if err := s.mailStatus(tx, MailWithdrawn, r, ""); err != nil {
				return out, err
			}
		}
		if r.History, err = tx.RequestSteps(r.ID); err != nil {
			return out, err
		}
		return statusOf(r), nil
	})
}
