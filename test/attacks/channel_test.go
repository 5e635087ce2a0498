package attacks

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// refuse opens a session channel, sends one request, and fails if it is granted.
func refuse(t *testing.T, c *ssh.Client, request string, payload []byte) {
	t.Helper()
	ch := channel(t, c)
	defer ch.Close()
	if ok, err := ch.SendRequest(request, true, payload); ok {
		t.Errorf("%s was granted (%v)", request, err)
	}
}

func TestOnlyTheSFTPSubsystemIsServed(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	c := n.SSH("alice", key)
	pty := pack("xterm", uint32(80), uint32(24), uint32(0), uint32(0), "")
	for _, a := range []struct {
		request string
		payload []byte
	}{
		{"exec", pack("id")},
		{"exec", pack("scp -t /upload")},
		{"exec", pack("internal-sftp")},
		{"shell", nil},
		{"pty-req", pty},
		{"x11-req", pack(false, "MIT-MAGIC-COOKIE-1", "00", uint32(0))},
		{"auth-agent-req@openssh.com", nil},
		{"env", pack("LD_PRELOAD", "/tmp/x.so")},
		{"window-change", pack(uint32(1), uint32(1), uint32(1), uint32(1))},
		{"signal", pack("KILL")},
		{"subsystem", nil},
		{"subsystem", []byte{0, 0}},
		{"subsystem", pack(uint32(4), raw("sft"))},
		{"subsystem", pack(uint32(0xffffffff), raw("sftp"))},
		{"subsystem", append(pack("sftp"), 'x')},
		{"subsystem", pack("sftp\x00")},
		{"subsystem", pack("SFTP")},
		{"subsystem", pack("")},
		{"subsystem", pack("netconf")},
		{"\x1b[2Jsubsystem", pack("sftp")},
	} {
		refuse(t, c, a.request, a.payload)
	}
	s := subsystem(t, c)
	s.init()
	s.put("/upload/after", []byte("x"))
	assertCleanLog(t, n)
}

func TestForwardingAndTunnelsAreRefused(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	c := n.SSH("alice", key)
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	reached := make(chan struct{}, 16)
	go func() {
		for {
			conn, err := target.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
			reached <- struct{}{}
		}
	}()
	port := uint32(target.Addr().(*net.TCPAddr).Port)
	for kind, extra := range map[string][]byte{
		"direct-tcpip":                   pack("127.0.0.1", port, "127.0.0.1", uint32(1)),
		"forwarded-tcpip":                pack("127.0.0.1", port, "127.0.0.1", uint32(1)),
		"direct-streamlocal@openssh.com": pack(n.Data+"/sallyport.sock", "", uint32(0)),
		"tun@openssh.com":                pack(uint32(1), uint32(0)),
		"x11":                            pack("127.0.0.1", uint32(6000)),
		"auth-agent@openssh.com":         nil,
		"":                               nil,
		"\x00session":                    nil,
	} {
		if ch, _, err := c.OpenChannel(kind, extra); err == nil {
			_ = ch.Close()
			t.Errorf("a channel %q was opened", kind)
		}
	}
	for kind, extra := range map[string][]byte{
		"tcpip-forward":                          pack("127.0.0.1", uint32(0)),
		"cancel-tcpip-forward":                   pack("127.0.0.1", uint32(0)),
		"streamlocal-forward@openssh.com":        pack(t.TempDir() + "/s"),
		"no-more-sessions@openssh.com":           nil,
		"hostkeys-prove-00@openssh.com":          pack("x"),
		"keepalive@openssh.com":                  nil,
		"\x1b]0;x\x07":                           nil,
		"cancel-streamlocal-forward@openssh.com": pack("/x"),
	} {
		if ok, _, err := c.SendRequest(kind, true, extra); ok || err != nil {
			t.Errorf("the global request %q: %v, %v", kind, ok, err)
		}
	}
	select {
	case <-reached:
		t.Error("the server connected to the target")
	default:
	}
	alive(t, n, "alice", key)
	assertCleanLog(t, n)
}

func TestSecondSubsystemOnOneChannel(t *testing.T) {
	n := start(t)
	s := sftpOf(t, n, "alice", n.User("alice"))
	for _, request := range []string{"subsystem", "exec", "shell"} {
		if ok, err := s.ch.SendRequest(request, true, pack("sftp")); ok || err != nil {
			t.Errorf("a second %s: %v, %v", request, ok, err)
		}
	}
	s.put("/upload/x", []byte("goes on"))
	if got := string(s.get("/upload/x")); got != "goes on" {
		t.Errorf("read %q", got)
	}
}

