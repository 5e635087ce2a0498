package exchange

import (
	"path"
	"strings"
	"testing"
)

// FuzzGlobs compares the quick comparison of a name with a glob with the library's.
func FuzzGlobs(f *testing.F) {
	for _, glob := range []string{"", "*", "**", "*.tmp", ".*", "~$*", "a", "a*b", "[ab]*", "*[!a]", `\*`, `*\]`, "*]",
		"?", "é*"} {
		for _, name := range []string{"", "a", "b.tmp", ".x", "~$a", "*", "]", "é", "a/b"} {
			f.Add(glob, name)
		}
	}
	f.Fuzz(func(t *testing.T, glob, name string) {
		want, err := path.Match(glob, name)
		if err != nil || strings.Contains(name, "/") { // such globs are refused, and names have no slash
			return
		}
		if got := matches(glob, name); got != want {
			t.Errorf("%q of %q: %v, want %v", glob, name, got, want)
		}
	})
}
