package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) accountCommand() *cobra.Command {
	return group("account", "Customers of record",
		a.accountAdd(), a.accountSet(), a.accountList(), a.accountShow(), a.noteCommand("account"),
		a.accountState("suspend", "Stop an account's log-ins and end its sessions", model.AccountSuspended),
		a.accountState("reinstate", "Let a suspended account in again", model.AccountActive),
		a.accountClose(), a.accountReopen(),
		remover("remove ID", "Remove an account that nothing refers to, such as one made by mistake", "Account",
			func(ctx context.Context, id string) error { return a.client().RemoveAccount(ctx, id) }, a))
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
	c.Flags().StringVar(&in.TimeZone, "time-zone", "",
		"zone in which its people read times: Australia/Sydney (default: the region's, or the operator's)")
	c.Flags().StringVar(&in.Language, "language", "", "language of mails to its contacts: de, pt-BR")
	c.Flags().StringArrayVar(&in.AllowIPs, "allow-ip", nil,
		"address or network that its users may log in from (repeatable; default: all)")
	sizeFlag(c, &in.KeepBytes, "keep", "bytes that its users may keep alive together: 2TB (default: the configured limit)")
	c.Flags().Int64Var(&in.KeepItems, "keep-items", 0,
		"contents and directories that they may keep together (default: the configured limit)")
	c.Flags().Var(optional[model.Person]{&in.Manager, parsePerson, "string"}, "manager", managerHelp)
	newTagsFlag(c, &in.Tags)
	_ = c.MarkFlagRequired("name")
	return c
}

const managerHelp = "who looks after it on your side: 'Jo Hill <jo@example.com>'; none: nobody"

func (a *app) accountSet() *cobra.Command {
	var in model.EditAccount
	var tags model.EditTags
	c := command("set ID", "Change an account's name, parent, region, zone, language, networks, limits, manager or tags",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			tags.Account = args[0]
			if in == (model.EditAccount{}) {
				return a.onlyTags(ctx, tags)
			}
			v, err := a.client().EditAccount(ctx, args[0], in)
			if err != nil {
				return err
			}
			if err := a.editTags(ctx, tags, &v.Tags); err != nil {
				return err
			}
			return a.done(v, "Account %s was changed.", v.ID)
		})
	optText(c, &in.Name, "name", "", "company name")
	optText(c, &in.Parent, "parent", "", "parent account; empty makes it a direct one")
	optText(c, &in.Region, "region", "", "region")
	optText(c, &in.TimeZone, "time-zone", "none",
		"zone in which its people read times: Australia/Sydney; none: the region's")
	optText(c, &in.Language, "language", "", "language of mails to its contacts: de, pt-BR; empty: as configured")
	c.Flags().Var(optList{to: &in.AllowIPs, none: "any"}, "allow-ip",
		"address or network that its users may log in from (repeatable); any: from everywhere")
	optSize(c, &in.KeepBytes, "keep", "bytes that its users may keep alive together: 2TB, or default")
	optNumber(c, &in.KeepItems, "keep-items", "contents and directories that they may keep together; 0 for the default")
	c.Flags().Var(optional[model.Person]{&in.Manager, parsePerson, "string"}, "manager", managerHelp)
	tagFlags(c, &tags)
	c.MarkFlagsOneRequired("name", "parent", "region", "time-zone", "language", "allow-ip", "keep", "keep-items",
		"manager", "tag", "untag")
	return c
}

func (a *app) accountList() *cobra.Command {
	l := &listing[model.AccountFilter, model.Account]{use: "list", short: "List accounts",
		head: []string{"ACCOUNT", "NAME", "PARENT", "REGION", "STATE"}, more: []string{"TIME ZONE", "TAGS", "SINCE"},
		at: "SINCE", order: "account", none: "There are no accounts yet.", read: (*client.Client).ListAccounts,
		row: func(x model.Account) []any {
			return []any{x.ID, x.Name, x.Parent, x.Region, model.Word(x.State), x.TimeZone, strings.Join(x.Tags, ","),
				x.CreatedAt}
		}}
	c := listCommand(a, l)
	c.Flags().StringVar(&l.filter.Tag, "tag", "", "only those with this tag")
	return c
}

func (a *app) accountShow() *cobra.Command {
	return command("show ID", "Show all that is known of an account: contacts, users, keys, feeds, files, notes",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			v, err := a.client().ShowAccountPage(ctx, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			return a.accountPage(v)
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
		was, err := a.client().ShowAccount(ctx, args[0])
		if err != nil && !fault.Is(err, fault.NotFound) { // the server says what is missing
			return err
		}
		v, err := a.client().EditAccount(ctx, args[0], in)
		if err != nil {
			return err
		}
		open := ""
		if was.State == model.AccountReadOnly && v.State == model.AccountActive {
			open = " Sessions that are open stay read-only until they log in again."
		}
		return a.done(v, "Account %s is %s now.%s", v.ID, model.Word(v.State), open)
	})
	if state == model.AccountSuspended {
		c.Flags().BoolVar(&readOnly, "read-only", false, "let its users in to fetch, but not to send")
	}
	return c
}

