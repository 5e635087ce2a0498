// Package testkit gives tests a real node, real keys, real clients and real databases. It has no
// mocks of the product.
package testkit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/model"
)

// Node is a running server with its API client.
type Node struct {
	t    testing.TB
	Data string
	Addr string // SFTP, 127.0.0.1:port
	API  *client.Client
	Log  *Log

	node *node.Node
	cfg  config.Config
}

// Option changes a node's configuration before it starts.
type Option func(*config.Config)

// Start runs a node with a temporary data folder and a free port until the test ends.
func Start(t testing.TB, options ...Option) *Node {
	t.Helper()
	cfg := config.Default()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Listen = []string{"127.0.0.1:0"}
	cfg.Storage.FreeFloor = 0
	cfg.Limits.UserSessions, cfg.Limits.AccountSessions, cfg.Limits.AddressSessions = 1000, 1000, 1000
	cfg.Log.Level, cfg.Users.NameRule = "debug", "free"
	for _, o := range options {
		o(&cfg)
	}
	n := &Node{t: t, Data: cfg.Data, cfg: cfg, Log: &Log{}, API: client.Local(cfg.Data)}
	n.startFirst()
	t.Cleanup(func() {
		n.Stop()
		if t.Failed() {
			t.Logf("server log:\n%s", n.Log)
		}
	})
	return n
}

// Config returns the default configuration with a data folder.
func Config(data string) config.Config {
	c := config.Default()
	c.Data = data
	return c
}

func (n *Node) start() {
	n.t.Helper()
	nd, err := node.Start(node.Options{Config: n.cfg,
		Log: slog.New(slog.NewTextHandler(n.Log, &slog.HandlerOptions{Level: slog.LevelDebug})), Again: again()})
	if err != nil {
		n.t.Fatalf("node: %v", err)
	}
	n.node, n.Addr = nd, nd.Addresses()[0]
}

// FirstLink is the link with which the first administrator joins; "" once there is one.
func (n *Node) FirstLink() string { return n.node.FirstLink() }

// Stop stops the node. Running transfers get 200 ms.
func (n *Node) Stop() {
	if n.node == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	n.node.Close(ctx)
	n.node = nil
}

// WithWeb serves pages and the API on a free port of this machine.
func WithWeb(c *config.Config) { c.Web.Listen, c.Web.URL = "127.0.0.1:0", "https://files.example.com" }

// WebURL returns where a node with WithWeb serves pages and the API.
func (n *Node) WebURL() string { return "http://" + n.node.WebAddress() }

// Restart stops the node and starts another on the same data.
func (n *Node) Restart() {
	n.t.Helper()
	n.Stop()
	n.start()
}

// Call sends an API request and fails the test on an error.
func Call[T any](n *Node, method, path string, body any) T {
	n.t.Helper()
	v, err := client.Call[T](context.Background(), n.API, client.Request{Method: method, Path: path, Body: body})
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, path, err)
	}
	return v
}

// List returns all items of a list, and fails the test on an error.
func List[T any](n *Node, path string) []T {
	n.t.Helper()
	out := []T{}
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for cursor := ""; ; {
		page := Call[model.Page[T]](n, "GET", path+sep+"limit=1000&cursor="+cursor, nil)
		if out = append(out, page.Items...); page.Next == "" {
			return out
		}
		cursor = page.Next
	}
}

// User makes an account with its customer user of the same name, enrols a new key, and returns the
// key.
func (n *Node) User(name string) ssh.Signer {
	n.t.Helper()
	Call[model.Account](n, "POST", "/accounts", map[string]string{"id": name, "name": name})
	Call[model.User](n, "POST", "/users", map[string]string{"account": name})
	key := NewKey(n.t)
	n.Enrol(name, key)
	return key
}

// Enrol adds a key to a user.
func (n *Node) Enrol(user string, key ssh.Signer) {
	n.t.Helper()
	line := string(ssh.MarshalAuthorizedKey(key.PublicKey()))
	Call[[]model.Key](n, "POST", "/users/"+user+"/keys", map[string]string{"text": line})
}

// NewKey makes an Ed25519 key.
func NewKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ClientConfig returns the configuration of a client that logs in with keys. It accepts any host
// key.
func ClientConfig(user string, keys ...ssh.Signer) *ssh.ClientConfig {
	return &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(keys...)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 20 * time.Second}
}

// SSH logs in. The connection is closed when the test ends.
func (n *Node) SSH(user string, key ssh.Signer) *ssh.Client {
	n.t.Helper()
	c, err := ssh.Dial("tcp", n.Addr, ClientConfig(user, key))
	if err != nil {
		n.t.Fatalf("log-in of %s: %v", user, err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	return c
}

// SFTP logs in with pkg/sftp's client. It is closed when the test ends.
func (n *Node) SFTP(user string, key ssh.Signer) *sftp.Client {
	n.t.Helper()
	c, err := sftp.NewClient(n.SSH(user, key))
	if err != nil {
		n.t.Fatalf("sftp of %s: %v", user, err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Drops lists the inbox.
func (n *Node) Drops() []model.Drop {
	n.t.Helper()
	return List[model.Drop](n, "/inbox")
}

// Eventually waits until a condition holds. It fails the test after a minute.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second) // a busy machine with the race detector is slow
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen in time: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// FreePort returns a TCP port on loopback that is not in use.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Log collects a node's log.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Contains reports whether something was logged.
func (l *Log) Contains(s string) bool { return strings.Contains(l.String(), s) }

// MustRead reads a whole file.
func MustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
