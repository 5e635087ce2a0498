package cli

import (
	"strings"
	"testing"
)

// delivery list --account ” --remind --yes mailed everybody: a filter that is empty meant all.
func TestAnEmptyFlagIsNotAll(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"delivery list --account", "inbox list --state", "inbox claim --consumer c --user",
		"inbox pull --to landed --account", "user list --tag", "audit export --actor", "retention forecast --account",
		"retention hold --reason r --account", "announce send --subject s --text t --tag", "trace x --account",
		"message list --channel"} {
		words := append(append([]string{"sallyport"}, strings.Fields(line)...), "")
		if out, stderr, code := w.run(words); code != 2 || !strings.Contains(stderr, " is empty.") {
			t.Errorf("%s '': %d %s%s", line, code, out, stderr)
		}
	}
	if _, stderr, code := w.run([]string{"sallyport", "key", "set", "acme", "SHA256:nonesuch", "--flag", ""}); code != 3 {
		t.Errorf("what may be taken away: %d %s", code, stderr)
	}
}
