package attacks

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// Flags of OPEN (draft-ietf-secsh-filexfer-02 §6.3).
const (
	flagRead   = uint32(1)
	flagWrite  = uint32(2)
	flagAppend = uint32(4)
	flagCreate = uint32(8)
	flagTrunc  = uint32(16)
)

// Status codes (draft-ietf-secsh-filexfer-02 §7).
const (
	statusOK   = uint32(0)
	statusEOF  = uint32(1)
	statusNone = ^uint32(0) // no STATUS at all
)

// rawSFTP sends SFTP packets of any shape over a real session channel.
type rawSFTP struct {
	t      testing.TB
	client *ssh.Client
	ch     ssh.Channel
	id     uint32
}

// reply is one packet from the server.
type reply struct {
	kind byte
	id   uint32
	unpack
}

// channel opens a session channel. One that was closed a moment ago may still
// be counted, so a shortage is waited for.
func channel(t testing.TB, c *ssh.Client) (ch ssh.Channel) {
	t.Helper()
	testkit.Eventually(t, "a channel", func() bool {
		opened, reqs, err := c.OpenChannel("session", nil)
		var refused *ssh.OpenChannelError
		if errors.As(err, &refused) && refused.Reason == ssh.ResourceShortage {
			return false
		}
		if err != nil {
			t.Fatalf("channel: %v", err)
		}
		go ssh.DiscardRequests(reqs)
		ch = opened
		return true
	})
	return ch
}

// subsystem opens a session channel with SFTP on it, but says nothing yet. A
// test that hangs is cut off.
func subsystem(t testing.TB, c *ssh.Client) *rawSFTP {
	t.Helper()
	ch := channel(t, c)
	if ok, err := ch.SendRequest("subsystem", true, pack("sftp")); err != nil || !ok {
		t.Fatalf("subsystem: %v %v", ok, err)
	}
	timer := time.AfterFunc(90*time.Second, func() { _ = c.Close() })
	t.Cleanup(func() { timer.Stop() })
	return &rawSFTP{t: t, client: c, ch: ch}
}

// sftpOf logs in and goes as far as VERSION.
func sftpOf(t testing.TB, n *testkit.Node, user string, key ssh.Signer) *rawSFTP {
	t.Helper()
	s := subsystem(t, n.SSH(user, key))
	s.init()
	return s
}

func (s *rawSFTP) init() {
	s.t.Helper()
	s.write(sftpPacket(pack(byte(sftpwire.TypeInit), uint32(3))))
	if r := s.recv(); r.kind != sftpwire.TypeVersion || r.id != 3 {
		s.t.Fatalf("INIT was answered with %d %d", r.kind, r.id)
	}
}

// sftpPacket puts the length before a body.
func sftpPacket(body []byte) []byte { return pack(body) }

// write sends bytes as they are.
func (s *rawSFTP) write(b []byte) {
	s.t.Helper()
	if _, err := s.ch.Write(b); err != nil {
		s.t.Fatalf("write: %v", err)
	}
}

// request makes a packet with the next id.
func (s *rawSFTP) request(kind byte, fields ...any) []byte {
	s.id++
	return sftpPacket(pack(kind, s.id, raw(pack(fields...))))
}

// call sends one request and reads its answer.
func (s *rawSFTP) call(kind byte, fields ...any) reply {
	s.t.Helper()
	s.write(s.request(kind, fields...))
	r := s.recv()
	if r.id != s.id {
		s.t.Fatalf("request %d of type %d: the answer has id %d (type %d)", s.id, kind, r.id, r.kind)
	}
	return r
}

func (s *rawSFTP) extended(name string, fields ...any) reply {
	s.t.Helper()
	return s.call(sftpwire.TypeExtended, name, raw(pack(fields...)))
}

