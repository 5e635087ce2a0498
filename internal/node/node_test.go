package node_test

import (
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/identity"
	"github.com/sallyport-sftp/sallyport/internal/node"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestStoppingLeavesNoGoroutine(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
	n := testkit.Start(t)
	key := n.User("acme")
	c := n.SFTP("acme", key)
	f, err := c.Create("/upload/f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	n.Stop() // with an unfinished upload
}

// hostKey returns a server's host key of a type.
func hostKey(t *testing.T, addr, kind string) string {
	t.Helper()
	got := ""
	_, err := ssh.Dial("tcp", addr, &ssh.ClientConfig{User: "x", HostKeyAlgorithms: []string{kind},
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error { got = ssh.FingerprintSHA256(k); return nil }})
	if got == "" {
		t.Logf("%s: %v", kind, err)
	}
	return got
}

func TestHostKeysNeverChangeByThemselves(t *testing.T) {
	n := testkit.Start(t)
	before := testkit.List[model.HostKey](n, "/hostkeys")
	if len(before) != 3 {
		t.Fatalf("%d host keys", len(before))
	}
	n.Restart()
	after := testkit.List[model.HostKey](n, "/hostkeys")
	for i := range before {
		if before[i] != after[i] {
			t.Fatalf("%v became %v", before[i], after[i])
		}
	}
	for _, kind := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA512} {
		if hostKey(t, n.Addr, kind) == "" {
			t.Errorf("%s is not offered", kind)
		}
	}
	if hostKey(t, n.Addr, ssh.KeyAlgoRSA) != "" {
		t.Error("SHA-1 is offered")
	}
	if err := os.RemoveAll(filepath.Join(n.Data, "hostkeys")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(n.Data, "hostkeys"), 0o700); err != nil {
		t.Fatal(err)
	}
	n.Stop()
	if _, err := start(n.Data); err == nil || !strings.Contains(err.Error(), "no host key") {
		t.Fatalf("a folder that lost its keys: %v", err)
	}
}

// start starts a node that should fail to start.
func start(data string) (*node.Node, error) {
	cfg := config.Default()
	cfg.Data, cfg.Listen = data, []string{"127.0.0.1:0"}
	return node.Start(node.Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
}

func TestImportedHostKeysAreTheOnlyOnes(t *testing.T) {
	testkit.Needs(t, "ssh-keygen")
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	keygen := func(name string, args ...string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if out, err := exec.Command("ssh-keygen", append([]string{"-q", "-N", "", "-f", file}, args...)...).
			CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return file
	}
	ed, rsa := keygen("ed", "-t", "ed25519"), keygen("rsa", "-t", "rsa", "-b", "2048")
	locked := filepath.Join(dir, "locked")
	if out, err := exec.Command("ssh-keygen", "-q", "-N", "secret", "-t", "ed25519", "-f", locked).
		CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, files := range [][]string{{ed + ".pub"}, {locked}, {keygen("small", "-t", "rsa", "-b", "1024")},
		{ed, keygen("ed2", "-t", "ed25519")}, {"/absent"}} {
		if _, err := identity.ImportHostKeys(data, files, false); err == nil {
			t.Errorf("%v were taken", files)
		}
	}
	imported, err := identity.ImportHostKeys(data, []string{ed, rsa}, false)
	if err != nil || len(imported) != 2 {
		t.Fatalf("%v, %v", imported, err)
	}
	if _, err := identity.ImportHostKeys(data, []string{ed}, false); !fault.Is(err, fault.Exists) {
		t.Fatalf("a second import: %v", err)
	}
	n := testkit.Start(t, func(c *config.Config) { c.Data = data })
	if got := hostKey(t, n.Addr, ssh.KeyAlgoED25519); got != imported[0].Fingerprint {
		t.Fatalf("offered %q, imported %q", got, imported[0].Fingerprint)
	}
	if hostKey(t, n.Addr, ssh.KeyAlgoECDSA256) != "" {
		t.Fatal("a type that was not imported is offered")
	}
	n.Stop()
	if _, err := identity.ImportHostKeys(data, []string{ed}, true); err != nil {
		t.Fatal(err)
	}
	n.Restart()
	if hostKey(t, n.Addr, ssh.KeyAlgoRSASHA256) != "" {
		t.Fatal("a replaced key is offered")
	}
}

func TestOneServerADataFolder(t *testing.T) {
	n := testkit.Start(t)
	if _, err := start(n.Data); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.PublicText(err), n.Data) {
		t.Fatalf("a second one: %v", err)
	}
}

func TestABusyPortIsNamedWithTheFix(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := config.Default()
	cfg.Data, cfg.Listen = filepath.Join(t.TempDir(), "data"), []string{l.Addr().String()}
	_, err = node.Start(node.Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.PublicText(err), "in use") || fault.HintIn(err) == "" {
		t.Fatalf("%v, hint %q", err, fault.HintIn(err))
	}
}
