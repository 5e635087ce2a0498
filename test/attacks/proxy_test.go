package attacks

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// loginAfter sends first bytes from an address, logs in as alice behind them,
// and says from where the server thinks that she came.
func loginAfter(t *testing.T, n *testkit.Node, source, header string, key ssh.Signer) (string, error) {
	t.Helper()
	conn := dialFrom(t, source, n.Addr)
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	c := overConn(&prefixed{Conn: conn, first: header})
	defer conn.Close()
	if err := c.hello("SSH-2.0-behind-a-proxy"); err != nil {
		return "", err
	}
	if err := c.exchange(); err != nil {
		return "", err
	}
	if err := c.send(byte(msgServiceRequest), "ssh-userauth"); err != nil {
		return "", err
	}
	if _, err := c.prove("alice", key.PublicKey(), key); err != nil {
		return "", err
	}
	live := sessions(n, "alice")
	if len(live) != 1 {
		t.Fatalf("%d sessions of alice", len(live))
	}
	if live[0].Client != "SSH-2.0-behind-a-proxy" {
		t.Errorf("the client's version is %q", live[0].Client)
	}
	testkit.Eventually(t, "the log-in is on record", func() bool {
		e := explained(n, live[0].Address).Explanations
		return len(e) > 0 && e[0].Connection.Session == live[0].ID
	})
	_ = conn.Close()
	testkit.Eventually(t, "the session is over", func() bool { return len(sessions(n, "alice")) == 0 })
	return live[0].Address, nil
}

// prefixed sends some bytes in one write with the first of its own, as a proxy
// that waits for the client does.
type prefixed struct {
	net.Conn
	first string
}

func (p *prefixed) Write(b []byte) (int, error) {
	first := p.first
	p.first = ""
	n, err := p.Conn.Write(append([]byte(first), b...))
	return max(0, n-len(first)), err
}

