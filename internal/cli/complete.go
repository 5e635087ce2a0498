package cli

import (
	"github.com/spf13/cobra"
)

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
