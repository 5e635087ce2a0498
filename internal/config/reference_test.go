package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/settings.md")

const referenceFile = "../../docs/settings.md"

// The reference of settings is made from the code: go test ./internal/config -update.
func TestTheReferenceOfSettingsIsCurrent(t *testing.T) {
	got := reference()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have, err := os.ReadFile(referenceFile); err != nil || string(have) != got {
		t.Errorf("docs/settings.md is not what the code says: go test ./internal/config -update rewrites it (%v)", err)
	}
}

// reference describes every setting in Markdown: a table of those without a group, and one for each group.
func reference() string {
	var b strings.Builder
	b.WriteString("# Settings\n\nMade from the code by `go test ./internal/config -update`. " +
		"`sallyport config init` writes a file with all of them, `sallyport config check` finds mistakes in yours.\n\n" +
		"A setting is given in the file or as a variable, which wins. Sizes: 512MiB, 50GB, or a number of bytes. " +
		"Lengths of time: 90s, 15m, 24h, 7d. " +
		"Settings with • change in a running server with `sallyport reload`; others need a restart.\n")
	defaults := Default().Redacted()
	groups, of := []string{}, map[string][]Setting{}
	for _, s := range Settings() {
		group, _, inGroup := strings.Cut(s.Name, ".")
		if !inGroup {
			group = ""
		}
		if of[group] == nil {
			groups = append(groups, group)
		}
		of[group] = append(of[group], s)
	}
	for _, group := range groups {
		if group != "" {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", group, cell(meanings[group]))
		}
		b.WriteString("\n| Setting | Reload | Default | Meaning | Variable |\n|---|---|---|---|---|\n")
		for _, s := range of[group] {
			reload := ""
			if AtReload(s.Name) {
				reload = "•"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Name, reload, code(defaults[s.Name]), cell(meanings[s.Name]),
				code(s.Variable))
		}
	}
	return b.String()
}

// cell is text in a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func code(text string) string {
	if text == "" || text == "[]" {
		return ""
	}
	return "`" + text + "`"
}
