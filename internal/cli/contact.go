package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) contactCommand() *cobra.Command {
	return group("contact", "People of accounts and vendors", a.contactAdd(), a.contactSet(), a.contactList(),
		a.contactVerify(), a.contactLeave(),
		remover("remove CONTACT", "Remove a contact who was sent nothing and holds no key, such as one made by mistake",
			"Contact", func(ctx context.Context, who string) error { return a.client().RemoveContact(ctx, who) }, a))
}

func (a *app) contactAdd() *cobra.Command {
	var in model.NewContact
	c := command("add ACCOUNT|VENDOR --name NAME --email ADDRESS", "Add a contact", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in.Account = args[0]
			if in.Received == "none" {
				in.Received = model.ToldNever
			}
			_, err := a.client().ShowAccount(ctx, args[0])
			if fault.Is(err, fault.NotFound) {
				in.Account, in.Vendor = "", args[0]
			} else if err != nil {
				return err
			}
			v, err := a.client().AddContact(ctx, in)
			if fault.Is(err, fault.NotFound) {
				// the list knows the nearest name of both
				if _, lerr := a.client().ListContacts(ctx, model.ContactFilter{Of: args[0]}); lerr != nil {
					err = lerr
				}
				return err
			} else if err != nil {
				return err
			}
			return a.done(v, "Contact %s <%s> of %s was added (%s). Next: sallyport contact verify %s", v.Name, v.Email, v.Of(),
				strings.Join(v.Roles, ", "), v.Email)
		})
	c.Flags().StringVar(&in.Name, "name", "", "first and last name")
	c.Flags().StringVar(&in.Email, "email", "", "e-mail address")
	c.Flags().StringVar(&in.Phone, "phone", "", "phone number")
	c.Flags().StringSliceVar(&in.Roles, "role", nil, "technical, billing, security (repeatable; default technical)")
	c.Flags().StringVar(&in.Language, "language", "", "language of mails: de, pt-BR (default: the account's)")
	c.Flags().StringVar((*string)(&in.Received), "received", "", receivedUsage)
	c.Flags().BoolVar(&in.ReceivedVendors, "received-vendors", false, receivedVendorsUsage)
	_ = c.MarkFlagRequired("name")
	_ = c.MarkFlagRequired("email")
	_ = c.RegisterFlagCompletionFunc("received", cobra.FixedCompletions(receivedWords, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// Words of --received.
var receivedWords = []string{"none", string(model.ToldEach), string(model.ToldDaily)}

const (
	receivedUsage        = "mails about files that we received: none (default), each, daily"
	receivedVendorsUsage = "of an account's contact: of the files of its vendors, too"
)

func (a *app) contactSet() *cobra.Command {
	var in model.EditContact
	c := command("set CONTACT", "Change a contact, named by id or e-mail", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().EditContact(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "Contact %s <%s> was changed.", v.Name, v.Email)
		})
	optText(c, &in.Name, "name", "", "first and last name")
	optText(c, &in.Email, "email", "", "e-mail address; a new one is unverified")
	optText(c, &in.Phone, "phone", "", "phone number")
	c.Flags().Var(optList{to: &in.Roles, split: true}, "role", "technical, billing, security (repeatable)")
	optText(c, &in.Language, "language", "", "language of mails: de, pt-BR; empty: the account's")
	c.Flags().Var(optional[string]{&in.Received, func(s string) (string, error) { return s, nil }, "string"}, "received",
		receivedUsage)
	optBool(c, &in.ReceivedVendors, "received-vendors", receivedVendorsUsage)
	c.MarkFlagsOneRequired("name", "email", "phone", "role", "language", "received", "received-vendors")
	_ = c.RegisterFlagCompletionFunc("received", cobra.FixedCompletions(receivedWords, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) contactList() *cobra.Command {
	return listCommand(a, &listing[model.ContactFilter, model.Contact]{use: "list [ACCOUNT|VENDOR]",
		short: "List contacts", args: cobra.MaximumNArgs(1),
		head: []string{"OF", "NAME", "E-MAIL", "PHONE", "ROLES", "VERIFIED", "STATE", "ID"},
		more: []string{"SINCE", "BOUNCED", "LEFT"},
		at:   "SINCE", none: "There are no contacts yet.", noneOf: "%s has no contacts yet.",
		read: (*client.Client).ListContacts,
		ready: func(_ context.Context, f *model.ContactFilter, args []string) error {
			f.Of = strings.Join(args, "")
			return nil
		},
		row: func(c model.Contact) []any {
			verified := ""
			if c.VerifiedAt != nil {
				verified = when(*c.VerifiedAt) + " " + c.Verified
			}
			state := "here"
			if c.LeftAt != nil {
				state = "left " + when(*c.LeftAt)
			} else if c.BouncedAt != nil {
				state = "mail bounced " + when(*c.BouncedAt)
			}
			return []any{c.Of(), c.Name, c.Email, c.Phone, joined(c.Roles, ""), verified, state, c.ID, c.CreatedAt,
				c.BouncedAt, c.LeftAt}
		}})
}

func (a *app) contactVerify() *cobra.Command {
	var word string
	var mail *bool
	c := command("verify CONTACT", "Verify a contact's e-mail address: mail a one-time link there",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			if word != "" {
				v, err := a.client().EditContact(ctx, args[0], model.EditContact{Verified: &word})
				if err != nil {
					return err
				}
				return a.done(v, "The address of %s <%s> is verified: %s.", v.Name, v.Email, v.Verified)
			}
			contact, err := a.client().ShowContact(ctx, args[0])
			if err != nil {
				return err
			}
			send, err := a.mails(ctx, mail)
			if err != nil {
				return err
			}
			p := keys.Empty()
			l, at, err := a.makeLink(ctx, p, model.NewLink{Kind: model.LinkVerify, Contact: contact.ID})
			if err != nil {
				return err
			}
			why := ""
			if send {
				if why = a.mailLink(ctx, l, p); why == "" {
					return a.done(map[string]any{"link": l, "mailed": true},
						"A mail to %s is on its way; a click on its button verifies the address. The link works once, until %s.",
						l.Contact, when(l.ExpiresAt))
				}
				why += " "
			}
			return a.done(map[string]any{"link": l, "url": at},
				why+"Send this link to %s; a click on its button verifies the address. It works once, until %s.\n  %s", l.Contact,
				when(l.ExpiresAt), at)
		})
	optBool(c, &mail, "mail", mailUsage)
	c.Flags().StringVar(&word, "word", "",
		"take it from you instead, and record how you know: \"called back on the number in the contract\"")
	return c
}

func (a *app) contactLeave() *cobra.Command {
	return command("leave CONTACT", "Note that a person is gone, and list the keys that they hold", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().ContactLeaves(ctx, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			fmt.Fprintf(a.Out, "%s <%s> has left; %s of %s %s.\n", v.Contact.Name, v.Contact.Email,
				counted(v.Left, "contact", "contacts"), v.Contact.Of(), map[bool]string{true: "remains",
					false: "remain"}[v.Left == 1])
			if len(v.Keys) > 0 {
				fmt.Fprintln(a.Out,
					"Keys in their hands, which still work. Replace each: sallyport key rotate USER FILE, or revoke it: sallyport "+
						"key revoke FINGERPRINT --reason R")
			}
			return a.show(v, keyTable(v.Keys, "No key is known to be in their hands."))
		})
}

func (a *app) linkCommand() *cobra.Command {
	list := listCommand(a, &listing[model.OfUserFilter, model.Link]{use: "list [USER]", short: "List one-time links",
		args: cobra.MaximumNArgs(1), ready: ofUser, read: (*client.Client).ListLinks, none: "There are no links.",
		noneOf: "There are no links of %s.",
		head:   []string{"ID", "KIND", "USER", "FOR", "STATE", "MADE", "UNTIL", "ENDED", "FROM"}, at: "MADE",
		order: "made", desc: true,
		row: func(l model.Link) []any {
			return []any{l.ID, model.Word(l.Kind), l.User, l.Contact, model.Word(l.State), l.CreatedAt, l.ExpiresAt, l.EndedAt,
				l.OpenedFrom}
		}})
	revoke := command("revoke ID", "Revoke a link that nobody has opened yet", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			l, err := a.client().RevokeLink(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(l, "The link for %s no longer works.", l.Contact)
		})
	return group("link", "One-time links for key files, passphrases and e-mail addresses", list, revoke)
}

func (a *app) noticeCommand() *cobra.Command {
	l := &listing[model.NoticeFilter, model.Notice]{use: "list",
		short: "List what people should be told: keys that expire, grow old, or need a look",
		head:  []string{"ID", "SINCE", "ABOUT", "USER", "TO", "DONE", "TEXT"}, at: "SINCE", order: "since", long: true,
		none: "Nobody needs to be told anything.", read: (*client.Client).ListNotices,
		row: func(n model.Notice) []any {
			about := strings.ReplaceAll(model.Word(n.Kind), ".", " ")
			return []any{n.ID, n.At, about, n.User, joined(n.To, "no contact fits"), n.DoneAt, n.Text}
		}}
	list := listCommand(a, l)
	list.Flags().BoolVar(&l.filter.All, "all", false, "also those that are done")
	done := command("done ID", "Note that the people were told", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := a.client().DoneNotice(ctx, args[0]); err != nil {
				return err
			}
			return a.done(map[string]bool{"done": true}, "Noted.")
		})
	return group("notice", "What people should be told", list, done)
}
