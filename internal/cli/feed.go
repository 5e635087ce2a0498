package cli

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) feedCommand() *cobra.Command {
	return group("feed", "Named streams of files", a.feedAdd(), a.feedSet(), a.feedList(), a.feedShow(), a.feedRemove(), a.feedSubscribe(), a.feedSequence(), a.feedSubscription(), a.feedUnsubscribe())
}

// feedShape is what a feed's files look like and whom they are for.
type feedShape struct {
	Title      string   `json:"title,omitempty"`
	Zone       string   `json:"zone,omitempty"`
	Checks     string   `json:"checks,omitempty"`
	Kind       string   `json:"kind,omitempty"`
	Types      []string `json:"types,omitempty"`
	Pattern    string   `json:"pattern,omitempty"`
	Folders    string   `json:"folders,omitempty"`
	Producer   string   `json:"producer,omitempty"`
	Recipients []string `json:"recipients,omitempty"`
	ParentSees string   `json:"parent_sees,omitempty"`
}

func (f *feedShape) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.Title, "title", "", "what people read in place of the name: 'Call detail records'")
	c.Flags().StringVar(&f.Zone, "zone", "", "time zone of dated sub-folders: Australia/Sydney (default: the configured one)")
	c.Flags().StringVar(&f.Checks, "checks", "", "what becomes of content that is not what its name says: refuse (if that is certain, else flag), flag, off (default: as configured)")
	c.Flags().StringVar(&f.Kind, "kind", "", "an open label: cdr, data, invoice, report, sir")
	c.Flags().StringSliceVar(&f.Types, "types", nil, "file types that it takes, by name and content: csv,pdf (default: all); any: all, whatever the content")
	c.Flags().StringVar(&f.Pattern, "pattern", "", "what names look like: 'cdr-{account}-{yyyy}{mm}{dd}-{seq}.csv'; missing numbers are noticed")
	c.Flags().StringVar(&f.Folders, "folders", "", "dated sub-folders of deliveries: '{yyyy}/{mm}'")
	c.Flags().StringVar(&f.Producer, "producer", "", "account whose users may publish into it, over SFTP in /outbound")
	c.Flags().StringSliceVar(&f.Recipients, "recipient", nil, "account that may subscribe (repeatable; default: all)")
	c.Flags().StringVar(&f.ParentSees, "parent-sees", "", "what a parent account's subscribers get of its children's files: nothing, files")
}

func (a *app) feedAdd() *cobra.Command {
	var in struct {
		feedShape
		Name      string `json:"name"`
		Retention string `json:"retention,omitempty"`
	}
	c := command("add NAME --kind KIND", "Add a feed", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		in.Name = args[0]
		v, err := call[model.Feed](ctx, a, "POST", "/feeds", in)
		if err != nil {
			return err
		}
		return a.done(v, "Feed %s was added. Next: sallyport feed subscribe %s USER", v.Name, v.Name)
	})
	in.flags(c)
	c.Flags().StringVar(&in.Retention, "retention", "", "how long its files stay: 12mo, 90d (default: the policy's)")
	_ = c.MarkFlagRequired("kind")
	return c
}

func (a *app) feedSet() *cobra.Command {
	var in feedShape
	c := &cobra.Command{Use: "set NAME", Short: "Change a feed; what was delivered stays as it is", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		edit := changed(c, map[string]any{"title": in.Title, "zone": in.Zone, "checks": in.Checks, "kind": in.Kind, "pattern": in.Pattern, "folders": in.Folders, "producer": in.Producer, "parent_sees": in.ParentSees})
		for flag, v := range map[string][]string{"types": in.Types, "recipient": in.Recipients} {
			if !c.Flags().Changed(flag) {
				continue
			}
			if len(v) == 1 && v[0] == "all" {
				v = []string{}
			}
			edit[map[string]string{"types": "types", "recipient": "recipients"}[flag]] = v
		}
		v, err := call[model.Feed](c.Context(), a, "PATCH", "/feeds/"+url.PathEscape(args[0]), edit)
		if err != nil {
			return err
		}
		return a.done(v, "Feed %s was changed.", v.Name)
	}
	in.flags(c)
	return c
}

func (a *app) feedRemove() *cobra.Command {
	return command("remove NAME", "Forget a feed that nothing was published in", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if _, err := call[any](ctx, a, "DELETE", "/feeds/"+url.PathEscape(args[0]), nil); err != nil {
			return err
		}
		return a.done(map[string]string{"name": args[0]}, "Feed %s was removed.", args[0])
	})
}

func (a *app) feedList() *cobra.Command {
	return command("list", "List feeds", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[[]model.Feed](ctx, a, "GET", "/feeds", nil)
		if err != nil {
			return err
		}
		t := table{head: []string{"FEED", "KIND", "TYPES", "RETENTION"}, none: "There are no feeds yet."}
		for _, f := range v {
			t.add(f.Name, f.Kind, joined(f.Types, "all"), f.Retention)
		}
		return a.show(v, t)
	})
}

