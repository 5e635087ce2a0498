// Package house checks that the code follows the table in ARCHITECTURE.md.
package house

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const module = "github.com/sallyport-sftp/sallyport/"

// rules reads the table: folder → folders that it may import.
func rules(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|[^|]*\\|([^|]*)\\|$")
	out := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		allowed := []string{}
		for word := range strings.SplitSeq(m[2], ",") {
			if word = strings.TrimSpace(word); word != "" {
				allowed = append(allowed, word)
			}
		}
		out[m[1]] = allowed
	}
	if len(out) < 20 {
		t.Fatalf("the table has only %d rows: has its form changed?", len(out))
	}
	return out
}

// imports lists every package's imports, without tests, with go list.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "../../cmd/...",
		"../../internal/...", "../../model/...", "../../client/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range bytes.Lines(out) {
		words := strings.Fields(string(line))
		all[folder(words[0])] = words[1:]
	}
	return all
}

// folder returns a package's name in the table.
func folder(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "internal/")
}

func TestImportsFollowTheMap(t *testing.T) {
	allowed, all := rules(t), imports(t)
	for pkg, list := range all {
		may, known := allowed[pkg]
		if !known {
			t.Errorf("%s is not in the table of ARCHITECTURE.md", pkg)
			continue
		}
		for _, path := range list {
			if strings.HasPrefix(path, module) && !slices.Contains(may, folder(path)) {
				t.Errorf("%s imports %s, which the table does not allow", pkg, folder(path))
			}
		}
	}
	for pkg := range allowed {
		if _, exists := all[pkg]; !exists {
			t.Errorf("the table has %s, which does not exist", pkg)
		}
	}
}

func TestTheWordsNeedNothing(t *testing.T) {
	all := imports(t)
	for pkg, may := range map[string]string{"fault": "", "valid": "", "model": "", "exchange": "github.com/oklog/ulid/v2",
		"sftpwire": "", "sshwire": "golang.org/x/crypto/ssh"} {
		for _, path := range all[pkg] {
			if strings.Contains(path, ".") && !strings.HasPrefix(path, module) && path != may {
				t.Errorf("%s imports %s", pkg, path)
			}
		}
	}
}

// TestMailboxAloneWritesItsRows: only package mailbox writes the rows on which the consistency of
// names, versions, references, directories and usage depends.
func TestMailboxAloneWritesItsRows(t *testing.T) {
	writes := []string{"PutFile", "RemoveFile", "MoveFile", "AdoptVersions", "AddVersion", "AddVersions", "DropVersion",
		"RefBlob", "ForgetBlob", "AddDir", "MoveDir", "RemoveDir", "SetDirRights", "Use"}
	call := regexp.MustCompile(`\btx\.(` + strings.Join(writes, "|") + `)\(`)
	used := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		dir := filepath.Dir(path)
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || dir == "../store" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range call.FindAllSubmatch(text, -1) {
			if used[string(m[1])] = true; dir != "../mailbox" {
				t.Errorf("%s calls tx.%s", path, m[1])
			}
		}
		return err
	})
	if err != nil || len(used) != len(writes) {
		t.Errorf("found were %v: %v", slices.Sorted(maps.Keys(used)), err)
	}
}

// TestLinesFitOnAScreen: no line is longer than 120 columns; a tab counts as one.
func TestLinesFitOnAScreen(t *testing.T) {
	list, err := exec.Command("git", "-C", "../..", "ls-files", "*.go").Output()
	if err != nil {
		t.Skip("this is no checkout: ", err)
	}
	for name := range strings.FieldsSeq(string(list)) {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			continue // it was removed, and that is not committed yet
		}
		n := 0
		for line := range bytes.Lines(text) {
			if n++; utf8.RuneCount(bytes.TrimSuffix(line, []byte("\n"))) > 120 {
				t.Errorf("%s:%d has more than 120 columns", name, n)
			}
		}
	}
}
