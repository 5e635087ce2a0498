package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) feedCommand() *cobra.Command {
	return group("feed", "Named streams of files", a.feedAdd(), a.feedSet(), a.feedList(), a.feedShow(), a.feedRemove(),
		a.feedSubscribe(), a.feedSequence(), a.feedSubscription(), a.feedUnsubscribe())
}

// Usage texts of the flags that add and set share.
const (
	feedTitle  = "what people read in place of the name: 'Call detail records'"
	feedZone   = "time zone of dated sub-folders: Australia/Sydney (default: the configured one)"
	feedChecks = "what becomes of content that is not what its name says: refuse (if that is certain, else flag), " +
		"flag, off (default: as configured)"
	feedKind       = "an open label: cdr, data, invoice, report, sir"
	feedTypes      = "file types that it takes, by name and content: csv,pdf (default: all); any: whatever the content"
	feedPattern    = "what names look like: 'cdr-{account}-{yyyy}{mm}{dd}-{seq}.csv'; missing numbers are noticed"
	feedFolders    = "dated sub-folders of deliveries: '{yyyy}/{mm}'"
	feedProducer   = "account whose users may publish into it, over SFTP in /outbound"
	feedRecipient  = "account that may subscribe (repeatable; default: all)"
	feedRetention  = "how long its files stay: 12mo, 90d (default: the policy's)"
	feedParentSees = "what a parent account's subscribers get of its children's files: nothing, files"
)

func (a *app) feedAdd() *cobra.Command {
	var in model.NewFeed
	c := command("add NAME --kind KIND", "Add a feed", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		in.Name = args[0]
		v, err := a.client().AddFeed(ctx, in)
		if err != nil {
			return err
		}
		return a.done(v, "Feed %s was added. Next: sallyport feed subscribe %s USER", v.Name, v.Name)
	})
	for _, f := range []struct {
		to          *string
		name, usage string
	}{{&in.Title, "title", feedTitle}, {&in.Zone, "zone", feedZone}, {&in.Checks, "checks", feedChecks},
		{&in.Kind, "kind", feedKind},
		{&in.Pattern, "pattern", feedPattern}, {&in.Folders, "folders", feedFolders},
		{&in.Producer, "producer", feedProducer},
		{&in.ParentSees, "parent-sees", feedParentSees},
		{&in.Retention, "retention", feedRetention}} {
		c.Flags().StringVar(f.to, f.name, "", f.usage)
	}
	c.Flags().StringSliceVar(&in.Types, "types", nil, feedTypes)
	c.Flags().StringSliceVar(&in.Recipients, "recipient", nil, feedRecipient)
	_ = c.MarkFlagRequired("kind")
	return c
}

func (a *app) feedSet() *cobra.Command {
	var in model.EditFeed
	var keep *string // a retention policy, which has an operation of its own
	c := command("set NAME", "Change a feed; what was delivered stays as it is", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().EditFeed(ctx, args[0], in)
			if err != nil {
				return err
			}
			if keep == nil {
				return a.done(v, "Feed %s was changed.", v.Name)
			}
			if _, err := a.client().SetPolicy(ctx, model.SetPolicy{Feed: args[0], Keep: *keep}); err != nil {
				return err
			}
			if v, err = a.client().ShowFeed(ctx, args[0]); err != nil {
				return err
			}
			return a.done(v, "Feed %s was changed. What its files' retention means: sallyport retention forecast", v.Name)
		})
	optText(c, &keep, "retention", "default", "how long its files stay: 12mo, 90d; default: as the nearest policy says")
	for _, f := range []struct {
		to          **string
		name, usage string
	}{{&in.Title, "title", feedTitle}, {&in.Zone, "zone", feedZone}, {&in.Checks, "checks", feedChecks},
		{&in.Kind, "kind", feedKind},
		{&in.Pattern, "pattern", feedPattern}, {&in.Folders, "folders", feedFolders},
		{&in.Producer, "producer", feedProducer},
		{&in.ParentSees, "parent-sees", feedParentSees}} {
		optText(c, f.to, f.name, "", f.usage)
	}
	c.Flags().Var(optList{to: &in.Types, none: "all", split: true}, "types", feedTypes)
	c.Flags().Var(optList{to: &in.Recipients, none: "all", split: true}, "recipient", feedRecipient)
	c.MarkFlagsOneRequired("title", "zone", "checks", "kind", "types", "pattern", "folders", "producer", "recipient",
		"parent-sees", "retention")
	return c
}

func (a *app) feedRemove() *cobra.Command {
	return command("remove NAME", "Forget a feed that nothing was published in", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := a.client().RemoveFeed(ctx, args[0]); err != nil {
				return err
			}
			return a.done(map[string]string{"name": args[0]}, "Feed %s was removed.", args[0])
		})
}