// next reads one packet, or how the channel ended.
func (s *rawSFTP) next() (reply, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(s.ch, head); err != nil {
		return reply{}, err
	}
	n := binary.BigEndian.Uint32(head)
	if n < 5 || n > sftpwire.MaxPacket {
		return reply{}, errors.New("the server sent a packet of an odd length")
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(s.ch, body); err != nil {
		return reply{}, err
	}
	return reply{body[0], binary.BigEndian.Uint32(body[1:]), unpack{b: body[5:]}}, nil
}

func (s *rawSFTP) recv() reply {
	s.t.Helper()
	r, err := s.next()
	if err != nil {
		s.t.Fatalf("no answer: %v", err)
	}
	return r
}

// status is the code of a STATUS, or statusNone.
func (r reply) status() uint32 {
	if r.kind != sftpwire.TypeStatus {
		return statusNone
	}
	return binary.BigEndian.Uint32(r.b)
}

// text is a STATUS's sentence.
func (r reply) text() string {
	u := unpack{b: r.b}
	u.uint32()
	return u.string()
}

// want fails the test unless the answer is a STATUS with this code.
func (s *rawSFTP) want(what string, r reply, code uint32) {
	s.t.Helper()
	if got := r.status(); got != code {
		s.t.Errorf("%s: status %d (type %d), want %d: %q", what, int32(got), r.kind, code, r.b)
	}
}

// refused fails the test unless the answer is a STATUS other than OK that
// brings a sentence.
func (s *rawSFTP) refused(what string, r reply) {
	s.t.Helper()
	if r.kind != sftpwire.TypeStatus || r.status() == statusOK || r.text() == "" {
		s.t.Errorf("%s was not refused clearly: type %d, %q", what, r.kind, r.b)
	}
}

// open opens a file and returns its handle.
func (s *rawSFTP) open(path string, flags uint32) []byte {
	s.t.Helper()
	r := s.call(sftpwire.TypeOpen, path, flags, uint32(0))
	if r.kind != sftpwire.TypeHandle {
		s.t.Fatalf("OPEN %q: status %d %q", path, r.status(), r.b)
	}
	return r.bytes()
}

func (s *rawSFTP) close(handle []byte) uint32 {
	s.t.Helper()
	return s.call(sftpwire.TypeClose, handle).status()
}

// put stores a file.
func (s *rawSFTP) put(path string, data []byte) {
	s.t.Helper()
	h := s.open(path, flagWrite|flagCreate|flagTrunc)
	for at := 0; at < len(data); at += 32 << 10 {
		s.want("WRITE", s.call(sftpwire.TypeWrite, h, uint64(at), data[at:min(len(data), at+32<<10)]), statusOK)
	}
	if code := s.close(h); code != statusOK {
		s.t.Fatalf("CLOSE of %q: %d", path, code)
	}
}

// get reads a whole file of at most 255 KiB.
func (s *rawSFTP) get(path string) []byte {
	s.t.Helper()
	h := s.open(path, flagRead)
	r := s.call(sftpwire.TypeRead, h, uint64(0), uint32(255<<10))
	data := []byte{}
	if r.kind == sftpwire.TypeData {
		data = r.bytes()
	}
	s.close(h)
	return data
}

// names lists a directory, without "." and "..".
func (s *rawSFTP) names(dir string) []string {
	s.t.Helper()
	r := s.call(sftpwire.TypeOpendir, dir)
	if r.kind != sftpwire.TypeHandle {
		s.t.Fatalf("OPENDIR %q: %q", dir, r.b)
	}
	h := r.bytes()
	out := []string{}
	for {
		r := s.call(sftpwire.TypeReaddir, h)
		if r.kind != sftpwire.TypeName {
			break
		}
		for n := r.uint32(); n > 0; n-- {
			name := r.string()
			long := r.string()
			assertPrintable(s.t, "a line of ls -l", long)
			skipAttrs(&r.unpack)
			if name != "." && name != ".." {
				out = append(out, name)
			}
		}
	}
	s.close(h)
	return out
}

// skipAttrs reads attributes over and returns their size field.
func skipAttrs(u *unpack) (size uint64) {
	flags := u.uint32()
	if flags&sftpwire.AttrSize != 0 {
		size = u.uint64()
	}
	for _, bit := range []uint32{sftpwire.AttrOwner, sftpwire.AttrOwner, sftpwire.AttrPermissions, sftpwire.AttrTimes,
		sftpwire.AttrTimes} {
		if flags&bit != 0 {
			u.uint32()
		}
	}
	return size
}