func TestProxyHeadersNameTheClient(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	v4, v6 := endpoints("203.0.113.9", "192.0.2.22"), endpoints("2001:db8::9", "2001:db8::22")
	tlv := append([]byte{0x04, 0, 200}, make([]byte, 200)...) // PP2_TYPE_NOOP
	for _, c := range []struct{ name, header, from string }{
		{"v1 TCP4", "PROXY TCP4 203.0.113.9 192.0.2.22 1234 22\r\n", "203.0.113.9"},
		{"v1 TCP6", "PROXY TCP6 2001:db8::9 2001:db8::22 1234 22\r\n", "2001:db8::9"},
		{"v1 TCP6 in full",
			"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"v1 UNKNOWN", "PROXY UNKNOWN\r\n", proxyHost},
		{"v1 UNKNOWN with more",
			"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
			proxyHost},
		{"v2 IPv4", proxyV2(0x21, 0x11, v4), "203.0.113.9"},
		{"v2 IPv6", proxyV2(0x21, 0x21, v6), "2001:db8::9"},
		{"v2 IPv6 that maps an IPv4", proxyV2(0x21, 0x21, endpoints("::ffff:203.0.113.9", "::ffff:192.0.2.22")),
			"203.0.113.9"},
		{"v2 IPv4 with extensions", proxyV2(0x21, 0x11, append(v4[:len(v4):len(v4)], tlv...)), "203.0.113.9"},
		{"v2 LOCAL", proxyV2(0x20, 0, nil), proxyHost},
		{"v2 LOCAL with addresses", proxyV2(0x20, 0x11, v4), proxyHost},
		{"v2 LOCAL with extensions", proxyV2(0x20, 0, tlv), proxyHost},
	} {
		from, err := loginAfter(t, n, proxyHost, c.header, key)
		if err != nil || from != c.from {
			t.Errorf("%s: recorded as %q, want %q (%v)", c.name, from, c.from, err)
		}
	}
}

// Only who is trusted may say where a client is: the header of anybody else is
// not SSH, and ends the connection.
func TestSpoofedProxyHeaderFromAnUntrustedSource(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	v4 := endpoints("203.0.113.9", "192.0.2.22")
	for name, header := range map[string]string{
		"v1 TCP4":                     proxyV1("203.0.113.9"),
		"v1 UNKNOWN":                  "PROXY UNKNOWN\r\n",
		"v2 IPv4":                     proxyV2(0x21, 0x11, v4),
		"v2 IPv4 that ends in a line": proxyV2(0x21, 0x11, append(v4[:10:10], 0x08, '\n')), // port 2058
		"v2 with extensions":          proxyV2(0x21, 0x11, append(v4[:12:12], 0x04, 0, 1, '\n')),
		"v1 behind an empty line":     "\r\n" + proxyV1("203.0.113.9"),
	} {
		from, err := loginAfter(t, n, "127.0.0.5", header, key)
		if err == nil {
			t.Errorf("%s: the connection went on (recorded as from %s)", name, from)
		}
	}
	if got := explained(n, "203.0.113.9"); len(got.Explanations) != 0 {
		t.Errorf("connections are on record for the address that was claimed: %+v", got)
	}
	alive(t, n, "alice", key)
	assertCleanLog(t, n)
}

// brokenHeaders are what a trusted proxy should never send.
func brokenHeaders() map[string]string {
	v4 := endpoints("203.0.113.9", "192.0.2.22")
	header := proxyV2(0x21, 0x11, v4)
	return map[string]string{
		"none, but SSH":                 "SSH-2.0-OpenSSH_9.9\r\n",
		"none, silence":                 "",
		"v1 cut short":                  "PROXY TCP4 203.0.1",
		"v1 without addresses":          "PROXY TCP4\r\n        ",
		"v1 with a number too large":    "PROXY TCP4 999.1.1.1 192.0.2.22 1234 22\r\n",
		"v1 with a name":                "PROXY TCP4 localhost 192.0.2.22 1234 22\r\n",
		"v1 with a zone":                "PROXY TCP6 fe80::1%lo fe80::2%lo 1234 22\r\n",
		"v1 with a port too large":      "PROXY TCP4 203.0.113.9 192.0.2.22 99999 22\r\n",
		"v1 in lower case":              "proxy tcp4 203.0.113.9 192.0.2.22 1234 22\r\n",
		"v1 of the wrong family":        "PROXY TCP4 2001:db8::9 2001:db8::22 1234 22\r\n",
		"v1 that ends in LF":            "PROXY TCP4 203.0.113.9 192.0.2.22 1234 22\n",
		"v1 with ESC":                   "PROXY TCP4 \x1b[2J 192.0.2.22 1234 22\r\n",
		"v1 endless":                    "PROXY TCP4 " + strings.Repeat("1", 100_000),
		"v2 cut short":                  header[:20],
		"v2 of version 3":               strings.Replace(header, "QUIT\n\x21", "QUIT\n\x31", 1),
		"v2 with an unknown command":    proxyV2(0x2f, 0x11, v4),
		"v2 with an unknown family":     proxyV2(0x21, 0x41, v4),
		"v2 with an unknown transport":  proxyV2(0x21, 0x13, v4),
		"v2 of a Unix socket":           proxyV2(0x21, 0x31, make([]byte, 216)),
		"v2 without a family":           proxyV2(0x21, 0x00, nil),
		"v2 shorter than its addresses": proxyV2(0x21, 0x11, v4[:6]),
		"v2 longer than anybody needs":  proxyV2(0x21, 0x11, make([]byte, 2049)),
		"v2 that claims 65535 bytes":    header[:14] + "\xff\xff" + strings.Repeat("x", 100_000),
		"v2 whose extensions are broken": proxyV2(0x21, 0x11, append(v4[:12:12], 0x04, 0xff, 0xff, 1)) +
			"SSH-2.0-x\r\nGET /\r\n\r\n",
		"HTTP":  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"zeros": string(make([]byte, 4096)),
	}
}

func TestBrokenProxyHeadersEndInBoundedTime(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	var all sync.WaitGroup
	for name, first := range brokenHeaders() {
		all.Go(func() {
			conn := dialFrom(t, proxyHost, n.Addr)
			_, _ = io.WriteString(conn, first)
			_ = conn.SetReadDeadline(time.Now().Add(8 * time.Second))
			if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
				t.Errorf("%s: the connection is open after 8 s", name)
			}
		})
	}
	all.Go(func() { // a byte a second, for as long as it goes
		conn := dialFrom(t, proxyHost, n.Addr)
		header := proxyV2(0x21, 0x11, endpoints("203.0.113.9", "192.0.2.22"))
		began := time.Now()
		for i := 0; i < len(header); i++ {
			if _, err := conn.Write([]byte{header[i]}); err != nil {
				break
			}
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := conn.Read(make([]byte, 1)); err != nil && !isTimeout(err) {
				break
			}
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("a header at a byte a second was waited for %v", took)
		}
	})
	mustEnter(t, n, "127.0.0.5", "alice", key)
	mustEnter(t, n, "203.0.113.9", "alice", key)
	all.Wait()
	alive(t, n, "alice", key)
	assertCleanLog(t, n)
	if n.Log.Contains("panic") {
		t.Error("the server panicked")
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// Connections that never finish their header take room only from one another.
func TestHalfSentProxyHeadersOf600(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	before := heap()
	for i := range 600 {
		conn := dialFrom(t, proxyHost, n.Addr)
		_, _ = io.WriteString(conn, []string{"", "PROXY TCP4 203.0.113.9 ", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x08\x00"}[i%3])
	}
	mustEnter(t, n, "127.0.0.5", "alice", key)
	mustEnter(t, n, "203.0.113.9", "alice", key)
	assertHeap(t, "600 half-sent headers (both ends)", before, 16<<20)
}

// A server that is told to stop does not wait for headers that never come.
func TestShutdownWhileAProxyHeaderIsAwaited(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	conn := dialFrom(t, proxyHost, n.Addr)
	_, _ = io.WriteString(conn, "PROXY TCP4 ")
	_ = mustEnter(t, n, "203.0.113.9", "alice", key).Close()
	began := time.Now()
	n.Stop()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the server took %v to stop", took)
	}
}

// An address that a proxy names is judged like any other: by the lists of
// addresses, by the number of its connections, by bans.
func TestProxiedAddressesAreJudged(t *testing.T) {
	n := start(t, guarded, func(c *config.Config) { c.Limits.AddressSessions = 1 })
	alice, bob := n.User("alice"), n.User("bob")
	testkit.Call[model.User](n, "PATCH", "/users/bob", map[string]any{"allow_ips": []string{"203.0.113.9"}})
	if _, err := enter(t, n, "203.0.113.10", "bob", bob); err == nil {
		t.Error("bob logged in from an address that is not on his list")
	}
	first := mustEnter(t, n, "203.0.113.9", "bob", bob)
	if _, err := enter(t, n, "203.0.113.9", "alice", alice); err == nil {
		t.Error("a second session of one address began")
	}
	mustEnter(t, n, "203.0.113.11", "alice", alice) // the proxy itself is no address of theirs
	_ = first.Close()
}
