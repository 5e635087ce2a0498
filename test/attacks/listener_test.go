package attacks

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// proxyHost is the loopback address of the load balancer in these tests: what
// comes from there begins with a PROXY header.
const proxyHost = "127.0.0.9"

// guarded bans every address, loopback too, and trusts proxyHost.
func guarded(c *config.Config) {
	c.Access.NeverBan = nil
	c.Access.Proxies = []string{proxyHost}
}

// dialFrom connects from an address of this machine; the test's end closes it.
func dialFrom(t testing.TB, source, addr string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: 10 * time.Second}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	return conn
}

// dialAs connects as a client far away would: through the proxy, which names
// it in a header of version 1. Addresses of this machine connect themselves.
func dialAs(t testing.TB, n *testkit.Node, client string) net.Conn {
	t.Helper()
	if netip.MustParseAddr(client).IsLoopback() {
		return dialFrom(t, client, n.Addr)
	}
	conn := dialFrom(t, proxyHost, n.Addr)
	if _, err := io.WriteString(conn, proxyV1(client)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// proxyV1 is a header of version 1 that names a client.
func proxyV1(client string) string {
	if strings.Contains(client, ":") {
		return "PROXY TCP6 " + client + " 2001:db8::22 40000 22\r\n"
	}
	return "PROXY TCP4 " + client + " 192.0.2.22 40000 22\r\n"
}

// proxyV2 is a header of version 2: its command, family, and what follows.
func proxyV2(command, family byte, rest []byte) string {
	head := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family)
	return string(append(binary.BigEndian.AppendUint16(head, uint16(len(rest))), rest...))
}

// endpoints are the addresses of a version 2 header, with port 22 at our end.
func endpoints(client, server string) []byte {
	b := append(netip.MustParseAddr(client).AsSlice(), netip.MustParseAddr(server).AsSlice()...)
	return append(b, 0x9c, 0x40, 0, 22)
}

// entered reads the server's version line, which says that the connection is
// past the listener.
func entered(t testing.TB, conn net.Conn) *bufio.Reader {
	t.Helper()
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "SSH-2.0-Sallyport") {
		t.Fatalf("from %v: %q, %v", conn.LocalAddr(), line, err)
	}
	return r
}

// stumble makes connections fail, as many at once as clients are named, so
// that none waits for those before it: each speaks HTTP.
func stumble(t testing.TB, n *testkit.Node, clients ...string) {
	t.Helper()
	conns := make([]net.Conn, len(clients))
	for i, c := range clients {
		conns[i] = dialAs(t, n, c)
	}
	readers := make([]*bufio.Reader, len(clients))
	for i, c := range conns {
		readers[i] = entered(t, c)
	}
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			_, _ = io.Copy(io.Discard, readers[i])
			_ = c.Close()
		})
	}
	all.Wait()
}

// overConn is a raw client on a connection that exists.
func overConn(conn net.Conn) *rawSSH {
	return &rawSSH{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
}

// begin goes as far as the authentication service, as greet does.
func (c *rawSSH) begin(t testing.TB) {
	t.Helper()
	err := c.hello("SSH-2.0-attack")
	if err == nil {
		err = c.exchange()
	}
	if err == nil {
		err = c.send(byte(msgServiceRequest), "ssh-userauth")
	}
	if err == nil {
		_, err = c.wait(msgServiceAccept)
	}
	if err != nil {
		t.Fatalf("key exchange: %v", err)
	}
}

// times repeats a word.
func times(n int, word string) (out []string) {
	for range n {
		out = append(out, word)
	}
	return out
}

// bans are the addresses that are kept out now.
func bans(n *testkit.Node) (out []string) {
	for _, b := range testkit.List[model.Ban](n, "/bans") {
		out = append(out, b.Address)
	}
	return out
}

// enter logs in as a client far away.
func enter(t testing.TB, n *testkit.Node, client, user string, key ssh.Signer) (*ssh.Client, error) {
	t.Helper()
	conn := dialAs(t, n, client)
	c, chans, requests, err := ssh.NewClientConn(conn, n.Addr, testkit.ClientConfig(user, key))
	if err != nil {
		return nil, err
	}
	cl := ssh.NewClient(c, chans, requests)
	t.Cleanup(func() { _ = cl.Close() })
	return cl, nil
}

// mustEnter fails unless a client is in within patience.
func mustEnter(t testing.TB, n *testkit.Node, client, user string, key ssh.Signer) *ssh.Client {
	t.Helper()
	began := time.Now()
	c, err := enter(t, n, client, user, key)
	if err != nil {
		t.Fatalf("%s cannot log in from %s: %v", user, client, err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("the log-in from %s took %v", client, took)
	}
	return c
}

// parting is what a connection is told instead of being let in.
func parting(t testing.TB, n *testkit.Node, client string) string {
	t.Helper()
	conn := dialAs(t, n, client)
	r := entered(t, conn)
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return fmt.Sprintf("no farewell: %v", err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head)-1)
	if _, err := io.ReadFull(r, body); err != nil {
		return fmt.Sprintf("a short farewell: %v", err)
	}
	u := &unpack{b: body}
	if kind := u.byte(); kind != msgDisconnect {
		return fmt.Sprintf("message %d", kind)
	}
	u.uint32()
	return u.string()
}

// explained asks what the operator is told of an address, a user or a reference.
func explained(n *testkit.Node, about string) model.Explained {
	return testkit.Call[model.Explained](n, "GET", "/explain?about="+about, nil)
}

// outcomes are the reason codes of what was noted about somebody, the newest first.
func outcomes(n *testkit.Node, about string) (out []string) {
	for _, e := range explained(n, about).Explanations {
		out = append(out, e.Connection.Outcome)
	}
	return out
}
