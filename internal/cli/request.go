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

func (a *app) requestCommand() *cobra.Command {
	return group("request", "Requests for access, from the form to the first file", a.requestList(), a.requestShow(),
		a.requestAdd(), a.requestApprove(), a.requestAsk(), a.requestReject(), a.requestAssign(), a.requestRemind(),
		a.requestWithdraw())
}

func (a *app) requestList() *cobra.Command {
	l := &listing[model.RequestFilter, model.Request]{use: "list",
		short: "List requests for access, the newest first",
		head: []string{"REFERENCE", "MADE", "COMPANY", "ACCOUNT", "NAME", "E-MAIL", "STATE", "SINCE", "WAITS FOR", "DUE",
			"OWNER"},
		more: []string{"CHANNEL", "USER", "FINGERPRINT", "FEEDS", "ID"}, at: "MADE", order: "MADE", desc: true,
		none: "There are no requests yet.", read: (*client.Client).ListRequests,
		row: func(r model.Request) []any {
			account := r.Account
			if account == "" {
				account = r.AccountNumber
			}
			due := whenPtr(r.Due)
			if r.Late {
				due += " (late)"
			}
			return []any{r.Reference, r.CreatedAt, r.Company, account, r.Name(), r.Email, stateWord(r.State), r.Since,
				stateWord(r.WaitsFor), due, r.Owner, string(r.Channel), r.User, r.Key.Fingerprint, strings.Join(r.Feeds, ", "),
				r.ID}
		}}
	c := listCommand(a, l)
	stateFlag(c, &l.filter.In, model.RequestUnverified, model.RequestNew, model.RequestNeedsAnswer,
		model.RequestApproved, model.RequestReady, model.RequestFirstLogin, model.RequestFirstFile, model.RequestWithdrawn,
		model.RequestRejected, model.RequestExpired)
	c.Flags().BoolVar(&l.filter.Open, "open", false, "only those that are not over, and whose address is confirmed")
	c.Flags().BoolVar(&l.filter.Late, "late", false, "only those that wait for you for longer than they should")
	c.Flags().StringVar(&l.filter.Owner, "owner", "", "only those that this operator looks after")
	c.Flags().StringVar(&l.filter.Number, "number", "", "only with this account number, or of this account")
	c.Flags().StringVar(&l.filter.Email, "email", "", "only of this e-mail address")
	c.Flags().StringVar((*string)(&l.filter.WaitsFor), "waits-for", "", "only those that wait for: operator, requester")
	completeWords(c, "waits-for", []string{"operator", "requester"})
	c.Flags().StringVar(&l.filter.Text, "text", "",
		"only with this text in reference, name, address, company or account number")
	return c
}

func (a *app) requestShow() *cobra.Command {
	return command("show REFERENCE", "Show a request, what decides about it, and its history", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().JudgeRequest(ctx, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.show(v, table{})
			}
			return a.printRequest(v)
		})
}

// printRequest prints a request, and what decides about it.
func (a *app) printRequest(v model.Judgement) error {
	r := v.Request
	due := ""
	if r.Due != nil {
		due = ", until " + when(*r.Due)
	}
	if r.Late {
		due += " (late)"
	}
	if err := a.card(r, [2]string{"Request", r.Reference},
		[2]string{"State", stateWord(r.State) + " since " + when(r.Since)},
		[2]string{"Waits for", stateWord(r.WaitsFor) + due}, [2]string{"Owner", r.Owner},
		[2]string{"Name", r.Name()}, [2]string{"E-mail", r.Email}, [2]string{"Phone", r.Phone},
		[2]string{"Company", r.Company}, [2]string{"Account number", r.AccountNumber},
		[2]string{"Username wished", r.Username}, [2]string{"Feeds wished", strings.Join(r.Feeds, ", ")},
		[2]string{"Types wished", strings.Join(r.Types, ", ")},
		[2]string{"Key", fmt.Sprintf("%s %d %s, read from %s", r.Key.Type, r.Key.Bits, r.Key.Fingerprint,
			r.Key.Format)},
		[2]string{"Came by", strings.TrimSuffix(string(r.Channel)+" from "+r.From, " from ") + ", " + when(r.CreatedAt)},
		[2]string{"Address confirmed", strings.TrimSpace(whenPtr(r.VerifiedAt) + " " + r.Verified)},
		[2]string{"Message", strings.ReplaceAll(r.Message, "\n", " ")},
		[2]string{"Approved by", r.Approver}, [2]string{"Account", r.Account}, [2]string{"User", r.User},
		[2]string{"Reason", r.Reason}); err != nil {
		return err
	}
	if r.WaitsFor == model.AwaitedOperator || r.WaitsFor == model.AwaitedSecond || r.State == model.RequestNeedsAnswer ||
		r.State == model.RequestUnverified {
		a.printJudgement(v)
	}
	steps := table{head: []string{"AT", "STEP", "BY", "STATE", "TEXT"}}
	for _, h := range r.History {
		steps.add(h.At, stateWord(h.Action), h.Actor, stateWord(h.State), strings.ReplaceAll(h.Text, "\n", " "))
	}
	a.section("History", false, steps)
	return nil
}

