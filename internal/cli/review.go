package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) reviewCommand() *cobra.Command {
	c := group("review", "Lists of who and what has access, to be looked at and signed off", a.reviewMake(),
		a.reviewList(), a.reviewShow(), a.reviewSign())
	c.Long = `Lists of who and what has access: operators, API tokens and keys, each with its last
use. Make one, look at it, end what nobody needs any more, and sign it off. "status" says when it
is time (sign_in.review).`
	return c
}

func (a *app) reviewMake() *cobra.Command {
	return command("make", "Note who and what has access now, to be signed off", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			v, err := a.client().MakeReview(ctx)
			if err != nil {
				return err
			}
			return a.done(v, "Review %s: %s, %s and %s have access. Look at the list, then sign it off:\n"+
				"  sallyport review show %s\n  sallyport review sign %s --note TEXT", v.ID,
				valid.Count(v.Operators, "operator"), valid.Count(v.Tokens, "token"), valid.Count(v.Keys, "key"), v.ID, v.ID)
		})
}

func (a *app) reviewList() *cobra.Command {
	return listCommand(a, &listing[model.EveryFilter, model.Review]{use: "list", short: "List reviews, the newest first",
		head: []string{"ID", "MADE", "BY", "OPERATORS", "TOKENS", "KEYS", "SIGNED", "SIGNED BY"}, more: []string{"NOTE"},
		at: "MADE", order: "MADE", desc: true, none: "No review was made.", read: (*client.Client).ListReviews,
		row: func(v model.Review) []any {
			return []any{v.ID, v.MadeAt, v.MadeBy, v.Operators, v.Tokens, v.Keys, v.SignedAt, v.SignedBy, v.Note}
		}})
}

// reviewed asks for the list of a review. It is one page.
type reviewed struct {
	id string
	model.Paging
}

func (a *app) reviewShow() *cobra.Command {
	return listCommand(a, &listing[reviewed, model.Access]{use: "show ID",
		short: "Show who and what had access when a review was made", args: cobra.ExactArgs(1),
		ready: func(_ context.Context, f *reviewed, args []string) error {
			f.id = args[0]
			return nil
		},
		head: []string{"WHAT", "NAME", "ROLE OR KEY", "STATE", "LAST USED", "FROM"}, more: []string{"SINCE", "ENDS"},
		at: "SINCE", none: "Nothing had access.",
		read: func(c *client.Client, ctx context.Context, f reviewed) (page model.Page[model.Access], err error) {
			if f.Cursor != "" {
				return page, nil
			}
			v, err := c.ShowReview(ctx, f.id)
			page.Items = v.Access
			return page, err
		},
		row: func(x model.Access) []any {
			return []any{model.Word(x.Kind), x.Name, x.Detail, x.State, x.Used, x.From, x.Since, x.Ends}
		}})
}

func (a *app) reviewSign() *cobra.Command {
	var in model.SignReview
	c := command("sign ID", "Sign a review off: you have looked at it", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().SignReview(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "Review %s was signed off by %s.", v.ID, v.SignedBy)
		})
	c.Flags().StringVar(&in.Note, "note", "", "what was found, and what was done about it")
	return c
}
