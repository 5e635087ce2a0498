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

// reportedWithin is the largest age of a mail for which a delivery report is accepted.
const reportedWithin = 30 * 24 * time.Hour

// Reported records that a mail came back, as a mail server's report says. ids are the message
// ids in the report; failures are its addresses with reasons. A report that matches none of our
// mails is NotFound and changes no contact, since anyone can send one.
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
		if !failed.Full { // a full mailbox may accept the next mail
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

// ours finds the sent mail that a report is about. It returns NotFound if there is none.
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

// failureOf returns the failure for an address. If the mail was forwarded, the report names
// another address, so the last failure is used.
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

// forgedEvery is the shortest time between two warnings about reports that match none of our
// mails.
const forgedEvery = time.Hour

// forged records a report that matches none of our mails: the first at once, then their number
// once per forgedEvery. It always returns an error.
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
