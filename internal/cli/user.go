package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) userCommand() *cobra.Command {
	return group("user", "SSH log-ins", a.userAdd(), a.userSet(), a.userList(), a.userShow(), a.noteCommand("user"),
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
	var tags model.EditTags
	c := command("set USER", "Change a user's starting directory, networks, limits or tags", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			tags.User = args[0]
			if in == (model.EditUser{}) { // tags alone leave the user's sessions alone
				return a.onlyTags(ctx, tags)
			}
			v, err := a.client().EditUser(ctx, args[0], in)
			if err != nil {
				return err
			}
			if err := a.editTags(ctx, tags, &v.Tags); err != nil {
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
	tagFlags(c, &tags)
	c.MarkFlagsOneRequired("feeds-may", "start-dir", "quota", "quota-files", "keep", "keep-items", "allow-ip", "tag",
		"untag")
	return c
}

func (a *app) userList() *cobra.Command {
	var f model.UserFilter
	c := command("list", "List users", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		t := table{head: []string{"USER", "KIND", "ACCOUNT", "VENDOR", "STARTS IN", "FILES", "BYTES", "LOG-IN"},
			none: "There are no users yet."}
		if f.Tag+f.Account+f.Inactive != "" {
			t.none = "There are no such users."
		}
		return list(ctx, a, t, a.client().ListUsers, f, func(u model.User) []string {
			return []string{u.Name, string(u.Kind), u.Account, u.Vendor, u.StartDir, fmt.Sprint(u.UsedFiles), size(u.UsedBytes),
				enabled(u)}
		})
	})
	c.Flags().StringVar(&f.Account, "account", "", "only this account's")
	c.Flags().StringVar(&f.Tag, "tag", "", "only those with this tag, or of an account with it")
	c.Flags().StringVar(&f.Inactive, "inactive", "",
		"only those that have not logged in for so long: 90d; who never did counts from when it was made or enabled")
	return c
}

func enabled(u model.User) string {
	if u.Enabled {
		return "enabled"
	}
	return "disabled"
}

func (a *app) userShow() *cobra.Command {
	return command("show USER", "Show all that is known of a user: keys, folders, feeds, quota, log-ins, files, notes",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			v, err := a.client().ShowUserPage(ctx, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			return a.userPage(v)
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
