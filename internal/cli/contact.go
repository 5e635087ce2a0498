package cli

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) contactCommand() *cobra.Command {
	return group("contact", "People of accounts and vendors", a.contactAdd(), a.contactSet(), a.contactList(), a.contactVerify(), a.contactLeave())
}

func (a *app) contactAdd() *cobra.Command {
	var in struct {
		Account string   `json:"account,omitempty"`
		Vendor  string   `json:"vendor,omitempty"`
		Name    string   `json:"name"`
		Email   string   `json:"email"`
		Phone   string   `json:"phone,omitempty"`
		Roles   []string `json:"roles,omitempty"`
	}
	c := command("add ACCOUNT|VENDOR --name NAME --email ADDRESS", "Add a contact", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		in.Account = args[0]
		_, err := call[model.Account](ctx, a, "GET", "/accounts/"+url.PathEscape(args[0]), nil)
		if fault.Is(err, fault.NotFound) {
			in.Account, in.Vendor = "", args[0]
		} else if err != nil {
			return err
		}
		v, err := call[model.Contact](ctx, a, "POST", "/contacts", in)
		if fault.Is(err, fault.NotFound) {
			return fault.E("cli.contactAdd", fault.NotFound, "There is no account or vendor %q.", args[0])
		} else if err != nil {
			return err
		}
		return a.done(v, "Contact %s <%s> of %s was added (%s). Next: sallyport contact verify %s", v.Name, v.Email, v.Of(), strings.Join(v.Roles, ", "), v.Email)
	})
	c.Flags().StringVar(&in.Name, "name", "", "first and last name")
	c.Flags().StringVar(&in.Email, "email", "", "e-mail address")
	c.Flags().StringVar(&in.Phone, "phone", "", "phone number")
	c.Flags().StringSliceVar(&in.Roles, "role", nil, "technical, billing, security (repeatable; default technical)")
	_ = c.MarkFlagRequired("name")
	_ = c.MarkFlagRequired("email")
	return c
}

func contactPath(who string) string { return "/contacts/" + url.PathEscape(who) }

func (a *app) contactSet() *cobra.Command {
	var name, email, phone string
	var roles []string
	c := &cobra.Command{Use: "set CONTACT", Short: "Change a contact, named by id or e-mail", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		edit := changed(c, map[string]any{"name": name, "email": email, "phone": phone})
		if c.Flags().Changed("role") {
			edit["roles"] = roles
		}
		v, err := call[model.Contact](c.Context(), a, "PATCH", contactPath(args[0]), edit)
		if err != nil {
			return err
		}
		return a.done(v, "Contact %s <%s> was changed.", v.Name, v.Email)
	}
	c.Flags().StringVar(&name, "name", "", "first and last name")
	c.Flags().StringVar(&email, "email", "", "e-mail address; a new one is unverified")
	c.Flags().StringVar(&phone, "phone", "", "phone number")
	c.Flags().StringSliceVar(&roles, "role", nil, "technical, billing, security (repeatable)")
	c.MarkFlagsOneRequired("name", "email", "phone", "role")
	return c
}

func (a *app) contactList() *cobra.Command {
	return command("list [ACCOUNT|VENDOR]", "List contacts", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		v, err := client.Call[[]model.Contact](ctx, a.client(), client.Request{Method: "GET", Path: "/contacts", Query: url.Values{"of": {strings.Join(args, "")}}})
		if err != nil {
			return err
		}
		t := table{head: []string{"OF", "NAME", "E-MAIL", "PHONE", "ROLES", "VERIFIED", "STATE", "ID"}, none: "There are no contacts yet."}
		for _, c := range v {
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
			t.add(c.Of(), c.Name, c.Email, c.Phone, strings.Join(c.Roles, ","), verified, state, c.ID)
		}
		return a.show(v, t)
	})
}

