// Package oracle asks a node and Debian's sftp-server the same, and compares the answers:
// what a partner's program learned with OpenSSH must hold here. Where PROTOCOL.md says
// otherwise, the table of deviations does.
package oracle

import (
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/test/hostile"
)

// Types of packets, draft-ietf-secsh-filexfer-02 §3, and flags of OPEN.
const (
	typeInit     = 1
	typeOpen     = 3
	typeClose    = 4
	typeWrite    = 6
	typeLstat    = 7
	typeSetstat  = 9
	typeOpendir  = 11
	typeRemove   = 13
	typeMkdir    = 14
	typeRmdir    = 15
	typeStat     = 17
	typeRename   = 18
	typeExtended = 200

	typeStatus = 101
	typeAttrs  = 105

	flagRead, flagWrite, flagAppend, flagCreate, flagTruncate, flagExclusive = uint32(1), uint32(2), uint32(4), uint32(8),
		uint32(16), uint32(32)
)

// server is one that is asked.
type server struct {
	t    *testing.T
	ch   io.ReadWriter
	end  io.Closer // of the connection; nil for a process
	top  string    // where cases have their directories
	next uint32
}

// reply is one answer; code is 0 for what is no status.
type reply struct {
	code   uint32
	text   string
	handle []byte
	size   uint64 // of ATTRS, like mode
	mode   uint32
}

// ask sends a request and reads its answer; the servers answer in order.
func (s *server) ask(kind byte, fields ...any) reply {
	s.t.Helper()
	s.next++
	body := hostile.Pack(append([]any{kind, s.next}, fields...)...)
	if _, err := s.ch.Write(hostile.Pack(body)); err != nil {
		s.t.Fatal(err)
	}
	b := s.read()
	if binary.BigEndian.Uint32(b[1:]) != s.next {
		s.t.Fatalf("an answer to request %d, want %d", binary.BigEndian.Uint32(b[1:]), s.next)
	}
	if b[0] == typeAttrs { // both servers send all of them
		return reply{size: binary.BigEndian.Uint64(b[9:]), mode: binary.BigEndian.Uint32(b[25:])}
	}
	if b[0] != typeStatus {
		n := binary.BigEndian.Uint32(b[5:])
		return reply{handle: b[9:][:min(int(n), len(b)-9)]}
	}
	n := binary.BigEndian.Uint32(b[9:])
	return reply{code: binary.BigEndian.Uint32(b[5:]), text: string(b[13:][:n])}
}

func (s *server) read() []byte {
	s.t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(s.ch, head); err != nil {
		s.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head))
	if _, err := io.ReadFull(s.ch, b); err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *server) init() {
	s.t.Helper()
	if _, err := s.ch.Write(hostile.Pack(hostile.Pack(byte(typeInit), uint32(3)))); err != nil {
		s.t.Fatal(err)
	}
	s.read()
}

// put stores a small file.
func (s *server) put(path string) {
	s.t.Helper()
	handle := s.half(path)
	if r := s.ask(typeClose, handle); r.code != fault.StatusOK {
		s.t.Fatalf("CLOSE %s: %d %s", path, r.code, r.text)
	}
}

// half begins an upload and does not close it.
func (s *server) half(path string) (handle []byte) {
	s.t.Helper()
	h := s.ask(typeOpen, path, flagWrite|flagCreate|flagTruncate, uint32(0))
	if h.handle == nil {
		s.t.Fatalf("OPEN %s: %d %s", path, h.code, h.text)
	}
	if r := s.ask(typeWrite, h.handle, uint64(0), "content"); r.code != fault.StatusOK {
		s.t.Fatalf("WRITE %s: %d %s", path, r.code, r.text)
	}
	return h.handle
}

func (s *server) mkdir(path string) {
	s.t.Helper()
	if r := s.ask(typeMkdir, path, uint32(0)); r.code != fault.StatusOK {
		s.t.Fatalf("MKDIR %s: %d %s", path, r.code, r.text)
	}
}

// ours is a node's, and a user's upload folder.
func ours(t *testing.T, n *testkit.Node, user string) *server {
	t.Helper()
	return sessionOf(t, n, user, n.User(user))
}

// sessionOf is another session of a user.
func sessionOf(t *testing.T, n *testkit.Node, user string, key ssh.Signer) *server {
	t.Helper()
	c := n.SSH(user, key)
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range reqs {
		}
	}()
	if ok, err := ch.SendRequest("subsystem", true, hostile.Pack("sftp")); err != nil || !ok {
		t.Fatalf("subsystem: %v, %v", ok, err)
	}
	s := &server{t: t, ch: ch, end: c, top: "/upload"}
	s.init()
	return s
}

// theirs is Debian's sftp-server on a temporary directory.
func theirs(t *testing.T) *server {
	t.Helper()
	cmd := exec.Command("/usr/lib/openssh/sftp-server", "-e")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, ch: struct {
		io.Reader
		io.Writer
	}{out, in}, top: top}
	s.init()
	return s
}
