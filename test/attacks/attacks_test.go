// Package attacks starts real nodes and attacks them: over TCP with bytes of
// any kind, with an SSH client that keeps to nothing, and with SFTP packets
// that lie. Each test is named after its attack. The clients are
// rawssh_test.go and rawsftp_test.go.
package attacks

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/cli"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// serveVariable makes this binary a server, for the tests that need a process
// of its own to send signals to.
const serveVariable = "ATTACKS_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		os.Exit(cli.Run(cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ()}, os.Args[1:]))
	}
	signal.Ignore(syscall.SIGPIPE)
	testkit.LongMain(m, "attacks")
}

// short gives a node deadlines that a test can wait for.
func short(c *config.Config) {
	c.Limits.KeepAlive = config.Duration(300 * time.Millisecond)
	c.Limits.Stall = config.Duration(time.Second)
}

// attempt is testkit.Call for requests that may be refused.
func attempt[T any](n *testkit.Node, method, path string, body any) (T, error) {
	return client.Call[T](context.Background(), n.API, client.Request{Method: method, Path: path, Body: body})
}

// heap is how many bytes are in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// assertHeap fails when more than limit bytes stay in use on top of before.
func assertHeap(t testing.TB, what string, before, limit int64) {
	t.Helper()
	if grown := heap() - before; grown > limit {
		t.Errorf("%s: memory grew by %d KiB, more than %d KiB", what, grown>>10, limit>>10)
	}
}

// assertPrintable fails when a text could play tricks on a terminal or a log.
func assertPrintable(t testing.TB, what, text string) {
	t.Helper()
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD") || !unicode.IsPrint(r) {
			t.Errorf("%s has a raw %U at byte %d: %.200q", what, r, i, text[max(0, i-80):])
			return
		}
	}
}

// assertCleanLog fails when the node's log has raw control bytes, or a line
// that the logger did not begin.
func assertCleanLog(t testing.TB, n *testkit.Node) {
	t.Helper()
	for line := range strings.Lines(n.Log.String()) {
		line = strings.TrimSuffix(line, "\n")
		assertPrintable(t, "the log", line)
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("a log line was forged: %q", line)
		}
	}
}

// sessions are the live ones of a user.
func sessions(n *testkit.Node, user string) (found []model.Session) {
	for _, s := range testkit.List[model.Session](n, "/sessions") {
		if s.User == user {
			found = append(found, s)
		}
	}
	return found
}

// alive fails the test unless a real user can log in and store a file.
func alive(t testing.TB, n *testkit.Node, user string, key ssh.Signer) {
	t.Helper()
	c, err := ssh.Dial("tcp", n.Addr, testkit.ClientConfig(user, key))
	if err != nil {
		t.Fatalf("after the attack, %s cannot log in: %v", user, err)
	}
	defer c.Close()
	s := subsystem(t, c)
	s.init()
	s.put("/upload/alive", []byte("alive"))
	if got := string(s.get("/upload/alive")); got != "alive" {
		t.Fatalf("after the attack, a file reads %q", got)
	}
}
