// Package cli is the command line. A command that manages something calls the REST API: through the
// socket in the data folder of this machine or, with SALLYPORT_URL and SALLYPORT_TOKEN, elsewhere.
// Serving and importing host keys are local. Each file has the commands of one noun.
package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
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
	url  string // --url
	key  string // --token-file
	json bool   // --json
	wide bool   // --wide
	utc  bool   // --utc
	// place returns where and when the operator is. It asks the server the first time.
	place func(context.Context) serverTime
	// remote returns the client of the server at --url or SALLYPORT_URL. It is made once.
	remote func() *client.Client
}

func newApp(o IO) *app {
	a := &app{IO: o, env: env.ToMap(o.Env)}
	a.place = a.askPlace()
	a.remote = sync.OnceValue(a.elsewhere)
	return a
}

// Run runs one command line and returns the exit code.
func Run(o IO, args []string) int {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	a := newApp(o)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(o.In)
	root.SetOut(o.Out)
	root.SetErr(o.Err)
	a.json = asksForJSON(args) // of an error that is found before the flag is read
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	return a.refuse(err)
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
                 its data folder (--data or SALLYPORT_DATA). Elsewhere they need
                 its address (--url or SALLYPORT_URL) and an API token
                 (SALLYPORT_TOKEN, or a file with it: --token-file).`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&a.data, "data", "",
		"the server's data folder (SALLYPORT_DATA; default ./sallyport-data)")
	root.PersistentFlags().StringVar(&a.url, "url", "",
		"manage the server at this address: https://files.example.com (SALLYPORT_URL)")
	root.PersistentFlags().StringVar(&a.key, "token-file", "",
		"a file with the API token for --url (SALLYPORT_TOKEN_FILE; or the token itself in SALLYPORT_TOKEN)")
	root.MarkFlagsMutuallyExclusive("url", "data")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON instead of a table")
	version := root.Flags().Bool("version", false, "print the version")
	root.PersistentFlags().BoolVar(&a.wide, "wide", false, "do not fit tables to the terminal, and show all columns")
	root.PersistentFlags().BoolVar(&a.utc, "utc", false,
		"show and read times in UTC (default: the server's time_zone, or this machine's zone)")
	_ = root.RegisterFlagCompletionFunc("data",
		func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		})
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}",
		"{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	root.AddCommand(a.quickstartCommand(), a.serveCommand(), a.statusCommand(), a.healthCommand(), a.reloadCommand(),
		a.findCommand(), a.accountCommand(),
		a.vendorCommand(), a.userCommand(),
		a.filesCommand(), a.keyCommand(), a.feedCommand(), a.publishCommand(), a.inboxCommand(), a.deliveryCommand(),
		a.receiptCommand(), a.traceCommand(), a.expectCommand(), a.retentionCommand(), a.namesCommand(), a.auditCommand(),
		a.webhookCommand(), a.messageCommand(), a.mailCommand(),
		a.sessionCommand(), a.announceCommand(), a.partnersCommand(), a.importCommand(), a.requestCommand(),
		a.operatorCommand(), a.tokenCommand(), a.reviewCommand(),
		a.contactCommand(), a.linkCommand(), a.noticeCommand(), a.guideCommand(), a.sitesCommand(),
		a.explainCommand(), a.banCommand(), a.unbanCommand(), a.hostkeyCommand(),
		a.endpointCommand(), a.backupCommand(), a.restoreCommand(), a.doctorCommand(), a.configCommand(), a.manCommand(),
		a.versionCommand())
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultHelpCmd()
	root.SetFlagErrorFunc(wrongFlag)
	inWords(root)
	help := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error {
		if *version {
			return a.printVersion()
		}
		return help(c, args)
	}
	exemplify(root)
	a.completeNames(root)
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

// client returns a client of the server that the command line or the environment names. Its answers
// have times in the operator's zone.
func (a *app) client() *client.Client { return a.inZone(a.plainClient()) }

// plainClient is client, with times as the server sends them.
func (a *app) plainClient() *client.Client {
	if a.serverURL() != "" {
		return a.remote()
	}
	sudo := client.ViaSudo(a.env["SUDO_USER"])
	if path := a.groupSocket(); path != "" {
		return client.AtSocket(path, sudo)
	}
	if a.data == "" && a.env["SALLYPORT_DATA"] == "" { // it is a folder below the one where the command runs
		return client.Local(a.dataDir(), sudo, client.TrustOwnerOf(filepath.Dir(config.DefaultSocket)))
	}
	return client.Local(a.dataDir(), sudo)
}

// groupSocket returns the socket for a group, if the environment names it, or if no data folder is
// named and there is one at the usual place; else "".
func (a *app) groupSocket() string {
	if a.data != "" {
		return ""
	}
	if path := a.env["SALLYPORT_SOCKET"]; path != "" || a.env["SALLYPORT_DATA"] != "" {
		return path
	}
	if _, err := os.Stat(config.Default().Data); err == nil {
		return ""
	}
	if _, err := os.Stat(config.DefaultSocket); err != nil {
		return ""
	}
	return config.DefaultSocket
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
