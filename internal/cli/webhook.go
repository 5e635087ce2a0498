package cli

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func webhookPath(name string) string { return "/webhooks/" + url.PathEscape(name) }

func (a *app) webhookCommand() *cobra.Command {
	var target string
	var events []string
	add := command("add NAME --url URL", "Add a receiver of events; prints its signing secret, this once", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := call[model.Webhook](ctx, a, "POST", "/webhooks", map[string]any{"name": args[0], "url": target, "events": events})
		if err != nil {
			return err
		}
		return a.done(v, "Webhook %s was added for %s. Its secret, which is not shown again:\n%s\nNext: sallyport webhook test %s", v.Name, strings.Join(v.Events, ", "), v.Secret, v.Name)
	})
	add.Flags().StringVar(&target, "url", "", "where to post: https://billing.example.com/hooks/files")
	add.Flags().StringSliceVar(&events, "events", nil, "events that it wants: file.received,key.* (default: all)")
	_ = add.MarkFlagRequired("url")
	list := command("list", "List receivers of events", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[[]model.Webhook](ctx, a, "GET", "/webhooks", nil)
		if err != nil {
			return err
		}
		t := table{head: []string{"NAME", "URL", "EVENTS", "STATE", "SINCE"}, none: "There are no webhooks."}
		for _, w := range v {
			state := "on"
			if !w.Enabled {
				state = strings.TrimSuffix("off: "+w.Note, ": ")
			}
			t.add(w.Name, w.URL, strings.Join(w.Events, ","), state, when(w.CreatedAt))
		}
		return a.show(v, t)
	})
	remove := command("remove NAME", "Remove a receiver, and what was still to be sent to it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if _, err := call[any](ctx, a, "DELETE", webhookPath(args[0]), nil); err != nil {
			return err
		}
		return a.done(map[string]string{"name": args[0]}, "Webhook %s was removed.", args[0])
	})
	test := command("test NAME", "Send a receiver a test event", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		m, err := call[model.Message](ctx, a, "POST", webhookPath(args[0])+"/test", nil)
		if err != nil {
			return err
		}
		return a.done(m, "A test is on its way. See how it went: sallyport message show %s", m.ID)
	})
	return group("webhook", "Programs that hear of events", add, a.webhookSet(), list, remove, test)
}

func (a *app) webhookSet() *cobra.Command {
	var target string
	var events []string
	var on, rotate, drop bool
	c := &cobra.Command{Use: "set NAME", Short: "Change a receiver; --rotate-secret makes a new secret beside the old one", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		edit := changed(c, map[string]any{"url": target})
		if c.Flags().Changed("events") {
			edit["events"] = events
		}
		if c.Flags().Changed("enabled") {
			edit["enabled"] = on
		}
		edit["rotate_secret"], edit["drop_old_secret"] = rotate, drop
		v, err := call[model.Webhook](c.Context(), a, "PATCH", webhookPath(args[0]), edit)
		if err != nil {
			return err
		}
		if v.Secret != "" {
			return a.done(v, "Webhook %s has a new secret, which is not shown again:\n%s\nBoth sign until: sallyport webhook set %s --drop-old-secret", v.Name, v.Secret, v.Name)
		}
		return a.done(v, "Webhook %s was changed.", v.Name)
	}
	c.Flags().StringVar(&target, "url", "", "where to post")
	c.Flags().StringSliceVar(&events, "events", nil, "events that it wants")
	c.Flags().BoolVar(&on, "enabled", true, "false switches it off")
	c.Flags().BoolVar(&rotate, "rotate-secret", false, "make a new secret; both sign until the old one is dropped")
	c.Flags().BoolVar(&drop, "drop-old-secret", false, "sign with the new secret alone")
	c.MarkFlagsOneRequired("url", "events", "enabled", "rotate-secret", "drop-old-secret")
	return c
}

func (a *app) messageList() *cobra.Command {
	var channel, state, target string
	var limit int
	list := command("list", "List webhooks and mails, the newest first; --state dead shows what was given up", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{"limit": {fmt.Sprint(limit)}}
		for k, v := range map[string]string{"channel": channel, "state": state, "target": target} {
			if v != "" {
				q.Set(k, v)
			}
		}
		v, err := client.Call[[]model.Message](ctx, a.client(), client.Request{Method: "GET", Path: "/messages", Query: q})
		if err != nil {
			return err
		}
		t := table{head: []string{"ID", "MADE", "TO", "ABOUT", "STATE", "TRIES", "LAST ANSWER"}, none: "There are no such messages."}
		for _, m := range v {
			t.add(m.ID, when(m.CreatedAt), m.Target, m.Kind, m.State, fmt.Sprint(m.Attempts), m.Error)
		}
		return a.show(v, t)
	})
	list.Flags().StringVar(&channel, "channel", "", "only webhook, or only mail")
	list.Flags().StringVar(&state, "state", "", "only in this state: new, queued, sent, dead, bounced")
	list.Flags().StringVar(&target, "to", "", "only to this webhook or address")
	list.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return list
}

