package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// A file of partners that would take all of the machine's memory is refused before the parser reads it.
func TestAPartnersFileThatGrows(t *testing.T) {
	aliases := "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 8 {
		aliases += fmt.Sprintf("b%d: &a%d [%s*a%d]\n", i, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	deep := ""
	for i := range 300 {
		deep += strings.Repeat(" ", i) + "a:\n"
	}
	for what, c := range map[string]struct{ text, want string }{
		"lists in lists":    {"accounts: " + strings.Repeat("[", 200_000), "nested more deeply"},
		"groups in groups":  {"accounts: " + strings.Repeat("{a: ", 200_000), "nested more deeply"},
		"dashes on a line":  {strings.Repeat("- ", 200_000), "nested more deeply"},
		"keys on a line":    {strings.Repeat("? ", 200_000), "nested more deeply"},
		"indentation":       {deep, "nested more deeply"},
		"aliases":           {aliases, "anchors, aliases and tags"},
		"tags":              {"accounts: " + strings.Repeat("!a ", 100_000), "anchors, aliases and tags"},
		"a merge":           {"accounts:\n  - <<: {id: a}\n", "anchors, aliases and tags"},
		"more than is read": {strings.Repeat("# partners\n", maxPartnersYAML/11+1), "the most for YAML"},
	} {
		name := filepath.Join(t.TempDir(), "partners.yaml")
		testkit.Must(t, os.WriteFile(name, []byte(c.text), 0o600))
		_, _, err := readPartners(name)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// A text may hold what is refused elsewhere.
func TestAPartnersFileWithSignsInTexts(t *testing.T) {
	text := "accounts:\n- {id: a, name: \"*A* & B! [[[[\"}\n- id: b\n  name: |\n    " + strings.Repeat("[ ", 300) + "\n"
	name := filepath.Join(t.TempDir(), "partners.yaml")
	testkit.Must(t, os.WriteFile(name, []byte(text), 0o600))
	in, mistakes, err := readPartners(name)
	if err != nil || len(mistakes) > 0 || len(in.Accounts) != 2 || in.Accounts[0].Name != "*A* & B! [[[[" {
		t.Errorf("%+v, %v, %v", in, mistakes, err)
	}
}

// The cell of a key names whatever the file's author likes: only key files are read.
func TestAKeyFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	testkit.Must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	testkit.Must(t, os.WriteFile(filepath.Join(dir, "large"), make([]byte, maxKeyFile+1), 0o600))
	testkit.Must(t, os.Symlink("/dev/zero", filepath.Join(dir, "link")))
	for cell, want := range map[string]string{"/dev/zero": "is not a regular file", "link": "is not a regular file",
		"pipe": "is not a regular file", ".": "is not a regular file", "large": "is larger than 1.0 MB",
		"none": "does not exist"} {
		name := filepath.Join(dir, "partners.csv")
		testkit.Must(t, os.WriteFile(name, []byte("account,name,user,key\na,A,u,"+cell+"\n"), 0o600))
		_, mistakes, err := readPartners(name)
		if err != nil || len(mistakes) != 1 || !strings.Contains(mistakes[0].Text, want) {
			t.Errorf("%s: %v, %v; want %q", cell, mistakes, err, want)
		}
	}
	many := "account,name,user,key\n"
	testkit.Must(t, os.WriteFile(filepath.Join(dir, "large"), make([]byte, maxKeyFile), 0o600))
	for i := range maxPartners/maxKeyFile + 1 {
		many += fmt.Sprintf("a,A,u%d,large\n", i)
	}
	testkit.Must(t, os.WriteFile(filepath.Join(dir, "partners.csv"), []byte(many), 0o600))
	if _, mistakes, err := readPartners(filepath.Join(dir, "partners.csv")); err != nil || len(mistakes) != 1 {
		t.Errorf("many: %v, %v", mistakes, err)
	}
}
