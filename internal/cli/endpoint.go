package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) endpointCommand() *cobra.Command {
	return group("endpoint", "Addresses of their own for programs that know only old algorithms", a.endpointAdd(),
		a.endpointList(), a.endpointUses(), a.endpointSet(), a.endpointClose())
}

func (a *app) endpointAdd() *cobra.Command {
	var in model.NewEndpoint
	var until string
	var legacy bool
	c := command("add NAME --legacy --listen ADDRESS --allow-ip NETWORK... --until DAY",
		"Open an address of its own for programs that know only old algorithms", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if !legacy {
				return fault.E("cli.endpointAdd", fault.Invalid, "Other addresses are in the configuration: listen, and regions.").
					WithHint("add --legacy for one with old algorithms")
			}
			at, err := a.moment(ctx, until)
			if err != nil {
				return err
			}
			in.Name, in.Until = args[0], *at
			v, err := a.client().AddEndpoint(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v, "%s is open on %s until %s, for %s.\nIt offers, to programs that have nothing better: %s\n"+
				"Who still needs it: sallyport endpoint uses %[1]s --needing", v.Name, v.Listen, when(v.Until),
				strings.Join(v.AllowIPs, ", "), strings.Join(v.Algorithms, ", "))
		})
	c.Long = c.Short + `.

SHA-1 and CBC are broken or weak, so they are never offered on the addresses of
the configuration. Here they are, to named networks and until a day. Known are:
` + strings.Join(model.OldAlgorithms, ",\n") + `.
A program that has something better gets that. Keys of users are judged as
everywhere. When the day comes, the address closes; sessions go on.`
	c.Flags().BoolVar(&legacy, "legacy", false, "it is for old algorithms; must be given")
	c.Flags().StringVar(&in.Listen, "listen", "", "an address that nothing else listens on: :2200")
	c.Flags().StringArrayVar(&in.AllowIPs, "allow-ip", nil, "address or network that may connect (repeatable)")
	c.Flags().StringSliceVar(&in.Algorithms, "algorithm", nil,
		"what to offer (default: "+strings.Join(model.UsualOldAlgorithms, ",")+")")
	c.Flags().StringVar(&until, "until", "", "when it closes, at most a year away: 2027-06-30, or in 90d")
	c.Flags().StringVar(&in.Note, "note", "", "who needs it, and why")
	for _, name := range []string{"listen", "allow-ip", "until"} {
		_ = c.MarkFlagRequired(name)
	}
	_ = c.RegisterFlagCompletionFunc("algorithm",
		cobra.FixedCompletions(model.OldAlgorithms, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) endpointList() *cobra.Command {
	return listCommand(a, &listing[model.EveryFilter, model.Endpoint]{use: "list",
		short: "List addresses for old algorithms, those that are closed, too",
		head:  []string{"NAME", "ADDRESS", "STATE", "UNTIL", "USERS", "NEED IT", "LAST LOG-IN", "ALLOWED FROM"},
		more:  []string{"ALGORITHMS", "NOTE", "ERROR", "MADE", "BY"}, order: "NAME",
		none: "There are none. Old algorithms are offered nowhere.", read: (*client.Client).ListEndpoints,
		row: func(x model.Endpoint) []any {
			return []any{x.Name, x.Listen, model.Word(x.State), x.Until, x.Users, x.Needing, x.LastAt,
				strings.Join(x.AllowIPs, " "), strings.Join(x.Algorithms, " "), x.Note, x.Error, x.CreatedAt, x.CreatedBy}
		}})
}

func (a *app) endpointUses() *cobra.Command {
	l := &listing[model.EndpointUseFilter, model.EndpointUse]{use: "uses [NAME]", args: cobra.MaximumNArgs(1),
		short: "List who logged in through addresses for old algorithms, and which of them they needed",
		head:  []string{"ENDPOINT", "USER", "ACCOUNT", "ADDRESS", "PROGRAM", "LAST LOG-IN", "TIMES", "OLD ALGORITHMS"},
		more:  []string{"FIRST LOG-IN"}, order: "ENDPOINT", none: "Nobody has logged in through one.",
		ready: func(_ context.Context, f *model.EndpointUseFilter, args []string) error {
			if len(args) > 0 {
				f.Endpoint = args[0]
			}
			return nil
		},
		read: (*client.Client).ListEndpointUses,
		row: func(x model.EndpointUse) []any {
			old := strings.Join(x.Algorithms, " ")
			if old == "" {
				old = "none: the main address would do"
			}
			return []any{x.Endpoint, x.User, x.Account, x.Address, x.Client, x.LastAt, x.Times, old, x.FirstAt}
		}}
	c := listCommand(a, l)
	c.Flags().BoolVar(&l.filter.Needing, "needing", false, "only those whose latest log-in needed one")
	c.Flags().StringVar(&l.filter.User, "user", "", "only of this user")
	return c
}

func (a *app) endpointSet() *cobra.Command {
	var in model.EditEndpoint
	var networks, algorithms []string
	var until string
	c := command("set NAME", "Change who may connect to an address for old algorithms, what it offers, and until when",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) (err error) {
			if in.Until, err = a.moment(ctx, until); err != nil {
				return err
			}
			if networks != nil {
				in.AllowIPs = &networks
			}
			if algorithms != nil {
				in.Algorithms = &algorithms
			}
			v, err := a.client().EditEndpoint(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "%s is open until %s, for %s.", v.Name, when(v.Until), strings.Join(v.AllowIPs, ", "))
		})
	c.Flags().StringArrayVar(&networks, "allow-ip", nil, "address or network that may connect, in place of those before "+
		"(repeatable)")
	c.Flags().StringSliceVar(&algorithms, "algorithm", nil, "what to offer, in place of what it offered")
	c.Flags().StringVar(&until, "until", "", "when it closes, at most a year away: 2027-06-30, or in 90d")
	optText(c, &in.Note, "note", "none", "who needs it, and why; none: nothing")
	return c
}

func (a *app) endpointClose() *cobra.Command {
	return command("close NAME", "Close an address for old algorithms, for good", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().CloseEndpoint(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(v, "%s is closed. Sessions that came through it go on.", v.Name)
		})
}
