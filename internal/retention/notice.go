package retention

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Marks distinguish the notices of one run to one account.
const (
	markFirst    = "first"
	markReminder = "reminder"
)

// namesInLetter is how many files a letter lists. Never-downloaded ones come first.
const namesInLetter = 200

// notifyDue writes the first notices and the reminders that are due, for every account that an
// announced run concerns. Each notice is written once.
func (r *Service) notifyDue(ctx context.Context) error {
	open, err := r.o.Store.Read(ctx).OpenRuns()
	if err != nil {
		return err
	}
	now := r.now()
	for _, run := range open {
		if run.State != model.RunAnnounced {
			continue
		}
		marks := []string{markFirst}
		if now.After(run.DueAt.Add(-r.policy.Load().Reminder)) && run.DueAt.Sub(run.CreatedAt) > r.policy.Load().Reminder {
			marks = append(marks, markReminder)
		}
		if err := r.notifyAccounts(ctx, run, marks); err != nil {
			return err
		}
	}
	return nil
}

func (r *Service) notifyAccounts(ctx context.Context, run model.RetentionRun, marks []string) error {
	q := r.o.Store.Read(ctx)
	counts, err := q.CountItems(run.ID)
	if err != nil {
		return err
	}
	told, err := q.RetentionNotices(run.ID, "", model.Paging{})
	if err != nil {
		return err
	}
	var accounts []string
	var errs []error // an error with one account must not stop the others
	for _, c := range counts {
		if c.State == model.ItemNamed && !slices.Contains(accounts, c.Account) {
			accounts = append(accounts, c.Account)
		}
	}
	for _, account := range accounts {
		for _, mark := range marks {
			if slices.ContainsFunc(told, func(n model.RetentionNotice) bool { return n.Account == account && n.Mark == mark }) {
				continue
			}
			if err := r.notifyAccount(ctx, run, account, mark); err != nil && !fault.Is(err, fault.Exists) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// notifyAccount writes the notice to one account, with its mails and its event.
func (r *Service) notifyAccount(ctx context.Context, run model.RetentionRun, account, mark string) error {
	letter, sum, err := r.compose(ctx, run, account, mark)
	if err != nil || sum.files == 0 {
		return err
	}
	return r.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		letter, mails := letter, 0
		n := model.RetentionNotice{ID: r.o.IDs.New(), Run: run.ID, Account: account, Mark: mark, At: r.now(),
			Text: letter.Text}
		if err := tx.AddRetentionNotice(n); err != nil {
			return err
		}
		letter.Ref = n.ID
		if r.o.Tell != nil {
			if mails, err = r.o.Tell(tx, letter); err != nil {
				return err
			}
		}
		if err := tx.Emit(model.Event{ID: r.o.IDs.New(), Type: model.EventExpiring, At: n.At, Account: account,
			Data: model.FilesExpiring{
				Run: run.ID, Kind: string(run.Kind), Due: run.DueAt.Truncate(time.Second), Notice: n.ID, Mark: mark,
				Files:       sum.files,
				Bytes:       sum.bytes,
				Uncollected: sum.missed, Names: sum.names, Mails: mails}}); err != nil {
			return err
		}
		return r.audit(tx, actor, "retention.notice", n.ID, map[string]string{"run": run.ID, "account": account, "mark": mark,
			"files": fmt.Sprint(sum.files), "uncollected": fmt.Sprint(sum.missed), "mails": fmt.Sprint(mails)})
	})
}

type noticeSum struct {
	files, bytes, missed int64
	names                []string // never downloaded
}

// compose writes the letter to an account (defaults.md, "Removal notice"): never-downloaded
// files first, then the rest.
func (r *Service) compose(ctx context.Context, run model.RetentionRun, account,
	mark string) (Letter, noticeSum, error) {
	l := Letter{Kind: "expiring", Account: account, Due: run.DueAt, Closing: run.Kind == model.RunClosing,
		Reminder: mark == markReminder}
	var sum noticeSum
	var missed, rest []model.RetentionItem
	periods := map[string]bool{}
	rules, err := r.current(r.o.Store.Read(ctx))
	if err != nil {
		return l, sum, err
	}
	for after := ""; ; {
		page, err := r.o.Store.Read(ctx).ItemsOf(run.ID, account, after, planBatch)
		if err != nil {
			return l, sum, err
		}
		if len(page) == 0 {
			break
		}
		for _, i := range page {
			after = i.Version
			if i.State != model.ItemNamed {
				continue
			}
			sum.files, sum.bytes = sum.files+1, sum.bytes+i.Size
			periods[rules.period(i.Class)] = true
			if f := model.DeliveryState(i.Fetched); f == model.DeliveryPublished || f == model.DeliveryOpened {
				sum.missed++
				if len(missed) < namesInLetter {
					missed = append(missed, i)
					sum.names = append(sum.names, valid.Printable(path.Base(i.Path)))
				}
			} else if len(rest) < namesInLetter {
				rest = append(rest, i)
			}
		}
	}
	l.Items = slices.Concat(missed, rest)
	l.Items = l.Items[:min(len(l.Items), namesInLetter)]
	l.Files, l.Missed, l.Names = sum.files, sum.missed, sum.names
	l.More = int(sum.files) - len(l.Items)
	l.Ages = slices.Sorted(maps.Keys(periods))
	l.Shut = !r.mayFetch(ctx, run)
	l.Text = noticeText(run, account, mark, sum, periods, !l.Shut)
	return l, sum, nil
}

// mayFetch reports whether the people that a run's notice goes to may still log in to download.
func (r *Service) mayFetch(ctx context.Context, run model.RetentionRun) bool {
	if run.Kind != model.RunClosing {
		return true
	}
	a, err := r.o.Store.Read(ctx).Account(run.Account)
	return err == nil && a.MayDownload(r.policy.Load().CloseAccess, r.now())
}

func noticeText(run model.RetentionRun, account, mark string, sum noticeSum, periods map[string]bool,
	mayFetch bool) string {
	var b strings.Builder
	date := run.DueAt.Format("2 January 2006")
	if mark == markReminder {
		b.WriteString("A reminder. ")
	}
	if run.Kind == model.RunClosing {
		fmt.Fprintf(&b, "The account %s is closed. On %s we remove all its files: %s.", account, date, countFiles(sum.files))
	} else {
		var ages []string
		for p := range periods {
			ages = append(ages, periodWords(p))
		}
		slices.Sort(ages)
		fmt.Fprintf(&b, "On %s we remove %s older than %s from %s.", date, countFiles(sum.files), strings.Join(ages, " or "),
			account)
	}
	if sum.missed > 0 {
		fmt.Fprintf(&b, " %d of them %s never fully downloaded: %s", sum.missed, wasWere(sum.missed),
			strings.Join(sum.names[:min(len(sum.names), 10)], ", "))
		if sum.missed > 10 {
			fmt.Fprintf(&b, " and %d more", sum.missed-10)
		}
		b.WriteString(".")
	}
	switch {
	case !mayFetch:
		fmt.Fprintf(&b, "\n\nIts users can no longer log in. If you need a file, or more time, reply before %s.", date)
	case run.Kind == model.RunClosing:
		fmt.Fprintf(&b, "\n\nUntil then its users can log in as before and download, but not send. To keep a file, download "+
			"it before then.")
	default:
		fmt.Fprintf(&b, "\n\nTo keep a file, download it before then.")
	}
	if mayFetch {
		fmt.Fprintf(&b, " If you need more time, reply before %s.", date)
	}
	b.WriteString(" If you have your copies, there is nothing to do.")
	return b.String()
}

func wasWere(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func countFiles(n int64) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// periodWords spells out a period: "12mo" is "12 months".
func periodWords(p string) string {
	digits := strings.TrimRight(p, "abcdefghijklmnopqrstuvwxyz")
	word := map[string]string{"d": "day", "mo": "month", "y": "year"}[p[len(digits):]]
	if digits != "1" {
		word += "s"
	}
	return digits + " " + word
}

// Notices lists a run's notices and whether they were delivered.
func (r *Service) Notices(ctx context.Context, f model.RunFilter) ([]model.RetentionNotice, error) {
	if _, err := r.o.Store.Read(ctx).Run(f.Run); err != nil {
		return nil, fault.Missing("retention", err, "There is no run %q.", valid.Printable(f.Run))
	}
	return r.o.Store.Read(ctx).RetentionNotices(f.Run, "", f.Paging)
}

// Told records that an operator told an account's people of a run by other means.
func (r *Service) Told(ctx context.Context, who, run, account string) error {
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.NoticeTold(run, account, who)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.E("retention.Told", fault.NotFound, "The run has no notice to account %q that waits for that.",
				valid.Printable(account))
		}
		return r.audit(tx, who, "retention.told", run, map[string]string{"account": account})
	})
}
