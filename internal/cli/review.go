package cli

import (
	"context"
	"encoding/csv"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) reviewCommand() *cobra.Command {
	c := group("review", "Lists of who and what has access, to be looked at and signed off", a.reviewMake(), a.reviewList(),
		a.reviewShow(), a.reviewSign())
	c.Long = `Lists of who and what has access: operators, API tokens and keys, each with its last
use. Make one, look at it, end what nobody needs any more, and sign it off. "status" says when it
is time (sign_in.review).`
	return c
}

func (a *app) reviewMake() *cobra.Command {
	return command("make", "List who and what has access now", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		v, err := a.client().MakeReview(ctx)
		if err != nil {
			return err
		}
		return a.done(v, "Review %s: %s, %s and %s have access. Look at the list, then sign it off:\n"+
			"  sallyport review show %s\n  sallyport review sign %s --note TEXT", v.ID, count(v.Operators, "operator"),
			count(v.Tokens, "token"), count(v.Keys, "key"), v.ID, v.ID)
	})
}

// count is a number of things: "1 key", "2 keys".
func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func (a *app) reviewList() *cobra.Command {
	return listCommand(a, &listing[model.EveryFilter, model.Review]{use: "list", short: "List reviews, the newest first",
		head: []string{"ID", "MADE", "BY", "OPERATORS", "TOKENS", "KEYS", "SIGNED", "SIGNED BY"}, more: []string{"NOTE"},
		at: "MADE", order: "MADE", desc: true, none: "No review was made.", read: (*client.Client).ListReviews,
		row: func(v model.Review) []any {
			return []any{v.ID, v.MadeAt, v.MadeBy, v.Operators, v.Tokens, v.Keys, v.SignedAt, v.SignedBy, v.Note}
		}})
}

func (a *app) reviewShow() *cobra.Command {
	var asCSV bool
	c := command("show ID", "Show who and what had access when a review was made", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().ShowReview(ctx, args[0])
			if err != nil {
				return err
			}
			if asCSV {
				return a.reviewCSV(v)
			}
			signed := "not yet"
			if v.SignedAt != nil {
				signed = when(*v.SignedAt) + " by " + v.SignedBy
			}
			if a.json {
				return a.show(v, table{})
			}
			if err := a.card(v, [2]string{"Made", when(v.MadeAt) + " by " + v.MadeBy}, [2]string{"Signed off", signed},
				[2]string{"Note", v.Note}); err != nil {
				return err
			}
			rows := table{head: []string{"WHAT", "NAME", "ROLE OR KEY", "STATE", "SINCE", "ENDS", "LAST USED", "FROM"},
				none: "Nothing had access."}
			for _, x := range v.Access {
				rows.add(string(x.Kind), x.Name, x.Detail, x.State, x.Since, x.Ends, x.Used, x.From)
			}
			return a.show(v, rows)
		})
	c.Flags().BoolVar(&asCSV, "csv", false, "as CSV")
	return c
}

// reviewCSV writes a review for a spreadsheet.
func (a *app) reviewCSV(v model.Review) error {
	w := csv.NewWriter(a.Out)
	_ = w.Write([]string{"WHAT", "NAME", "ROLE OR KEY", "STATE", "SINCE", "ENDS", "LAST USED", "FROM"})
	for _, x := range v.Access {
		_ = w.Write([]string{string(x.Kind), valid.Cell(x.Name), valid.Cell(x.Detail), x.State, when(x.Since), whenPtr(x.Ends),
			whenPtr(x.Used), x.From})
	}
	w.Flush()
	return fault.Wrap("cli.reviewCSV", fault.Internal, w.Error())
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
