// Package cli is the command line. A command that manages something calls the REST API: through the
// socket in the data folder of this machine or, with SALLYPORT_URL and SALLYPORT_TOKEN, elsewhere.
// Serving and importing host keys are local. Each file has the commands of one noun.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// IO is the process's environment.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Env      []string       // as os.Environ
	Clock    exchange.Clock // nil: the real one
}

// app is the state that all commands share.
type app struct {
	IO
	env  map[string]string
	data string // --data
	json bool   // --json
}

// Run runs one command line and returns the exit code.
func Run(o IO, args []string) int {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	a := &app{IO: o, env: env.ToMap(o.Env)}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(o.In)
	root.SetOut(o.Out)
	root.SetErr(o.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	return a.refuse(err)
}

// refuse prints an error, and returns the exit code.
func (a *app) refuse(err error) int {
	var e *fault.Error
	if !errors.As(err, &e) { // an error of the library about the command line
		e = fault.E("cli.Run", fault.Invalid, "%v.", err)
	}
	text := fault.PublicText(e)
	if e.Public == "" && e.Err != nil { // the reader is the operator, who may see the cause
		text += " (" + e.Err.Error() + ")"
	}
	fmt.Fprintf(a.Err, "sallyport: %s\n", text)
	var m *misuse
	if errors.As(err, &m) {
		fmt.Fprintf(a.Err, "usage: %s\n", m.usage)
	}
	if next := nextStep(e.Hint, e.Action); next != "" {
		fmt.Fprintf(a.Err, "hint: %s\n", next)
	}
	return e.Kind.ExitCode()
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sallyport",
		Short: "A managed, key-only SFTP exchange",
		Long: `Sallyport hands files to customers and takes files from them and their vendors,
over SFTP, with keys only.

Try it:          sallyport quickstart
Run it:          sallyport serve --config /etc/sallyport.yaml
Manage it:       the other commands; on the server's own machine they need only
                 its data folder (--data or SALLYPORT_DATA).`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&a.data, "data", "",
		"the server's data folder (SALLYPORT_DATA; default ./sallyport-data)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON instead of a table")
	_ = root.RegisterFlagCompletionFunc("data",
		func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		})
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}",
		"{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	root.AddCommand(a.quickstartCommand(), a.serveCommand(), a.statusCommand(), a.findCommand(), a.accountCommand(),
		a.vendorCommand(), a.userCommand(),
		a.filesCommand(), a.keyCommand(), a.feedCommand(), a.publishCommand(), a.inboxCommand(), a.deliveryCommand(),
		a.receiptCommand(), a.traceCommand(), a.expectCommand(), a.retentionCommand(), a.namesCommand(), a.auditCommand(),
		a.webhookCommand(), a.messageCommand(), a.mailCommand(),
		a.sessionCommand(), a.announceCommand(), a.partnersCommand(),
		a.contactCommand(), a.linkCommand(), a.noticeCommand(), a.guideCommand(), a.sitesCommand(),
		a.explainCommand(), a.banCommand(), a.unbanCommand(), a.hostkeyCommand(), a.configCommand(), a.versionCommand())
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultHelpCmd()
	root.SetFlagErrorFunc(wrongFlag)
	inWords(root)
	return root
}

// helpCommand is the help command. It refuses unknown commands.
func helpCommand(root *cobra.Command) *cobra.Command {
	help := command("help [COMMAND...]", "Help about any command", cobra.ArbitraryArgs,
		func(_ context.Context, args []string) error {
			c, rest, _ := root.Find(args) // a command that is found refuses unknown arguments itself
			if c.HasSubCommands() && len(rest) > 0 {
				return knownCommand(c, rest)
			}
			return c.Help()
		})
	help.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, _, _ := root.Find(args)
		return subcommands(c), cobra.ShellCompDirectiveNoFileComp
	}
	return help
}

// dataDir returns the data folder that the command line or the environment names, or the default.
func (a *app) dataDir() string {
	if a.data != "" {
		return a.data
	}
	if d := a.env["SALLYPORT_DATA"]; d != "" {
		return d
	}
	return config.Default().Data
}

// client returns a client of the server that the command line or the environment names.
func (a *app) client() *client.Client {
	if u := a.env["SALLYPORT_URL"]; u != "" && a.data == "" {
		return client.Remote(u, a.env["SALLYPORT_TOKEN"])
	}
	return client.Local(a.dataDir())
}

// group makes a command that only has subcommands.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	c.AddCommand(sub...)
	return c
}

// command makes a command without subcommands. args checks its positional arguments.
func command(use, short string, args cobra.PositionalArgs,
	run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(c *cobra.Command, args []string) error {
		return run(c.Context(), args)
	}}
}

// table is rows for display.
type table struct {
	head []string
	rows [][]string
	none string // printed in place of an empty table
}

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = valid.Printable(cells[i])
		if cells[i] == "" {
			cells[i] = "-"
		}
	}
	t.rows = append(t.rows, cells)
}

// show prints v as JSON, or the table.
func (a *app) show(v any, t table) error {
	if a.json {
		enc := json.NewEncoder(a.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	if len(t.rows) == 0 {
		_, err := fmt.Fprintln(a.Out, t.none)
		return err
	}
	w := tabwriter.NewWriter(a.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(t.head, "\t"))
	for _, r := range t.rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// card prints v as JSON, or fields as lines of "name: value".
func (a *app) card(v any, fields ...[2]string) error {
	if a.json {
		return a.show(v, table{})
	}
	w := tabwriter.NewWriter(a.Out, 0, 4, 2, ' ', 0)
	for _, f := range fields {
		if f[1] != "" {
			fmt.Fprintf(w, "%s:\t%s\n", f[0], valid.Printable(f[1]))
		}
	}
	return w.Flush()
}

// done prints v as JSON, or one line that says what happened.
func (a *app) done(v any, format string, args ...any) error {
	if a.json {
		return a.show(v, table{})
	}
	_, err := fmt.Fprintf(a.Out, format+"\n", args...)
	return err
}

func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// detailText formats the details of an audit row.
func detailText(d map[string]string) string {
	words := make([]string, 0, len(d))
	for _, k := range slices.Sorted(maps.Keys(d)) {
		if d[k] != "" {
			words = append(words, k+"="+d[k])
		}
	}
	return strings.Join(words, " ")
}

func whenPtr(t *time.Time) string {
	if t == nil {
		return ""
	}
	return when(*t)
}

// size formats a number of bytes for people.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n), -1
	for f >= 999.95 && u < len(units)-1 {
		f, u = f/1000, u+1
	}
	return fmt.Sprintf("%.1f %cB", f, units[u])
}

func joined(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ",")
}

// parseLength parses a length of time, which may be in days: 365d.
func parseLength(s string) (time.Duration, error) {
	var d config.Duration
	err := d.UnmarshalText([]byte(s))
	return time.Duration(d), err
}
