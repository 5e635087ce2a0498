package attacks

import (
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// patience is within what time a real user must be in.
const patience = 5 * time.Second

// crowd opens connections that each send some first bytes and then nothing.
func crowd(t *testing.T, addr string, size int, first func(i int) string) {
	t.Helper()
	var wait sync.WaitGroup
	var mu sync.Mutex
	for i := range size {
		wait.Go(func() {
			conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
			if err != nil {
				t.Errorf("connection %d: %v", i, err)
				return
			}
			mu.Lock()
			t.Cleanup(func() { _ = conn.Close() })
			mu.Unlock()
			_, _ = io.WriteString(conn, first(i))
		})
	}
	wait.Wait()
}

// intime fails unless a user logs in within patience.
func intime(t *testing.T, n *testkit.Node, key ssh.Signer) {
	t.Helper()
	began := time.Now()
	alive(t, n, "alice", key)
	if took := time.Since(began); took > patience {
		t.Errorf("the log-in took %v", took)
	}
}

func TestSlowLorisOf300(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	crowd(t, n.Addr, 300, func(i int) string {
		return []string{"", "SSH-2.0-loris\r\n", "SSH-2.0-loris\r\n\x00\x00\x04",
			string(append([]byte("SSH-2.0-loris\r\n"), frame(clientInit())...))}[i%4]
	})
	for range 3 {
		intime(t, n, key)
	}
}

func TestThousandIdleConnections(t *testing.T) {
	n := start(t, func(c *config.Config) { c.Limits.HalfOpen, c.Limits.HalfOpenAddress = 2000, 2000 })
	key := n.User("alice")
	before := heap()
	crowd(t, n.Addr, 1000, func(int) string { return "" })
	intime(t, n, key)
	assertHeap(t, "1,000 idle connections (both ends)", before, 32<<20)
}

func TestThousandIdleConnectionsUnderTheDefaultLimits(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	before := heap()
	crowd(t, n.Addr, 1000, func(int) string { return "SSH-2.0-x\r\n" })
	intime(t, n, key)
	assertHeap(t, "1,000 idle connections (both ends)", before, 32<<20)
}

// A crowd at one address that comes back each time it is put out must not
// keep out who comes from another.
func TestReconnectingCrowdAtAnotherAddress(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	stop := make(chan struct{})
	var wait sync.WaitGroup
	defer wait.Wait()
	defer close(stop)
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: time.Second}
	for range 100 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := from.Dial("tcp", n.Addr)
				if err != nil {
					continue
				}
				_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
		})
	}
	for range 3 {
		intime(t, n, key)
	}
}

func TestSessionLimits(t *testing.T) {
	n := start(t, func(c *config.Config) { c.Limits.UserSessions = 2 })
	alice, bob := n.User("alice"), n.User("bob")
	first := n.SSH("alice", alice)
	n.SSH("alice", alice)
	for range 3 {
		if c, err := ssh.Dial("tcp", n.Addr, testkit.ClientConfig("alice", alice)); err == nil {
			_ = c.Close()
			t.Fatal("a third session of alice began")
		}
	}
	alive(t, n, "bob", bob) // the limit is alice's alone
	_ = first.Close()
	testkit.Eventually(t, "a session that ended makes room", func() bool {
		c, err := ssh.Dial("tcp", n.Addr, testkit.ClientConfig("alice", alice))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func TestSessionLimitsOfAccountAndAddress(t *testing.T) {
	for what, limit := range map[string]testkit.Option{
		"account": func(c *config.Config) { c.Limits.AccountSessions = 2 },
		"address": func(c *config.Config) { c.Limits.AddressSessions = 2 },
	} {
		t.Run(what, func(t *testing.T) {
			n := start(t, limit)
			key := n.User("alice")
			n.SSH("alice", key)
			n.SSH("alice", key)
			if c, err := ssh.Dial("tcp", n.Addr, testkit.ClientConfig("alice", key)); err == nil {
				_ = c.Close()
				t.Error("a third session began")
			}
		})
	}
}

// Who made room at a full listener was not refused for what they did, and their
// record says so.
func TestWhoMakesRoomIsOnRecordAsThat(t *testing.T) {
	n := start(t, func(c *config.Config) { c.Limits.HalfOpen = 1 })
	key := n.User("alice")
	slow := dialRaw(t, n.Addr)
	if err := slow.hello("SSH-2.0-slow"); err != nil {
		t.Fatal(err)
	}
	alive(t, n, "alice", key)
	testkit.Eventually(t, "the record of who made room", func() bool {
		e := testkit.Call[model.Explained](n, "GET", "/explain?about=127.0.0.1", nil)
		return slices.ContainsFunc(e.Explanations, func(x model.Explanation) bool {
			return x.Connection.Outcome == model.ReasonServerOverload && strings.Contains(x.Advice, "busy")
		})
	})
}
