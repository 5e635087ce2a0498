package notify

import (
	"context"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// PostCheckpoint queues a webhook message with a checkpoint of the audit log for one receiver.
func (r *Service) PostCheckpoint(ctx context.Context, name, note string) error {
	return r.post(ctx, name, model.EventCheckpoint, model.CheckpointMade{Checkpoint: note})
}

// post queues an event for one receiver, whatever events it has asked for.
func (r *Service) post(ctx context.Context, name, event string, data any) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		w, err := tx.Webhook(name)
		if err != nil {
			return noWebhook(err, name)
		}
		if !w.Enabled {
			return fault.E("notify.post", fault.Conflict, "The webhook %q is switched off, so it gets no checkpoints.", name)
		}
		m, err := r.webhookMessage(w, model.Event{ID: r.o.IDs.New(), Type: event, At: r.now(), Data: data})
		if err != nil {
			return err
		}
		return tx.AddMessage(m)
	})
}

// PostJournal queues a webhook message with an entry of the audit log's journal for one receiver.
func (r *Service) PostJournal(ctx context.Context, name, note string) error {
	return r.post(ctx, name, model.EventJournal, model.JournalMade{Journal: note})
}

// MailJournal queues a mail with an entry of the audit log's journal, about so many rows, as a file.
func (r *Service) MailJournal(ctx context.Context, to, file string, rows int, note string) error {
	attached := model.MessageFile{Name: file, Type: "text/plain", Content: []byte(note)}
	facts := JournalFacts{Rows: rows}
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		return r.Mail(tx, Letter{Kind: "journal", To: to, Facts: facts, Files: []model.MessageFile{attached}}, Mailing{})
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