func TestEnvFloodOf10000(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	c := n.SSH("alice", key)
	ch := channel(t, c)
	before := heap()
	value := pack("NAME", string(make([]byte, 1000)))
	for range 10_000 {
		if _, err := ch.SendRequest("env", false, value); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := ch.SendRequest("subsystem", true, pack("sftp")); !ok || err != nil {
		t.Fatalf("SFTP after the flood: %v, %v", ok, err)
	}
	s := &rawSFTP{t: t, client: c, ch: ch}
	s.init()
	for range 10_000 { // and once more while SFTP runs
		if _, err := ch.SendRequest("env", false, value); err != nil {
			t.Fatal(err)
		}
	}
	s.put("/upload/x", []byte("x"))
	assertHeap(t, "20,000 env requests", before, 8<<20)
}

func TestTooManyChannels(t *testing.T) {
	n := start(t, func(c *config.Config) { c.Limits.Channels = 3 })
	c := n.SSH("alice", n.User("alice"))
	var open []*rawSFTP
	for range 3 {
		s := subsystem(t, c)
		s.init()
		open = append(open, s)
	}
	for range 20 {
		if ch, _, err := c.OpenChannel("session", nil); err == nil {
			_ = ch.Close()
			t.Fatal("a fourth channel was opened")
		}
	}
	for i, s := range open { // those there are go on
		s.put(fmt.Sprintf("/upload/%d", i), []byte("x"))
	}
	_ = open[0].ch.Close()
	testkit.Eventually(t, "a closed channel makes room", func() bool {
		ch, _, err := c.OpenChannel("session", nil)
		if err == nil {
			_ = ch.Close()
		}
		return err == nil
	})
	_ = c.Close()
	saysWhy(t, n, "alice", "asked for more SFTP channels at once on one connection")
}

// 2,000 channels come and go on one connection, refused, unused and used.
func TestChannelChurn(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	c := n.SSH("alice", key)
	churn := func(times int) {
		for i := range times {
			switch i % 3 {
			case 0:
				if _, _, err := c.OpenChannel("direct-tcpip", pack("127.0.0.1", uint32(1), "", uint32(0))); err == nil {
					t.Fatal("forwarding was granted")
				}
			case 1:
				_ = channel(t, c).Close()
			default:
				ch := channel(t, c)
				if ok, err := ch.SendRequest("subsystem", true, pack("sftp")); !ok || err != nil {
					t.Fatalf("subsystem: %v, %v", ok, err)
				}
				_ = ch.Close()
			}
		}
	}
	churn(200) // what is pooled is there now
	before := heap()
	churn(2000)
	assertHeap(t, "2,000 channels", before, 4<<20)
	alive(t, n, "alice", key)
}

// A channel that was refused keeps sending, and never closes: neither the
// connection's end nor its slot may hang on it.
func TestRequestsAfterARefusedExecDoNotWedgeTheConnection(t *testing.T) {
	n := start(t, short)
	key := n.User("alice")
	c := loginRaw(t, n.Addr, "alice", key)
	theirs, err := c.open("session", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	send := func(request string, want bool) {
		if err := c.send(byte(msgChannelRequest), theirs, request, want, pack("x")); err != nil {
			t.Fatal(err)
		}
	}
	send("exec", true)
	if _, err := c.wait(msgChannelFailure, msgChannelClose); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		send("env", false)
	}
	if _, err := c.open("session", 2, nil); err != nil {
		t.Errorf("the connection answers no more: %v", err)
	}
	_ = c.conn.Close()
	testkit.Eventually(t, "the session of a closed connection is gone",
		func() bool { return len(sessions(n, "alice")) == 0 })
}

// TestAProbeBesideSFTPIsNoMistake: rclone asks for a command on one channel, and works on
// another, before or after. Nobody is told to choose SFTP who did.
func TestAProbeBesideSFTPIsNoMistake(t *testing.T) {
	n := start(t)
	order := map[string]string{"before": "exec sftp", "after": "sftp exec", "between": "sftp exec sftp", "never": "exec"}
	const mistake = "asked for something other than SFTP"
	for _, user := range []string{"before", "after", "between", "never"} {
		c := n.SSH(user, n.User(user))
		for _, what := range strings.Fields(order[user]) {
			if what == "sftp" {
				subsystem(t, c).init()
			} else {
				refuse(t, c, "exec", pack("md5sum"))
			}
		}
		_ = c.Close()
		testkit.Eventually(t, user+" has left", func() bool { return len(testkit.List[model.Session](n, "/sessions")) == 0 })
	}
	saysWhy(t, n, "never", mistake) // so that the others' records are there, too
	for _, user := range []string{"before", "after", "between"} {
		for _, e := range explained(n, user).Explanations {
			if strings.Contains(e.Sentence, mistake) {
				t.Errorf("%s: %s", user, e.Sentence)
			}
		}
	}
}

// A channel that the server has closed, and the client has not, must not take
// data: its window would be memory that nobody bounds.
func TestDataOnRefusedChannelsIsNotKept(t *testing.T) {
	n := start(t, func(c *config.Config) { c.Limits.Channels = 4 })
	key := n.User("alice")
	c := loginRaw(t, n.Addr, "alice", key)
	before := heap()
	chunk := make([]byte, 32<<10)
	for i := range uint32(32) {
		theirs, err := c.open("session", i, nil)
		if err != nil {
			break // refused, as it should be while the others are not closed
		}
		if err := c.send(byte(msgChannelRequest), theirs, "exec", true, pack("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.wait(msgChannelClose); err != nil {
			t.Fatal(err)
		}
		for range 64 { // the whole window of 2 MiB
			if err := c.send(byte(msgChannelData), theirs, chunk); err != nil {
				break // the server ended the connection: as good
			}
		}
	}
	// A global request that is answered says that all of it was taken in.
	_ = c.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if c.send(byte(msgGlobalRequest), "are-you-there", true) == nil {
		_, _ = c.wait(msgRequestFailure)
	}
	assertHeap(t, "64 MiB sent to refused channels", before, 16<<20)
	alive(t, n, "alice", key)
}
