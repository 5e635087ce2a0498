package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Everything reports whether all tests are to run, as with make test and in CI. Without it, go test
// ./... runs only tests that need nothing but Go, in about a minute.
func Everything() bool { return os.Getenv("TESTS") == "all" }

// Long skips a test unless all tests are to run. why is the reason for the log.
func Long(t testing.TB, why string) {
	t.Helper()
	if !Everything() {
		t.Skipf("left out, since %s; make test runs it", why)
	}
}

// Rounds returns all if all tests are to run, else some, and then says so in the test's log.
func Rounds(t testing.TB, all, some int, of string) int {
	t.Helper()
	if Everything() {
		return all
	}
	t.Logf("left out: %s: %d instead of %d; make test runs all", of, some, all)
	return some
}

// Needs skips a test if a program is not installed. If all tests are to run, it fails instead.
func Needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		Long(t, "there is no "+p)
		t.Fatalf("there is no %s; scripts/install-test-packages installs it", p)
	}
}

// LongMain runs a package's tests if all tests are to run. Otherwise it prints that they are left
// out.
func LongMain(m *testing.M, what string) {
	if !Everything() {
		fmt.Printf("left out: %s; make test runs them\n", what)
		os.Exit(0)
	}
	os.Exit(m.Run())
}
