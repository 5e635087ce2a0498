package cli

import (
	_ "embed" // the examples
	"strings"

	"github.com/spf13/cobra"
)

//go:embed examples.txt
var exampleText string

// exemplify gives each command below root the examples that name it.
func exemplify(root *cobra.Command) {
	for line := range strings.Lines(exampleText) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != root.Name() {
			continue
		}
		c, _, err := root.Find(words[1:])
		if err != nil || c.HasSubCommands() {
			continue // a test tells of it
		}
		c.Example = strings.TrimPrefix(c.Example+"\n  "+line, "\n")
	}
}