func (a *app) contactVerify() *cobra.Command {
	var word string
	c := command("verify CONTACT", "Verify a contact's e-mail address: make a one-time link to send there", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if word != "" {
			v, err := call[model.Contact](ctx, a, "PATCH", contactPath(args[0]), map[string]string{"verified": word})
			if err != nil {
				return err
			}
			return a.done(v, "The address of %s <%s> is verified: %s.", v.Name, v.Email, v.Verified)
		}
		contact, err := call[model.Contact](ctx, a, "GET", contactPath(args[0]), nil)
		if err != nil {
			return err
		}
		p := keys.Empty()
		l, at, err := a.makeLink(ctx, p, map[string]any{"kind": model.LinkVerify, "contact": contact.ID, "token": p.Token})
		if err != nil {
			return err
		}
		return a.done(map[string]any{"link": l, "url": at}, "Send this link to %s; a click on its button verifies the address. It works once, until %s.\n  %s", l.Contact, when(l.ExpiresAt), at)
	})
	c.Flags().StringVar(&word, "word", "", "take it from you instead, and record how you know: \"called back on the number in the contract\"")
	return c
}

func (a *app) contactLeave() *cobra.Command {
	return command("leave CONTACT", "Note that a person is gone, and list the keys that they hold", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := call[model.Leaving](ctx, a, "POST", contactPath(args[0])+"/leave", nil)
		if err != nil {
			return err
		}
		if a.json {
			return a.show(v, table{})
		}
		fmt.Fprintf(a.Out, "%s <%s> has left; %d contacts of %s remain.\n", v.Contact.Name, v.Contact.Email, v.Left, v.Contact.Of())
		if len(v.Keys) > 0 {
			fmt.Fprintln(a.Out, "Keys in their hands, which still work. Replace each: sallyport key rotate USER FILE, or revoke it: sallyport key revoke FINGERPRINT --reason R")
		}
		return a.show(v, keyTable(v.Keys, "No key is known to be in their hands."))
	})
}

func (a *app) linkCommand() *cobra.Command {
	list := command("list [USER]", "List one-time links", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		v, err := client.Call[[]model.Link](ctx, a.client(), client.Request{Method: "GET", Path: "/links", Query: url.Values{"user": {strings.Join(args, "")}}})
		if err != nil {
			return err
		}
		t := table{head: []string{"ID", "KIND", "USER", "FOR", "STATE", "MADE", "UNTIL", "ENDED", "FROM"}, none: "There are no links."}
		for _, l := range v {
			t.add(l.ID, l.Kind, l.User, l.Contact, l.State, when(l.CreatedAt), when(l.ExpiresAt), whenPtr(l.EndedAt), l.OpenedFrom)
		}
		return a.show(v, t)
	})
	revoke := command("revoke ID", "Revoke a link that nobody has opened yet", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		l, err := call[model.Link](ctx, a, "DELETE", "/links/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return a.done(l, "The link for %s no longer works.", l.Contact)
	})
	return group("link", "One-time links for key files, passphrases and e-mail addresses", list, revoke)
}

func (a *app) noticeCommand() *cobra.Command {
	var all bool
	list := command("list", "List what people should be told: keys that expire, grow old, or need a look", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := client.Call[[]model.Notice](ctx, a.client(), client.Request{Method: "GET", Path: "/notices", Query: url.Values{"all": {fmt.Sprint(all)}}})
		if err != nil {
			return err
		}
		t := table{head: []string{"ID", "SINCE", "KIND", "USER", "TO", "TEXT", "DONE"}, none: "Nobody needs to be told anything."}
		for _, n := range v {
			t.add(n.ID, when(n.At), n.Kind, n.User, joined(n.To, "no contact fits"), n.Text, whenPtr(n.DoneAt))
		}
		return a.show(v, t)
	})
	list.Flags().BoolVar(&all, "all", false, "also those that are done")
	done := command("done ID", "Note that the people were told", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if _, err := call[any](ctx, a, "POST", "/notices/"+url.PathEscape(args[0])+"/done", nil); err != nil {
			return err
		}
		return a.done(map[string]bool{"done": true}, "Noted.")
	})
	return group("notice", "What people should be told", list, done)
}
