package onboard

import (
	"slices"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// undecided are the states in which an operator may still say no.
var undecided = []model.RequestState{model.RequestUnverified, model.RequestNew, model.RequestNeedsAnswer,
	model.RequestApproved}

// confirmed are the states in which an operator may decide either way.
var confirmed = []model.RequestState{model.RequestNew, model.RequestNeedsAnswer, model.RequestApproved}

// from says in which states each step can be done.
var from = map[string][]model.RequestState{
	model.StepVerify:   {model.RequestUnverified},
	model.StepAsk:      confirmed,
	model.StepAnswer:   {model.RequestNeedsAnswer},
	model.StepApprove:  confirmed,
	model.StepReject:   undecided,
	model.StepWithdraw: undecided,
	model.StepAssign: {model.RequestUnverified, model.RequestNew, model.RequestNeedsAnswer, model.RequestApproved,
		model.RequestReady, model.RequestFirstLogin},
	model.StepRemind: {model.RequestUnverified, model.RequestNew, model.RequestNeedsAnswer, model.RequestApproved,
		model.RequestReady},
	model.StepExpire:     {model.RequestUnverified, model.RequestNeedsAnswer},
	model.StepFirstLogin: {model.RequestReady},
	model.StepFirstFile:  {model.RequestReady, model.RequestFirstLogin},
}

// done are the steps as sentences end: "it can't be approved".
var done = map[string]string{model.StepVerify: "confirmed", model.StepAsk: "asked about", model.StepAnswer: "answered",
	model.StepApprove: "approved", model.StepReject: "rejected", model.StepWithdraw: "withdrawn",
	model.StepAssign: "assigned", model.StepRemind: "reminded of", model.StepExpire: "expired"}

// may refuses a step that a request's state does not allow.
func may(r model.Request, step string) error {
	if slices.Contains(from[step], r.State) {
		return nil
	}
	return fault.E("onboard.may", fault.Conflict, "The request %s %s, so it can't be %s.", r.Reference, standing(r),
		done[step]).WithAction("show-request", "request", r.Reference)
}

// standing says in which state a request is.
func standing(r model.Request) string {
	switch r.State {
	case model.RequestUnverified:
		return "waits until its address is confirmed"
	case model.RequestNew:
		return "waits for a decision"
	case model.RequestNeedsAnswer:
		return "waits for an answer"
	case model.RequestApproved:
		return "was approved by " + r.Approver + " and waits for a second person"
	case model.RequestReady, model.RequestFirstLogin, model.RequestFirstFile:
		return "was approved by " + r.Approver
	}
	return "is " + model.Word(r.State)
}

// enter puts a request into a state: who is waited for, and until when.
func (s *Service) enter(r *model.Request, state model.RequestState) {
	at := s.now()
	if at.Before(r.CreatedAt) { // the clock was set back
		at = r.CreatedAt
	}
	due := func(after time.Duration) *time.Time { return new(at.Add(after)) }
	p := s.policy.Load()
	r.State, r.Since, r.Due, r.RemindedAt, r.Reminders = state, at, nil, nil, 0
	switch state {
	case model.RequestUnverified:
		r.WaitsFor, r.Due = model.AwaitedRequester, due(p.VerifyWithin)
	case model.RequestNew:
		r.WaitsFor, r.Due = model.AwaitedOperator, due(p.AnswerWithin)
	case model.RequestApproved:
		r.WaitsFor, r.Due = model.AwaitedSecond, due(p.AnswerWithin)
	case model.RequestNeedsAnswer:
		r.WaitsFor, r.Due = model.AwaitedRequester, due(p.ExpireAfter)
	case model.RequestReady, model.RequestFirstLogin:
		r.WaitsFor = model.AwaitedRequester
	default:
		r.WaitsFor = model.AwaitedNobody
	}
}

// step is one step of a request.
type step struct {
	actor, action, text string
	detail              map[string]string // of the audit row; may be nil
}

// record writes a step down: in the history, in the audit log and as an event.
func (s *Service) record(tx *store.Tx, r model.Request, d step) error {
	at := s.now()
	if err := tx.AddRequestStep(r.ID, model.RequestStep{ID: s.o.IDs.New(), At: at, Actor: d.actor, Action: d.action,
		State: r.State, Text: d.text}); err != nil {
		return err
	}
	detail := map[string]string{"state": string(r.State), "request": r.ID}
	for name, value := range d.detail {
		detail[name] = value
	}
	if err := tx.Audit(model.AuditRow{ID: s.o.IDs.New(), At: at, Actor: d.actor, Action: "request." + d.action,
		Subject: r.Reference, User: r.UserID, Detail: detail}); err != nil {
		return err
	}
	return tx.Emit(model.Event{ID: s.o.IDs.New(), Type: "request." + d.action, At: at, Account: r.Account, User: r.User,
		Data: model.RequestChanged{Request: r.ID, Reference: r.Reference, State: r.State, WaitsFor: r.WaitsFor,
			Company: r.Company, Number: r.AccountNumber, Email: r.Email, Actor: d.actor, Owner: r.Owner, Reason: r.Reason}})
}

// move stores a request after a step, and records the step.
func (s *Service) move(tx *store.Tx, r model.Request, d step) error {
	if err := tx.SetRequest(r); err != nil {
		return err
	}
	return s.record(tx, r, d)
}

// requester is the actor of what a requester does.
func requester(r model.Request) string { return "requester:" + r.Reference }
