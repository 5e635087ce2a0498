package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) retentionCommand() *cobra.Command {
	return group("retention", "How long files stay, and what is removed when", a.retentionPolicy(), a.retentionForecast(),
		a.retentionHold(), a.retentionRelease(), a.retentionHolds(), a.retentionRun(), a.retentionRuns(), a.retentionShow(),
		a.retentionNotices(), a.retentionTold(), a.retentionConfirm(),
		a.retentionCancel())
}

func (a *app) retentionPolicy() *cobra.Command {
	list := listCommand(a, &listing[model.EveryFilter, model.RetentionPolicy]{use: "list",
		short: "List policies; the nearest one wins: of a user's folder, a folder, a feed, a user, the default",
		head:  []string{"POLICY", "KEEPS FILES"}, read: (*client.Client).ListPolicies,
		row: func(p model.RetentionPolicy) []any { return []any{p.Class, p.Keep} }})
	var in model.SetPolicy
	set := command("set PERIOD (--feed F | --user U | --folder /PATH)",
		"Keep files of a feed, a user or a folder for a period: 90d, 12mo, 7y; none takes the policy away",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			if in.Keep = args[0]; in.Keep == "none" {
				in.Keep = ""
			}
			v, err := a.client().SetPolicy(ctx, in)
			if err != nil {
				return err
			}
			if in.Keep == "" {
				return a.done(v, "The policy %s is gone; its files have the next one.", v.Class)
			}
			return a.done(v, "The policy %s keeps files for %s. See what follows: sallyport retention forecast", v.Class, v.Keep)
		})
	set.Flags().StringVar(&in.Feed, "feed", "", "a feed's files")
	set.Flags().StringVar(&in.User, "user", "", "a user's files")
	set.Flags().StringVar(&in.Folder, "folder", "", "files below a folder, of the user or of everybody")
	set.MarkFlagsOneRequired("feed", "user", "folder")
	return group("policy", "How long files stay", list, set)
}

func (a *app) retentionForecast() *cobra.Command {
	var q model.ForecastQuery
	var at string
	c := command("forecast",
		"What goes when: by the runs that are announced, by the next one, and later; and what stays, and why", cobra.NoArgs,
		func(ctx context.Context, _ []string) (err error) {
			if at != "" {
				if q.At, err = parseTime(at, a.now(ctx), ahead, false); err != nil {
					return err
				}
			}
			return a.forecast(ctx, q)
		})
	c.Flags().StringVar(&at, "at", "",
		"what is due by this day: 2027-01-01, or 30d (default: by the run that will be announced next)")
	c.Flags().StringVar(&q.Account, "account", "", "only this account's")
	c.Flags().BoolVar(&q.List, "list", false, "name every file")
	return c
}

func (a *app) retentionHold() *cobra.Command {
	var account, user, feed, file, reason string
	c := command("hold (--account ID | --user U | --feed F | --file USER:/PATH) --reason TEXT",
		"Keep files, whatever their age (legal hold)", cobra.NoArgs, func(ctx context.Context, _ []string) error {
			in := model.NewHold{Reason: reason}
			for kind, target := range map[model.HoldKind]string{model.HoldAccount: account, model.HoldUser: user,
				model.HoldFeed: feed, model.HoldFile: file} {
				if target != "" {
					in.Kind, in.Target = kind, target
				}
			}
			v, err := a.client().AddHold(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v, "%s %s is held. Release it with: sallyport retention release %s", v.Kind, v.Label, v.ID)
		})
	c.Flags().StringVar(&account, "account", "", "everything of an account")
	c.Flags().StringVar(&user, "user", "", "everything of a user")
	c.Flags().StringVar(&feed, "feed", "", "everything of a feed")
	c.Flags().StringVar(&file, "file", "", "one file, user:/path, or the id of one of its versions")
	c.Flags().StringVar(&reason, "reason", "", "why, for the report and the audit log")
	c.MarkFlagsOneRequired("account", "user", "feed", "file")
	c.MarkFlagsMutuallyExclusive("account", "user", "feed", "file")
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) retentionRelease() *cobra.Command {
	return command("release HOLD", "Release a hold", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := a.client().ReleaseHold(ctx, args[0])
		if err != nil {
			return err
		}
		return a.done(v, "%s %s is held no longer.", v.Kind, v.Label)
	})
}

func (a *app) retentionHolds() *cobra.Command {
	l := &listing[model.HoldFilter, model.Hold]{use: "holds", short: "List holds",
		head: []string{"ID", "ON", "WHAT", "SINCE", "BY", "REASON", "RELEASED"}, at: "SINCE", none: "Nothing is held.",
		read: (*client.Client).ListHolds,
		row: func(h model.Hold) []any {
			return []any{h.ID, model.Word(h.Kind), h.Label, h.At, h.Actor, h.Reason, h.ReleasedAt}
		}}
	c := listCommand(a, l)
	c.Flags().BoolVar(&l.filter.All, "all", false, "released ones, too")
	return c
}

