package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
)

// To each place of checkpoints, a journal leaves the machine: the rows of the log that take something back, signed. A
// restore of an older backup replays them (docs/decisions/0036-backup.md). A file gets an entry for each row within
// seconds; a webhook and a mailbox gather rows for a while.

// TakenBack are the actions whose rows a journal has: what they end must not come back, and what they allow again must
// not stay ended.
var TakenBack = []string{
	"account.active", "account.closed", "account.read_only", "account.reopened", "account.set", "account.suspended",
	"backup.restore", "contact.leave", "contact.remove", "delivery.withdraw", "dir.set", "endpoint.close",
	"endpoint.set", "feed.subscribe", "feed.subscription", "feed.unsubscribe", "file.expire", "file.remove",
	"hostkeys.rotated", "key.bar", "key.burn", "key.expire", "key.freeze", "key.retire", "key.revoke", "key.set",
	"key.thaw", "link.expire", "link.open", "link.revoke", "operator.disable", "operator.enable",
	"operator.passkey.remove", "operator.password", "operator.remove", "operator.reset", "operator.session.end",
	"operator.set", "retention.hold", "token.revoke", "user.disable", "user.enable", "user.remove", "user.set",
	"webhook.off", "webhook.remove", "webhook.set",
}

// tells reports whether a row of an action in TakenBack belongs in a journal: of edits, those of networks do.
func tells(r proof.JournalRow) bool {
	_, networks := r.Detail["allow_ips"]
	return networks || r.Action != "account.set" && r.Action != "user.set"
}

// JournalEnd is the ending of a journal's name; before it is that of the checkpoint file.
const JournalEnd = ".journal"

// journalSetting has the number of the first row that a journal does not have yet.
const journalSetting = "journal:"

const (
	journalPage = 200              // rows of an entry
	mailedPage  = 5000             // the same, in a mail: a partner may remove files by the thousand
	journalSize = proof.MaxJournal // bytes of rows that an entry has at most
	postedSize  = 64 << 10         // the same, in a webhook
	postedEvery = time.Minute      // how often a webhook gets an entry at most
	mailedEvery = time.Hour        // how often a mailbox does
)

// journalPlace is a place outside the machine that gets a journal.
type journalPlace struct {
	setting string // has the number of the first row that it does not have yet
	page    int    // rows that an entry has at most
	size    int    // bytes of rows that it has at most
	every   time.Duration
	file    bool // it shows how far the log was, even if there is nothing to tell
	put     func(ctx context.Context, j proof.Journal, note string) error
}

// journalPlaces lists the places of checkpoints.
func (r *Service) journalPlaces() (list []journalPlace) {
	for _, to := range r.o.To {
		kind, target, _ := strings.Cut(to, ":")
		p := journalPlace{setting: journalSetting + to, page: journalPage, size: journalSize}
		switch kind {
		case "file":
			p.setting, p.file = journalSetting+target, true
			p.put = func(_ context.Context, _ proof.Journal, note string) error {
				return appendCheckpoint(target+JournalEnd, note)
			}
		case "mail":
			p.page, p.every = mailedPage, mailedEvery
			p.put = func(ctx context.Context, j proof.Journal, note string) error {
				name := fmt.Sprintf("journal-%d-%d.txt", j.From, j.To-1)
				return r.o.MailJournal(ctx, target, name, len(j.Rows), note)
			}
		default:
			p.size, p.every = postedSize, postedEvery
			p.put = func(ctx context.Context, _ proof.Journal, note string) error {
				return r.o.PostJournal(ctx, target, note)
			}
		}
		list = append(list, p)
	}
	return list
}

// KeepJournals sends on what was sealed since and takes something back. One goroutine calls it at a time.
func (r *Service) KeepJournals(ctx context.Context) error { return r.keepJournals(ctx, false) }

// keepJournals sends on what was sealed since. A file gets an entry at once for rows that take something back; with
// always, all places do, and a file gets one even if there are none, so that it is as long as the checkpoint.
func (r *Service) keepJournals(ctx context.Context, always bool) error {
	places := r.journalPlaces()
	if len(places) == 0 {
		return nil
	}
	sealed, err := r.o.Store.Read(ctx).Counter(sealedCounter)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range places {
		if always || r.now().Sub(r.told[p.setting]) >= p.every {
			errs = append(errs, r.keepJournal(ctx, p, sealed, always && p.file))
		}
	}
	return errors.Join(errs...)
}

func (r *Service) keepJournal(ctx context.Context, p journalPlace, sealed int64, always bool) error {
	from, err := r.journaled(ctx, p, sealed)
	if err != nil {
		return err
	}
	for from < sealed {
		j, err := r.entryFrom(ctx, p, from, sealed)
		if err != nil {
			return err
		}
		if len(j.Rows) == 0 && !always {
			r.looked[p.setting] = j.To // nothing to tell up to here
			if j.To == sealed {
				return nil
			}
			continue
		}
		note, err := r.o.Key.SignJournal(j)
		if err != nil {
			return err
		}
		if err := p.put(ctx, j, note); err != nil {
			return err
		}
		from = j.To
		r.told[p.setting] = r.now()
		if err := r.setJournaled(ctx, p, from); err != nil {
			return err
		}
	}
	return nil
}

// entryFrom makes the next entry of a journal: it is about the rows from one number on, as many as an entry may have.
func (r *Service) entryFrom(ctx context.Context, p journalPlace, from, sealed int64) (proof.Journal, error) {
	j := proof.Journal{From: from, To: sealed, At: r.now()}
	rows, err := r.o.Store.Read(ctx).LogActions(max(from, r.looked[p.setting]), sealed, TakenBack, p.page)
	if err != nil {
		return j, err
	}
	if len(rows) == p.page {
		j.To = rows[len(rows)-1].Seq + 1
	}
	bytes := 0
	for _, row := range rows {
		told := journalOf(row)
		if !tells(told) {
			continue
		}
		line, err := told.Line()
		if err != nil {
			return j, err
		}
		if bytes += len(line); bytes > p.size && len(j.Rows) > 0 {
			j.To = row.Seq
			break
		}
		j.Rows = append(j.Rows, told)
	}
	return j, nil
}

func journalOf(row store.LogRow) proof.JournalRow {
	j := proof.JournalRow{ID: row.ID, Seq: row.Seq, At: row.At, Action: row.Action, Subject: row.Subject, User: row.User}
	_ = json.Unmarshal([]byte(row.Detail), &j.Detail) // damaged JSON reads as no detail
	return j
}

// journaled returns the number of the first row that a journal does not have. A new journal begins with the rows of
// now: earlier ones are in the backups.
func (r *Service) journaled(ctx context.Context, p journalPlace, sealed int64) (int64, error) {
	text, err := r.o.Store.Read(ctx).Setting(p.setting)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if text != "" && err == nil && n <= sealed {
		return n, nil
	}
	if p.file {
		// A first entry shows where the journal begins, so that one without rows is not taken for one that is lost.
		j := proof.Journal{From: sealed, To: sealed, At: r.now()}
		note, err := r.o.Key.SignJournal(j)
		if err != nil {
			return 0, err
		}
		if err := p.put(ctx, j, note); err != nil {
			return 0, err
		}
	}
	return sealed, r.setJournaled(ctx, p, sealed)
}

func (r *Service) setJournaled(ctx context.Context, p journalPlace, n int64) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.SetSetting(p.setting, strconv.FormatInt(n, 10))
	})
}
