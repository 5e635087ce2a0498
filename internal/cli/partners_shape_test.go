package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// A file with ten mistakes was refused for its first unknown field alone.
func TestEveryMistakeOfAPartnersFileIsFound(t *testing.T) {
	t.Chdir(t.TempDir())
	read := func(text string) ([]string, error) {
		testkit.Must(t, os.WriteFile("p.yaml", []byte(text), 0o600))
		_, mistakes, err := readPartners("p.yaml")
		var out []string
		for _, m := range mistakes {
			out = append(out, m.Text)
		}
		return out, err
	}
	many, err := read(
		"accounts:\n  - {id: a, label: A, tags: x}\n  - {id: b, name: [B], users: {}}\n  - word\nvendrs: []\n")
	if err != nil || len(many) != 6 {
		t.Errorf("%v: %q", err, many)
	}
	good, err := read("accounts:\n  - {id: a, name: A, tags: }\n  - {id: b, region: 12, users: [{name: 'x'}]}\n")
	if err != nil || len(good) > 0 {
		t.Errorf("a good file: %v %q", err, good)
	}
	for _, odd := range []string{"- a\n- b\n", "word\n", "{}\n", "accounts: ~\n", "&a [*a]\n",
		"accounts: *none\n", "? [a]\n: b\n"} {
		if list, err := read(odd); err != nil && !strings.HasSuffix(err.Error(), ".") {
			t.Errorf("%q: %v %q", odd, err, list)
		}
	}
}
