package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

const referenceFile = "../../docs/commands.md"

// The reference of commands is made from the code: go test ./internal/cli -update.
func TestTheReferenceOfCommandsIsCurrent(t *testing.T) {
	got := reference((&app{}).root())
	if *update {
		testkit.Must(t, os.WriteFile(referenceFile, []byte(got), 0o644))
		return
	}
	if string(testkit.MustRead(t, referenceFile)) != got {
		t.Error("docs/commands.md is not what the code says: go test ./internal/cli -update rewrites it")
	}
}

// reference describes every command in Markdown.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\nMade from the code by `go test ./internal/cli -update`. " +
		"`sallyport COMMAND --help` says the same, `sallyport man --out DIR` writes manual pages.\n\n" +
		"Every command takes:\n\n")
	fence(&b, root.PersistentFlags().FlagUsages())
	for _, c := range root.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", c.Name(), c.Short)
		list := commandsBelow(c)
		for _, sub := range list {
			fmt.Fprintf(&b, "\n### %s\n", said(sub))
			describeIn(&b, sub)
		}
		if len(list) == 0 {
			describeIn(&b, c)
		}
	}
	return b.String()
}

func describeIn(b *strings.Builder, c *cobra.Command) {
	if c.HasParent() && c.Parent().HasParent() {
		fmt.Fprintf(b, "\n%s.\n", c.Short)
	}
	b.WriteString("\n")
	fence(b, usage(c)+"\n")
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(c.Long))
	}
	if flags := c.LocalNonPersistentFlags().FlagUsages(); flags != "" {
		b.WriteString("\n")
		fence(b, flags)
	}
	if c.Example != "" {
		b.WriteString("\n")
		fence(b, c.Example+"\n")
	}
}

func fence(b *strings.Builder, text string) {
	b.WriteString("```text\n")
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " "))
	}
	b.WriteString("```\n")
}

// Manual pages name every command, and man(1) takes them without a warning.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	w := &world{T: t}
	if out, stderr, code := w.run([]string{"sallyport", "man", "--out", dir}); code != 0 {
		t.Fatalf("%d: %s%s", code, out, stderr)
	}
	all := ""
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	testkit.Must(t, err)
	for _, p := range pages {
		text := string(testkit.MustRead(t, p))
		all += text
		if !strings.HasPrefix(text, ".TH SALLYPORT") || !strings.Contains(text, ".SH NAME\n") {
			t.Errorf("%s is no manual page", p)
		}
	}
	leaves((&app{}).root(), func(c *cobra.Command) {
		if c.IsAvailableCommand() && !strings.Contains(all, roff(c.CommandPath())) {
			t.Errorf("no page has %s", c.CommandPath())
		}
	})
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("there is no groff to read the pages with")
	}
	for _, p := range pages {
		out, err := exec.Command(groff, "-man", "-Tutf8", "-ww", "-rLL=200n", p).CombinedOutput()
		if err != nil || strings.Contains(string(out), "warning") {
			t.Errorf("%s: %v: %s", filepath.Base(p), err, out[:min(len(out), 400)])
		}
	}
}

func TestExitCodesAreThoseOfTheKinds(t *testing.T) {
	for k := fault.Internal; k <= fault.NoRecipient; k++ {
		if code := k.ExitCode(); code < 1 || code >= len(exitCodes) {
			t.Errorf("%s ends with %d, which no manual page explains", k, code)
		}
	}
}
