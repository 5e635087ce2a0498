package node_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// explained returns what is known of connections from this machine.
func explained(t *testing.T, n *testkit.Node) model.Explained {
	t.Helper()
	return testkit.Call[model.Explained](n, "GET", "/explain?about=127.0.0.1", nil)
}

// TestOwnProbesLeaveNoTrace: a test of a partner's way in was in the records, as somebody who broke off before the
// log-in.
func TestOwnProbesLeaveNoTrace(t *testing.T) {
	n := testkit.Start(t, func(c *config.Config) { c.Endpoint.Host = "127.0.0.1" })
	key := n.User("acme")
	checks, err := n.API.TestGuide(context.Background(), model.UserKeyFilter{User: "acme"})
	testkit.Must(t, err)
	if !slices.ContainsFunc(checks.Items, func(c model.Check) bool { return c.What == "Log-in" && c.OK }) {
		t.Fatalf("it did not log in: %+v", checks.Items)
	}
	n.SSH("acme", key) // a later connection is on record, so the probe's would be, too
	testkit.Eventually(t, "the log-in is on record", func() bool { return len(explained(t, n).Explanations) > 0 })
	if e := explained(t, n); len(e.Explanations) != 1 || e.Explanations[0].Connection.Outcome != model.ReasonOK {
		t.Errorf("%+v", e.Explanations)
	}
}

// TestAProxysHealthChecksLeaveNoTrace: what a trusted proxy does for itself is not a connection of a partner.
func TestAProxysHealthChecksLeaveNoTrace(t *testing.T) {
	n := testkit.Start(t, func(c *config.Config) { c.Access.Proxies = []string{"127.0.0.0/8"} })
	dial := func(header, rest string) net.Conn {
		nc, err := net.Dial("tcp", n.Addr)
		testkit.Must(t, err)
		_, err = io.WriteString(nc, header+rest)
		testkit.Must(t, err)
		return nc
	}
	const local = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	for _, header := range []string{local, "PROXY UNKNOWN\r\n"} {
		for _, rest := range []string{"", "SSH-2.0-check\r\n", "GET / HTTP/1.0\r\n\r\n"} {
			nc := dial(header, rest)
			testkit.Must(t, nc.(*net.TCPConn).CloseWrite())
			_, _ = io.Copy(io.Discard, nc) // until the server has closed it
			_ = nc.Close()
		}
	}
	nc := dial("PROXY UNKNOWN\r\n", "")
	_, _, _, err := ssh.NewClientConn(nc, n.Addr, &ssh.ClientConfig{User: "nobody", Auth: []ssh.AuthMethod{
		ssh.Password("x")}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		t.Fatalf("a log-in: %v", err)
	}
	testkit.Eventually(t, "who tries to log in is on record", func() bool { return len(explained(t, n).Explanations) > 0 })
	if e := explained(t, n); len(e.Explanations) != 1 || e.Explanations[0].Connection.User != "nobody" {
		t.Errorf("%+v", e.Explanations)
	}
}
