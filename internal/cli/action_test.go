package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/model"
)

// TestEveryNextStepIsACommand: the command for each suggested action exists, with its flags, and
// each operation that the services suggest has a command.
func TestEveryNextStepIsACommand(t *testing.T) {
	for operation, list := range offers {
		for _, o := range list {
			a := model.Do(operation, o.when, "x")
			for _, command := range strings.Split(commandFor(a), ", or: ") {
				args := strings.Fields(strings.ReplaceAll(command, "''", "x"))[1:]
				var out bytes.Buffer
				app := &app{IO: IO{Out: &out, Err: &out}}
				c, rest, err := app.root().Find(args)
				if err != nil || !c.Runnable() {
					t.Errorf("%s: there is no command %q (%v)", operation, command, err)
					continue
				}
				if err := c.ParseFlags(numbers(rest)); err != nil {
					t.Errorf("%s: %q: %v", operation, command, err)
				}
			}
		}
	}
	var commands []string
	for _, c := range (&app{}).root().Commands() {
		commands = append(commands, c.Name())
	}
	line := regexp.MustCompile(`sallyport (` + strings.Join(commands, "|") + `)\b`)
	// These are for people who start the server, restore it, or verify its log on another machine.
	may := []string{"audit/head.go", "backup/", "doctor/", "cli/", "config/", "identity/", "node/", "notify/checkpoint.go",
		"proof/expiry.go", "proof/tree.go", "proof/checkpoint.go", "audit/export.go", "house/", "testkit/"}
	named := regexp.MustCompile(`(?:WithAction|model\.Do)\(\s*"([a-z-]+)"`)
	found := 0
	files, _ := filepath.Glob("../*/*.go")
	below, _ := filepath.Glob("../*/*/*.go")
	for _, file := range slices.Concat(files, below) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if line.Match(text) && !slices.ContainsFunc(may, func(p string) bool { return strings.HasPrefix(file, "../"+p) }) {
			t.Errorf("%s has a command line: a next step is an action (fault.WithAction)", file)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if found++; offers[m[1]] == nil {
				t.Errorf("%s names %s as a next step, and the command line has no command for it", file, m[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d next steps were found", found)
	}
}

// numbers replaces placeholders in arguments by values that the flags accept.
func numbers(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		switch a {
		case "SIZE":
			out[i] = "1GB"
		case "NUMBER", "BYTES":
			out[i] = "1"
		}
	}
	return out
}

func TestNextStepsInWords(t *testing.T) {
	for want, step := range map[string]struct {
		hint string
		do   *model.Action
	}{
		"":                                   {},
		"wait":                               {"wait", nil},
		"wait ":                              {"wait ", model.Do("no-such-operation")},
		"list them with: sallyport ban list": {"", model.Do("list-bans")},
		"sallyport unban 203.0.113.7":        {"", model.Do("lift-ban", "address", "203.0.113.7")},
		"revoke one first: sallyport key revoke FINGERPRINT --reason R": {"revoke one first", model.Do("revoke-key")},
		"The user is disabled: sallyport user enable 'a b'": {"The user is disabled.",
			model.Do("edit-user", "user", "a b", "enabled", "true")},
	} {
		if got := nextStep(step.hint, step.do); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
