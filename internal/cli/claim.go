package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) inboxClaim() *cobra.Command {
	var in model.NewClaim
	var c *cobra.Command
	c = command("claim --consumer NAME", "Claim the oldest received files: nobody else gets them until the claim ends",
		cobra.NoArgs, func(ctx context.Context, _ []string) error {
			v, err := a.client().ClaimDrops(ctx, in)
			if err != nil {
				return err
			}
			t := table{head: []string{"ID", "CLAIM", "UNTIL", "USER", "PATH", "SIZE", "NOTE"},
				none: nothing("Nothing waits to be claimed.", "", narrowing(c), nil)}
			for _, d := range v {
				note := ""
				if d.Duplicate != "" {
					note = "duplicate (" + d.Duplicate + ")"
				}
				t.add(d.ID, d.Claim, whenPtr(d.ClaimUntil), d.User, d.Path, size(d.Size), note)
			}
			return a.show(v, t)
		})
	c.Flags().StringVar(&in.Consumer, "consumer", "", "who works on them")
	fromOne(c, &in.Limit, 1, "limit", "at most so many")
	c.Flags().StringVar(&in.Lease, "lease", "", "how long: 15m (default: the configured time); renew it for longer work")
	c.Flags().StringVar(&in.User, "user", "", "only this user's")
	c.Flags().StringVar(&in.Account, "account", "", "only this account's users'")
	_ = c.MarkFlagRequired("consumer")
	return c
}

func (a *app) inboxAck() *cobra.Command {
	var in model.Settling
	c := command("ack ID", "Accept a received file", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		d, err := a.client().AckDrop(ctx, args[0], in)
		if err != nil {
			return err
		}
		if d.State == model.DropNew {
			return a.done(d, "%s was accepted by the scanner, and waits for its consumer.", valid.Printable(d.Path))
		}
		return a.done(d, "%s of %s was accepted.", valid.Printable(d.Path), d.User)
	})
	c.Flags().StringVar(&in.Claim, "claim", "",
		"the claim, as inbox claim printed it; not needed while nobody has claimed the file")
	return c
}

func (a *app) inboxReject() *cobra.Command {
	var in model.Settling
	c := command("reject ID --reason TEXT", "Refuse a received file; its uploader finds the reason in refused/<name>.txt",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			d, err := a.client().RejectDrop(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(d, "%s of %s was refused: %s", valid.Printable(d.Path), d.User, in.Reason)
		})
	c.Flags().StringVar(&in.Claim, "claim", "",
		"the claim, as inbox claim printed it; not needed while nobody has claimed the file")
	c.Flags().StringVar(&in.Reason, "reason", "", "what was wrong, for the partner: column 7 has no date")
	c.Flags().StringVar(&in.Advice, "advice", "", "what to do, for the partner (default: correct the file)")
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) inboxRenew() *cobra.Command {
	var in model.Settling
	c := command("renew ID --claim CLAIM", "Make a claim last longer from now on", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			d, err := a.client().RenewDrop(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(d, "The claim lasts until %s.", whenPtr(d.ClaimUntil))
		})
	c.Flags().StringVar(&in.Claim, "claim", "", "the claim, as inbox claim printed it")
	c.Flags().StringVar(&in.Lease, "lease", "", "how long from now: 15m (default: the configured time)")
	_ = c.MarkFlagRequired("claim")
	return c
}

func (a *app) inboxRelease() *cobra.Command {
	var in model.Settling
	c := command("release ID --claim CLAIM", "Give a claim back, so that others get the file", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			d, err := a.client().ReleaseDrop(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(d, "%s can be claimed again.", valid.Printable(d.Path))
		})
	c.Flags().StringVar(&in.Claim, "claim", "", "the claim, as inbox claim printed it")
	_ = c.MarkFlagRequired("claim")
	return c
}

func (a *app) expectCommand() *cobra.Command {
	var in model.NewExpectation
	least := int64(0)
	add := command("add NAME (--user USER | --feed FEED) --on DAYS --by HH:MM --zone ZONE", "Expect files by a time",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			in.Name = args[0]
			in.LeastBytes = &least
			v, err := a.client().AddExpectation(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v, "Expectation %s was added; its next deadline is %s.", v.Name, whenPtr(v.NextAt))
		})
	add.Flags().StringVar(&in.User, "user", "", "user whose uploads are expected")
	add.Flags().StringVar(&in.Feed, "feed", "", "feed whose publications are expected")
	add.Flags().StringVar(&in.Account, "account", "", "of a feed: published to this account")
	add.Flags().StringVar(&in.Glob, "pattern", "", "names that count: 'cdr-*.csv' (default: all)")
	fromOne(add, &in.AtLeast, 1, "at-least", "how many files")
	add.Flags().Int64Var(&least, "least-bytes", 1, "smaller files do not count; 0: empty ones do")
	add.Flags().Int64Var(&in.MostBytes, "most-bytes", 0,
		"larger files are not as expected (expectations.larger says what happens); 0: any size is")
	add.Flags().Int64Var(&in.LeastRows, "least-rows", 0, "files with fewer lines, with their header, do not count")
	add.Flags().StringVar(&in.Days, "on", "daily",
		"daily, weekdays, names of days (monday,thursday), or a day of the month (3)")
	add.Flags().StringVar(&in.Clock, "by", "", "time of day: 06:00")
	add.Flags().StringVar(&in.Zone, "zone", "UTC", "time zone: Australia/Sydney")
	add.Flags().BoolVar(&in.Tell, "tell-partner", false,
		"mail the user's technical contacts, too, when it is missed and when it comes late")
	_ = add.MarkFlagRequired("by")
	list := listCommand(a, &listing[model.EveryFilter, model.Expectation]{use: "list",
		short: "List what is expected, and how it stands",
		head:  []string{"NAME", "FROM", "FILES", "BY", "STATE", "LAST DEADLINE", "NEXT DEADLINE"}, at: "NEXT DEADLINE",
		order: "name", none: "Nothing is expected.", read: (*client.Client).ListExpectations,
		row: func(e model.Expectation) []any {
			from := e.User
			if e.Feed != "" {
				from = "feed " + e.Feed
			}
			if e.Account != "" {
				from += " for " + e.Account
			}
			return []any{e.Name, from, fmt.Sprintf("%d %s", e.AtLeast, e.Glob), e.Days + " " + e.Clock + " " + e.Zone,
				model.Word(e.State), e.DueAt, e.NextAt}
		}})
	remove := command("remove NAME", "Remove an expectation", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := a.client().RemoveExpectation(ctx, args[0]); err != nil {
				return err
			}
			return a.done(map[string]string{"name": args[0]}, "Expectation %s was removed.", args[0])
		})
	return group("expect", "Files that should come by a time", add, list, remove)
}
