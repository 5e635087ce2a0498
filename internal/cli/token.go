package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) tokenCommand() *cobra.Command {
	return group("token", "API tokens, for programs that manage this server or publish from elsewhere", a.tokenAdd(),
		a.tokenList(), a.tokenShow(), a.tokenRevoke())
}

// roleWords are the values of --role.
func roleWords() (words []string) {
	for _, r := range model.Roles {
		words = append(words, string(r))
	}
	return words
}

func (a *app) tokenAdd() *cobra.Command {
	var in model.NewToken
	c := command("add NAME --role ROLE", "Make a token; prints its secret, this once", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in.Name = args[0]
			v, err := a.client().AddToken(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v, "Token %s was made, with the role %s, until %s. Its secret, which is not shown again:\n%s\n"+
				"Programs send it as Authorization: Bearer; this command line reads it from --token-file or SALLYPORT_TOKEN.",
				v.Name, v.Role, when(v.ExpiresAt), v.Secret)
		})
	c.Flags().StringVar((*string)(&in.Role), "role", "", "what it may do: "+strings.Join(roleWords(), ", "))
	c.Flags().StringVar(&in.Expires, "expires", "", "how long it works: 12mo (default), 30d; at most 36mo")
	c.Flags().StringArrayVar(&in.AllowIPs, "allow-ip", nil,
		"address or network from which it works (repeatable; default any)")
	_ = c.MarkFlagRequired("role")
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleWords(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) tokenList() *cobra.Command {
	return listCommand(a, &listing[model.EveryFilter, model.Token]{use: "list", short: "List API tokens, the newest first",
		head: []string{"NAME", "ROLE", "PREFIX", "STATE", "EXPIRES", "LAST USED", "FROM"},
		more: []string{"MADE", "BY", "ALLOWED FROM", "ID"}, at: "MADE", order: "MADE", desc: true,
		none: "There are no API tokens.", read: (*client.Client).ListTokens,
		row: func(t model.Token) []any {
			return []any{t.Name, string(t.Role), t.Prefix, string(t.State), t.ExpiresAt, t.LastUsedAt, t.LastAddress,
				t.CreatedAt, t.CreatedBy, joined(t.AllowIPs, "anywhere"), t.ID}
		}})
}

func (a *app) tokenShow() *cobra.Command {
	return command("show NAME", "Show an API token: what it may do, and when it was last used", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			t, err := a.client().ShowToken(ctx, args[0])
			if err != nil {
				return err
			}
			lines := [][2]string{{"Name", t.Name}, {"Role", string(t.Role)}, {"Prefix", t.Prefix}, {"State", string(t.State)},
				{"Works from", joined(t.AllowIPs, "anywhere")}, {"Expires", when(t.ExpiresAt)},
				{"Last used", whenPtr(t.LastUsedAt)}, {"From", t.LastAddress}, {"Made", when(t.CreatedAt) + " by " + t.CreatedBy}}
			if t.RevokedAt != nil {
				lines = append(lines, [2]string{"Revoked", when(*t.RevokedAt) + " by " + t.RevokedBy})
			}
			return a.card(t, lines...)
		})
}

func (a *app) tokenRevoke() *cobra.Command {
	return command("revoke NAME", "Revoke an API token: it works no more, from now on", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			t, err := a.client().RevokeToken(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(t, "Token %s (%s…) was revoked.", t.Name, t.Prefix)
		})
}
