package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

// byAccount are the flags with which delivery list shows accounts in place of deliveries.
type byAccount struct {
	by          string
	uncollected time.Time // zero: any
	remind      bool
	force       bool
	yes         bool
}

func (b *byAccount) add(c *cobra.Command) {
	c.Flags().StringVar(&b.by, "by", "",
		"account: the accounts that have not downloaded everything, with counts, names and mail addresses")
	completeWords(c, "by", []string{"account"})
	c.Flags().BoolVar(&b.remind, "remind", false,
		"mail these accounts' contacts, after asking; an account is reminded once a day at most")
	c.Flags().BoolVar(&b.force, "force", false, "with --remind: also accounts that were reminded within a day")
	c.Flags().BoolVar(&b.yes, "yes", false, "with --remind: do not ask")
}

// run lists or reminds accounts, if the flags ask for that.
func (b *byAccount) run(ctx context.Context, a *app, f model.DeliveryFilter, flags listFlags) (asked bool, err error) {
	const op = "cli.deliveryList"
	switch {
	case b.by == "" && !b.remind && !b.force && !b.yes:
		return false, nil
	case b.by != "" && b.by != "account":
		return true, fault.E(op, fault.Invalid, "There is no list by %q.", b.by).WithHint("say --by account")
	case !b.remind && (b.force || b.yes):
		return true, fault.E(op, fault.Invalid, "--force and --yes are for --remind.")
	case f.State != "" || f.Name != "":
		return true, fault.E(op, fault.Invalid, "Accounts are not listed by a state or a name of files.").
			WithHint("choose with --uncollected, --feed, --account and --user")
	case b.remind && flags.shape():
		return true, fault.E(op, fault.Invalid, "--remind takes no --since, --until, --sort, --csv and --limit.").
			WithHint("choose with --uncollected, --feed, --account and --user")
	case b.remind:
		in := model.Remind{Feed: f.Feed, Account: f.Account, User: f.User, Force: b.force}
		if !b.uncollected.IsZero() {
			in.Before = &b.uncollected
		}
		return true, a.remind(ctx, in, b.yes, allCollected(flags.narrowed))
	}
	l := uncollectedListing()
	l.none, flags.narrowed = allCollected(flags.narrowed), nil
	l.filter = model.UncollectedFilter{Before: b.uncollected, Feed: f.Feed, Account: f.Account, User: f.User}
	return true, runList(ctx, a, l, flags, nil)
}

// allCollected is said if no account has anything left to download, of what the flags chose.
func allCollected(narrowed []string) string {
	if len(narrowed) > 0 {
		return "Everything that matches " + enumerated(narrowed, "and") + " was downloaded in full."
	}
	return "Everything was downloaded in full."
}

func uncollectedListing() *listing[model.UncollectedFilter, model.Uncollected] {
	return &listing[model.UncollectedFilter, model.Uncollected]{
		head: []string{"ACCOUNT", "NAME", "FILES", "SIZE", "OLDEST", "REMINDED", "MAIL TO"}, more: []string{"STATE"},
		at: "OLDEST", order: "account", read: (*client.Client).ListUncollected,
		row: func(u model.Uncollected) []any {
			people := make([]string, len(u.Contacts))
			for i, c := range u.Contacts {
				people[i] = c.Name + " <" + c.Email + ">"
			}
			return []any{u.Account, u.Name, u.Files, fileSize(u.Bytes), u.OldestAt, u.RemindedAt, strings.Join(people, ", "),
				model.Word(u.State)}
		}}
}

// remind shows who would be reminded, asks, and has the server mail them.
// Without anybody to remind, it says none.
func (a *app) remind(ctx context.Context, in model.Remind, yes bool, none string) error {
	plan := in
	plan.DryRun = true
	list, err := a.client().RemindAccounts(ctx, plan)
	if err != nil {
		return err
	}
	mails, accounts := 0, 0
	for _, r := range list {
		if mails += len(r.To); r.Skipped == "" {
			accounts++
		}
	}
	if accounts == 0 {
		if err := a.showReminders(list, none); err != nil || a.json || len(list) == 0 {
			return err
		}
		fmt.Fprintln(a.Out, "Nobody was mailed.")
		return nil
	}
	if !yes {
		if !a.json {
			if err := a.showReminders(list, ""); err != nil {
				return err
			}
		}
		question := fmt.Sprintf("Send %s to the people of %s?", counted(mails, "mail", "mails"),
			counted(accounts, "account", "accounts"))
		if ok, err := a.agreed(ctx, question); err != nil || !ok {
			return err
		}
	}
	done, err := a.client().RemindAccounts(ctx, in)
	if err != nil {
		return err
	}
	if yes || a.json {
		if err := a.showReminders(done, none); err != nil || a.json {
			return err
		}
	}
	sent := 0
	for _, r := range done {
		sent += len(r.To)
	}
	verb := "are"
	if sent == 1 {
		verb = "is"
	}
	_, err = fmt.Fprintf(a.Out, "%s %s on the way. How it goes: sallyport message list --channel mail\n",
		counted(sent, "mail", "mails"), verb)
	return err
}

func (a *app) showReminders(list []model.Reminder, none string) error {
	t := table{head: []string{"ACCOUNT", "NAME", "FILES", "MAIL TO"}, none: none}
	for _, r := range list {
		to := strings.Join(r.To, ", ")
		switch {
		case r.Skipped == model.SkippedReminded && r.RemindedAt != nil:
			to = "not again: reminded " + when(*r.RemindedAt)
		case r.Skipped != "":
			to = "not: " + model.Word(r.Skipped)
		}
		t.add(r.Account, r.Name, r.Files, to)
	}
	return a.show(list, t)
}
