package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Names are completed from what the server has: arguments by the placeholders in a command's usage
// line, flags by their names. A completion that fails, or takes too long, completes nothing and prints
// nothing.

// completionPatience is how long a completion may take.
const completionPatience = time.Second

// argumentNouns says what the placeholders of usage lines stand for.
var argumentNouns = map[string]string{"USER": model.NounUser, "FEED": model.NounFeed, "ACCOUNT": model.NounAccount,
	"CONTACT": model.NounContact, "FINGERPRINT": model.NounKey, "RUN": model.NounRun, "HOLD": model.NounHold,
	"ACCOUNT|VENDOR": model.NounOwner, "SHORT": model.NounVendor, "USER|ADDRESS|REFERENCE": model.NounUser,
	"NAME|ACCOUNT|SHA256": model.NounAccount}

// idNouns says what ID, NAME and ADDRESS stand for, by the commands' group.
var idNouns = map[string]string{"account": model.NounAccount, "inbox": model.NounDrop, "delivery": model.NounDelivery,
	"message": model.NounMessage, "notice": model.NounNotice, "link": model.NounLink, "feed": model.NounFeed,
	"webhook": model.NounWebhook, "expect": model.NounExpectation, "sallyport": model.NounBan}

// flagNouns says what flags name.
var flagNouns = map[string]string{"account": model.NounAccount, "parent": model.NounAccount,
	"producer": model.NounAccount, "recipient": model.NounAccount, "user": model.NounUser, "vendor": model.NounVendor,
	"feed": model.NounFeed, "holder": model.NounContact, "confirmed-by": model.NounContact,
	"key-to": model.NounContact, "passphrase-to": model.NounContact, "consumer": model.NounConsumer,
	"replaces": model.NounKey}

// moreFlagNouns are flags whose names mean different things, by command.
var moreFlagNouns = map[string]map[string]string{"message list": {"to": model.NounReceiver},
	"message replay": {"to": model.NounReceiver}, "key freeze": {"by": model.NounContact},
	"key thaw": {"by": model.NounContact}}

// completeNames adds completions to a command and all below it.
func (a *app) completeNames(c *cobra.Command) {
	for _, sub := range c.Commands() {
		a.completeNames(sub)
	}
	if !c.Runnable() || c.HasSubCommands() || c.ValidArgsFunction != nil {
		return
	}
	placeholders := positional(c.Use)
	c.ValidArgsFunction = func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(placeholders) {
			return nil, ending(placeholders)
		}
		if kind := argumentNoun(c, placeholders[len(args)]); kind != "" {
			q := model.CompleteQuery{Kind: kind, Prefix: prefix}
			if i := slices.Index(placeholders, "USER"); i >= 0 && i < len(args) {
				q.User = args[i]
			}
			return a.suggested(c.Context(), q), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, ending(placeholders[len(args):])
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		kind := flagNouns[f.Name]
		if k := moreFlagNouns[said(c)][f.Name]; k != "" {
			kind = k
		}
		if kind == "" {
			return
		}
		_ = c.RegisterFlagCompletionFunc(f.Name, // fails for a flag that has its own
			func(c *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
				return a.suggested(c.Context(), model.CompleteQuery{Kind: kind, Prefix: prefix}),
					cobra.ShellCompDirectiveNoFileComp
			})
	})
}

// positional returns the placeholders of the arguments in a usage line: USER and PATH of
// "ls USER [PATH]".
func positional(use string) (out []string) {
	for _, word := range strings.Fields(use)[1:] {
		if strings.HasPrefix(word, "-") || strings.HasPrefix(word, "(") || word == "|" {
			break
		}
		out = append(out, strings.TrimSuffix(strings.Trim(word, "[]"), "..."))
	}
	return out
}

// argumentNoun returns what a placeholder stands for; "" if nothing that the server has.
func argumentNoun(c *cobra.Command, placeholder string) string {
	if c.Name() == "add" && placeholder != "USER" && placeholder != "ACCOUNT|VENDOR" {
		return "" // a new name
	}
	switch placeholder {
	case "ID", "NAME", "ADDRESS":
		return idNouns[c.Parent().Name()]
	case "FINGERPRINT":
		if c.Name() == "approve" || c.Name() == "refuse" {
			return model.NounPendingKey
		}
	}
	return argumentNouns[placeholder]
}

// ending returns whether files complete what follows: only where a file is expected.
func ending(placeholders []string) cobra.ShellCompDirective {
	if len(placeholders) > 0 && strings.Contains(placeholders[len(placeholders)-1], "FILE") ||
		slices.Contains(placeholders, "EXPORT") {
		return cobra.ShellCompDirectiveDefault
	}
	return cobra.ShellCompDirectiveNoFileComp
}

// suggested asks the server for names.
func (a *app) suggested(ctx context.Context, q model.CompleteQuery) []string {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	list, err := a.plainClient().Complete(ctx, q)
	if err != nil {
		return nil // nobody reads an error in the middle of a line
	}
	out := make([]string, 0, len(list.Items))
	for _, s := range list.Items {
		about := valid.Excerpt(valid.Printable(s.About), 60)
		out = append(out, strings.TrimSuffix(valid.Printable(s.Name)+"\t"+about, "\t"))
	}
	return out
}

// completeWords completes the values of a flag from a fixed list.
func completeWords(c *cobra.Command, flag string, words []string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeColumns completes --sort.
func completeColumns(c *cobra.Command, names []string) {
	words := make([]string, 0, 2*len(names))
	for _, n := range names {
		words = append(words, n, "-"+n)
	}
	completeWords(c, "sort", words)
}
