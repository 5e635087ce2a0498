package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) webhookCommand() *cobra.Command {
	var in model.NewWebhook
	add := command("add NAME --url URL", "Add a receiver of events; prints its signing secret, this once",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			in.Name = args[0]
			v, err := a.client().AddWebhook(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v,
				"Webhook %s was added for %s. Its secret, which is not shown again:\n%s\nNext: sallyport webhook test %s", v.Name,
				strings.Join(v.Events, ", "), v.Secret, v.Name)
		})
	add.Flags().StringVar(&in.URL, "url", "", "where to post: https://billing.example.com/hooks/files")
	add.Flags().StringSliceVar(&in.Events, "events", nil, "events that it wants: file.received,key.* (default: all)")
	_ = add.MarkFlagRequired("url")
	list := listCommand(a, &listing[model.EveryFilter, model.Webhook]{use: "list", short: "List receivers of events",
		head: []string{"NAME", "URL", "EVENTS", "STATE", "SINCE"}, at: "SINCE", order: "name",
		none: "There are no webhooks.", read: (*client.Client).ListWebhooks,
		row: func(w model.Webhook) []any {
			state := "on"
			if !w.Enabled {
				state = strings.TrimSuffix("off: "+w.Note, ": ")
			}
			return []any{w.Name, w.URL, strings.Join(w.Events, ","), state, w.CreatedAt}
		}})
	remove := command("remove NAME", "Remove a receiver, and what was still to be sent to it", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := a.client().RemoveWebhook(ctx, args[0]); err != nil {
				return err
			}
			return a.done(map[string]string{"name": args[0]}, "Webhook %s was removed.", args[0])
		})
	test := command("test NAME", "Send a receiver a test event", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			m, err := a.client().TestWebhook(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(m, "A test is on its way. See how it went: sallyport message show %s", m.ID)
		})
	return group("webhook", "Programs that hear of events", add, a.webhookSet(), list, remove, test)
}

func (a *app) webhookSet() *cobra.Command {
	var in model.EditWebhook
	c := command("set NAME", "Change a receiver; --rotate-secret makes a new secret beside the old one",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			v, err := a.client().EditWebhook(ctx, args[0], in)
			if err != nil {
				return err
			}
			if v.Secret != "" {
				return a.done(v,
					"Webhook %s has a new secret, which is not shown again:\n%s\nBoth sign until: sallyport webhook set %s "+
						"--drop-old-secret", v.Name, v.Secret, v.Name)
			}
			return a.done(v, "Webhook %s was changed.", v.Name)
		})
	optText(c, &in.URL, "url", "", "where to post")
	c.Flags().Var(optList{to: &in.Events, split: true}, "events", "events that it wants")
	optBool(c, &in.Enabled, "enabled", "false switches it off")
	c.Flags().BoolVar(&in.Rotate, "rotate-secret", false, "make a new secret; both sign until the old one is dropped")
	c.Flags().BoolVar(&in.Retire, "drop-old-secret", false, "sign with the new secret alone")
	c.MarkFlagsOneRequired("url", "events", "enabled", "rotate-secret", "drop-old-secret")
	return c
}

func (a *app) messageList() *cobra.Command {
	l := &listing[model.MessageFilter, model.Message]{use: "list",
		short: "List webhooks and mails, the newest first; --state dead shows what was given up",
		head:  []string{"ID", "MADE", "TO", "ABOUT", "STATE", "TRIES", "LAST ANSWER"},
		more:  []string{"CHANNEL", "SUBJECT", "TRIED", "SENT"}, at: "MADE", order: "made", desc: true, most: 100,
		none: "There are no messages yet.", read: (*client.Client).ListMessages,
		row: func(m model.Message) []any {
			return []any{m.ID, m.CreatedAt, m.Target, m.Kind, model.Word(m.State), m.Attempts, m.Error, model.Word(m.Channel),
				m.Subject, m.TriedAt, m.SentAt}
		}}
	c := listCommand(a, l)
	c.Flags().StringVar((*string)(&l.filter.Channel), "channel", "", "only webhook, or only mail")
	stateFlag(c, &l.filter.State, model.MessageNew, model.MessageQueued, model.MessageSent, model.MessageDead,
		model.MessageBounced)
	c.Flags().StringVar(&l.filter.Target, "to", "", "only to this webhook or address")
	return c
}

func (a *app) messageCommand() *cobra.Command {
	show := command("show ID", "Show a webhook or a mail as it is sent", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			m, err := a.client().ShowMessage(ctx, args[0])
			if err != nil {
				return err
			}
			if err := a.card(m, [2]string{"ID", m.ID}, [2]string{"To", m.Target}, [2]string{"About", m.Kind},
				[2]string{"Event", m.EventID}, [2]string{"State", string(m.State)}, [2]string{"Tries", fmt.Sprint(m.Attempts)},
				[2]string{"Last answer", m.Error}, [2]string{"Made", when(m.CreatedAt)},
				[2]string{"Tried", whenPtr(m.TriedAt)},
				[2]string{"Sent", whenPtr(m.SentAt)}, [2]string{"Subject", m.Subject},
				[2]string{"Attached", joined(fileNames(m.Files), "")}); err != nil || a.json {
				return err
			}
			_, err = fmt.Fprintf(a.Out, "\n%s\n", printableLines(m.Body))
			return err
		})
	var dead bool
	var target string
	replay := command("replay ID | --dead [--to NAME]",
		"Send again, under the same id: one message, or all that were given up", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			if dead == (len(args) == 1) {
				return fault.E("cli.replay", fault.Invalid, "Name one message, or give --dead for all that were given up.")
			}
			if !dead {
				if err := a.client().ReplayMessage(ctx, args[0]); err != nil {
					return err
				}
				return a.done(map[string]int{"count": 1}, "It is on its way again.")
			}
			n, err := a.client().ReplayDead(ctx, model.Replay{Target: target})
			if err != nil {
				return err
			}
			return a.done(n, "%d messages are on their way again.", n.Count)
		})
	replay.Flags().BoolVar(&dead, "dead", false, "everything that was given up")
	replay.Flags().StringVar(&target, "to", "", "only of this webhook or address")
	queue := command("queue", "How much waits to be sent, and since when", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := a.client().ShowQueue(ctx)
			if err != nil {
				return err
			}
			return a.card(v, [2]string{"Events", fmt.Sprint(v.Events)}, [2]string{"Waiting", fmt.Sprint(v.Waiting)},
				[2]string{"Dead", fmt.Sprint(v.Dead)}, [2]string{"Oldest", whenPtr(v.OldestAt)})
		})
	return group("message", "Webhooks and mails: what was sent, what waits, what was given up", a.messageList(), show,
		replay, queue)
}

// printableLines keeps line ends, and escapes other control characters.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = valid.Printable(strings.TrimSuffix(lines[i], "\r"))
	}
	return strings.Join(lines, "\n")
}
