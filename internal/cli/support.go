package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// paragraph prints a sentence, indented, in lines that fit the terminal, of at most paragraphWidth columns.
func (a *app) paragraph(indent, text string) {
	fmt.Fprint(a.Out, paragraph(valid.Printable(text), indent, a.width()))
}

// urgencies are the headings of a status.
var urgencies = map[model.Urgency]string{model.UrgencyNow: "Now", model.UrgencyToday: "Today",
	model.UrgencySoon: "Soon"}

func (a *app) statusCommand() *cobra.Command {
	var q model.StatusQuery
	check := false
	c := command("status", "Say what needs a person now, the most urgent first, and the command that goes on",
		cobra.NoArgs, func(ctx context.Context, _ []string) error {
			v, err := a.client().ShowStatus(ctx, q)
			if err != nil {
				return err
			}
			if a.json {
				err = a.show(v, table{})
			} else {
				a.printStatus(v)
			}
			if err == nil && check && v.Urgent() {
				return fault.E("cli.status", fault.Conflict, "Something needs you now.")
			}
			return err
		})
	c.Flags().StringVar(&q.Uncollected, "uncollected", "",
		"how long published files may wait to be downloaded (default 3d)")
	c.Flags().StringVar(&q.Unclaimed, "unclaimed", "", "how long received files may wait to be claimed (default 1d)")
	c.Flags().BoolVar(&check, "check", false, "fail if something is under \"Now\", for a monitor")
	return c
}

func (a *app) printStatus(v model.Status) {
	if len(v.Needs) == 0 {
		fmt.Fprintf(a.Out, "Nothing needs you now. (Asked at %s.)\n", when(v.At))
		return
	}
	fmt.Fprintf(a.Out, "At %s, this needs you:\n", when(v.At))
	for i, n := range v.Needs {
		if i == 0 || n.Urgency != v.Needs[i-1].Urgency {
			fmt.Fprintf(a.Out, "\n%s\n", urgencies[n.Urgency])
		}
		a.paragraph("  ", n.Text)
		if next := commandFor(n.Action); next != "" {
			fmt.Fprintf(a.Out, "    %s\n", valid.Printable(next))
		}
	}
}

func (a *app) findCommand() *cobra.Command {
	return command("find TEXT",
		"Say what a text is the name of: an ID, a name, a mail address, a fingerprint, a file, a reference",
		cobra.MinimumNArgs(1), func(ctx context.Context, args []string) error {
			text := strings.Join(args, " ")
			if strings.TrimSpace(text) == "" {
				return nameless("what you look for")
			}
			v, err := a.client().Find(ctx, model.FindQuery{Text: text})
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			return a.printFound(v)
		})
}

// nameless is the error for an empty name, such as a script's that has lost a variable.
func nameless(what string) error {
	return fault.E("cli.nameless", fault.Invalid, "The name is empty.").WithHint("name %s", what)
}

func (a *app) printFound(v model.Found) error {
	if len(v.Groups) == 0 {
		e := fault.E("cli.find", fault.NotFound, "Nothing here is called %q.", v.Text)
		hint := v.Part
		if len(v.Near) > 0 {
			hint = "did you mean " + strings.Join(v.Near, ", ") + "?"
		}
		return e.WithHint("%s", hint)
	}
	for i, g := range v.Groups {
		if i > 0 {
			fmt.Fprintln(a.Out)
		}
		more := ""
		if g.More {
			more = " (these and more)"
		}
		fmt.Fprintf(a.Out, "%s%s\n", strings.ToUpper(g.Kind[:1])+g.Kind[1:], more)
		for _, h := range g.Hits {
			a.paragraph("  ", h.Name+": "+h.Text+".")
			if next := commandFor(h.Action); next != "" {
				fmt.Fprintf(a.Out, "    %s\n", valid.Printable(next))
			}
		}
	}
	if v.Part != "" {
		fmt.Fprintln(a.Out)
		a.paragraph("", v.Part)
	}
	return nil
}

// noteCommand makes the command that writes something down about an account, a vendor or a user.
func (a *app) noteCommand(about string) *cobra.Command {
	remove := ""
	c := command("note "+map[string]string{"account": "ID", "vendor": "SHORT", "user": "USER"}[about]+" TEXT",
		"Write something down about "+map[string]string{"account": "an account", "vendor": "a vendor",
			"user": "a user"}[about]+", with the date and your name", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			switch {
			case remove != "" && len(args) == 1:
				if err := a.client().RemoveNote(ctx, remove); err != nil {
					return err
				}
				return a.done(map[string]string{"removed": remove}, "The note was removed.")
			case remove != "" || len(args) == 1:
				return fault.E("cli.note", fault.Invalid, "Give the text of the note, or --remove with the note's id.")
			}
			in := model.NewNote{Text: args[1]}
			*map[string]*string{"account": &in.Account, "vendor": &in.Vendor, "user": &in.User}[about] = args[0]
			v, err := a.client().AddNote(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v, "Noted. See it with: sallyport %s show %s", about, word(args[0]))
		})
	c.Flags().StringVar(&remove, "remove", "", "remove the note with this id instead")
	return c
}
