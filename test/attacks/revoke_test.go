package attacks

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// A live session ends within two seconds of each of these, and what it was
// uploading is not stored, though its CLOSE is sent at once.
func TestRevokedInTheMiddleOfAnUpload(t *testing.T) {
	for what, revoke := range map[string]func(n *testkit.Node, key ssh.Signer){
		"a revoked key": func(n *testkit.Node, key ssh.Signer) {
			testkit.Call[model.Revoked](n, "POST", "/keys/revoke",
				map[string]string{"fingerprint": ssh.FingerprintSHA256(key.PublicKey()), "reason": "lost"})
		},
		"a disabled user": func(n *testkit.Node, _ ssh.Signer) {
			testkit.Call[model.User](n, "PATCH", "/users/alice", map[string]any{"enabled": false})
		},
		"a suspended account": func(n *testkit.Node, _ ssh.Signer) {
			testkit.Call[model.Account](n, "PATCH", "/accounts/alice",
				map[string]model.AccountState{"state": model.AccountSuspended})
		},
		"a closed account": func(n *testkit.Node, _ ssh.Signer) {
			testkit.Call[model.Account](n, "PATCH", "/accounts/alice",
				map[string]model.AccountState{"state": model.AccountClosed})
		},
		"an address no longer allowed": func(n *testkit.Node, _ ssh.Signer) {
			testkit.Call[model.User](n, "PATCH", "/users/alice", map[string]any{"allow_ips": []string{"192.0.2.1"}})
		},
	} {
		t.Run(what, func(t *testing.T) {
			// closed accounts may download for a while unless the operator says otherwise
			n := start(t, func(c *config.Config) { c.Retain.CloseAccess = model.CloseNone })
			key := n.User("alice")
			s, idle := sftpOf(t, n, "alice", key), n.SSH("alice", key)
			bystander := sftpOf(t, n, "bob", n.User("bob"))
			s.put("/upload/before", []byte("stored"))
			h := s.open("/upload/late", flagWrite|flagCreate)
			s.want("WRITE", s.call(sftpwire.TypeWrite, h, uint64(0), "late"), statusOK)
			revoke(n, key)
			began := time.Now()
			if _, err := s.ch.Write(s.request(sftpwire.TypeClose, h)); err == nil {
				if r, err := s.next(); err == nil && r.status() == statusOK {
					t.Error("the upload was acknowledged")
				}
			}
			gone(t, "the session", s.client, 2*time.Second)
			gone(t, "an idle session", idle, 2*time.Second)
			t.Logf("ended after %v", time.Since(began))
			if c, err := ssh.Dial("tcp", n.Addr, testkit.ClientConfig("alice", key)); err == nil {
				_ = c.Close()
				t.Error("it can log in again")
			}
			bystander.put("/upload/x", []byte("unharmed"))
			for _, d := range n.Drops() {
				if d.Path == "/upload/late" {
					t.Error("the upload was stored")
				}
			}
		})
	}
}

// A read-only account keeps reading and stores nothing.
func TestReadOnlyAccountStoresNothing(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	sftpOf(t, n, "alice", key).put("/upload/x", []byte("x"))
	testkit.Call[model.Account](n, "PATCH", "/accounts/alice",
		map[string]model.AccountState{"state": model.AccountReadOnly})
	s := sftpOf(t, n, "alice", key)
	for what, r := range map[string]reply{
		"OPEN":         s.call(sftpwire.TypeOpen, "/upload/y", flagWrite|flagCreate, uint32(0)),
		"OPEN TRUNC":   s.call(sftpwire.TypeOpen, "/upload/x", flagWrite|flagTrunc, uint32(0)),
		"REMOVE":       s.call(sftpwire.TypeRemove, "/upload/x"),
		"MKDIR":        s.call(sftpwire.TypeMkdir, "/upload/d", uint32(0)),
		"RENAME":       s.call(sftpwire.TypeRename, "/upload/x", "/upload/z"),
		"posix-rename": s.extended("posix-rename@openssh.com", "/upload/x", "/upload/z"),
		"SETSTAT size": s.call(sftpwire.TypeSetstat, "/upload/x", uint32(sftpwire.AttrSize), uint64(0)),
		"SETSTAT time": s.call(sftpwire.TypeSetstat, "/upload/x", uint32(sftpwire.AttrTimes), uint32(1), uint32(1)),
	} {
		s.refused(what, r)
	}
	if got := string(s.get("/upload/x")); got != "x" {
		t.Errorf("read %q", got)
	}
}

// proxy forwards TCP until it is told to swallow everything: the connections
// stay open, and nothing passes any more, not even a FIN.
type proxy struct {
	addr    string
	swallow atomic.Bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{addr: l.Addr().String()}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				return
			}
			t.Cleanup(func() { _, _ = in.Close(), out.Close() })
			go p.pass(in, out)
			go p.pass(out, in)
		}
	}()
	return p
}

func (p *proxy) pass(from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if p.swallow.Load() {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			_ = to.Close()
			return
		}
	}
}

// A client that vanishes without a FIN is dropped after limits.keep_alive,
// and what it was uploading is kept as a partial.
func TestVanishedClient(t *testing.T) {
	n := start(t, short)
	key := n.User("alice")
	p := newProxy(t, n.Addr)
	c, err := ssh.Dial("tcp", p.addr, testkit.ClientConfig("alice", key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s := subsystem(t, c)
	s.init()
	h := s.open("/upload/long", flagWrite|flagCreate)
	s.want("WRITE", s.call(sftpwire.TypeWrite, h, uint64(0), make([]byte, 30_000)), statusOK)
	p.swallow.Store(true)
	began := time.Now()
	testkit.Eventually(t, "the vanished session is dropped", func() bool { return len(sessions(n, "alice")) == 0 })
	if took := time.Since(began); took > 10*300*time.Millisecond {
		t.Errorf("it took %v, with keep_alive 300ms", took)
	}
	again := sftpOf(t, n, "alice", key)
	r := again.call(sftpwire.TypeStat, "/upload/long")
	if size := skipAttrs(&r.unpack); r.kind != sftpwire.TypeAttrs || size == 0 || size > 30_000 {
		t.Errorf("the partial: type %d, %d bytes", r.kind, size)
	}
	if len(n.Drops()) != 0 {
		t.Error("the partial was handed on")
	}
}

// An idle client that answers is not dropped.
func TestIdleClientThatAnswersStays(t *testing.T) {
	n := start(t, short)
	s := sftpOf(t, n, "alice", n.User("alice"))
	over := make(chan struct{})
	go func() { _ = s.client.Wait(); close(over) }()
	select {
	case <-over:
		t.Fatal("a client that answers was dropped")
	case <-time.After(2 * time.Second): // six times keep_alive: nothing to wait for, since nothing may happen
	}
	s.put("/upload/x", []byte("x"))
}
