package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) announceCommand() *cobra.Command {
	return group("announce", "Tell many contacts something at once: maintenance, an outage", a.announceSend(),
		a.announceList(), a.announceEnd())
}

func (a *app) announceSend() *cobra.Command {
	var in model.NewAnnouncement
	var file, from, until string
	c := command("send (--all | --region R | --feed F | --tag T) --subject S (--text T | --file FILE)",
		"Mail the contacts whom it concerns and, until a time, show it at log-in", cobra.NoArgs,
		func(ctx context.Context, _ []string) (err error) {
			if file != "" {
				if in.Text, err = a.readText(file); err != nil {
					return err
				}
			}
			if in.From, err = a.moment(ctx, from); err != nil {
				return err
			}
			if in.Until, err = a.moment(ctx, until); err != nil {
				return err
			}
			v, err := a.client().Announce(ctx, in)
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			return a.announced(v, in.DryRun)
		})
	c.Flags().BoolVar(&in.All, "all", false, "to everyone")
	c.Flags().StringVar(&in.Region, "region", "", "to the accounts of this region")
	c.Flags().StringVar(&in.Feed, "feed", "", "to the accounts that get this feed")
	c.Flags().StringVar(&in.Tag, "tag", "", "to the accounts with this tag")
	c.Flags().StringVar(&in.Subject, "subject", "", "what the mail and the banner begin with")
	c.Flags().StringVar(&in.Text, "text", "", "what they should know; paragraphs are separated by empty lines")
	c.Flags().StringVar(&file, "file", "", "a file with the text; - is standard input")
	c.Flags().StringVar(&from, "from", "", "show it at log-in from this time: 2026-11-07T22:00, or in 2h (default: now)")
	c.Flags().StringVar(&until, "until", "", "until this time: 2026-11-08T02:00, or in 6h (default: do not show it)")
	c.Flags().BoolVar(&in.NoMail, "no-mail", false, "show it at log-in, and mail nobody")
	c.Flags().BoolVar(&in.DryRun, "dry-run", false, "tell nobody; say who would be told")
	_ = c.MarkFlagRequired("subject")
	c.MarkFlagsOneRequired("all", "region", "feed", "tag")
	c.MarkFlagsMutuallyExclusive("all", "region", "feed", "tag")
	c.MarkFlagsOneRequired("text", "file")
	c.MarkFlagsMutuallyExclusive("text", "file")
	return c
}

// readText reads a short text from a file, or from standard input if the name is -.
func (a *app) readText(name string) (string, error) {
	in := a.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fault.E("cli.readText", fault.NotFound, "The file cannot be read: %v.", fault.InWords(err))
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 1<<20))
	return string(text), fault.Wrap("cli.readText", fault.Invalid, err)
}

// moment parses a time to come; "" is nil.
func (a *app) moment(ctx context.Context, s string) (*time.Time, error) {
	if s == "" {
		return nil, nil
	}
	at, err := parseTime(s, a.now(ctx), ahead, false)
	return &at, err
}

// announced says whom an announcement reaches.
func (a *app) announced(v model.Announced, dry bool) error {
	concerns := counted(v.Accounts, "account", "accounts") + " and " + counted(v.Contacts, "contact", "contacts")
	would := "is"
	if dry {
		would = "would be"
	}
	switch {
	case v.Mails:
		fmt.Fprintf(a.Out, "It concerns %s. One mail %s written to each contact.\n", concerns, would)
	default:
		fmt.Fprintf(a.Out, "It concerns %s. Nobody %s mailed.\n", concerns, would)
	}
	if x := v.Announcement; x.Until != nil {
		fmt.Fprintf(a.Out, "It %s shown at log-in from %s until %s.\n", would, when(*x.From), when(*x.Until))
	}
	if dry {
		t := table{head: []string{"NAME", "E-MAIL", "OF"}}
		for _, c := range v.First {
			t.add(c.Name, c.Email, c.Of())
		}
		a.section("Contacts", v.Contacts > int64(len(v.First)), t)
	}
	if n := len(v.Unreached); n > 0 {
		fmt.Fprintf(a.Out, "\nNo mail reaches these accounts: %s\n", strings.Join(v.Unreached, ", "))
	}
	if dry {
		_, err := fmt.Fprintln(a.Out, "\nThis was a dry run: nobody was told.")
		return err
	}
	_, err := fmt.Fprintf(a.Out, "To end it early: sallyport announce end %s\n", v.Announcement.ID)
	return err
}

func (a *app) announceList() *cobra.Command {
	return listCommand(a, &listing[model.EveryFilter, model.Announcement]{use: "list",
		short: "List announcements, the newest first",
		head:  []string{"ID", "MADE", "TO", "SUBJECT", "MAILS", "SHOWN FROM", "UNTIL", "STATE"}, at: "MADE", order: "ID",
		desc: true, none: "Nothing was announced yet.", read: (*client.Client).ListAnnouncements,
		row: func(x model.Announcement) []any {
			return []any{x.ID, x.CreatedAt, strings.TrimSpace(string(x.Scope) + " " + x.Target), x.Subject, x.Mailed, x.From,
				x.Until, a.announcementState(x)}
		}})
}

// announcementState says how an announcement stands.
func (a *app) announcementState(x model.Announcement) string {
	now := a.Clock()
	switch {
	case x.EndedAt != nil:
		return "ended " + when(*x.EndedAt)
	case x.DoneAt == nil:
		return "being mailed"
	case x.Shown(now):
		return "shown at log-in"
	case x.From != nil && now.Before(*x.From):
		return "to be shown"
	}
	return "over"
}

func (a *app) announceEnd() *cobra.Command {
	return command("end ID", "End an announcement: no more mails, and nothing at log-in", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().EndAnnouncement(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(v, "The announcement %q has ended.", v.Subject)
		})
}
