package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// lists returns all commands that list things.
func lists(c *cobra.Command) (out []*cobra.Command) {
	for _, sub := range c.Commands() {
		out = append(out, lists(sub)...)
	}
	if c.Runnable() && !c.HasSubCommands() && c.Flags().Lookup("csv") != nil {
		out = append(out, c)
	}
	return out
}

// TestEveryListHasTheFlagsOfAllLists: no list is made by hand, without --sort, --csv and the rest.
func TestEveryListHasTheFlagsOfAllLists(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		// the kinds of mail are built in
		if c.HasSubCommands() || c.Name() == "kinds" || c.Name() != "list" && !strings.HasPrefix(c.Short, "List ") {
			return
		}
		for _, name := range []string{"sort", "csv", "limit"} {
			if c.Flags().Lookup(name) == nil {
				t.Errorf("%s has no --%s", said(c), name)
			}
		}
	}
	walk((&app{}).root())
	for _, c := range lists((&app{}).root()) {
		head := c.Flags().Lookup("sort").Usage
		if timed := slices.ContainsFunc(strings.Fields(head), func(w string) bool {
			return strings.TrimSuffix(w, ",") == "since" || strings.TrimSuffix(w, ",") == "published"
		}); timed && c.Flags().Lookup("since") == nil {
			t.Errorf("%s has a time, and no --since", said(c))
		}
	}
}

// TestAListOfNothingIsRefused: each list command says that there is no such account, user, feed, vendor
// or webhook, and which states there are. It never prints an empty list for a mistake.
func TestAListOfNothingIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, line := range partners {
		w.prepare(split(line))
	}
	refused := func(want int, words ...string) {
		t.Helper()
		out, stderr, code := w.run(append([]string{"sallyport"}, words...))
		if code != want || out != "" || !strings.Contains(stderr, "hint: ") {
			t.Errorf("%q ended with %d, want %d, and said:\n%s%s", words, code, want, out, stderr)
		}
	}
	checked := 0
	for _, c := range lists((&app{}).root()) {
		command := strings.Fields(said(c))
		with := func(args ...string) []string { return append(slices.Clone(command), args...) }
		var rest []string // arguments behind the first
		for range max(len(positional(c.Use))-1, 0) {
			rest = append(rest, "/")
		}
		arguments := positional(c.Use)
		if len(arguments) > 0 && argumentNoun(c, arguments[0]) != "" {
			checked++
			refused(3, with(append([]string{"nothing-like-it"}, rest...)...)...)
		}
		if len(arguments) > 0 {
			continue
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			kind := flagNouns[f.Name]
			if k := moreFlagNouns[said(c)][f.Name]; k != "" {
				kind = k
			}
			if kind != "" {
				checked++
				refused(3, with("--"+f.Name, "nothing-like-it")...)
			}
		})
		if c.Flags().Lookup("state") != nil {
			checked++
			refused(2, with("--state", "nothing-like-it")...)
		}
	}
	if checked < 15 {
		t.Errorf("only %d filters were tried", checked)
	}
}

// TestAnEmptyPartOfAListIsNotTheWholeList: "Nothing was received yet" was said of one state.
func TestAnEmptyPartOfAListIsNotTheWholeList(t *testing.T) {
	for _, c := range []struct {
		narrowed, args []string
		want           string
	}{
		{nil, nil, "Nothing was received yet."},
		{[]string{"--state"}, nil, "Nothing matches --state."},
		{[]string{"--state", "--user"}, []string{"acme"}, "Nothing matches --state and --user."},
		{nil, []string{"acme"}, "Nothing of acme."},
		{[]string{"--since", "--until"}, nil, "There is nothing of that time."},
		{[]string{"--since", "--user"}, nil, "Nothing matches --since and --user."},
	} {
		if got := nothing("Nothing was received yet.", "Nothing of %s.", c.narrowed, c.args); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