// weights are how findings begin.
var weights = map[model.Weight]string{model.WeightStop: "In the way: ", model.WeightWarn: "Look twice: ",
	model.WeightGood: "In order: "}

// printJudgement prints what decides about a request.
func (a *app) printJudgement(v model.Judgement) {
	fmt.Fprintln(a.Out, "\nWhat decides")
	for _, f := range v.Findings {
		a.paragraph("  ", weights[f.Weight]+f.Text)
		if next := commandFor(f.Action); next != "" {
			fmt.Fprintf(a.Out, "    %s\n", valid.Printable(next))
		}
	}
	if v.Account != nil {
		people := table{head: []string{"NAME", "E-MAIL", "ROLES"}, none: "nobody"}
		for _, c := range v.Account.Contacts {
			people.add(c.Name, c.Email, strings.Join(c.Roles, ", "))
		}
		a.section("Contacts of "+v.Account.ID+", who are told", false, people)
	}
	feeds := table{head: []string{"FEED", "TYPES", "FILES IN 30 DAYS"}}
	for _, f := range v.Feeds {
		feeds.add(f.Name, joined(f.Types, "all"), f.Files30)
	}
	a.section("Feeds", false, feeds)
	p := v.Proposed
	fmt.Fprintf(a.Out, "\nApproving makes: account %s, user %s, feeds %s, types %s\n  sallyport request approve %s\n",
		or(p.Account, "(name it)"), or(p.Username, "(name it)"), joined(p.Feeds, "none"), joined(p.Types, "all"),
		v.Request.Reference)
}

// or returns text, or other if it is empty.
func or(text, other string) string {
	if text == "" {
		return other
	}
	return valid.Printable(text)
}

func (a *app) requestAdd() *cobra.Command {
	var in model.AddRequest
	var p private
	c := command("add FILE|- --first-name N --last-name N --email E --company C",
		"Record a request that came by mail or phone, with the public key that was sent", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			text, _, err := a.readKey(ctx, "a request", args[0], p)
			if err != nil {
				return err
			}
			in.Key = string(text)
			v, err := a.client().AddRequest(ctx, in)
			if err != nil {
				return err
			}
			if v.State == model.RequestUnverified {
				return a.done(v, "Request %s was recorded. A link to confirm the address was mailed to %s.", v.Reference, v.Email)
			}
			return a.done(v, "Request %s was recorded. Next: sallyport request show %s", v.Reference, v.Reference)
		})
	f := c.Flags()
	f.StringVar(&in.FirstName, "first-name", "", "the requester's first name")
	f.StringVar(&in.LastName, "last-name", "", "the requester's last name")
	f.StringVar(&in.Email, "email", "", "the requester's e-mail address")
	f.StringVar(&in.Phone, "phone", "", "the requester's phone number")
	f.StringVar(&in.Company, "company", "", "the requester's company")
	f.StringVar(&in.AccountNumber, "account", "", "the account number that was given")
	f.StringVar(&in.Username, "username", "", "the username that is wished for")
	f.StringSliceVar(&in.Feeds, "feed", nil, "a feed that is wished for (repeatable)")
	f.StringSliceVar(&in.Types, "types", nil, "file types that are wished for: csv,pdf (default: all)")
	f.StringVar(&in.Message, "message", "", "what else was said")
	f.StringVar(&in.Language, "language", "", "language of mails: de, pt-BR")
	f.StringVar((*string)(&in.Channel), "channel", string(model.ChannelByMail), "how it came: mail, phone, operator")
	f.StringVar(&in.Verified, "verified", "",
		"how you checked who it is: \"called back on the number in the contract\" (default: a link is mailed)")
	p.flags(c)
	for _, name := range []string{"first-name", "last-name", "email", "company"} {
		_ = c.MarkFlagRequired(name)
	}
	completeWords(c, "channel", []string{"mail", "phone", "operator"})
	return c
}

