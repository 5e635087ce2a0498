package cli

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

func (a *app) feedSequence() *cobra.Command {
	return group("sequence", "The numbers in a feed's names", a.sequenceList(), a.sequenceSet(), a.sequenceForget(),
		a.sequenceAccept())
}

// sequenceColumns are the headings of sequenceRow.
var sequenceColumns = []string{"ACCOUNT", "LAST NUMBER", "MISSING"}

const noNumbers = "No numbers were counted yet."

func sequenceRow(s model.Sequence) []any {
	last := strconv.FormatInt(s.Last, 10)
	if s.Period != "" {
		last = s.Period + ": " + last
	}
	words := make([]string, len(s.Missing))
	for i, g := range s.Missing {
		words[i] = g.Text()
	}
	missing := joined(words, "none")
	if s.Odd != nil {
		missing += "; " + strconv.FormatInt(*s.Odd, 10) + " came out of turn, and is not counted"
	}
	return []any{cmp.Or(s.Account, "all"), last, missing}
}

// sequences makes a table of the state of numbers.
func sequences(list []model.Sequence) table {
	t := table{head: sequenceColumns, none: noNumbers}
	for _, s := range list {
		t.add(sequenceRow(s)...)
	}
	return t
}

func (a *app) sequenceList() *cobra.Command {
	return listCommand(a, &listing[model.FeedFilter, model.Sequence]{use: "list FEED",
		short: "Show how far the numbers have come, and which are missing", args: cobra.ExactArgs(1),
		head: sequenceColumns, none: noNumbers, read: (*client.Client).ListSequences, row: sequenceRow,
		ready: func(_ context.Context, f *model.FeedFilter, args []string) error {
			f.Feed = args[0]
			return nil
		}})
}

// ofAccount adds the flag that chooses an account's numbers.
func ofAccount(c *cobra.Command, account *string) {
	c.Flags().StringVar(account, "account", "",
		"account that the files were published to (default: the numbers of files for all)")
}

func (a *app) sequenceSet() *cobra.Command {
	var in model.SetSequence
	c := command("set FEED --next N", "Say which number comes next; what was missing is forgotten", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := a.client().SetSequence(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "The next number of %s for %s is %d.", args[0], cmp.Or(v.Account, "all"), in.Next)
		})
	ofAccount(c, &in.Account)
	c.Flags().Int64Var(&in.Next, "next", 0, "the number that the next file has")
	_ = c.MarkFlagRequired("next")
	return c
}

func (a *app) sequenceForget() *cobra.Command {
	var account string
	c := command("forget FEED", "Forget how far the numbers have come: the next one is the first", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := a.client().ForgetSequence(ctx, args[0], account); err != nil {
				return err
			}
			return a.done(struct{}{}, "The numbers of %s for %s begin with the next file.", args[0], cmp.Or(account, "all"))
		})
	ofAccount(c, &account)
	return c
}

// stillMissing says how many ranges of numbers are missing.
func stillMissing(n int) string {
	switch n {
	case 0:
		return "Nothing else is missing"
	case 1:
		return "1 range of numbers is still missing"
	}
	return fmt.Sprintf("%d ranges of numbers are still missing", n)
}

func (a *app) sequenceAccept() *cobra.Command {
	var in model.AcceptGap
	c := command("accept FEED NUMBERS --reason TEXT", "Take missing numbers (7 or 7-9) off the list: they will never come",
		cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
			from, to, isRange := strings.Cut(args[1], "-")
			if !isRange {
				to = from
			}
			var err, err2 error
			in.From, err = strconv.ParseInt(from, 10, 64)
			in.To, err2 = strconv.ParseInt(to, 10, 64)
			if err != nil || err2 != nil {
				return fault.E("cli.accept", fault.Invalid, "%q is neither a number nor a range such as 7-9.",
					valid.Printable(args[1]))
			}
			v, err := a.client().AcceptGap(ctx, args[0], in)
			if err != nil {
				return err
			}
			return a.done(v, "They are missed no longer. %s.", stillMissing(len(v.Missing)))
		})
	ofAccount(c, &in.Account)
	c.Flags().StringVar(&in.Period, "period", "",
		"day, month or year that the numbers are of, as the list shows it: 20261127")
	c.Flags().StringVar(&in.Reason, "reason", "", "why; it goes into the audit log")
	_ = c.MarkFlagRequired("reason")
	return c
}