func (a *app) retentionRun() *cobra.Command {
	var dry bool
	c := command("run",
		"Plan, tell and run what is due now; --dry-run only says what would go. No run comes before its day and its notices",
		cobra.NoArgs, func(ctx context.Context, _ []string) error {
			if dry {
				return a.forecast(ctx, model.ForecastQuery{})
			}
			v, err := a.client().RunRetention(ctx)
			if err != nil {
				return err
			}
			if err := a.show(v, runTable(v, "Nothing is due. See what is planned: sallyport retention forecast")); err != nil {
				return err
			}
			a.confirmHints(v)
			return nil
		})
	c.Flags().BoolVar(&dry, "dry-run", false,
		"only print the forecast; announce and remove nothing")
	return c
}

// runColumns are the headings of runRow.
var runColumns = []string{"ID", "KIND", "DUE", "STATE", "NAMED", "SIZE", "REMOVED", "NOTE"}

func runRow(r model.RetentionRun) []any {
	note := r.Account
	switch {
	case r.Confirm != "" && r.ConfirmedAt == nil && r.State == model.RunAnnounced:
		note = "waits to be confirmed: " + r.Confirm
	case r.ConfirmedAt != nil:
		note = "confirmed by " + r.ConfirmedBy
	}
	return []any{r.ID, model.Word(r.Kind), r.DueAt, model.Word(r.State), r.Files, fileSize(r.Bytes), r.RemovedFiles, note}
}

func runTable(list []model.RetentionRun, none string) table {
	t := table{head: runColumns, none: none}
	for _, r := range list {
		t.add(runRow(r)...)
	}
	return t
}

func (a *app) retentionRuns() *cobra.Command {
	return listCommand(a, &listing[model.EveryFilter, model.RetentionRun]{use: "runs",
		short: "List runs, the newest first", head: runColumns, at: "DUE", order: "id", desc: true,
		none: "No run was planned yet.", read: (*client.Client).ListRuns, row: runRow})
}

func (a *app) retentionShow() *cobra.Command {
	var files bool
	c := command("show RUN", "Print a run's signed removal report, or with --files every file as CSV", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if files {
				in, err := a.client().ListRunFiles(ctx, args[0])
				if err != nil {
					return err
				}
				defer in.Close()
				_, err = io.Copy(a.Out, in)
				return fault.Wrap("cli.retentionShow", fault.Unavailable, err)
			}
			v, err := a.client().ShowRun(ctx, args[0])
			if err != nil {
				return err
			}
			if a.json || v.Report == "" {
				return a.show(v, runTable([]model.RetentionRun{v}, ""))
			}
			_, err = io.WriteString(a.Out, v.Report)
			return err
		})
	c.Flags().BoolVar(&files, "files", false, "every file named, and what became of it, as CSV")
	return c
}

func (a *app) retentionNotices() *cobra.Command {
	return listCommand(a, &listing[model.RunFilter, model.RetentionNotice]{use: "notices RUN",
		short: "Whom a run's notices reached", args: cobra.ExactArgs(1),
		head: []string{"ACCOUNT", "NOTICE", "MADE", "REACHED", "MAILS"}, at: "MADE", none: "The run has no notices.",
		read: (*client.Client).ListRunNotices,
		ready: func(_ context.Context, f *model.RunFilter, args []string) error {
			f.Run = args[0]
			return nil
		},
		row: func(n model.RetentionNotice) []any {
			reached := "not reached"
			if n.Reached {
				reached = "yes"
			}
			if n.ToldBy != "" {
				reached = "told by " + n.ToldBy
			}
			mails := make([]string, len(n.Mails))
			for i, m := range n.Mails {
				mails[i] = m.To + " " + model.Word(m.State)
			}
			return []any{n.Account, n.Mark, n.At, reached, joined(mails, "none")}
		}})
}

func (a *app) retentionTold() *cobra.Command {
	return command("told RUN ACCOUNT", "Note that an account's people were told by hand", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			if err := a.client().NoteTold(ctx, args[0], args[1]); err != nil {
				return err
			}
			return a.done(map[string]string{"run": args[0], "account": args[1]}, "The notice to %s counts as read.", args[1])
		})
}

func (a *app) retentionConfirm() *cobra.Command {
	return command("confirm RUN", "Let a run go on that waits for an administrator", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().ConfirmRun(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(v, "The run of %s was confirmed; it names %d files.", when(v.DueAt), v.Files)
		})
}

func (a *app) retentionCancel() *cobra.Command {
	var reason string
	c := command("cancel RUN --reason TEXT",
		"Call a run off; what it names is planned with the next one, with new notices", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().CancelRun(ctx, args[0], model.Why{Reason: reason})
			if err != nil {
				return err
			}
			return a.done(v, "The run of %s was called off.", when(v.DueAt))
		})
	c.Flags().StringVar(&reason, "reason", "", "why, for the audit log")
	_ = c.MarkFlagRequired("reason")
	return c
}