func (a *app) requestApprove() *cobra.Command {
	var in model.Approval
	c := command("approve REFERENCE",
		"Approve a request: make what is missing of account, contact, user, key and subscriptions", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().ApproveRequest(ctx, args[0], in)
			if err != nil {
				return err
			}
			if v.State == model.RequestApproved {
				return a.done(v, "Request %s was approved. A second person has to approve it, too.", v.Reference)
			}
			return a.done(v, "Request %s was approved: user %s of account %s is ready. Next: sallyport user show %s",
				v.Reference, v.User, v.Account, word(v.User))
		})
	f := c.Flags()
	f.StringVar(&in.Account, "account", "", "the account (default: the account number of the request)")
	f.BoolVar(&in.CreateAccount, "create-account", false, "make the account")
	f.StringVar(&in.AccountName, "account-name", "", "name of the new account (default: the company)")
	f.StringVar(&in.Region, "region", "", "region of the new account")
	f.StringVar(&in.Username, "username", "", "the username (default: the one wished for, or the account ID)")
	f.BoolVar(&in.UserExists, "user-exists", false, "add the key to a user that is there")
	f.StringSliceVar(&in.Feeds, "feed", nil, "a feed to subscribe to (repeatable; default: those wished for)")
	f.BoolVar(&in.NoFeeds, "no-feeds", false, "subscribe to no feed")
	f.StringSliceVar(&in.Types, "types", nil, "file types: csv,pdf (default: those wished for)")
	f.IntVar(&in.Days, "days", 0, "also give the files of so many past days")
	f.StringSliceVar(&in.Roles, "role", nil, "of a new contact: technical, billing, security (default technical)")
	c.MarkFlagsMutuallyExclusive("feed", "no-feeds")
	return c
}

func (a *app) requestAsk() *cobra.Command {
	return command("ask REFERENCE QUESTION", "Ask the requester something, by mail", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			v, err := a.client().AskRequest(ctx, args[0], model.AskRequest{Text: args[1]})
			if err != nil {
				return err
			}
			return a.done(v, "The question is on its way to %s. Request %s waits for the answer%s.", v.Email, v.Reference,
				untilDue(v))
		})
}

// untilDue says until when a request waits.
func untilDue(r model.Request) string {
	if r.Due == nil {
		return ""
	}
	return " until " + when(*r.Due)
}

func (a *app) requestReject() *cobra.Command {
	var in model.RejectRequest
	c := command("reject REFERENCE --reason R", "Reject a request, with a reason that the requester reads",
		cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			v, err := a.client().RejectRequest(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "Request %s was rejected.", v.Reference)
		})
	c.Flags().StringVar(&in.Reason, "reason", "", "why, in kind words: the requester reads them")
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) requestAssign() *cobra.Command {
	return command("assign REFERENCE OWNER", "Say who looks after a request; '' for nobody", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			v, err := a.client().AssignRequest(ctx, args[0], model.AssignRequest{Owner: args[1]})
			if err != nil {
				return err
			}
			return a.done(v, "%s looks after request %s.", or(v.Owner, "Nobody"), v.Reference)
		})
}

func (a *app) requestRemind() *cobra.Command {
	return command("remind REFERENCE", "Remind whoever a request waits for, by mail", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().RemindRequest(ctx, args[0])
			if err != nil {
				return err
			}
			return a.done(v, "A reminder of request %s is on its way.", v.Reference)
		})
}

func (a *app) requestWithdraw() *cobra.Command {
	var in model.WithdrawRequest
	c := command("withdraw REFERENCE --reason R", "Withdraw a request at the requester's word", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().WithdrawRequest(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "Request %s was withdrawn.", v.Reference)
		})
	c.Flags().StringVar(&in.Reason, "reason", "", "who said so, and how")
	_ = c.MarkFlagRequired("reason")
	return c
}
