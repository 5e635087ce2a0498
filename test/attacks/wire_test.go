package attacks

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// impatient is a node that gives strangers a second.
func impatient(c *config.Config) {
	c.Limits.Handshake, c.Limits.Login = config.Duration(time.Second), config.Duration(time.Second)
}

// ends fails unless the server closes the connection before the limit. What
// it says until then is thrown away.
func ends(t *testing.T, conn net.Conn, limit time.Duration) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	_, err := io.Copy(io.Discard, conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("the connection is open after %v", limit)
	}
}

func TestFirstBytesOfEveryUglyKind(t *testing.T) {
	n := start(t, impatient)
	key := n.User("alice")
	noise := make([]byte, 64<<10)
	for i := range noise {
		noise[i] = byte(rand.Int())
	}
	before := heap()
	for name, first := range map[string][]byte{
		"nothing":                    nil,
		"one byte":                   {'S'},
		"an HTTP request":            []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"a TLS ClientHello":          append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, noise[:500]...),
		"noise":                      noise,
		"64 KiB of zeros":            make([]byte, 64<<10),
		"64 KiB without a newline":   bytes.Repeat([]byte("SSH-2.0-"), 8<<10),
		"10,000 banner lines":        bytes.Repeat([]byte("hello\r\n"), 10_000),
		"SSH 1":                      []byte("SSH-1.5-old\r\n"),
		"an empty line":              []byte("\r\n"),
		"a version of 255 bytes":     []byte("SSH-2.0-" + strings.Repeat("x", 245) + "\r\n"),
		"a version of 300 bytes":     []byte("SSH-2.0-" + strings.Repeat("x", 300) + "\r\n"),
		"a version with NUL and ESC": []byte("SSH-2.0-\x00\x1b[2J\r\n"),
		"a packet of length 0":       []byte("SSH-2.0-x\r\n\x00\x00\x00\x00\x00\x14"),
		"a packet of length 2^32-1":  []byte("SSH-2.0-x\r\n\xff\xff\xff\xff\x04\x14"),
		"a packet of only padding":   []byte("SSH-2.0-x\r\n\x00\x00\x00\x0c\xff\x14xxxxxxxxxx"),
		"a KEXINIT without lists":    append([]byte("SSH-2.0-x\r\n"), frame([]byte{msgKexInit})...),
		"a KEXINIT with a list too long": append([]byte("SSH-2.0-x\r\n"),
			frame(pack(byte(msgKexInit), raw(make([]byte, 16)), uint32(0xffffffff)))...),
		"a KEXINIT of empty lists": append([]byte("SSH-2.0-x\r\n"),
			frame(pack(byte(msgKexInit), raw(make([]byte, 16+4*10+5))))...),
		"NEWKEYS at once": append([]byte("SSH-2.0-x\r\n"), frame([]byte{msgNewKeys})...),
		"a log-in in the clear": append([]byte("SSH-2.0-x\r\n"),
			frame(pack(byte(msgAuthRequest), "alice", "ssh-connection", "none"))...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", n.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = conn.Write(first)
			ends(t, conn, 10*time.Second)
		})
	}
	t.Cleanup(func() { // after the parallel ones
		alive(t, n, "alice", key)
		assertCleanLog(t, n)
		assertHeap(t, "ugly first bytes", before, 8<<20)
	})
}

// endless sends a chunk until the server has had enough, and fails if that
// takes too long.
func endless(t *testing.T, addr string, first, chunk []byte, pause time.Duration) (sent int) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	if _, err := conn.Write(first); err != nil {
		return 0
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(pause) {
		_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
		k, err := conn.Write(chunk)
		sent += k
		if err != nil {
			return sent
		}
	}
	t.Errorf("the server still listens after %d bytes", sent)
	return sent
}

func TestEndlessAndFragmentedBeginnings(t *testing.T) {
	n := start(t, impatient)
	key := n.User("alice")
	before := heap()
	version := []byte("SSH-2.0-x\r\n")
	big := pack(uint32(34_996), byte(4), byte(msgKexInit), raw(make([]byte, 16)), uint32(34_000))
	for _, a := range []struct {
		name         string
		first, chunk []byte
		pause        time.Duration
	}{
		{"an endless version line", []byte("SSH-2.0-"), bytes.Repeat([]byte("x"), 4096), 0},
		{"a version line, a byte at a time", []byte("SSH-2.0-"), []byte("x"), time.Millisecond},
		{"endless banner lines", nil, bytes.Repeat([]byte("hello\r\n"), 1000), 0},
		{"an endless KEXINIT", append(version, big...), make([]byte, 4096), 0},
		{"a KEXINIT, a byte at a time", append(version, big...), []byte("x"), time.Millisecond},
		{"a flood of PING for a KEXINIT", version, bytes.Repeat(frame(pack(byte(msgPing), "ping")), 100), 0},
		{"a flood of IGNORE for a KEXINIT", version, bytes.Repeat(frame(pack(byte(msgIgnore), "x")), 100), 0},
		{"IGNOREs after the KEXINIT", append(version, frame(clientInit())...),
			bytes.Repeat(frame(pack(byte(msgIgnore), "x")), 100), 0},
		{"PINGs after the KEXINIT", append(version, frame(clientInit())...),
			bytes.Repeat(frame(pack(byte(msgPing), "ping")), 100), 0},
		{"KEXINITs without end", version, frame(clientInit()), 0},
	} {
		t.Run(a.name, func(t *testing.T) {
			endless(t, n.Addr, a.first, a.chunk, a.pause)
		})
	}
	assertHeap(t, "endless beginnings", before, 8<<20)
	alive(t, n, "alice", key)
}

