//go:build linux

package sandbox_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/sandbox"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// inside makes this test binary a process that confines itself, and then tries what its arguments say.
const inside = "TEST_BINARY_IS_CONFINED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(inside); dir != "" {
		c := config.Default()
		c.Data, c.Listen, c.Operator.Logo = filepath.Join(dir, "data"), []string{"127.0.0.1:0"},
			filepath.Join(dir, "logo/logo.svg")
		g := sandbox.For(c, "")
		g.Write = []string{c.Data} // not the folder for temporary files, in which the test has everything
		words, err := sandbox.Enter(os.Args[1], g)
		fmt.Println(words, err)
		for _, way := range []struct {
			name string
			try  func() error
		}{
			{"write data", func() error { return os.WriteFile(filepath.Join(c.Data, "a"), nil, 0o600) }},
			{"link data", func() error {
				_ = os.Mkdir(filepath.Join(c.Data, "sub"), 0o700)
				return os.Link(filepath.Join(c.Data, "a"), filepath.Join(c.Data, "sub/b"))
			}},
			{"read logo", func() error { _, err := os.ReadFile(c.Operator.Logo); return err }},
			{"write logo", func() error { return os.WriteFile(c.Operator.Logo, nil, 0o600) }},
			{"read secret", func() error { _, err := os.ReadFile(filepath.Join(dir, "secret")); return err }},
			{"read hosts", func() error { _, err := os.ReadFile("/etc/hosts"); return err }},
			{"run a program", func() error { return exec.Command("/bin/true").Run() }},
		} {
			if err := way.try(); err == nil {
				fmt.Printf("could %s;\n", way.name)
			}
		}
		return
	}
	os.Exit(m.Run())
}

// confined runs a confined process, and returns what it could do.
func confined(t *testing.T, mode string) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"data", "logo"} {
		testkit.Must(t, os.Mkdir(filepath.Join(dir, d), 0o700))
	}
	testkit.Must(t, os.WriteFile(filepath.Join(dir, "logo/logo.svg"), []byte("<svg/>"), 0o600))
	testkit.Must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600))
	c := exec.Command(os.Args[0], mode)
	c.Env = append(os.Environ(), inside+"="+dir)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// A confined server reaches its data folder, its configured files and what the system's libraries
// read, and no more.
func TestWhatAConfinedServerReaches(t *testing.T) {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil || abi < 1 {
		if out := confined(t, sandbox.Require); !strings.Contains(out, "has no Landlock") {
			t.Errorf("require: %s", out)
		}
		t.Log("THIS KERNEL HAS NO LANDLOCK: only that is tested which needs none")
		return
	}
	out := confined(t, sandbox.Require)
	for _, may := range []string{"write data", "link data", "read logo", "read hosts"} {
		if !strings.Contains(out, "could "+may+";") {
			t.Errorf("it could not %s:\n%s", may, out)
		}
	}
	for _, not := range []string{"write logo", "read secret", "run a program"} {
		if strings.Contains(out, "could "+not+";") {
			t.Errorf("it could %s:\n%s", not, out)
		}
	}
	if !strings.HasPrefix(out, "on: ") {
		t.Error(out)
	}
}

// Without the sandbox, everything that is tried works: a check that could not fail would prove nothing.
func TestWithoutTheSandboxNothingIsDenied(t *testing.T) {
	out := confined(t, sandbox.Off)
	for _, may := range []string{"write logo", "read secret", "run a program"} {
		if !strings.Contains(out, "could "+may+";") {
			t.Errorf("it could not %s:\n%s", may, out)
		}
	}
}
