package cli

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/client"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) guideCommand() *cobra.Command {
	var format string
	var test bool
	c := command("guide USER", "Write a user's guide: the connection card, and steps for every common program", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		path := "/users/" + url.PathEscape(args[0])
		if test {
			return a.guideTest(ctx, path)
		}
		if format == "markdown" {
			format = "md"
		}
		v, err := client.Call[struct{ Format, Text string }](ctx, a.client(), client.Request{Method: "GET", Path: path + "/guide", Query: url.Values{"format": {format}}})
		if err != nil {
			return err
		}
		if a.json {
			return a.show(map[string]string{"format": v.Format, "text": v.Text}, table{})
		}
		_, err = fmt.Fprint(a.Out, v.Text)
		return err
	})
	c.Flags().StringVar(&format, "format", "text", "html (printable, loads nothing), md or text")
	c.Flags().BoolVar(&test, "test", false, "check name, port, host key, key on file, folders and contacts instead, before the partner does")
	return c
}

// guideTest prints the findings; something missing is an error.
func (a *app) guideTest(ctx context.Context, path string) error {
	v, err := call[[]model.Check](ctx, a, "GET", path+"/test", nil)
	if err != nil {
		return err
	}
	missing := 0
	t := table{head: []string{"", "WHAT", "FOUND", "NEXT"}}
	for _, c := range v {
		mark := "ok"
		if !c.OK {
			mark, missing = "MISSING", missing+1
		}
		t.add(mark, c.What, c.Says, c.Hint)
	}
	if err := a.show(v, t); err != nil || missing == 0 {
		return err
	}
	return fault.E("cli.guideTest", fault.Conflict, "%d of %d checks found something missing.", missing, len(v))
}

func (a *app) sitesCommand() *cobra.Command {
	var program, out, keyDir string
	c := command("sites USER --for PROGRAM", "Write files that SFTP programs import: filezilla, winscp, openssh, rclone", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := client.Call[[]siteFile](ctx, a.client(), client.Request{Method: "GET", Path: "/users/" + url.PathEscape(args[0]) + "/sites",
			Query: url.Values{"for": {program}, "key_dir": {keyDir}}})
		if err != nil {
			return err
		}
		if a.json {
			return a.show(v, table{})
		}
		return a.writeSites(v, out)
	})
	c.Flags().StringVar(&program, "for", "", "filezilla, winscp, openssh or rclone")
	c.Flags().StringVar(&out, "out", ".", "folder that the files go to")
	c.Flags().StringVar(&keyDir, "key-dir", "", `folder of the private key on the partner's computer, such as C:\keys (default: beside the file)`)
	_ = c.MarkFlagRequired("for")
	_ = c.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{"filezilla", "winscp", "openssh", "rclone"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

type siteFile struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}

func (a *app) writeSites(files []siteFile, dir string) error {
	const op = "cli.sites"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.E(op, fault.Invalid, "The folder %s cannot be made: %v.", dir, err)
	}
	for _, f := range files {
		path := filepath.Join(dir, filepath.Base(f.Name))
		if err := os.WriteFile(path, []byte(f.Content), 0o644); err != nil {
			return fault.E(op, fault.Invalid, "The file %s cannot be written: %v.", path, err)
		}
		fmt.Fprintln(a.Out, path)
	}
	return nil
}

func (a *app) explainCommand() *cobra.Command {
	limits := false
	c := command("explain USER|ADDRESS|REFERENCE", "Say in words why somebody could not log in, and what to tell them", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		switch {
		case limits && len(args) == 0:
			return a.showBounds()
		case limits || len(args) == 0:
			return fault.E("cli.explain", fault.Invalid, "Name one user, address or reference; or ask for --limits.")
		}
		v, err := client.Call[model.Explained](ctx, a.client(), client.Request{Method: "GET", Path: "/explain", Query: url.Values{"about": {args[0]}}})
		if err != nil {
			return err
		}
		if a.json {
			return a.show(v, table{})
		}
		a.printExplained(v)
		return nil
	})
	c.Flags().BoolVar(&limits, "limits", false, "list what one partner may take of what all share: how much, by which setting, and what is seen of it")
	return c
}

func (a *app) printExplained(v model.Explained) {
	for _, s := range v.Summary {
		fmt.Fprintln(a.Out, valid.Printable(s))
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

// showBounds lists what one party may take.
func (a *app) showBounds() error {
	t := table{head: []string{"WHAT", "HOW MUCH", "SETTING", "THE PARTNER MEETS", "YOU SEE"}}
	for _, b := range exchange.Bounds {
		t.add(b.What, b.HowMuch, b.Setting, b.Partner, b.Operator)
	}
	return a.show(exchange.Bounds, t)
}

// alike reports whether two connections went the same way, so that a job that
// tries every minute is told once.
func alike(x, y model.Explanation) bool {
	return x.Sentence == y.Sentence && x.Connection.Address == y.Connection.Address && x.Connection.User == y.Connection.User && x.Connection.Client == y.Connection.Client
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
	fmt.Fprintf(a.Out, "\n%s  reference %s  %s  [%s]\n", when(c.At), c.Reference, valid.Printable(strings.Join(who, ", ")), c.Outcome)
	if n > 1 {
		fmt.Fprintf(a.Out, "  %d times alike since %s (reference %s).\n", n, when(oldest.Connection.At), oldest.Connection.Reference)
	}
	fmt.Fprintf(a.Out, "  %s\n", valid.Printable(e.Sentence))
	if e.Advice != "" {
		fmt.Fprintf(a.Out, "  Tell the partner: %s\n", valid.Printable(e.Advice))
	}
	if c.Algorithms != "" {
		fmt.Fprintf(a.Out, "  Negotiated: %s\n", c.Algorithms)
	}
}

func (a *app) banCommand() *cobra.Command {
	list := command("list", "List addresses that are kept out for a while", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[[]model.Ban](ctx, a, "GET", "/bans", nil)
		if err != nil {
			return err
		}
		t := table{head: []string{"ADDRESS", "SINCE", "UNTIL", "FAILURES", "TURNED AWAY", "LAST REASON"}, none: "Nobody is banned."}
		for _, b := range v {
			t.add(b.Address, when(b.Since), when(b.Until), fmt.Sprint(b.Failures), fmt.Sprint(b.Refused), b.Reason)
		}
		return a.show(v, t)
	})
	return group("ban", "Addresses that are kept out after too many failures", list)
}

func (a *app) unbanCommand() *cobra.Command {
	return command("unban ADDRESS", "Let an address in again", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if _, err := client.Call[any](ctx, a.client(), client.Request{Method: "DELETE", Path: "/bans", Query: url.Values{"address": {args[0]}}}); err != nil {
			return err
		}
		return a.done(map[string]string{"address": args[0]}, "The address %s may try again.", args[0])
	})
}
