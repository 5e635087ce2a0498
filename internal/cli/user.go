package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) userCommand() *cobra.Command {
	return group("user", "SSH log-ins", a.userAdd(), a.userSet(), a.userList(), a.userShow(),
		a.userEnable("disable", "Stop a user's log-ins and end its sessions", false),
		a.userEnable("enable", "Let a disabled user in again", true))
}

func (a *app) userAdd() *cobra.Command {
	var in model.NewUser
	c := command("add --account ID [--vendor SHORT]", "Add a user with its folders", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := a.client().AddUser(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v, "User %s was added, starting in %s. Next: sallyport key add %s FILE.pub", v.Name, v.StartDir,
				word(v.Name))
		})
	c.Flags().StringVar(&in.Account, "account", "", "account that it belongs to")
	c.Flags().StringVar(&in.Vendor, "vendor", "", "vendor's short name: makes it that vendor's log-in for the account")
	c.Flags().StringVar(&in.Name, "name", "", "username (default: account ID, or account ID-vendor)")
	c.Flags().BoolVar(&in.Service, "service", false,
		"a program of the platform's own, which publishes in /outbound and collects from /inbox; needs --name and --allow-ip")
	c.Flags().StringVar(&in.StartDir, "start-dir", "", "directory that sessions start in (default: the template's)")
	c.Flags().StringArrayVar(&in.AllowIPs, "allow-ip", nil,
		"address or network that it may log in from (repeatable; default: all)")
	_ = c.MarkFlagRequired("account")
	return c
}

func (a *app) userSet() *cobra.Command {
	var in model.EditUser
	c := command("set USER", "Change a user's starting directory, networks or limits", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().EditUser(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "User %s was changed.", v.Name)
		})
	optText(c, &in.StartDir, "start-dir", "", "directory that sessions start in")
	optSize(c, &in.QuotaBytes, "quota", "bytes that its files may take: 50GB; 0 for the default")
	optNumber(c, &in.QuotaFiles, "quota-files", "number of files that it may have; 0 for the default")
	optSize(c, &in.KeepBytes, "keep",
		"bytes that it may keep alive, with older versions and removed files that are still needed; 0 for the default")
	optNumber(c, &in.KeepItems, "keep-items", "how many of them, and directories; 0 for the default")
	c.Flags().Var(optList{to: &in.AllowIPs, none: "any"}, "allow-ip",
		"address or network that it may log in from (repeatable); any: from everywhere")
	optText(c, &in.FeedsMay, "feeds-may", "default",
		"what it may do with delivered files: look, remove (and rename; their bytes stay until they are due), default")
	c.MarkFlagsOneRequired("feeds-may", "start-dir", "quota", "quota-files", "keep", "keep-items", "allow-ip")
	return c
}

func (a *app) userList() *cobra.Command {
	l := &listing[model.UserFilter, model.User]{use: "list", short: "List users",
		head: []string{"USER", "KIND", "ACCOUNT", "VENDOR", "STARTS IN", "FILES", "BYTES", "LOG-IN"},
		more: []string{"SINCE"}, at: "SINCE", order: "user", none: "There are no users yet.",
		read: (*client.Client).ListUsers,
		row: func(u model.User) []any {
			return []any{u.Name, model.Word(u.Kind), u.Account, u.Vendor, u.StartDir, u.UsedFiles, fileSize(u.UsedBytes),
				enabled(u), u.CreatedAt}
		}}
	c := listCommand(a, l)
	c.Flags().StringVar(&l.filter.Account, "account", "", "only this account's")
	c.Flags().StringVar(&l.filter.Vendor, "vendor", "", "only this vendor's")
	return c
}

func enabled(u model.User) string {
	if u.Enabled {
		return "enabled"
	}
	return "disabled"
}

func (a *app) userShow() *cobra.Command {
	return command("show USER", "Show a user", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		u, err := a.client().ShowUser(ctx, args[0])
		if err != nil {
			return err
		}
		kept, quota := "", ""
		if l := u.Limits; l != nil {
			quota = fmt.Sprintf(", of at most %d (%s)", l.QuotaFiles, size(l.QuotaBytes))
			kept = fmt.Sprintf(", of at most %d (%s)", l.KeepItems, size(l.KeepBytes))
		}
		return a.card(u, [2]string{"User", u.Name}, [2]string{"Kind", string(u.Kind)}, [2]string{"Account", u.Account},
			[2]string{"Vendor", u.Vendor}, [2]string{"Log-in", enabled(u)}, [2]string{"Starts in", u.StartDir},
			[2]string{"Delivered files", map[string]string{model.FeedsLook: "may be looked at",
				model.FeedsRemove: "may be removed"}[u.FeedsMay]}, [2]string{"Allowed from", joined(u.AllowIPs, "everywhere")},
			[2]string{"Files", fmt.Sprintf("%d (%s)", u.UsedFiles, size(u.UsedBytes)) + quota},
			[2]string{"Kept alive", fmt.Sprintf("%d (%s)", u.KeptItems, size(u.KeptBytes)) + kept},
			[2]string{"Directories", fmt.Sprint(u.Dirs)}, [2]string{"Since", when(u.CreatedAt)})
	})
}

func (a *app) userEnable(use, short string, enable bool) *cobra.Command {
	return command(use+" USER", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := a.client().EditUser(ctx, args[0], model.EditUser{Enabled: &enable})
		if err != nil {
			return err
		}
		return a.done(v, "User %s is %s now.", v.Name, enabled(v))
	})
}
