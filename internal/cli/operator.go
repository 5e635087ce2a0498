package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) operatorCommand() *cobra.Command {
	return group("operator", "People who manage this server in a browser", a.operatorAdd(), a.operatorList(),
		a.operatorShow(), a.operatorSet(), a.operatorReset(), a.operatorDisable(), a.operatorEnable(),
		a.operatorRemove(), a.operatorFirst(),
		a.operatorSessions(), a.operatorSignOut())
}

// roleFlag adds --role.
func roleFlag(c *cobra.Command, to *model.Role, usage string) {
	c.Flags().StringVar((*string)(to), "role", "", usage+strings.Join(roleWords(), ", "))
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleWords(), cobra.ShellCompDirectiveNoFileComp))
}

func (a *app) operatorAdd() *cobra.Command {
	var in model.NewOperator
	c := command("add EMAIL --role ROLE", "Invite an operator; prints the link to join, this once", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in.Email = args[0]
			v, err := a.client().AddOperator(ctx, in)
			if err != nil {
				return err
			}
			return a.sayJoin(v, "%s is invited, as %s.", v.Email, v.Role)
		})
	c.Flags().StringVar(&in.Name, "name", "", "the person's name")
	roleFlag(c, &in.Role, "what the person may do: ")
	_ = c.MarkFlagRequired("role")
	return c
}

// sayJoin prints a link to join.
func (a *app) sayJoin(v model.Operator, format string, args ...any) error {
	link := v.Link
	if strings.HasPrefix(link, "/") {
		link += "\nThis server has no pages yet (web.listen), so the link leads nowhere until it has."
	}
	return a.done(v, format+" Give this link to the person alone. It works once, until %s, and is not shown again:\n%s",
		append(args, whenPtr(v.LinkUntil), link)...)
}

func (a *app) operatorList() *cobra.Command {
	l := &listing[model.OperatorFilter, model.Operator]{use: "list",
		short: "List operators, the newest first",
		head:  []string{"E-MAIL", "NAME", "ROLE", "STATE", "SIGNS IN WITH", "LAST SIGN-IN", "FROM"},
		more:  []string{"ADDED", "BY", "REFUSED", "ID"}, at: "ADDED", order: "ADDED", desc: true,
		none: "There are no operators.", read: (*client.Client).ListOperators,
		row: func(o model.Operator) []any {
			email := o.Email
			if email == "" {
				email = "(the first one, who has not joined)"
			}
			return []any{email, o.Name, string(o.Role), string(o.State), methodWords(o), o.LastAt, o.LastFrom, o.CreatedAt,
				o.CreatedBy, o.RefusedAt, o.ID}
		}}
	c := listCommand(a, l)
	roleFlag(c, &l.filter.Role, "only those with this role: ")
	stateFlag(c, &l.filter.In, model.OperatorInvited, model.OperatorActive, model.OperatorDisabled)
	return c
}

// methodWords says how an operator can sign in.
func methodWords(o model.Operator) string {
	words := map[model.SignInMethod]string{model.SignInPassword: "password and code", model.SignInPasskey: "passkey",
		model.SignInSSO: "single sign-on", model.SignInLink: "link"}
	var list []string
	for _, m := range o.Methods {
		list = append(list, words[m])
	}
	return joined(list, "nothing yet")
}

func (a *app) operatorShow() *cobra.Command {
	return command("show EMAIL", "Show an operator: how it signs in, and why it was refused last", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			o, err := a.client().ShowOperator(ctx, args[0])
			if err != nil {
				return err
			}
			lines := [][2]string{{"E-mail", o.Email}, {"Name", o.Name}, {"Role", string(o.Role)}, {"State", string(o.State)},
				{"Signs in with", methodWords(o)}, {"Last sign-in", whenPtr(o.LastAt)}, {"From", o.LastFrom},
				{"Added", when(o.CreatedAt) + " by " + o.CreatedBy}}
			if o.RefusedAt != nil {
				lines = append(lines, [2]string{"Last refused", when(*o.RefusedAt) + " from " + o.RefusedFrom + ": " +
					o.RefusedFor})
			}
			if o.LinkUntil != nil {
				lines = append(lines, [2]string{"Link to join", "works until " + when(*o.LinkUntil)})
			}
			if o.DisabledAt != nil {
				lines = append(lines, [2]string{"Disabled", when(*o.DisabledAt) + " by " + o.DisabledBy + ": " + o.DisabledFor})
			}
			return a.card(o, lines...)
		})
}

