package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) userCommand() *cobra.Command {
	return group("user", "SSH log-ins", a.userAdd(), a.userSet(), a.userList(), a.userShow(), a.noteCommand("user"),
		a.userRename(), a.userDirs(), a.userTemplate(),
		a.userEnable("disable", "Stop a user's log-ins and end its sessions", false),
		a.userEnable("enable", "Let a disabled user in again", true),
		remover("remove USER", "Remove a user that was never used, such as one made by mistake", "User",
			func(ctx context.Context, name string) error { return a.client().RemoveUser(ctx, name) }, a))
}

func (a *app) userAdd() *cobra.Command {
	var in model.NewUser
	c := command("add --account ID [--vendor SHORT]", "Add a user with its folders", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := a.client().AddUser(ctx, in)
			if err != nil {
				return err
			}
			if in.QuotaBytes > 0 || in.QuotaFiles > 0 {
				a.warnQuota(v)
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
	c.Flags().BoolVar(&in.MakeStartDir, "make", false, "make --start-dir if it is missing")
	sizeFlag(c, &in.QuotaBytes, "quota", "bytes that its files may take: 50GB (default: the configured quota)")
	c.Flags().Var(plain[int64]{&in.QuotaFiles, parseCount, "number"}, "quota-files",
		"number of files that it may have (default: the configured quota)")
	sizeFlag(c, &in.KeepBytes, "keep",
		"bytes that it may keep alive, with older versions and removed files that are still needed "+
			"(default: the configured limit)")
	c.Flags().Int64Var(&in.KeepItems, "keep-items", 0,
		"how many of them, and directories (default: the configured limit)")
	c.Flags().StringVar(&in.FeedsMay, "feeds-may", "",
		"what it may do with delivered files: look, remove (default: as its template says)")
	newTagsFlag(c, &in.Tags)
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
			if in.QuotaBytes == nil && in.QuotaFiles == nil {
				return a.done(v, "User %s was changed.", v.Name)
			}
			a.warnQuota(v)
			return a.done(v, "Quota of %s: %s", v.Name, quota(v))
		})
	optText(c, &in.StartDir, "start-dir", "", "directory that sessions start in, from their next log-in on")
	c.Flags().BoolVar(&in.MakeStartDir, "make", false, "make --start-dir if it is missing")
	optSize(c, &in.QuotaBytes, "quota", "bytes that its files may take: 50GB, or default")
	optNumber(c, &in.QuotaFiles, "quota-files", "number of files that it may have, or default")
	optSize(c, &in.KeepBytes, "keep",
		"bytes that it may keep alive, with older versions and removed files that are still needed: 80GB, or default")
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
	l := &listing[model.UserFilter, model.User]{use: "list", short: "List users",
		head: []string{"USER", "KIND", "ACCOUNT", "VENDOR", "STARTS IN", "FILES", "BYTES", "LOG-IN"},
		more: []string{"TAGS", "SINCE"}, at: "SINCE", order: "user", none: "There are no users yet.",
		read: (*client.Client).ListUsers,
		row: func(u model.User) []any {
			return []any{u.Name, model.Word(u.Kind), u.Account, u.Vendor, u.StartDir, u.UsedFiles, fileSize(u.UsedBytes),
				enabled(u), strings.Join(u.Tags, ","), u.CreatedAt}
		}}
	c := listCommand(a, l)
	c.Flags().StringVar(&l.filter.Account, "account", "", "only this account's")
	c.Flags().StringVar(&l.filter.Vendor, "vendor", "", "only this vendor's")
	c.Flags().StringVar(&l.filter.Tag, "tag", "", "only those with this tag, or of an account with it")
	c.Flags().StringVar(&l.filter.Inactive, "inactive", "",
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

// quota says how much a user's files may take and do take.
func quota(u model.User) string {
	if u.Limits == nil {
		return fmt.Sprintf("%s and %d files used", size(u.UsedBytes), u.UsedFiles)
	}
	return fmt.Sprintf("%s and %d files; %s and %d files used", size(u.Limits.QuotaBytes), u.Limits.QuotaFiles,
		size(u.UsedBytes), u.UsedFiles)
}

// smallQuota is the quota, in bytes, below which a unit was probably mistaken.
const smallQuota = 1_000_000

// warnQuota warns of a quota that is very small, or smaller than what is used.
func (a *app) warnQuota(u model.User) {
	l := u.Limits
	switch {
	case l == nil:
	case l.QuotaBytes < u.UsedBytes:
		fmt.Fprintf(a.Err, "warning: The files of %s take %s already: it can upload nothing until some are removed.\n",
			u.Name, size(u.UsedBytes))
	case l.QuotaFiles < u.UsedFiles:
		fmt.Fprintf(a.Err, "warning: %s has %s already: it can upload nothing until some are removed.\n", u.Name,
			counted(u.UsedFiles, "file", "files"))
	case l.QuotaBytes < smallQuota:
		fmt.Fprintf(a.Err, "warning: %s is a very small quota: hardly any file fits into it.\n", size(l.QuotaBytes))
	}
}

func (a *app) userRename() *cobra.Command {
	c := command("rename USER NEW", "Give a user another username; its keys, files and history stay", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			v, err := a.client().RenameUser(ctx, args[0], model.RenameUser{Name: args[1]})
			if err != nil {
				return err
			}
			return a.done(v, "User %s is called %s now; its sessions end. For its people only the username changes. "+
				"Next: sallyport guide %s", valid.Printable(args[0]), v.Name, word(v.Name))
		})
	c.Long = `Give a user another username. Its keys, mailbox, received and delivered files and its
history stay with it. Its sessions end, and it logs in under the new name with the same
key; its technical contacts are mailed. "sallyport explain" says of the old name that it
was renamed, and nobody else can have it while connection records with it are kept
(records.keep).`
	return c
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
