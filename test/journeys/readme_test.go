package journeys

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// readmeBlock is the script below "Five minutes".
var readmeBlock = regexp.MustCompile("(?s)\n## Five minutes\n.*?\n```sh\n(.*?)```\n")

// readmeLimit is how long the script may take; most of it is the compiler's.
const readmeLimit = 10 * time.Minute

// The README's five minutes run as they are printed, in a copy of the source tree, but for the port,
// which another server may have. They end by themselves.
func TestTheFiveMinutesOfTheReadme(t *testing.T) {
	testkit.Needs(t, "sftp", "ssh-keygen", "git", "make")
	script := readmeBlock.FindStringSubmatch(string(testkit.MustRead(t, "../../README.md")))
	if script == nil {
		t.Fatal("the README has no script below Five minutes")
	}
	tree := t.TempDir()
	copyTree := exec.Command("sh", "-c", `git ls-files -z --cached --others --exclude-standard | `+
		`xargs -0 sh -c 'for f; do [ -e "$f" ] && printf "%s\0" "$f"; done' sh | tar -c --null -T - | tar -x -C "$0"`, tree)
	copyTree.Dir = "../.."
	if out, err := copyTree.CombinedOutput(); err != nil {
		t.Fatalf("the source cannot be copied: %v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), readmeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu")
	cmd.Dir = tree
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(script[1], "2022", testkit.FreePort(t)))
	cmd.Env = append(os.Environ(), "SALLYPORT_STORAGE_FREE_FLOOR=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // if it fails, its server ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // there is nobody left if all went well
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"may log in as acme-carrier1 now", "downloaded in full",
		"incoming/acme-carrier1-", "This was the last key of user acme", "read ", "/download/invoice/2026-10.csv"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if t.Failed() {
		return
	}
	got := testkit.MustRead(t, filepath.Join(tree, "five-minutes/collected.csv"))
	if string(got) != "account,amount\nacme,12.50\n" {
		t.Errorf("the customer got %q", got)
	}
	log := string(testkit.MustRead(t, filepath.Join(tree, "five-minutes/server.log")))
	if strings.Contains(log, "level=ERROR") {
		t.Errorf("the server's log:\n%s", log)
	}
}
