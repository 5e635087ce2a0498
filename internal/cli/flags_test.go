package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// cannotChange are flags of add commands that their set commands do not have, and why.
var cannotChange = map[string]string{
	"user add --account":     "keys, files and receipts belong to the account",
	"user add --vendor":      "a vendor's user of an account is another user",
	"endpoint add --legacy":  "it stays one",
	"endpoint add --listen":  "another address is another endpoint",
	"user add --service":     "a service user has no mailbox",
	"user add --name":        "it is user rename",
	"key add --confirmed-by": "it is about the moment of adding",
	"key add --block":        "likewise",
	"key add --no-block":     "likewise",
	"account set --untag":    "what is added has no tags yet",
	"vendor set --untag":     "likewise",
	"user set --untag":       "likewise",
}

// TestSetHasTheFlagsOfAdd: what can be said when something is added can be changed later, and what can be set can
// be said at once.
func TestSetHasTheFlagsOfAdd(t *testing.T) {
	seen := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		add, set := child(c, "add"), child(c, "set")
		if add == nil || set == nil {
			return
		}
		seen++
		pairs := [][2]*cobra.Command{{add, set}}
		if slices.Contains([]string{"account", "vendor", "user", "feed", "contact", "dir"}, c.Name()) {
			pairs = append(pairs, [2]*cobra.Command{set, add})
		}
		for _, p := range pairs {
			p[0].LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
				what := strings.TrimPrefix(p[0].CommandPath(), "sallyport ") + " --" + f.Name
				if _, known := cannotChange[what]; !known && p[1].Flags().Lookup(f.Name) == nil {
					t.Errorf("%s: %s has no such flag", what, p[1].CommandPath())
				}
			})
		}
	}
	walk((&app{}).root())
	if seen < 7 {
		t.Fatalf("only %d nouns have add and set", seen)
	}
}

// child finds a subcommand.
func child(c *cobra.Command, name string) *cobra.Command {
	for _, sub := range c.Commands() {
		if sub.Name() == name {
			return sub
		}
	}
	return nil
}

func TestSizesNeedAUnit(t *testing.T) {
	for text, want := range map[string]int64{"50GB": 50e9, "512MiB": 512 << 20, "10B": 10, "0": 0, "00": 0, "default": 0,
		" 1 KB": 1000, "10mb": 10e6, "5gIb": 5 << 30} {
		if n, err := parseSize(text); err != nil || n != want {
			t.Errorf("%q is %d, %v; want %d", text, n, err, want)
		}
	}
	for text, says := range map[string]string{"10": "10 what? Write a unit: 10MB, 10GB; or 10B", "1048576": "what?",
		"lots": "not a size", "": "not a size", "-1": "not a size", "-5GB": "not a size", "10XB": "not a size",
		"99999999999GB": "not a size", "0GB": "room for nothing", "0B": "room for nothing", "none": "not a size"} {
		if _, err := parseSize(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; want %q", text, err, says)
		}
	}
}
