package attacks

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// saysWhy waits until explain says something about a user's connections.
func saysWhy(t *testing.T, n *testkit.Node, user, says string) {
	t.Helper()
	testkit.Eventually(t, "explain says "+says, func() bool {
		for _, e := range explained(n, user).Explanations {
			if strings.Contains(e.Sentence, says) && e.Advice != "" {
				return true
			}
		}
		return false
	})
}

// TestWhatNobodyReadsIsBounded: one-byte packets that nobody reads cost the server fifty
// times their size; the connection ends long before a window of them has come, the
// memory is given back, and the operator reads why.
func TestWhatNobodyReadsIsBounded(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	ch := channel(t, n.SSH("alice", key))
	sent := 0
	for ; sent < 1<<20; sent++ {
		if _, err := ch.Write([]byte{0}); err != nil {
			break
		}
	}
	if sent == 1<<20 {
		t.Fatal("half a window of one-byte packets was taken")
	}
	testkit.Eventually(t, "the memory is given back", func() bool { return heap()-before < 64<<20 })
	saysWhy(t, n, "alice", "sent so much more than was read")
}

// TestAChannelMustAskForSFTP: one that asks for nothing is closed.
func TestAChannelMustAskForSFTP(t *testing.T) {
	t.Parallel()
	n := start(t)
	c := n.SSH("alice", n.User("alice"))
	ch := channel(t, c)
	began := time.Now()
	if _, err := ch.Read(make([]byte, 1)); err == nil {
		t.Fatal("something came")
	}
	if took := time.Since(began); took < 5*time.Second || took > 20*time.Second {
		t.Errorf("it was closed after %v", took)
	}
	_ = c.Close()
	saysWhy(t, n, "alice", "asked for something other than SFTP")
}

// TestPastItsBudgetOneWaits: the change is not refused, it waits; and a revocation ends
// the wait.
func TestPastItsBudgetOneWaits(t *testing.T) {
	n := start(t, func(c *config.Config) { c.Limits.Changes = 2 })
	s := sftpOf(t, n, "alice", n.User("alice"))
	for _, dir := range []string{"/upload/a", "/upload/b"} {
		if got := s.call(sftpwire.TypeMkdir, dir, uint32(0)).status(); got != statusOK {
			t.Fatalf("MKDIR %s: status %d", dir, got)
		}
	}
	s.write(s.request(sftpwire.TypeMkdir, "/upload/c", uint32(0)))
	testkit.Eventually(t, "the log says that the user is slowed down",
		func() bool { return n.Log.Contains("more changes than its budget") })
	testkit.Call[model.User](n, "PATCH", "/users/alice", map[string]any{"enabled": false})
	saysWhy(t, n, "alice", "they were slowed down")
}
