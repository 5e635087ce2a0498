package service

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// Each example is a good configuration, and a server starts with it: in another folder, on other ports, and without the
// group's socket, which needs a group of the machine.
func TestExamplesStart(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	testkit.Must(t, err)
	if len(files) == 0 {
		t.Fatal("there are no examples")
	}
	for _, file := range append(files, "../../packaging/debian/sallyport.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			check := exec.Command(os.Args[0], "config", "check", "--config", file)
			check.Env = append(os.Environ(), asServer+"=1")
			if out, err := check.CombinedOutput(); err != nil {
				t.Fatalf("%s", out)
			}
			m := newManager(t)
			text := regexp.MustCompile(`(?m)^socket: .*$`).ReplaceAllString(string(testkit.MustRead(t, file)), "")
			text = strings.NewReplacer("/var/lib/sallyport", filepath.Join(m.dir, "data"), `listen: [":22"]`,
				`listen: ["`+m.addr+`"]`, `listen: [":3333"]`, `listen: ["`+m.addr+`"]`, "listen: \":443\"",
				`listen: "127.0.0.1:0"`, "127.0.0.1:8022", "127.0.0.1:0",
				"accept_terms: true", `accept_terms: true, directory: "https://127.0.0.1:1/directory"`).Replace(text)
			testkit.Must(t, os.WriteFile(filepath.Join(m.dir, "sallyport.yaml"), []byte(text), 0o600))
			m.terminate(m.start())
		})
	}
}
