package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) namesCommand() *cobra.Command {
	return group("names", "Which names of files are temporary, may be, or mean nothing", a.namesList(), a.namesSet(),
		a.namesUnset())
}

func (a *app) namesList() *cobra.Command {
	return listCommand(a, &listing[model.EveryFilter, model.NamePolicy]{use: "list",
		short: "List the rules: the configured ones, and what differs for users and folders",
		head:  []string{"USER", "FOLDER", "TEMPORARY", "DOUBTFUL", "IGNORED", "GRACE"},
		read:  (*client.Client).ListNamePolicies,
		row: func(p model.NamePolicy) []any {
			row := []any{cmp.Or(p.User, "all"), cmp.Or(p.Folder, "all")}
			for _, names := range [][]string{p.Temporary, p.Doubtful, p.Ignored} {
				if names == nil { // as the wider rule has it
					row = append(row, "")
				} else {
					row = append(row, globs(names))
				}
			}
			return append(row, p.GraceText)
		}})
}

// globs joins a list of patterns for display.
func globs(list []string) string { return cmp.Or(strings.Join(list, " "), "none") }

func (a *app) namesSet() *cobra.Command {
	var p model.NamePolicy
	c := &cobra.Command{Use: "set (--user U | --folder /PATH)",
		Short: "Say what names mean for a user, in a folder, or both", Args: cobra.NoArgs,
		Long: `Say what names mean for a user, in a folder, or both.

Patterns are those of a shell (* ? [ab]), matched without regard to case. What is not
given stays as the wider rule has it: that of everybody's folder, of the user, the
configuration. An empty pattern ('') makes an empty list.

  temporary  a client's own names while it writes: received when it is renamed
  doubtful   names that may be such: handed on after the grace, or when it is renamed
  ignored    what programs leave in folders: kept, never received or published`}
	c.RunE = func(c *cobra.Command, _ []string) error {
		for flag, list := range map[string]*[]string{"temporary": &p.Temporary, "doubtful": &p.Doubtful,
			"ignored": &p.Ignored} {
			switch {
			case !c.Flags().Changed(flag):
				*list = nil
			case len(*list) == 1 && (*list)[0] == "":
				*list = []string{}
			}
		}
		v, err := a.client().SetNamePolicy(c.Context(), p)
		if err != nil {
			return err
		}
		return a.done(v, "The names are understood so from now on. See them all: sallyport names list")
	}
	whose(c, &p)
	c.Flags().StringArrayVar(&p.Temporary, "temporary", nil,
		"pattern of names that clients use while they write (repeatable)")
	c.Flags().StringArrayVar(&p.Doubtful, "doubtful", nil, "pattern of names that may be temporary (repeatable)")
	c.Flags().StringArrayVar(&p.Ignored, "ignored", nil, "pattern of names that are never received (repeatable)")
	c.Flags().StringVar(&p.GraceText, "grace", "", "how long a doubtful name waits to be changed: 30s, 5m; 0s: not at all")
	c.MarkFlagsOneRequired("temporary", "doubtful", "ignored", "grace")
	return c
}

func (a *app) namesUnset() *cobra.Command {
	var p model.NamePolicy
	c := command("unset (--user U | --folder /PATH)", "Take rules back: names mean what the wider rule says", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := a.client().SetNamePolicy(ctx, model.NamePolicy{User: p.User, Folder: p.Folder})
			if err != nil {
				return err
			}
			return a.done(v, "The rules were taken back.")
		})
	whose(c, &p)
	return c
}

func whose(c *cobra.Command, p *model.NamePolicy) {
	c.Flags().StringVar(&p.User, "user", "", "for files of this user")
	c.Flags().StringVar(&p.Folder, "folder", "", "for files in this folder and below, of the user or of everybody")
	c.MarkFlagsOneRequired("user", "folder")
}
