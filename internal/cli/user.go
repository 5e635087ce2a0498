package cli

import (
	"context"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/client"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) userCommand() *cobra.Command {
	return group("user", "SSH log-ins", a.userAdd(), a.userSet(), a.userList(), a.userShow(),
		a.userEnable("disable", "Stop a user's log-ins and end its sessions", false),
		a.userEnable("enable", "Let a disabled user in again", true))
}

func (a *app) userAdd() *cobra.Command {
	var in struct {
		Account  string   `json:"account"`
		Vendor   string   `json:"vendor,omitempty"`
		Name     string   `json:"name,omitempty"`
		Service  bool     `json:"service,omitempty"`
		StartDir string   `json:"start_dir,omitempty"`
		AllowIPs []string `json:"allow_ips,omitempty"`
	}
	c := command("add --account ID [--vendor SHORT]", "Add a user with its folders", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[model.User](ctx, a, "POST", "/users", in)
		if err != nil {
			return err
		}
		return a.done(v, "User %s was added, starting in %s. Next: sallyport key add %s FILE.pub", v.Name, v.StartDir, word(v.Name))
	})
	c.Flags().StringVar(&in.Account, "account", "", "account that it belongs to")
	c.Flags().StringVar(&in.Vendor, "vendor", "", "vendor's short name: makes it that vendor's log-in for the account")
	c.Flags().StringVar(&in.Name, "name", "", "username (default: account ID, or account ID-vendor)")
	c.Flags().BoolVar(&in.Service, "service", false, "a program of the platform's own, which publishes in /outbound and collects from /inbox; needs --name and --allow-ip")
	c.Flags().StringVar(&in.StartDir, "start-dir", "", "directory that sessions start in (default: the template's)")
	c.Flags().StringArrayVar(&in.AllowIPs, "allow-ip", nil, "address or network that it may log in from (repeatable; default: all)")
	_ = c.MarkFlagRequired("account")
	return c
}

func (a *app) userSet() *cobra.Command {
	var startDir, quota, kept, may string
	var files, items int64
	var ips []string
	c := &cobra.Command{Use: "set USER", Short: "Change a user's starting directory, networks or limits", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(ips) == 1 && ips[0] == "any" {
			ips = []string{}
		}
		if may == "default" {
			may = ""
		}
		edit := changed(c, map[string]any{"feeds_may": may, "start_dir": startDir, "quota_files": files, "keep_items": items})
		if err := sizes(c, edit, map[string]string{"quota": quota, "keep": kept}); err != nil {
			return err
		}
		if c.Flags().Changed("allow-ip") {
			edit["allow_ips"] = ips
		}
		v, err := call[model.User](c.Context(), a, "PATCH", "/users/"+url.PathEscape(args[0]), edit)
		if err != nil {
			return err
		}
		return a.done(v, "User %s was changed.", v.Name)
	}
	c.Flags().StringVar(&startDir, "start-dir", "", "directory that sessions start in")
	c.Flags().StringVar(&quota, "quota", "", "bytes that its files may take: 50GB; 0 for the default")
	c.Flags().Int64Var(&files, "quota-files", 0, "number of files that it may have; 0 for the default")
	c.Flags().StringVar(&kept, "keep", "", "bytes that it may keep alive, with older versions and removed files that are still needed; 0 for the default")
	c.Flags().Int64Var(&items, "keep-items", 0, "how many of them, and directories; 0 for the default")
	c.Flags().StringArrayVar(&ips, "allow-ip", nil, "address or network that it may log in from (repeatable); any: from everywhere")
	c.Flags().StringVar(&may, "feeds-may", "", "what it may do with delivered files: look, remove (and rename; their bytes stay until they are due), default")
	c.MarkFlagsOneRequired("feeds-may", "start-dir", "quota", "quota-files", "keep", "keep-items", "allow-ip")
	return c
}

func (a *app) userList() *cobra.Command {
	var account string
	c := command("list", "List users", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := client.Call[[]model.User](ctx, a.client(), client.Request{Method: "GET", Path: "/users", Query: url.Values{"account": {account}}})
		if err != nil {
			return err
		}
		t := table{head: []string{"USER", "KIND", "ACCOUNT", "VENDOR", "STARTS IN", "FILES", "BYTES", "LOG-IN"}, none: "There are no users yet."}
		for _, u := range v {
			t.add(u.Name, u.Kind, u.Account, u.Vendor, u.StartDir, fmt.Sprint(u.UsedFiles), size(u.UsedBytes), enabled(u))
		}
		return a.show(v, t)
	})
	c.Flags().StringVar(&account, "account", "", "only this account's")
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
		u, err := call[model.User](ctx, a, "GET", "/users/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		kept, quota := "", ""
		if l := u.Limits; l != nil {
			quota = fmt.Sprintf(", of at most %d (%s)", l.QuotaFiles, size(l.QuotaBytes))
			kept = fmt.Sprintf(", of at most %d (%s)", l.KeepItems, size(l.KeepBytes))
		}
		return a.card(u, [2]string{"User", u.Name}, [2]string{"Kind", u.Kind}, [2]string{"Account", u.Account}, [2]string{"Vendor", u.Vendor},
			[2]string{"Log-in", enabled(u)}, [2]string{"Starts in", u.StartDir}, [2]string{"Delivered files", map[string]string{model.FeedsLook: "may be looked at", model.FeedsRemove: "may be removed"}[u.FeedsMay]}, [2]string{"Allowed from", joined(u.AllowIPs, "everywhere")},
			[2]string{"Files", fmt.Sprintf("%d (%s)", u.UsedFiles, size(u.UsedBytes)) + quota},
			[2]string{"Kept alive", fmt.Sprintf("%d (%s)", u.KeptItems, size(u.KeptBytes)) + kept},
			[2]string{"Directories", fmt.Sprint(u.Dirs)}, [2]string{"Since", when(u.CreatedAt)})
	})
}

func (a *app) userEnable(use, short string, enable bool) *cobra.Command {
	return command(use+" USER", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := call[model.User](ctx, a, "PATCH", "/users/"+url.PathEscape(args[0]), map[string]bool{"enabled": enable})
		if err != nil {
			return err
		}
		return a.done(v, "User %s is %s now.", v.Name, enabled(v))
	})
}
