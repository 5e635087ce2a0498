package feed

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

const (
	// remindAgain is how long an account is not reminded again.
	remindAgain = 24 * time.Hour
	// remindNames is the largest number of files that a reminder names.
	remindNames = 25
	remindPage  = 200 // accounts of one look at the database
)

// Letter is a reminder to one person.
type Letter struct {
	To      model.Addressee
	Account string
	Oldest  time.Time        // when the oldest of the files was published
	Total   int64            // how many files wait
	Files   []model.Delivery // some of them, the oldest first
}

// Uncollected lists the accounts whose users have not downloaded all of their files in full, and whom
// of them a reminder would go to.
func (r *Service) Uncollected(ctx context.Context, f model.UncollectedFilter) ([]model.Uncollected, error) {
	q := r.o.Store.Read(ctx)
	list, err := q.Uncollected(f)
	for i := range list {
		if err == nil {
			list[i].Contacts, err = addressees(q, list[i].Account)
		}
	}
	return list, err
}

// addressees returns the technical contacts of an account whom mail reaches; if there are none, the
// others.
func addressees(q *store.Q, account string) ([]model.Addressee, error) {
	people, err := q.Contacts(account, "")
	technical, others := []model.Addressee{}, []model.Addressee{}
	for _, c := range people {
		same := func(a model.Addressee) bool { return strings.EqualFold(a.Email, c.Email) }
		switch a := (model.Addressee{ID: c.ID, Name: c.Name, Email: c.Email}); {
		case c.LeftAt != nil, c.BouncedAt != nil, slices.ContainsFunc(technical, same):
		case slices.Contains(c.Roles, model.RoleTechnical):
			technical = append(technical, a)
		case !slices.ContainsFunc(others, same):
			others = append(others, a)
		}
	}
	if len(technical) == 0 {
		return others, err
	}
	return technical, err
}

// Remind mails the people of each account that has files which were not downloaded in full, and says
// what became of each. An account is reminded once a day at most, unless asked otherwise. Each
// account has a transaction of its own, so what was done before an error stays, and is not repeated.
func (r *Service) Remind(ctx context.Context, actor string, in model.Remind) ([]model.Reminder, error) {
	if r.o.Remind == nil {
		return nil, fault.E("feed.Remind", fault.Conflict, "Mail is not configured here, so nobody can be reminded.").
			WithHint("set mail.host and mail.from in the configuration, or write to them yourself")
	}
	f := model.UncollectedFilter{Feed: in.Feed, Account: in.Account, User: in.User,
		Paging: model.Paging{Limit: remindPage}}
	if in.Before != nil {
		f.Before = *in.Before
	}
	out := []model.Reminder{}
	for {
		page, err := r.Uncollected(ctx, f)
		if err != nil {
			return out, err
		}
		for _, u := range page {
			one, err := r.remindOne(ctx, actor, in, f, u)
			if err != nil {
				return out, err
			}
			out = append(out, one)
		}
		if len(page) < remindPage {
			return out, nil
		}
		f.Cursor = page[len(page)-1].Account
	}
}

func (r *Service) remindOne(ctx context.Context, actor string, in model.Remind, f model.UncollectedFilter,
	u model.Uncollected) (model.Reminder, error) {
	one := model.Reminder{Account: u.Account, Name: u.Name, Files: u.Files, To: []string{}, RemindedAt: u.RemindedAt}
	now := r.now()
	edge := now.Add(-remindAgain)
	if in.Force {
		edge = now
	}
	switch {
	case u.State == model.AccountSuspended:
		one.Skipped = model.SkippedSuspended
	case len(u.Contacts) == 0:
		one.Skipped = model.SkippedNobody
	case u.RemindedAt != nil && u.RemindedAt.After(edge):
		one.Skipped = model.SkippedReminded
	}
	if one.Skipped != "" {
		return one, nil
	}
	for _, c := range u.Contacts {
		one.To = append(one.To, c.Email)
	}
	if in.DryRun {
		return one, nil
	}
	letter, err := r.reminder(ctx, f, u)
	if err != nil {
		return one, err
	}
	return store.Change(ctx, r.o.Store, func(tx *store.Tx) (model.Reminder, error) {
		one := one
		if ok, err := tx.Reminded(u.Account, now, edge); err != nil {
			return one, err
		} else if !ok { // by somebody else, a moment ago
			one.To, one.Skipped = []string{}, model.SkippedReminded
			return one, nil
		}
		for _, c := range u.Contacts {
			letter := letter
			letter.To = c
			if err := r.o.Remind(tx, letter); err != nil {
				return one, err
			}
		}
		return one, r.audit(tx, model.AuditRow{Actor: actor, Action: "delivery.remind", Subject: u.Account,
			Detail: map[string]string{"files": fmt.Sprint(u.Files), "to": strings.Join(one.To, " "), "feed": f.Feed}})
	})
}

// reminder makes the letter to an account's people. The oldest files are named.
func (r *Service) reminder(ctx context.Context, f model.UncollectedFilter, u model.Uncollected) (Letter, error) {
	before := f.Before
	if before.IsZero() {
		before = r.now().Add(time.Microsecond)
	}
	files, err := r.o.Store.Read(ctx).Deliveries(model.DeliveryFilter{Uncollected: before, Account: u.Account,
		Feed: f.Feed, User: f.User, Paging: model.Paging{Limit: remindNames}})
	l := Letter{Account: u.Account, Oldest: u.OldestAt, Total: u.Files}
	for _, d := range files {
		l.Files = append(l.Files, d.Delivery)
	}
	return l, err
}