func (a *app) accountClose() *cobra.Command {
	var keep *string
	yes := false
	c := command("close ID", "Close an account: its users send nothing more, and its files are removed later",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			ask := model.ClosingQuery{Account: args[0]}
			if keep != nil {
				ask.KeepFiles = *keep
			}
			what, err := a.client().ShowClosing(ctx, ask)
			if err != nil {
				return err
			}
			if what.Account.State != model.AccountClosed { // or the server says that it is
				if err := a.sayClosing(what); err != nil {
					return err
				}
				if err := a.confirm(ctx, "closing the account "+what.Account.ID, what.Account.ID, yes); err != nil {
					return err
				}
			}
			v, err := a.client().EditAccount(ctx, args[0],
				model.EditAccount{State: new(model.AccountClosed), KeepFiles: keep})
			if err != nil {
				return err
			}
			return a.done(v, "Account %s is closed. To undo it until its files are removed: sallyport account reopen %s", v.ID,
				word(v.ID))
		})
	c.Long = `Close an account. It says what will happen, and asks for the account's ID to be typed.

Uploads in progress end and stay unfinished. Its people are told when its files will be
removed; a signed report follows the removal. Until then its users may log in read-only
and download (unless the configuration has retention.close_access: none), and the account
can be reopened: sallyport account reopen ID.`
	optText(c, &keep, "keep-files", "", "how long its files stay: 30d (default: the configured time)")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask, for scripts")
	return c
}

// sayClosing prints what closing an account does, unless JSON was asked for.
func (a *app) sayClosing(c model.Closing) error {
	if a.json {
		return nil
	}
	users := few(c.Users)
	switch {
	case len(c.Users) == 0:
	case c.Access == model.CloseReadOnly:
		users += ": may log in read-only, to download, until then"
	default:
		users += ": may not log in any more"
	}
	files := fmt.Sprintf("%d (%s)", c.Files, size(c.Bytes))
	if c.Uncollected > 0 {
		files += fmt.Sprintf("; %d that we delivered were not downloaded in full yet", c.Uncollected)
	}
	feeds := ""
	if len(c.Feeds) > 0 {
		feeds = few(c.Feeds) + ": it gets no new files"
	}
	publishes := ""
	if len(c.Publishes) > 0 {
		publishes = few(c.Publishes) + ": its users publish nothing more"
	}
	children := ""
	if len(c.Children) > 0 {
		children = few(c.Children) + ": they stay open"
	}
	held := ""
	if len(c.Holds) > 0 {
		held = few(c.Holds) + ": what is held stays"
	}
	fmt.Fprintf(a.Out, "Closing the account %s (%s):\n", c.Account.ID, valid.Printable(c.Account.Name))
	return a.card(nil, [2]string{"Files", files},
		[2]string{"Removed", "all of them, with older versions, on " + when(c.Until)}, [2]string{"Held", held},
		[2]string{"Users", users},
		[2]string{"Feeds", feeds}, [2]string{"Own feeds", publishes}, [2]string{"Accounts below", children})
}

// few names some of a list's words, and how many more there are.
func few(words []string) string {
	const most = 10
	if len(words) <= most {
		return cmp.Or(strings.Join(words, ", "), "none")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
}

func (a *app) accountReopen() *cobra.Command {
	return command("reopen ID", "Undo closing an account, until its files are removed", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			was, err := a.client().ShowClosing(ctx, model.ClosingQuery{Account: args[0]})
			if err != nil {
				return err
			}
			v, err := a.client().ReopenAccount(ctx, args[0])
			if err != nil {
				return err
			}
			missed := ""
			if was.Access == model.CloseReadOnly {
				missed = " Sessions that are open stay read-only until they log in again."
			}
			if len(was.Feeds) > 0 {
				missed += fmt.Sprintf(" What was published into %s since %s did not reach it: publish it again.",
					strings.Join(was.Feeds, ", "), whenPtr(was.Account.ClosedAt))
			}
			return a.done(v, "Account %s is %s again, and its files stay.%s", v.ID, v.State, missed)
		})
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
	newTagsFlag(add, &in.Tags)
	_ = add.MarkFlagRequired("name")
	l := &listing[model.VendorFilter, model.Vendor]{use: "list", short: "List vendors",
		head: []string{"VENDOR", "NAME", "SINCE"}, more: []string{"TAGS"}, at: "SINCE", order: "vendor",
		none: "There are no vendors yet.", read: (*client.Client).ListVendors,
		row: func(x model.Vendor) []any { return []any{x.Short, x.Name, x.CreatedAt, strings.Join(x.Tags, ",")} }}
	list := listCommand(a, l)
	list.Flags().StringVar(&l.filter.Tag, "tag", "", "only those with this tag")
	return group("vendor", "Carriers and suppliers that send files for accounts", add, a.vendorSet(), list,
		a.vendorShow(), a.noteCommand("vendor"),
		remover("remove SHORT", "Remove a vendor without users and contacts", "Vendor",
			func(ctx context.Context, short string) error { return a.client().RemoveVendor(ctx, short) }, a))
}

// remover makes a command that removes one thing. kind begins the sentence that says so.
func remover(use, short, kind string, remove func(ctx context.Context, key string) error, a *app) *cobra.Command {
	return command(use, short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := remove(ctx, args[0]); err != nil {
			return err
		}
		return a.done(map[string]string{"removed": args[0]}, "%s %s was removed.", kind, valid.Printable(args[0]))
	})
}
