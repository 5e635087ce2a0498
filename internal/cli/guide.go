package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) guideCommand() *cobra.Command {
	var q model.GuideQuery
	var test bool
	var many manyGuides
	c := command("guide USER...", "Write a user's guide: the connection card, and steps for every common program",
		cobra.ArbitraryArgs, func(ctx context.Context, args []string) error {
			if q.Format == "markdown" {
				q.Format = "md"
			}
			if other, ok := sameProgram[strings.ToLower(q.For)]; ok {
				q.For = other
			}
			if many.out != "" {
				return a.writeGuides(ctx, many, args, q, test)
			}
			if err := many.single(args); err != nil {
				return err
			}
			if test {
				return a.guideTest(ctx, args[0])
			}
			q.User = args[0]
			v, err := a.client().ShowGuide(ctx, q)
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			_, err = fmt.Fprint(a.Out, v.Text)
			return err
		})
	c.Flags().StringVar(&q.Format, "format", "text", "html (printable, loads nothing), md or text")
	c.Flags().StringVar(&q.For, "for", "",
		"put the steps of one program first, and fold the others away: "+strings.Join(guided, ", "))
	c.Flags().BoolVar(&test, "test", false,
		"try the partner's way before the partner does: name, port, host key, a log-in, folders, keys, contacts")
	_ = c.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(guided, cobra.ShellCompDirectiveNoFileComp))
	many.flags(c)
	return c
}

// guided are the programs that a guide has steps for, and sameProgram other names of theirs.
var (
	guided      = []string{"winscp", "filezilla", "cyberduck", "putty", "openssh", "rclone", "curl"}
	sameProgram = map[string]string{"psftp": "putty", "sftp": "openssh", "ssh": "openssh", "scp": "openssh"}
)

// guideTest prints the findings. It fails if something is missing.
func (a *app) guideTest(ctx context.Context, user string) error {
	v, err := client.All(ctx, a.client().TestGuide, model.UserKeyFilter{User: user})
	if err != nil {
		return err
	}
	missing := 0
	for _, c := range v {
		if !c.OK && !c.Left {
			missing++
		}
	}
	if a.json {
		err = a.show(v, table{})
	} else {
		a.printChecks(v)
	}
	if err != nil || missing == 0 {
		return err
	}
	return fault.E("cli.guideTest", fault.Conflict, "%d of %d checks found something missing.", missing, len(v))
}

// printChecks prints a checklist. A next step has a line of its own.
func (a *app) printChecks(list []model.Check) {
	const indent = "                         "
	for _, c := range list {
		mark := "ok"
		switch {
		case c.Left:
			mark = "-"
		case !c.OK:
			mark = "MISSING"
		}
		a.hanging(fmt.Sprintf("%-8s %-15s ", mark, c.What), indent, c.Says)
		if next := nextStep(c.Hint, c.Action); next != "" {
			fmt.Fprintln(a.Out, indent+valid.Printable("next: "+next))
		}
	}
}

