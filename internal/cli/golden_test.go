package cli

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// update rewrites the golden files with the present output. A golden file has a script and its
// output: lines in the first column are commands, indented lines are their output.
var update = flag.Bool("update", false, "rewrite testdata/golden")

func TestMain(m *testing.M) {
	time.Local = time.UTC // people see times in their own zone
	os.Exit(m.Run())
}

const goldenDir = "testdata/golden"

// TestGolden runs the scripts, each with its own node.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(goldenDir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no golden files: %v", err)
	}
	root, err := filepath.Abs(".")
	testkit.Must(t, err)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			file := filepath.Join(root, file)
			text := string(testkit.MustRead(t, file))
			w := newWorld(t)
			compare(t, file, text, w.script(text))
		})
	}
}

// TestHelp compares the help of every command with a file for each noun.
func TestHelp(t *testing.T) {
	for noun, commands := range nouns() {
		t.Run(noun, func(t *testing.T) {
			var script strings.Builder
			for _, c := range commands {
				script.WriteString("$ " + c.CommandPath() + " --help\n")
			}
			goldenScript(t, filepath.Join(goldenDir, "help", noun+".txt"), script.String())
		})
	}
}

// TestWrongLines runs every command with wrong arguments, and compares the output with a file for
// each noun.
func TestWrongLines(t *testing.T) {
	for noun, commands := range nouns() {
		t.Run(noun, func(t *testing.T) {
			var script strings.Builder
			for _, c := range commands {
				for _, args := range wrongLines(c) {
					script.WriteString("$ " + c.CommandPath() + args + "\n")
				}
			}
			goldenScript(t, filepath.Join(goldenDir, "errors", noun+".txt"), script.String())
		})
	}
}

// wrongLines returns wrong arguments for a command: none, too many, an unknown flag and an unknown
// letter.
func wrongLines(c *cobra.Command) []string {
	if c.HasSubCommands() {
		return []string{" nothing-like-it", " --nothing-like-it", " -Z"}
	}
	lines := []string{"", " 1 2 3 4 5 6 7 8 9", " --nothing-like-it", " -Z"}
	if takesNone(c) {
		lines = lines[1:]
	}
	return lines
}

// takesNone reports whether a command is valid without arguments. TestWrongLines does not run it
// without arguments, because it would call a server or be one.
func takesNone(c *cobra.Command) bool {
	required := false
	c.Flags().VisitAll(func(f *pflag.Flag) {
		required = required || f.Annotations[cobra.BashCompOneRequiredFlag] != nil ||
			f.Annotations["cobra_annotation_one_required"] != nil
	})
	return !required && (c.Args == nil || c.Args(c, nil) == nil)
}

// nouns returns the commands in order, by the noun with which they begin. The program itself is
// "sallyport".
func nouns() map[string][]*cobra.Command {
	a := &app{}
	root := a.root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	out := map[string][]*cobra.Command{"sallyport": {root}}
	var walk func(noun string, c *cobra.Command)
	walk = func(noun string, c *cobra.Command) {
		out[noun] = append(out[noun], c)
		list := slices.Clone(c.Commands())
		slices.SortFunc(list, func(x, y *cobra.Command) int { return strings.Compare(x.Name(), y.Name()) })
		for _, sub := range list {
			walk(noun, sub)
		}
	}
	for _, c := range root.Commands() {
		walk(c.Name(), c)
	}
	return out
}

// goldenScript runs a script that needs no server. It compares the result with the golden file,
// which must be made from the same script.
func goldenScript(t *testing.T, file, script string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatalf("%v (make it with: go test ./internal/cli -update)", err)
	}
	full, err := filepath.Abs(file)
	testkit.Must(t, err)
	t.Chdir(t.TempDir())
	w := &world{T: t, env: []string{"SALLYPORT_DATA=nowhere"}}
	compare(t, full, string(want), w.script(script))
}

// libraries are words of the libraries' messages, which only programmers understand.
var libraries = []string{"arg(s)", "flag(s)", "in the group [", "unknown command", "unknown flag", "unknown shorthand",
	"unknown help topic", "strconv", "validation failed", "pflag", "expected value", "expected number", "expected string"}

// compare fails with the first line that differs; with -update it rewrites the file.
func compare(t *testing.T, file, want, got string) {
	t.Helper()
	for line := range strings.Lines(got) {
		for _, words := range libraries {
			if strings.Contains(strings.ToLower(line), words) {
				t.Errorf("%s: a library's words reach people: %q", filepath.Base(file), line)
			}
		}
	}
	if got == want {
		return
	}
	if *update {
		testkit.Must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		testkit.Must(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	wantLines, gotLines := strings.Split(want, "\n"), strings.Split(got, "\n")
	done := ""
	for i, line := range gotLines {
		if strings.HasPrefix(line, "$ ") {
			done = line
		}
		if i >= len(wantLines) || line != wantLines[i] {
			wanted := "(the end of the file)"
			if i < len(wantLines) {
				wanted = wantLines[i]
			}
			t.Fatalf("%s:%d: after %q\ngot  %q\nwant %q\n(go test ./internal/cli -update rewrites it; look at the difference)",
				filepath.Base(file), i+1, done, line, wanted)
		}
	}
	t.Fatalf("%s: %d lines are missing at the end, the first is %q", filepath.Base(file),
		len(wantLines)-len(gotLines), wantLines[len(gotLines)])
}
