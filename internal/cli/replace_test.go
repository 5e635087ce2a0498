package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// Whoever can write in the folder puts a link where a guide, a page or a site file goes: what it leads to
// stays as it is.
func TestAFileIsNotWrittenThroughALink(t *testing.T) {
	w := newWorld(t)
	w.prepare([]string{"partners"})
	testkit.Must(t, os.WriteFile("authorized_keys", []byte("mine"), 0o600))
	victim, err := filepath.Abs("authorized_keys")
	testkit.Must(t, err)
	for _, c := range []struct{ link, command string }{
		{"guides/acme.html", "sallyport guide acme --format html --out guides"},
		{"sites/acme.rclone.conf", "sallyport sites acme --for rclone --out sites"},
		{"pages/sallyport.1", "sallyport man --out pages"},
		{"preview.html", "sallyport mail preview welcome --html preview.html"},
	} {
		words := strings.Fields(c.command)
		if _, stderr, code := w.run(words); code != 0 { // twice: what it wrote itself is replaced
			t.Fatalf("%s: %d, %s", c.command, code, stderr)
		}
		if _, stderr, code := w.run(words); code != 0 {
			t.Fatalf("%s: %d, %s", c.command, code, stderr)
		}
		if err := os.Remove(c.link); err != nil {
			found, _ := filepath.Glob(filepath.Join(filepath.Dir(c.link), "*"))
			t.Fatalf("%v; there are %v", err, found)
		}
		testkit.Must(t, os.Symlink(victim, c.link))
		_, stderr, code := w.run(words)
		if code == 0 || !strings.Contains(stderr, "is not a regular file") {
			t.Errorf("%s: %d, %s", c.command, code, stderr)
		}
		if string(testkit.MustRead(t, victim)) != "mine" {
			t.Fatalf("%s wrote through the link", c.command)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(c.link), ".sallyport-*")); len(left) > 0 {
			t.Errorf("%s left %v", c.command, left)
		}
	}
}