// A KEXINIT in single bytes is slow, not evil: the client gets in.
func TestFragmentedKexInitOfAGoodClient(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	conn, err := net.Dial("tcp", n.Addr)
	if err != nil {
		t.Fatal(err)
	}
	slow := &drip{Conn: conn, left: 600}
	c, _, _, err := ssh.NewClientConn(slow, n.Addr, testkit.ClientConfig("alice", key))
	if err != nil {
		t.Fatalf("a client that sends single bytes: %v", err)
	}
	_ = c.Close()
}

// drip writes its first bytes one at a time.
type drip struct {
	net.Conn
	left int
}

func (d *drip) Write(p []byte) (int, error) {
	for i := range p {
		if d.left--; d.left < 0 {
			n, err := d.Conn.Write(p[i:])
			return i + n, err
		}
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func TestUnsolicitedRepliesAndPingFlood(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	c := loginRaw(t, n.Addr, "alice", key)
	before := heap()
	for i := range 20_000 {
		number := []byte{msgRequestSuccess, msgRequestFailure}[i%2]
		if err := c.send(number, raw(make([]byte, 64))); err != nil {
			t.Fatalf("after %d replies that nobody asked for: %v", i, err)
		}
	}
	theirs, err := c.open("session", 7, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		number := []byte{msgChannelSuccess, msgChannelFailure}[i%2]
		if err := c.send(number, theirs); err != nil {
			t.Fatalf("after %d channel replies that nobody asked for: %v", i, err)
		}
	}
	if err := c.send(byte(msgChannelRequest), theirs, "subsystem", true, "sftp"); err != nil {
		t.Fatal(err)
	}
	if p, err := c.wait(msgChannelSuccess, msgChannelFailure); err != nil || p[0] != msgChannelSuccess {
		t.Fatalf("the connection is no longer served: %v, %v", p, err)
	}
	assertHeap(t, "40,000 unsolicited replies", before, 4<<20)
	alive(t, n, "alice", key)
}

// A client that pings and never reads the answers must not fill the memory,
// and must be given up.
func TestPingFloodThatNeverReads(t *testing.T) {
	n := start(t, short, func(c *config.Config) { c.Limits.Idle = config.Duration(2 * time.Second) })
	key := n.User("alice")
	c := loginRaw(t, n.Addr, "alice", key)
	before := heap()
	for i := 0; ; i++ {
		_ = c.conn.SetWriteDeadline(time.Now().Add(15 * time.Second))
		if err := c.send(byte(msgPing), make([]byte, 1000)); err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Errorf("a client that never reads keeps its session, after %d pings", i)
			}
			break
		}
	}
	testkit.Eventually(t, "its session is gone", func() bool { return len(sessions(n, "alice")) == 0 })
	assertHeap(t, "pings", before, 8<<20)
	alive(t, n, "alice", key)
}

// A rekey that is begun and never finished holds nothing for ever.
func TestRekeyNeverFinished(t *testing.T) {
	n := start(t, short, func(c *config.Config) { c.Limits.Idle = config.Duration(2 * time.Second) })
	key := n.User("alice")
	c := loginRaw(t, n.Addr, "alice", key)
	if err := c.send(raw(clientInit())); err != nil {
		t.Fatal(err)
	}
	if _, err := c.wait(msgKexInit); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the session is given up", func() bool { return len(sessions(n, "alice")) == 0 })
	alive(t, n, "alice", key)
}

func TestRekeyThatIsFinishedGoesOn(t *testing.T) {
	n := start(t)
	c := loginRaw(t, n.Addr, "alice", n.User("alice"))
	for range 5 {
		if err := c.exchange(); err != nil {
			t.Fatalf("rekey: %v", err)
		}
	}
	if _, err := c.open("session", 1, nil); err != nil {
		t.Error(err)
	}
}

// Each connection is recorded with a reason, whatever it was.
func TestRefusalsOfStrangersAreLoggedWithAReason(t *testing.T) {
	n := start(t, impatient)
	for i, first := range []string{"GET / HTTP/1.0\r\n\r\n", "SSH-2.0-scan\r\n"} {
		conn, err := net.Dial("tcp", n.Addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, first)
		if i == 1 {
			_ = conn.Close()
		} else {
			ends(t, conn, 10*time.Second)
		}
	}
	testkit.Eventually(t, "two refusals in the log", func() bool {
		return strings.Count(n.Log.String(), "log-in refused") == 2
	})
	if !n.Log.Contains(fmt.Sprintf("reason=%s", model.ReasonProtocol)) {
		t.Error("no refusal says that it was not SSH")
	}
}