func (a *app) feedList() *cobra.Command {
	return listCommand(a, &listing[model.EveryFilter, model.Feed]{use: "list", short: "List feeds",
		head: []string{"FEED", "KIND", "TYPES", "RETENTION"}, more: []string{"TITLE", "NAMES", "TIME ZONE", "SINCE"},
		at: "SINCE", order: "feed", none: "There are no feeds yet.", read: (*client.Client).ListFeeds,
		row: func(f model.Feed) []any {
			return []any{f.Name, f.Kind, joined(f.Types, "all"), f.Retention, f.Title, f.Pattern, f.Zone, f.CreatedAt}
		}})
}

func (a *app) feedShow() *cobra.Command {
	return command("show NAME", "Show a feed and who has it", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			f, err := a.client().ShowFeed(ctx, args[0])
			if err != nil {
				return err
			}
			subs, err := client.All(ctx, a.client().ListSubscriptions, model.FeedFilter{Feed: args[0]})
			if err != nil {
				return err
			}
			numbers, err := client.All(ctx, a.client().ListSequences, model.FeedFilter{Feed: args[0]})
			if err != nil {
				return err
			}
			if a.json {
				return a.show(struct {
					model.Feed
					Subscriptions []model.Subscription `json:"subscriptions"`
					Sequences     []model.Sequence     `json:"sequences"`
				}{f, subs, numbers}, table{})
			}
			if err := a.card(f, [2]string{"Feed", f.Name}, [2]string{"Title", f.Title}, [2]string{"Kind", f.Kind},
				[2]string{"Types", joined(f.Types, "all")}, [2]string{"Content", f.Checks}, [2]string{"Time zone", f.Zone},
				[2]string{"Retention", f.Retention}, [2]string{"Names", f.Pattern}, [2]string{"Folders", f.Folders},
				[2]string{"Producer", f.Producer},
				[2]string{"Recipients", joined(f.Recipients, "all")}, [2]string{"Parent sees", f.ParentSees},
				[2]string{"Since", when(f.CreatedAt)}); err != nil {
				return err
			}
			t := table{head: []string{"USER", "TYPES", "FOLDER", "SINCE"}, none: "Nobody has this feed yet."}
			for _, s := range subs {
				t.add(s.User, joined(s.Types, "all"), s.Dir, when(s.CreatedAt))
			}
			fmt.Fprintln(a.Out)
			if err := a.show(nil, t); err != nil || len(numbers) == 0 {
				return err
			}
			fmt.Fprintln(a.Out)
			return a.show(nil, sequences(numbers))
		})
}

func (a *app) feedSubscribe() *cobra.Command {
	var in model.NewSubscription
	var backfill string
	c := command("subscribe FEED USER", "Entitle a user to a feed", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			in.User = args[1]
			if backfill != "" {
				d, err := parseLength(backfill)
				if err != nil || d%(24*time.Hour) != 0 {
					return fault.E("cli.feedSubscribe", fault.Invalid, "%q is not a number of days.", backfill).WithHint("write 30d")
				}
				in.Days = int(d / (24 * time.Hour))
			}
			v, err := a.client().Subscribe(ctx, args[0], in)
			if err != nil {
				return err
			}
			if in.Days > 0 {
				return a.done(v, "User %s gets %s in %s from now on; %d earlier files were placed there.", v.User, v.Feed, v.Dir,
					v.Backfilled)
			}
			return a.done(v, "User %s gets %s in %s from now on.", v.User, v.Feed, v.Dir)
		})
	c.Flags().StringSliceVar(&in.Types, "types", nil, "file types that the user wants: csv,pdf (default: the feed's)")
	c.Flags().StringVar(&in.Dir, "dir", "", "where deliveries appear (default: /download/FEED)")
	c.Flags().StringVar(&in.Mail, "mail", "", "daily: mail about new files to the technical contacts")
	c.Flags().StringVar(&in.May, "may", "",
		"what the user may do with the files: look, remove (and rename; their bytes stay until they are due) (default: as "+
			"user set says)")
	c.Flags().StringVar(&backfill, "backfill", "", "place what was published in the last days, too: 30d")
	return c
}

func (a *app) feedSubscription() *cobra.Command {
	var in model.EditSubscription
	c := command("subscription FEED USER", "Change what a user gets of a feed, and where; what was delivered stays",
		cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
			v, err := a.client().EditSubscription(ctx, args[0], args[1], in)
			if err != nil {
				return err
			}
			return a.done(v, "User %s gets %s of %s in %s from now on.", v.User, joined(v.Types, "all files"), v.Feed, v.Dir)
		})
	c.Flags().Var(optList{to: &in.Types, none: "all", split: true}, "types",
		"file types that the user wants: csv,pdf; all")
	optText(c, &in.Dir, "dir", "", "where deliveries appear from now on")
	optText(c, &in.Mail, "mail", "none", "daily: mail about new files to the technical contacts; none")
	optText(c, &in.May, "may", "default", "what the user may do with the files: look, remove, default")
	return c
}

func (a *app) feedUnsubscribe() *cobra.Command {
	return command("unsubscribe FEED USER", "End a user's entitlement; what was delivered stays", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			if err := a.client().Unsubscribe(ctx, args[0], args[1]); err != nil {
				return err
			}
			return a.done(map[string]string{"feed": args[0], "user": args[1]}, "User %s gets %s no longer.", args[1], args[0])
		})
}
