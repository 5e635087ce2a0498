package cli

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) accountCommand() *cobra.Command {
	return group("account", "Customers of record",
		a.accountAdd(), a.accountSet(), a.accountList(), a.accountShow(),
		a.accountState("suspend", "Stop an account's log-ins and end its sessions", model.AccountSuspended),
		a.accountState("reinstate", "Let a suspended account in again", model.AccountActive),
		a.accountState("close", "Close an account for good", model.AccountClosed))
}

func (a *app) accountAdd() *cobra.Command {
	var in struct {
		ID       string   `json:"id"`
		Name     string   `json:"name"`
		Parent   string   `json:"parent,omitempty"`
		Region   string   `json:"region,omitempty"`
		AllowIPs []string `json:"allow_ips,omitempty"`
	}
	c := command("add ID --name NAME", "Add an account", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		in.ID = args[0]
		v, err := call[model.Account](ctx, a, "POST", "/accounts", in)
		if err != nil {
			return err
		}
		return a.done(v, "Account %s was added. Next: sallyport user add --account %s", v.ID, word(v.ID))
	})
	c.Flags().StringVar(&in.Name, "name", "", "company name")
	c.Flags().StringVar(&in.Parent, "parent", "", "parent account, for an indirect customer")
	c.Flags().StringVar(&in.Region, "region", "", "region, which chooses the server address told to partners")
	c.Flags().StringArrayVar(&in.AllowIPs, "allow-ip", nil, "address or network that its users may log in from (repeatable; default: all)")
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) accountSet() *cobra.Command {
	var name, parent, region, kept string
	var items int64
	var ips []string
	c := &cobra.Command{Use: "set ID", Short: "Change an account's name, parent, region, networks or limits", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		edit := changed(c, map[string]any{"name": name, "parent": parent, "region": region, "keep_items": items})
		if err := sizes(c, edit, map[string]string{"keep": kept}); err != nil {
			return err
		}
		if len(ips) == 1 && ips[0] == "any" {
			ips = []string{}
		}
		if c.Flags().Changed("allow-ip") {
			edit["allow_ips"] = ips
		}
		v, err := call[model.Account](c.Context(), a, "PATCH", "/accounts/"+url.PathEscape(args[0]), edit)
		if err != nil {
			return err
		}
		return a.done(v, "Account %s was changed.", v.ID)
	}
	c.Flags().StringVar(&name, "name", "", "company name")
	c.Flags().StringVar(&parent, "parent", "", "parent account; empty makes it a direct one")
	c.Flags().StringVar(&region, "region", "", "region")
	c.Flags().StringArrayVar(&ips, "allow-ip", nil, "address or network that its users may log in from (repeatable); any: from everywhere")
	c.Flags().StringVar(&kept, "keep", "", "bytes that its users may keep alive together: 2TB; 0 for the default")
	c.Flags().Int64Var(&items, "keep-items", 0, "contents and directories that they may keep together; 0 for the default")
	c.MarkFlagsOneRequired("name", "parent", "region", "allow-ip", "keep", "keep-items")
	return c
}

// changed keeps the fields whose flags were given. A flag's name is the
// field's, with '-' for '_'.
func changed(c *cobra.Command, fields map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range fields {
		flag := ""
		for _, r := range name {
			if r == '_' {
				r = '-'
			}
			flag += string(r)
		}
		if c.Flags().Changed(flag) {
			out[name] = v
		}
	}
	return out
}

// sizes adds to an edit the fields of those flags that were given: a flag x is
// the field x_bytes.
func sizes(c *cobra.Command, edit map[string]any, flags map[string]string) error {
	for flag, text := range flags {
		if !c.Flags().Changed(flag) {
			continue
		}
		var n config.Size
		if err := n.UnmarshalText([]byte(text)); err != nil {
			return fault.E("cli.sizes", fault.Invalid, "--%s: %v.", flag, err)
		}
		edit[flag+"_bytes"] = int64(n)
	}
	return nil
}

func (a *app) accountList() *cobra.Command {
	return command("list", "List accounts", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[[]model.Account](ctx, a, "GET", "/accounts", nil)
		if err != nil {
			return err
		}
		t := table{head: []string{"ACCOUNT", "NAME", "PARENT", "REGION", "STATE"}, none: "There are no accounts yet."}
		for _, x := range v {
			t.add(x.ID, x.Name, x.Parent, x.Region, x.State)
		}
		return a.show(v, t)
	})
}

func (a *app) accountShow() *cobra.Command {
	return command("show ID", "Show an account", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := call[model.Account](ctx, a, "GET", "/accounts/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return a.card(v, [2]string{"Account", v.ID}, [2]string{"Name", v.Name}, [2]string{"Parent", v.Parent},
			[2]string{"Region", v.Region}, [2]string{"Log in from", joined(v.AllowIPs, "everywhere")}, [2]string{"State", v.State}, [2]string{"Since", when(v.CreatedAt)})
	})
}

func (a *app) accountState(use, short, state string) *cobra.Command {
	readOnly, keepFiles := false, ""
	c := command(use+" ID", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		to := state
		if readOnly {
			to = model.AccountReadOnly
		}
		body := map[string]string{"state": to}
		if keepFiles != "" {
			body["keep_files"] = keepFiles
		}
		v, err := call[model.Account](ctx, a, "PATCH", "/accounts/"+url.PathEscape(args[0]), body)
		if err != nil {
			return err
		}
		if state == model.AccountClosed {
			return a.done(v, "Account %s is closed: its keys work no longer. When its files go: sallyport retention runs", v.ID)
		}
		return a.done(v, "Account %s is %s now.", v.ID, v.State)
	})
	if state == model.AccountSuspended {
		c.Flags().BoolVar(&readOnly, "read-only", false, "let its users in to fetch, but not to send")
	}
	if state == model.AccountClosed {
		c.Flags().StringVar(&keepFiles, "keep-files", "", "how long its files stay: 30d (default: the configured time); its people are told, and a signed report follows")
	}
	return c
}

func (a *app) vendorCommand() *cobra.Command {
	var in struct {
		Short string `json:"short"`
		Name  string `json:"name"`
	}
	add := command("add SHORT --name NAME", "Add a vendor", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		in.Short = args[0]
		v, err := call[model.Vendor](ctx, a, "POST", "/vendors", in)
		if err != nil {
			return err
		}
		return a.done(v, "Vendor %s was added. Next: sallyport user add --account ID --vendor %s", v.Short, v.Short)
	})
	add.Flags().StringVar(&in.Name, "name", "", "company name")
	_ = add.MarkFlagRequired("name")
	list := command("list", "List vendors", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := call[[]model.Vendor](ctx, a, "GET", "/vendors", nil)
		if err != nil {
			return err
		}
		t := table{head: []string{"VENDOR", "NAME", "SINCE"}, none: "There are no vendors yet."}
		for _, x := range v {
			t.add(x.Short, x.Name, when(x.CreatedAt))
		}
		return a.show(v, t)
	})
	show := command("show SHORT", "Show a vendor", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := call[model.Vendor](ctx, a, "GET", "/vendors/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return a.card(v, [2]string{"Vendor", v.Short}, [2]string{"Name", v.Name}, [2]string{"Since", when(v.CreatedAt)})
	})
	return group("vendor", "Carriers and suppliers that send files for accounts", add, list, show)
}
