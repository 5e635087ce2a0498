package attacks

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/sftpwire"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// forgery is what an attacker would like to see in a log: a line of its own,
// and what moves a terminal's cursor.
const forgery = "x\x1b[2J\x1b]0;owned\x07\u202E\u0085\u2028\x00\x7f"

func TestLogInjectionByVersionStringAndUsername(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	for _, user := range []string{forgery, "alice\ntime=2020-01-01T00:00:00Z level=INFO msg=\"logged in\" user=root",
		"\xff\xfe", "\x9b2J", strings.Repeat("\x1b", 10_000)} {
		c := dialRaw(t, n.Addr)
		if err := c.hello("SSH-2.0-" + strings.ReplaceAll(forgery, "\x00", "") + "\xff\x9b"); err != nil {
			t.Fatal(err)
		}
		if err := c.exchange(); err != nil {
			t.Fatal(err)
		}
		_ = c.send(byte(msgServiceRequest), "ssh-userauth")
		if _, err := c.wait(msgServiceAccept); err != nil {
			t.Fatal(err)
		}
		if got, _ := c.prove(user, key.PublicKey(), key); got != msgAuthFailure {
			t.Errorf("%q: %d", user, got)
		}
		_ = c.conn.Close()
	}
	testkit.Eventually(t, "five refusals in the log",
		func() bool { return strings.Count(n.Log.String(), "log-in refused") == 5 })
	c := dialRaw(t, n.Addr) // and logged in, with that version
	if err := c.hello("SSH-2.0-good\x1b[2J\u202E"); err != nil {
		t.Fatal(err)
	}
	if err := c.exchange(); err != nil {
		t.Fatal(err)
	}
	_ = c.send(byte(msgServiceRequest), "ssh-userauth")
	if got, err := c.prove("alice", key.PublicKey(), key); got != msgAuthSuccess {
		t.Fatalf("%d, %v", got, err)
	}
	assertCleanLog(t, n)
}

func TestLogInjectionByFileNamesAndRequests(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	c := n.SSH("alice", key)
	s := subsystem(t, c)
	s.init()
	name := strings.ReplaceAll(forgery, "\x00", "") + "\ntime=2020 level=INFO msg=forged"
	s.put("/upload/"+name, []byte("x"))
	s.want("RENAME", s.call(sftpwire.TypeRename, "/upload/"+name, "/upload/2"+name), statusOK)
	s.want("MKDIR", s.call(sftpwire.TypeMkdir, "/upload/d"+name, uint32(0)), statusOK)
	h := s.open("/upload/open"+name, flagWrite|flagCreate) // becomes a partial
	s.want("WRITE", s.call(sftpwire.TypeWrite, h, uint64(0), "partial"), statusOK)
	s.extended(name, name)
	ch := channel(t, c)
	_, _ = ch.SendRequest(name, true, pack(name))
	_, _ = ch.SendRequest("exec", true, pack(name))
	_ = ch.Close()
	if _, _, err := c.OpenChannel(name, []byte(name)); err == nil {
		t.Error("an odd channel was opened")
	}
	_, _, _ = c.SendRequest(name, true, []byte(name))
	_ = c.Close()
	testkit.Eventually(t, "the session has ended", func() bool { return n.Log.Contains("session ended") })
	n.Restart() // what it took up of the partial is logged, too
	n.Stop()
	assertCleanLog(t, n)
}

func TestUsernameTricksAreRefusedAtCreation(t *testing.T) {
	n := start(t)
	n.User("alice")
	for _, name := range []string{
		"..", ".", "a/b", "/", `a\b`, "../alice", "a\x00b", "a\nb", "a\x1b[2J", "\u202Eecila", "alice ", " alice", "al  ice",
		"-rf", ".hidden", "_x",
		"root", "admin", "administrator", "sallyport", "system", "operator", "nobody", "all", "new", strings.Repeat("a", 65),
		strings.Repeat("a", 1<<16),
		"caf\u00e9", "\u0430lice", "alice%00", "alice\u200b", "a:b", "@b", "+b", "ROOT", "All", "a*", "a?b", "a#b", "$(id)",
		"a;b", "a,b", "a'b", `a"b`, "<b>", "=cmd()", "alice\r\n",
	} {
		_, err := attempt[model.User](n, "POST", "/users", map[string]string{"account": "alice", "name": name})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("the username %.40q: %v", name, err)
		}
		_, err = attempt[model.Account](n, "POST", "/accounts", map[string]string{"id": name, "name": "x"})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("the account ID %.40q: %v", name, err)
		}
		_, err = attempt[model.Vendor](n, "POST", "/vendors", map[string]string{"short": name, "name": "x"})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("the vendor %.40q: %v", name, err)
		}
		if err != nil {
			assertPrintable(t, "the refusal", fault.PublicText(err)+fault.HintIn(err))
		}
	}
	for _, name := range []string{"Alice", "ALICE"} { // the same person, whatever the capitals
		_, err := attempt[model.User](n, "POST", "/users", map[string]string{"account": "alice", "name": name})
		if !fault.Is(err, fault.Exists) {
			t.Errorf("the username %q: %v", name, err)
		}
		_, err = attempt[model.Account](n, "POST", "/accounts", map[string]string{"id": name, "name": "x"})
		if !fault.Is(err, fault.Exists) {
			t.Errorf("the account ID %q: %v", name, err)
		}
	}
	if _, err := attempt[model.User](n, "POST", "/users", map[string]string{"account": "alice", "name": ""}); err == nil {
		t.Error("alice was made a second time")
	}
	if users := testkit.List[model.User](n, "/users"); len(users) != 1 {
		t.Errorf("there are %d users", len(users))
	}
	assertCleanLog(t, n)
}