func (a *app) operatorSet() *cobra.Command {
	var name *string
	var role model.Role
	c := command("set EMAIL", "Change an operator's name or role; a new role holds at once", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in := model.EditOperator{Name: name}
			if role != "" {
				in.Role = &role
			}
			o, err := a.client().EditOperator(ctx, args[0], in)
			if err != nil {
				return err
			}
			name := ""
			if o.Name != "" {
				name = " (" + o.Name + ")"
			}
			return a.done(o, "%s%s has the role %s.", o.Email, name, o.Role)
		})
	optText(c, &name, "name", "none", "the person's name; none: not given")
	roleFlag(c, &role, "what the person may do: ")
	c.MarkFlagsOneRequired("name", "role")
	return c
}

func (a *app) operatorReset() *cobra.Command {
	c := command("reset EMAIL", "Give an operator a new link, and take password, codes and passkeys away",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			v, err := a.client().ResetOperator(ctx, args[0])
			if err != nil {
				return err
			}
			return a.sayJoin(v, "%s is signed out everywhere, and can't sign in as before.", v.Email)
		})
	c.Long = `Give an operator a new link to join, for a lost phone or a forgotten password. What it
signed in with so far works no more, and its sessions end. An operator that was disabled may
sign in again.`
	return c
}

func (a *app) operatorDisable() *cobra.Command {
	var why model.Why
	c := command("disable EMAIL --reason TEXT", "Keep an operator from signing in, and end its sessions",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			o, err := a.client().DisableOperator(ctx, args[0], why)
			if err != nil {
				return err
			}
			return a.done(o, "%s can't sign in any more, and is signed out everywhere.", o.Email)
		})
	c.Flags().StringVar(&why.Reason, "reason", "", "why; the person reads it when it signs in")
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) operatorEnable() *cobra.Command {
	return command("enable EMAIL", "Let an operator sign in again, as before", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			o, err := a.client().EnableOperator(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(o, "%s may sign in again.", o.Email)
		})
}

func (a *app) operatorRemove() *cobra.Command {
	return command("remove EMAIL", "Remove an operator who has never joined", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			o, err := a.client().RemoveOperator(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(o, "%s was removed. The link to join works no more.", o.Email)
		})
}

func (a *app) operatorFirst() *cobra.Command {
	c := command("first", "Print a new link with which the first administrator joins", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := a.client().FirstOperator(ctx)
			if err != nil {
				return err
			}
			return a.sayJoin(v, "Nobody manages this server in a browser yet.")
		})
	c.Long = `Print a new link with which the first administrator sets up its sign-in. The server printed
one at its first start, which works no more then. Once there are operators, there is none.`
	return c
}

func (a *app) operatorSessions() *cobra.Command {
	l := &listing[model.OperatorSessionFilter, model.OperatorSession]{use: "sessions [EMAIL]",
		short: "List browsers in which operators are, or were, signed in, the newest first", args: cobra.MaximumNArgs(1),
		ready: func(_ context.Context, f *model.OperatorSessionFilter, args []string) error {
			if len(args) > 0 {
				f.Operator = args[0]
			}
			return nil
		},
		head: []string{"OPERATOR", "SIGNED IN", "WITH", "FROM", "LAST USED", "ENDED", "ID"},
		more: []string{"BROWSER", "AT THE LATEST", "ENDED BY"}, at: "SIGNED IN", order: "SIGNED IN", desc: true,
		none: "Nobody has signed in.", noneOf: "%s has not signed in.", read: (*client.Client).ListOperatorSessions,
		row: func(s model.OperatorSession) []any {
			return []any{s.Operator, s.CreatedAt, string(s.Method), s.Address, s.SeenAt, s.EndedAt, s.ID, s.Agent, s.EndsAt,
				s.EndedBy}
		}}
	c := listCommand(a, l)
	c.Flags().BoolVar(&l.filter.Live, "live", false, "only those that have not ended")
	return c
}

func (a *app) operatorSignOut() *cobra.Command {
	return command("sign-out ID", "End a session: nobody is signed in with it from now on", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := a.client().EndOperatorSession(ctx, args[0]); err != nil {
				return err
			}
			return a.done(map[string]string{"id": args[0]}, "The session %s has ended.", args[0])
		})
}