// hanging prints a sentence behind a head. Lines that would be very long go on under an indent.
func (a *app) hanging(head, indent, text string) {
	const width = 110
	line := head
	for i, word := range strings.Fields(valid.Printable(text)) {
		if i > 0 && len(line)+1+len(word) > width {
			fmt.Fprintln(a.Out, line)
			line = indent + word
			continue
		}
		if i > 0 {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(a.Out, line)
}

func (a *app) sitesCommand() *cobra.Command {
	var f model.SitesFilter
	var out string
	c := command("sites USER --for PROGRAM", "Write files that SFTP programs import: filezilla, winscp, openssh, rclone",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			f.User = args[0]
			v, err := client.All(ctx, a.client().ShowSites, f)
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			return a.writeSites(v, out)
		})
	c.Flags().StringVar(&f.For, "for", "", "filezilla, winscp, openssh or rclone")
	c.Flags().StringVar(&out, "out", ".", "folder that the files go to")
	c.Flags().StringVar(&f.KeyDir, "key-dir", "",
		`folder of the private key on the partner's computer, such as C:\keys (default: beside the file)`)
	_ = c.MarkFlagRequired("for")
	_ = c.RegisterFlagCompletionFunc("for",
		cobra.FixedCompletions([]string{"filezilla", "winscp", "openssh", "rclone"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) writeSites(files []model.SiteFile, dir string) error {
	const op = "cli.sites"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.E(op, fault.Invalid, "The folder cannot be made: %v.", fault.InWords(err))
	}
	for _, f := range files {
		path := filepath.Join(dir, filepath.Base(f.Name))
		if err := replaceFile(path, []byte(f.Content), 0o644); err != nil {
			return fault.E(op, fault.Invalid, "The file cannot be written: %v.", fault.InWords(err))
		}
		fmt.Fprintln(a.Out, path)
	}
	return nil
}

func (a *app) explainCommand() *cobra.Command {
	limits := false
	c := command("explain USER|ADDRESS|REFERENCE", "Say in words why somebody could not log in, and what to tell them",
		cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
			switch {
			case limits && len(args) == 0:
				return a.showBounds()
			case limits || len(args) == 0:
				return fault.E("cli.explain", fault.Invalid, "Name one user, address or reference; or ask for --limits.")
			case strings.TrimSpace(args[0]) == "":
				return nameless("a user, an address or a reference")
			}
			v, err := a.client().Explain(ctx, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			a.printExplained(v)
			return nil
		})
	c.Flags().BoolVar(&limits, "limits", false,
		"list what one partner may take of what all share: how much, by which setting, and what is seen of it")
	return c
}

func (a *app) printExplained(v model.Explained) {
	for _, s := range v.Summary {
		fmt.Fprintln(a.Out, valid.Printable(nextStep(s.Text, s.Action)))
	}
	for i := 0; i < len(v.Explanations); {
		n := 1
		for i+n < len(v.Explanations) && alike(v.Explanations[i], v.Explanations[i+n]) {
			n++
		}
		a.printExplanation(v.Explanations[i], v.Explanations[i+n-1], n)
		i += n
	}
}

// showBounds lists the limits on what one party may use.
func (a *app) showBounds() error {
	t := table{head: []string{"WHAT", "HOW MUCH", "SETTING", "THE PARTNER MEETS", "YOU SEE"}, apart: true}
	for _, b := range exchange.Bounds {
		t.add(b.What, b.HowMuch, b.Setting, b.Partner, b.Operator)
	}
	return a.show(exchange.Bounds, t)
}

// alike reports whether two connections went the same way. A job that tries every minute is then
// shown once.
func alike(x, y model.Explanation) bool {
	return x.Sentence == y.Sentence && x.Since == y.Since && len(x.Uploads)+len(y.Uploads) == 0 &&
		x.Connection.Address == y.Connection.Address &&
		x.Connection.User == y.Connection.User && x.Connection.Client == y.Connection.Client
}

func (a *app) printExplanation(e, oldest model.Explanation, n int) {
	c := e.Connection
	who := []string{"from " + c.Address}
	if c.User != "" {
		who = append(who, "as "+c.User)
	}
	if c.Client != "" {
		who = append(who, "with "+strings.TrimPrefix(c.Client, "SSH-2.0-"))
	}
	fmt.Fprintf(a.Out, "\n%s  reference %s  %s\n", whenExactly(c.At), c.Reference,
		valid.Printable(strings.Join(who, ", ")))
	if n > 1 {
		fmt.Fprintf(a.Out, "  %d times alike since %s (reference %s).\n", n, whenExactly(oldest.Connection.At),
			oldest.Connection.Reference)
	}
	fmt.Fprintf(a.Out, "  %s\n", valid.Printable(nextStep(e.Sentence, e.Action)))
	if e.Since != "" {
		fmt.Fprintf(a.Out, "  %s\n", valid.Printable(e.Since))
	}
	for _, u := range e.Uploads {
		fmt.Fprintf(a.Out, "  %s\n", valid.Printable(u.Words))
	}
	if e.Advice != "" {
		fmt.Fprintf(a.Out, "  Tell the partner: %s\n", valid.Printable(e.Advice))
	}
	if c.Algorithms != "" {
		fmt.Fprintf(a.Out, "  Negotiated: %s\n", c.Algorithms)
	}
}

func (a *app) banCommand() *cobra.Command {
	list := listCommand(a, &listing[model.EveryFilter, model.Ban]{use: "list",
		short: "List addresses that are kept out for a while",
		head:  []string{"ADDRESS", "SINCE", "UNTIL", "FAILURES", "TURNED AWAY", "LAST REASON"}, at: "SINCE",
		order: "since", desc: true, none: "Nobody is banned.", read: (*client.Client).ListBans,
		row: func(b model.Ban) []any {
			return []any{b.Address, b.Since, b.Until, b.Failures, b.Refused, model.Word(b.Reason)}
		}})
	return group("ban", "Addresses that are kept out after too many failures", list)
}

func (a *app) unbanCommand() *cobra.Command {
	return command("unban ADDRESS", "Let an address in again", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := a.client().LiftBan(ctx, args[0]); err != nil {
				return err
			}
			return a.done(map[string]string{"address": args[0]}, "The address %s may try again.", args[0])
		})
}