func (a *app) feedShow() *cobra.Command {
	return command("show NAME", "Show a feed and who has it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		path := "/feeds/" + url.PathEscape(args[0])
		f, err := call[model.Feed](ctx, a, "GET", path, nil)
		if err != nil {
			return err
		}
		subs, err := call[[]model.Subscription](ctx, a, "GET", path+"/subscriptions", nil)
		if err != nil {
			return err
		}
		numbers, err := call[[]model.Sequence](ctx, a, "GET", path+"/sequences", nil)
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
		if err := a.card(f, [2]string{"Feed", f.Name}, [2]string{"Title", f.Title}, [2]string{"Kind", f.Kind}, [2]string{"Types", joined(f.Types, "all")},
			[2]string{"Content", f.Checks}, [2]string{"Time zone", f.Zone},
			[2]string{"Retention", f.Retention}, [2]string{"Names", f.Pattern}, [2]string{"Folders", f.Folders}, [2]string{"Producer", f.Producer},
			[2]string{"Recipients", joined(f.Recipients, "all")}, [2]string{"Parent sees", f.ParentSees}, [2]string{"Since", when(f.CreatedAt)}); err != nil {
			return err
		}
		t := table{head: []string{"USER", "TYPES", "DIRECTORY", "SINCE"}, none: "Nobody has this feed yet."}
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
	var in struct {
		User  string   `json:"user"`
		Types []string `json:"types,omitempty"`
		Dir   string   `json:"dir,omitempty"`
		Mail  string   `json:"mail,omitempty"`
		May   string   `json:"may,omitempty"`
		Days  int      `json:"backfill_days,omitempty"`
	}
	var backfill string
	c := command("subscribe FEED USER", "Entitle a user to a feed", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		in.User = args[1]
		if backfill != "" {
			d, err := parseLength(backfill)
			if err != nil || d%(24*time.Hour) != 0 {
				return fault.E("cli.feedSubscribe", fault.Invalid, "%q is not a number of days.", backfill).WithHint("write 30d")
			}
			in.Days = int(d / (24 * time.Hour))
		}
		v, err := call[model.Subscription](ctx, a, "POST", "/feeds/"+url.PathEscape(args[0])+"/subscriptions", in)
		if err != nil {
			return err
		}
		if in.Days > 0 {
			return a.done(v, "User %s gets %s in %s from now on; %d earlier files were placed there.", v.User, v.Feed, v.Dir, v.Backfilled)
		}
		return a.done(v, "User %s gets %s in %s from now on.", v.User, v.Feed, v.Dir)
	})
	c.Flags().StringSliceVar(&in.Types, "types", nil, "file types that the user wants: csv,pdf (default: the feed's)")
	c.Flags().StringVar(&in.Dir, "dir", "", "where deliveries appear (default: /download/FEED)")
	c.Flags().StringVar(&in.Mail, "mail", "", "daily: mail about new files to the technical contacts")
	c.Flags().StringVar(&in.May, "may", "", "what the user may do with the files: look, remove (and rename; their bytes stay until they are due) (default: as user set says)")
	c.Flags().StringVar(&backfill, "backfill", "", "place what was published in the last days, too: 30d")
	return c
}

func (a *app) feedSubscription() *cobra.Command {
	var types []string
	var dir, mail, may string
	c := &cobra.Command{Use: "subscription FEED USER", Short: "Change what a user gets of a feed, and where; what was delivered stays", Args: cobra.ExactArgs(2)}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(types) == 1 && types[0] == "all" {
			types = []string{}
		}
		if mail == "none" {
			mail = ""
		}
		if may == "default" {
			may = ""
		}
		v, err := call[model.Subscription](c.Context(), a, "PATCH", "/feeds/"+url.PathEscape(args[0])+"/subscriptions/"+url.PathEscape(args[1]),
			changed(c, map[string]any{"types": types, "dir": dir, "mail": mail, "may": may}))
		if err != nil {
			return err
		}
		return a.done(v, "User %s gets %s of %s in %s from now on.", v.User, joined(v.Types, "all files"), v.Feed, v.Dir)
	}
	c.Flags().StringSliceVar(&types, "types", nil, "file types that the user wants: csv,pdf; all")
	c.Flags().StringVar(&dir, "dir", "", "where deliveries appear from now on")
	c.Flags().StringVar(&mail, "mail", "", "daily: mail about new files to the technical contacts; none")
	c.Flags().StringVar(&may, "may", "", "what the user may do with the files: look, remove, default")
	return c
}

func (a *app) feedUnsubscribe() *cobra.Command {
	return command("unsubscribe FEED USER", "End a user's entitlement; what was delivered stays", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		_, err := call[any](ctx, a, "DELETE", "/feeds/"+url.PathEscape(args[0])+"/subscriptions/"+url.PathEscape(args[1]), nil)
		if err != nil {
			return err
		}
		return a.done(map[string]string{"feed": args[0], "user": args[1]}, "User %s gets %s no longer.", args[1], args[0])
	})
}
