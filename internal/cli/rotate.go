package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) hostkeyRotate() *cobra.Command {
	var in model.NewRotation
	var on, file string
	c := command("rotate", "Make new host keys, announce them, and use them from a day on", cobra.NoArgs,
		func(ctx context.Context, _ []string) (err error) {
			if in.On, err = a.moment(ctx, on); err != nil {
				return err
			}
			if file != "" {
				if in.Text, err = a.readText(file); err != nil {
					return err
				}
			}
			v, err := a.client().RotateHostkeys(ctx, in)
			if err != nil {
				return err
			}
			if err := a.rotation(v); err != nil || a.json {
				return err
			}
			_, err = fmt.Fprintln(a.Out, "\nWho does not know them yet: sallyport hostkey clients --unaware")
			return err
		})
	c.Long = c.Short + `.

Until the day, the server identifies itself with the keys that partners know.
OpenSSH from version 8.5 on learns the new ones at a log-in before that day, if
its user did not turn that off. All contacts are mailed the new fingerprints,
and whoever logs in is shown them in the last 14 days. On the day, each new key
takes the place of the one of its type; keys of other types stay.`
	c.Flags().StringVar(&on, "on", "", "use them from this time on: 2027-01-15, or in 30d (default: in 30d)")
	c.Flags().StringSliceVar(&in.Types, "type", nil,
		"make keys of these types: ed25519, ecdsa, rsa (default: those that are in use)")
	c.Flags().BoolVar(&in.Urgent, "urgent", false, "allow a day that is less than a week away")
	c.Flags().BoolVar(&in.NoMail, "no-mail", false, "mail nobody, and show nothing at log-in")
	c.Flags().StringVar(&in.Subject, "subject", "", "of the mail, in place of ours")
	c.Flags().StringVar(&file, "file", "",
		"a file with the text of the mail, in place of ours; the fingerprints follow it. - is standard input")
	c.MarkFlagsMutuallyExclusive("no-mail", "subject")
	c.MarkFlagsMutuallyExclusive("no-mail", "file")
	return c
}

func (a *app) hostkeyRotation() *cobra.Command {
	return command("rotation", "Show the latest rotation, and how many programs know the new keys", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := a.client().ShowRotation(ctx)
			if err != nil {
				return err
			}
			return a.rotation(v)
		})
}

// rotation prints a rotation.
func (a *app) rotation(v model.Rotation) error {
	if err := a.show(v, hostKeyTable(v.Keys)); err != nil || a.json {
		return err
	}
	used := "are used from " + when(v.On) + " on"
	if v.DoneAt != nil {
		used = "are in use since " + when(*v.DoneAt)
	}
	fmt.Fprintf(a.Out, "The new keys %s. They were announced by %s on %s.\n", used, v.Actor, when(v.CreatedAt))
	_, err := fmt.Fprintf(a.Out, "Since then users logged in from %s; the programs at %d of them know the new keys.\n",
		counted(v.Clients, "address", "addresses"), v.Learnt)
	return err
}

func (a *app) hostkeyClients() *cobra.Command {
	l := &listing[model.HostKeyClientFilter, model.HostKeyClient]{use: "clients",
		short: "List from where users log in while keys are rotated, and who knows the new keys",
		head:  []string{"USER", "ACCOUNT", "ADDRESS", "PROGRAM", "LAST LOG-IN", "KNOWS THEM SINCE"},
		order: "USER", none: "There are no users who could log in.", read: (*client.Client).ListHostkeyClients,
		row: func(x model.HostKeyClient) []any {
			return []any{x.User, x.Account, x.Address, x.Client, x.LastAt, x.LearntAt}
		}}
	c := listCommand(a, l)
	c.Long = c.Short + `.

A program knows them if it asked for a proof of them, as OpenSSH does when it
learns them, or once it has logged in under them. Of other programs nobody can
tell: they warn on the day, unless their user has added the keys before.`
	c.Flags().BoolVar(&l.filter.Unaware, "unaware", false, "only those that do not know the new keys")
	c.Flags().StringVar(&l.filter.User, "user", "", "only of this user")
	return c
}

func (a *app) hostkeyCancel() *cobra.Command {
	return command("cancel", "Take a rotation back before its day", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			if err := a.client().CancelRotation(ctx); err != nil {
				return err
			}
			return a.done(map[string]bool{"cancelled": true},
				"The new keys are deleted. Whoever was told of them should hear it: sallyport announce send")
		})
}