func (a *app) messageCommand() *cobra.Command {
	show := command("show ID", "Show a webhook or a mail as it is sent", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		m, err := call[model.Message](ctx, a, "GET", "/messages/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		if err := a.card(m, [2]string{"ID", m.ID}, [2]string{"To", m.Target}, [2]string{"About", m.Kind}, [2]string{"Event", m.EventID}, [2]string{"State", m.State},
			[2]string{"Tries", fmt.Sprint(m.Attempts)}, [2]string{"Last answer", m.Error}, [2]string{"Made", when(m.CreatedAt)}, [2]string{"Tried", whenPtr(m.TriedAt)},
			[2]string{"Sent", whenPtr(m.SentAt)}, [2]string{"Subject", m.Subject}); err != nil || a.json {
			return err
		}
		_, err = fmt.Fprintf(a.Out, "\n%s\n", printableLines(m.Body))
		return err
	})
	var dead bool
	var target string
	replay := command("replay ID | --dead [--to NAME]", "Send again, under the same id: one message, or all that were given up", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		if dead == (len(args) == 1) {
			return fault.E("cli.replay", fault.Invalid, "Name one message, or give --dead for all that were given up.")
		}
		if !dead {
			if _, err := call[any](ctx, a, "POST", "/messages/"+url.PathEscape(args[0])+"/replay", nil); err != nil {
				return err
			}
			return a.done(map[string]int{"count": 1}, "It is on its way again.")
		}
		n, err := call[struct{ Count int }](ctx, a, "POST", "/messages/replay?target="+url.QueryEscape(target), nil)
		if err != nil {
			return err
		}
		return a.done(n, "%d messages are on their way again.", n.Count)
	})
	replay.Flags().BoolVar(&dead, "dead", false, "everything that was given up")
	replay.Flags().StringVar(&target, "to", "", "only of this webhook or address")
	queue := command("queue", "How much waits to be sent, and since when", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[model.Queue](ctx, a, "GET", "/queue", nil)
		if err != nil {
			return err
		}
		return a.card(v, [2]string{"Events", fmt.Sprint(v.Events)}, [2]string{"Waiting", fmt.Sprint(v.Waiting)}, [2]string{"Dead", fmt.Sprint(v.Dead)}, [2]string{"Oldest", whenPtr(v.OldestAt)})
	})
	return group("message", "Webhooks and mails: what was sent, what waits, what was given up", a.messageList(), show, replay, queue)
}

// printableLines keeps line ends and escapes the rest.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = valid.Printable(strings.TrimSuffix(lines[i], "\r"))
	}
	return strings.Join(lines, "\n")
}

func (a *app) mailCommand() *cobra.Command {
	test := command("test ADDRESS", "Send a mail now, and say what the server said", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if _, err := call[any](ctx, a, "POST", "/mail/test", map[string]string{"to": args[0]}); err != nil {
			return err
		}
		return a.done(map[string]string{"to": args[0]}, "The mail server took a test mail to %s.", args[0])
	})
	var why string
	bounce := command("bounce [ADDRESS | -]", "Note that mail to an address came back; - reads the mail server's report (RFC 3464)", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if args[0] == "-" {
			return a.mailReport(ctx)
		}
		v, err := call[map[string]any](ctx, a, "POST", "/mail/bounces", map[string]string{"address": args[0], "why": why})
		if err != nil {
			return err
		}
		return a.done(v, "%s was noted as not reached.", args[0])
	})
	bounce.Flags().StringVar(&why, "why", "an operator said so", "what the report said")
	var out string
	templates := command("templates --out DIR", "Write the built-in mail templates into a folder, to change them; mail.templates names it", cobra.NoArgs, func(context.Context, []string) error {
		list, err := writeTemplates(out)
		if err != nil {
			return err
		}
		return a.done(list, "%d templates were written to %s.", len(list), out)
	})
	templates.Flags().StringVar(&out, "out", "", "folder")
	_ = templates.MarkFlagRequired("out")
	return group("mail", "Mail to partners and to the operator", test, bounce, templates)
}

// mailReport reads a delivery report and hands on what it says.
func (a *app) mailReport(ctx context.Context) error {
	report, err := node.ReadBounce(a.In)
	if err != nil {
		return err
	}
	if len(report.Failures) == 0 {
		return a.done(report, "The report says that nothing failed for good; nothing was changed.")
	}
	m, err := call[model.Message](ctx, a, "POST", "/mail/reports", report)
	if err != nil {
		return err
	}
	return a.done(m, "%s was noted as not reached.", m.Target)
}

// writeTemplates copies the built-in templates; existing files stay.
func writeTemplates(dir string) ([]string, error) {
	const op = "cli.mailTemplates"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fault.E(op, fault.Invalid, "The folder cannot be made: %v.", err)
	}
	var done []string
	err := fs.WalkDir(node.MailTemplates(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(node.MailTemplates(), path)
		if err != nil {
			return err
		}
		done = append(done, path)
		return landFile(filepath.Join(dir, path), func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	})
	return done, fault.Wrap(op, fault.Invalid, err)
}
