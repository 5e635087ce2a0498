package notify

import (
	"context"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// reportedWithin is how old a mail may be that a report is taken for.
const reportedWithin = 30 * 24 * time.Hour

// Reported records that a mail came back, as a mail server's report says. ids are
// those that the report names; failures, its addresses with what it says of each. A
// report about no mail of ours is NotFound: anybody can send one, and it changes
// nothing.
func (r *Service) Reported(ctx context.Context, actor string, ids []string,
	failures []model.MailFailure) (model.Message, error) {
	now := r.now()
	m, err := store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Message, error) {
		m, err := r.ours(tx, ids, now)
		if err != nil {
			return m, err
		}
		failed := failureOf(m.Target, failures)
		why := failed.Why
		if err := valid.CheckLabel("reason", why); err != nil {
			return m, err
		}
		if err := tx.ReturnedMail(m.ID, why); err != nil {
			return m, err
		}
		if !failed.Full { // who has a full mailbox is reached by the next mail
			if err := r.bounce(tx, m.Target, why, now); err != nil {
				return m, err
			}
		}
		m.State, m.Error = model.MessageBounced, why
		return m, r.audit(tx, actor, "mail.bounced", strings.ToLower(m.Target),
			map[string]string{"why": why, "message": m.ID})
	})
	if fault.Is(err, fault.NotFound) {
		return m, r.forged(ctx, actor, now)
	}
	return m, err
}

// ours is the mail that a report is about; NotFound when there is none.
func (r *Service) ours(tx *store.Tx, ids []string, now time.Time) (m model.Message, err error) {
	for _, id := range ids[:min(len(ids), 10)] {
		m, err = tx.Message(id)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return m, err
		}
		known := m.Channel == model.ChannelMail && (m.State == model.MessageSent || m.State == model.MessageBounced)
		if known && now.Sub(m.CreatedAt) < reportedWithin {
			return m, nil
		}
	}
	return m, fault.E("notify.Reported", fault.NotFound, "no such mail")
}

// failureOf is what a report says of an address; the mail may have been forwarded to
// another.
func failureOf(target string, failures []model.MailFailure) model.MailFailure {
	found := model.MailFailure{Why: "a mail server reported that it failed"}
	for _, f := range failures {
		found = f
		if strings.EqualFold(f.Address, target) {
			break
		}
	}
	return found
}

// forgedEvery is how often reports about no mail of ours are told of.
const forgedEvery = time.Hour

// forged notes a report about no mail of ours: at once, and then their number once an
// hour.
func (r *Service) forged(ctx context.Context, actor string, now time.Time) error {
	r.mu.Lock()
	r.forgeries++
	n, due := r.forgeries, now.Sub(r.forgedAt) >= forgedEvery
	if due {
		r.forgeries, r.forgedAt = 0, now
	}
	r.mu.Unlock()
	if due {
		r.o.Log.Warn("a delivery report is about no mail that was sent from here; nothing was changed", "reports", n)
		err := r.o.Store.Write(ctx, func(tx *store.Tx) error {
			return r.audit(tx, actor, "mail.report_refused", "report", map[string]string{"reports": itoa(n)})
		})
		if err != nil {
			return err
		}
	}
	return fault.E("notify.Reported", fault.NotFound,
		"The report is about no mail that was sent from here; nothing was changed.").
		WithHint("if you know that an address is not reached, note it").WithAction("note-bounce")
}
