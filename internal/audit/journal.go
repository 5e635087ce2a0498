package audit

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// Beside each checkpoint file, a journal leaves the machine: the rows of the log that take something back, signed. A
// restore of an older backup replays them (docs/decisions/0036-backup.md). Mails and webhooks get checkpoints alone.

// TakenBack are the actions whose rows a journal has: what they end must not come back, and what they allow again must
// not stay ended.
var TakenBack = []string{
	"account.active", "account.closed", "account.read_only", "account.reopened", "account.suspended", "backup.restore",
	"contact.leave", "contact.remove", "delivery.withdraw", "feed.unsubscribe", "file.expire", "file.remove", "key.bar",
	"key.burn", "key.expire", "key.freeze", "key.retire", "key.revoke", "key.thaw", "link.expire", "link.open",
	"link.revoke", "operator.disable", "operator.enable", "operator.passkey.remove", "operator.password",
	"operator.remove", "operator.reset", "operator.session.end", "token.revoke", "user.disable", "user.enable",
	"user.remove", "webhook.off", "webhook.remove",
}

// JournalEnd is the ending of a journal's name; before it is that of the checkpoint file.
const JournalEnd = ".journal"

// journalSetting has the number of the first row that a journal does not have yet.
const journalSetting = "journal:"

const (
	journalPage = 200              // rows of an entry
	journalSize = proof.MaxJournal // bytes of details that an entry has at most
)

// files lists the checkpoint files.
func (r *Service) files() (paths []string) {
	for _, to := range r.o.To {
		if path, ok := strings.CutPrefix(to, "file:"); ok {
			paths = append(paths, path)
		}
	}
	return paths
}

// KeepJournals appends what was sealed since and takes something back. One goroutine calls it at a time.
func (r *Service) KeepJournals(ctx context.Context) error { return r.keepJournals(ctx, false) }

// keepJournals appends what was sealed since. An entry is written at once for rows that take something back; with
// always, one is written even if there are none, so that the journal is as long as the checkpoint.
func (r *Service) keepJournals(ctx context.Context, always bool) error {
	paths := r.files()
	if len(paths) == 0 {
		return nil
	}
	sealed, err := r.o.Store.Read(ctx).Counter(sealedCounter)
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, r.keepJournal(ctx, path, sealed, always))
	}
	return errors.Join(errs...)
}

func (r *Service) keepJournal(ctx context.Context, path string, sealed int64, always bool) error {
	from, err := r.journaled(ctx, path, sealed)
	if err != nil {
		return err
	}
	for from < sealed {
		rows, err := r.o.Store.Read(ctx).LogActions(max(from, r.looked[path]), sealed, TakenBack, journalPage)
		if err != nil {
			return err
		}
		if len(rows) == 0 && !always {
			r.looked[path] = sealed // nothing to tell up to here
			return nil
		}
		j := proof.Journal{From: from, To: sealed, At: r.now()}
		bytes := 0
		for _, row := range rows {
			if bytes += len(row.Detail) + len(row.Subject) + 200; bytes > journalSize && len(j.Rows) > 0 {
				j.To = row.Seq
				break
			}
			j.Rows = append(j.Rows, journalOf(row))
		}
		if len(rows) == journalPage && j.To == sealed {
			j.To = rows[len(rows)-1].Seq + 1
		}
		note, err := r.o.Key.SignJournal(j)
		if err != nil {
			return err
		}
		if err := appendCheckpoint(path+JournalEnd, note); err != nil {
			return err
		}
		from = j.To
		if err := r.setJournaled(ctx, path, from); err != nil {
			return err
		}
	}
	return nil
}

func journalOf(row store.LogRow) proof.JournalRow {
	j := proof.JournalRow{ID: row.ID, At: row.At, Action: row.Action, Subject: row.Subject, User: row.User}
	_ = json.Unmarshal([]byte(row.Detail), &j.Detail) // damaged JSON reads as no detail
	return j
}

// journaled returns the number of the first row that a journal does not have. A new journal begins with the rows of
// now: earlier ones are in the backups.
func (r *Service) journaled(ctx context.Context, path string, sealed int64) (int64, error) {
	if r.looked == nil {
		r.looked = map[string]int64{}
	}
	text, err := r.o.Store.Read(ctx).Setting(journalSetting + path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if text != "" && err == nil && n <= sealed {
		return n, nil
	}
	// A first entry shows where the journal begins, so that one without rows is not taken for one that is lost.
	note, err := r.o.Key.SignJournal(proof.Journal{From: sealed, To: sealed, At: r.now()})
	if err != nil {
		return 0, err
	}
	if err := appendCheckpoint(path+JournalEnd, note); err != nil {
		return 0, err
	}
	return sealed, r.setJournaled(ctx, path, sealed)
}

func (r *Service) setJournaled(ctx context.Context, path string, n int64) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.SetSetting(journalSetting+path, strconv.FormatInt(n, 10))
	})
}
