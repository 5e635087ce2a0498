package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Everything reports whether all tests are asked for, as make test and CI do. Alone,
// go test ./... runs what needs nothing but Go, in about a minute.
func Everything() bool { return os.Getenv("TESTS") == "all" }

// Long leaves a test out unless all are asked for, and says why.
func Long(t testing.TB, why string) {
	t.Helper()
	if !Everything() {
		t.Skipf("left out, since %s; make test runs it", why)
	}
}

// Rounds is all if all tests are asked for, and else some; the test's log says so.
func Rounds(t testing.TB, all, some int, of string) int {
	t.Helper()
	if Everything() {
		return all
	}
	t.Logf("left out: %s: %d instead of %d; make test runs all", of, some, all)
	return some
}

// Needs leaves a test out if a program is not here. If all tests are asked for, that is a
// failure.
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

// LongMain runs a package's tests if all are asked for, and else says what was left out.
func LongMain(m *testing.M, what string) {
	if !Everything() {
		fmt.Printf("left out: %s; make test runs them\n", what)
		os.Exit(0)
	}
	os.Exit(m.Run())
}
