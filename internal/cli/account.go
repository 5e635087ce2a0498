package cli

import (
	"context"

	"github.com/spf13/cobra"

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
	var in model.NewAccount
	c := command("add ID --name NAME", "Add an account", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in.ID = args[0]
			v, err := a.client().AddAccount(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v, "Account %s was added. Next: sallyport user add --account %s", v.ID, word(v.ID))
		})
	c.Flags().StringVar(&in.Name, "name", "", "company name")
	c.Flags().StringVar(&in.Parent, "parent", "", "parent account, for an indirect customer")
	c.Flags().StringVar(&in.Region, "region", "", "region, which chooses the server address told to partners")
	c.Flags().StringVar(&in.Language, "language", "", "language of mails to its contacts: de, pt-BR")
	c.Flags().StringArrayVar(&in.AllowIPs, "allow-ip", nil,
		"address or network that its users may log in from (repeatable; default: all)")
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) accountSet() *cobra.Command {
	var in model.EditAccount
	c := command("set ID", "Change an account's name, parent, region, networks or limits", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().EditAccount(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "Account %s was changed.", v.ID)
		})
	optText(c, &in.Name, "name", "", "company name")
	optText(c, &in.Parent, "parent", "", "parent account; empty makes it a direct one")
	optText(c, &in.Region, "region", "", "region")
	optText(c, &in.Language, "language", "", "language of mails to its contacts: de, pt-BR; empty: as configured")
	c.Flags().Var(optList{to: &in.AllowIPs, none: "any"}, "allow-ip",
		"address or network that its users may log in from (repeatable); any: from everywhere")
	optSize(c, &in.KeepBytes, "keep", "bytes that its users may keep alive together: 2TB; 0 for the default")
	optNumber(c, &in.KeepItems, "keep-items", "contents and directories that they may keep together; 0 for the default")
	c.MarkFlagsOneRequired("name", "parent", "region", "language", "allow-ip", "keep", "keep-items")
	return c
}

func (a *app) accountList() *cobra.Command {
	return command("list", "List accounts", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		t := table{head: []string{"ACCOUNT", "NAME", "PARENT", "REGION", "STATE"}, none: "There are no accounts yet."}
		return list(ctx, a, t, a.client().ListAccounts, model.EveryFilter{}, func(x model.Account) []string {
			return []string{x.ID, x.Name, x.Parent, x.Region, string(x.State)}
		})
	})
}

func (a *app) accountShow() *cobra.Command {
	return command("show ID", "Show an account", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := a.client().ShowAccount(ctx, args[0])
		if err != nil {
			return err
		}
		return a.card(v, [2]string{"Account", v.ID}, [2]string{"Name", v.Name}, [2]string{"Parent", v.Parent},
			[2]string{"Region", v.Region}, [2]string{"Language", v.Language},
			[2]string{"Log in from", joined(v.AllowIPs, "everywhere")},
			[2]string{"State", string(v.State)},
			[2]string{"Since", when(v.CreatedAt)})
	})
}

func (a *app) accountState(use, short string, state model.AccountState) *cobra.Command {
	var in model.EditAccount
	readOnly := false
	c := command(use+" ID", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		in.State = &state
		if readOnly {
			in.State = new(model.AccountReadOnly)
		}
		v, err := a.client().EditAccount(ctx, args[0], in)
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
		optText(c, &in.KeepFiles, "keep-files", "",
			"how long its files stay: 30d (default: the configured time); its people are told, and a signed report follows")
	}
	return c
}

func (a *app) vendorCommand() *cobra.Command {
	var in model.NewVendor
	add := command("add SHORT --name NAME", "Add a vendor", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in.Short = args[0]
			v, err := a.client().AddVendor(ctx, in)
			if err != nil {
				return err
			}
			return a.done(v, "Vendor %s was added. Next: sallyport user add --account ID --vendor %s", v.Short, v.Short)
		})
	add.Flags().StringVar(&in.Name, "name", "", "company name")
	_ = add.MarkFlagRequired("name")
	list := command("list", "List vendors", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		t := table{head: []string{"VENDOR", "NAME", "SINCE"}, none: "There are no vendors yet."}
		return list(ctx, a, t, a.client().ListVendors, model.EveryFilter{}, func(x model.Vendor) []string {
			return []string{x.Short, x.Name, when(x.CreatedAt)}
		})
	})
	show := command("show SHORT", "Show a vendor", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := a.client().ShowVendor(ctx, args[0])
		if err != nil {
			return err
		}
		return a.card(v, [2]string{"Vendor", v.Short}, [2]string{"Name", v.Name}, [2]string{"Since", when(v.CreatedAt)})
	})
	return group("vendor", "Carriers and suppliers that send files for accounts", add, list, show)
}
