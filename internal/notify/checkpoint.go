package notify

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// PostCheckpoint queues a webhook message with a checkpoint of the audit log for one receiver.
func (r *Service) PostCheckpoint(ctx context.Context, name, note string) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		w, err := tx.Webhook(name)
		if err != nil {
			return noWebhook(err, name)
		}
		m, err := r.webhookMessage(w, model.Event{ID: r.o.IDs.New(), Type: model.EventCheckpoint, At: r.now(),
			Data: model.CheckpointMade{Checkpoint: note}})
		if err != nil {
			return err
		}
		return tx.AddMessage(m)
	})
}

// MailCheckpoint queues a mail with a checkpoint of the audit log.
func (r *Service) MailCheckpoint(ctx context.Context, to, note string) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		return r.Mail(tx, Letter{Kind: "checkpoint", To: to, Facts: CheckpointFacts{Signed: note}}, Mailing{})
	})
}

// MailPeople queues a letter to an account's billing and technical contacts, in a transaction,
// and returns the number of mails. Contacts whose mail bounced are skipped, since they would
// count as reached.
func (r *Service) MailPeople(tx *store.Tx, l Letter, ref string) (mails int, err error) {
	people, err := tx.Contacts(l.Account, "")
	if err != nil || !r.Mails() {
		return 0, err
	}
	for _, c := range Reachable(people, model.RoleBilling, model.RoleTechnical) {
		if c.BouncedAt != nil {
			continue
		}
		if err := r.personMail(tx, c, Mailing{Ref: ref}, l); err != nil {
			return mails, err
		}
		mails++
	}
	return mails, nil
}
