package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// leaves calls do for each command without subcommands.
func leaves(c *cobra.Command, do func(*cobra.Command)) {
	if !c.HasSubCommands() {
		do(c)
	}
	for _, sub := range c.Commands() {
		leaves(sub, do)
	}
}

// Every command has an example, and every example is a line that its command accepts.
func TestEveryCommandHasAnExampleThatWorks(t *testing.T) {
	leaves((&app{}).root(), func(c *cobra.Command) {
		if c.Example == "" {
			t.Errorf("%s has no example; add a line to examples.txt", c.CommandPath())
		}
	})
	for line := range strings.Lines(exampleText) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		line, _, _ = strings.Cut(line, " > ")
		line, _, _ = strings.Cut(line, " < ")
		words := split(line)
		root := (&app{}).root() // flags keep what was parsed
		c, rest, err := root.Find(words[1:])
		if err != nil || words[0] != "sallyport" || c.HasSubCommands() {
			t.Errorf("%q: no such command: %v", line, err)
			continue
		}
		if err := c.ParseFlags(rest); err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if err := c.Args(c, c.Flags().Args()); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}
