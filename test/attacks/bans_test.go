package attacks

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// fileKey makes a key, and its file as OpenSSH keeps it.
func fileKey(t testing.TB) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, file
}

// openSSH lists the root directory with OpenSSH's sftp, and says what it printed.
func openSSH(n *testkit.Node, source, user, file string) (string, error) {
	host, port, _ := net.SplitHostPort(n.Addr)
	cmd := exec.Command("sftp", "-F", "/dev/null", "-b", "-", "-P", port, "-i", file, "-oIdentitiesOnly=yes",
		"-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oBindAddress="+source, user+"@"+host)
	cmd.Stdin = strings.NewReader("ls /\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTwentyFailuresBanAnAddress(t *testing.T) {
	n := start(t, guarded)
	key, attacker := n.User("alice"), "127.0.0.5"
	second, file := fileKey(t)
	n.Enrol("alice", second)
	live := mustEnter(t, n, attacker, "alice", key) // was in before, and stays
	stumble(t, n, times(19, attacker)...)
	if got := bans(n); len(got) != 0 {
		t.Fatalf("banned after 19 failures: %v", got)
	}
	stumble(t, n, attacker)
	all := testkit.List[model.Ban](n, "/bans")
	if len(all) != 1 || all[0].Address != attacker || all[0].Failures != 20 ||
		all[0].Until.Sub(all[0].Since) != 15*time.Minute || all[0].Reason != model.ReasonProtocol {
		t.Fatalf("after 20 failures: %+v", all)
	}
	out, err := openSSH(n, attacker, "alice", file)
	if err == nil || !strings.Contains(out, "Too many log-ins from your address failed") {
		t.Errorf("OpenSSH from the banned address: %v: %s", err, out)
	}
	mustEnter(t, n, "127.0.0.6", "alice", key)
	if _, _, err := live.SendRequest("keepalive", true, nil); err != nil {
		t.Errorf("the session from before the ban has ended: %v", err)
	}
	if out, _, _ := sallyport(n, "ban", "list"); !strings.Contains(out, attacker) ||
		!strings.Contains(out, model.Word(model.ReasonProtocol)) {
		t.Errorf("ban list: %s", out)
	}
	if out, errs, code := sallyport(n, "unban", attacker); code != 0 || !strings.Contains(out, "may try again") {
		t.Errorf("unban: %d %s%s", code, out, errs)
	}
	if out, err := openSSH(n, attacker, "alice", file); err != nil {
		t.Errorf("after unban: %v: %s", err, out)
	}
	if out, _, _ := sallyport(n, "ban", "list"); out != "Nobody is banned.\n" {
		t.Errorf("ban list after unban: %s", out)
	}
	if _, errs, code := sallyport(n, "unban", attacker); code != fault.NotFound.ExitCode() ||
		!strings.Contains(errs, "is not banned") {
		t.Errorf("a second unban: %d %s", code, errs)
	}
}

// Knocking while banned is counted, and costs next to nothing: it neither
// prolongs the ban nor fills the database.
func TestKnockingWhileBannedIsCountedOnly(t *testing.T) {
	n := start(t, guarded, func(c *config.Config) { c.Access.BanAfter = 3 })
	stumble(t, n, times(3, "203.0.113.9")...)
	before := testkit.List[model.Ban](n, "/bans")
	for range 50 {
		if text := parting(t, n, "203.0.113.9"); !strings.Contains(text, "Too many log-ins from your address failed") {
			t.Fatalf("the farewell: %q", text)
		}
	}
	after := testkit.List[model.Ban](n, "/bans")
	if len(before) != 1 || len(after) != 1 || !after[0].Until.Equal(before[0].Until) || after[0].Refused != 50 ||
		after[0].Failures != 3 {
		t.Errorf("before %+v, after 50 knocks %+v", before, after)
	}
	if got := outcomes(n, "203.0.113.9"); len(got) != 4 || got[0] != model.ReasonBanned {
		t.Errorf("50 knocks were recorded as %v", got)
	}
}

func TestBansSurviveARestart(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	stumble(t, n, times(20, "203.0.113.9")...)
	n.Restart()
	if got := bans(n); !slices.Equal(got, []string{"203.0.113.9"}) {
		t.Errorf("bans after the restart: %v", got)
	}
	if text := parting(t, n, "203.0.113.9"); !strings.Contains(text, "Too many log-ins") {
		t.Errorf("after the restart: %q", text)
	}
	mustEnter(t, n, "203.0.113.10", "alice", key)
}

// A shared address with a few mistyped usernames still works, only slower.
func TestFiveFailuresSlowAnAddressDown(t *testing.T) {
	n := start(t, guarded)
	wait := func(client string) time.Duration {
		conn := dialAs(t, n, client)
		began := time.Now()
		entered(t, conn)
		return time.Since(began)
	}
	stumble(t, n, times(4, "203.0.113.9")...)
	quick := time.Hour
	for range 3 {
		quick = min(quick, wait("203.0.113.9"))
	}
	if quick > 200*time.Millisecond {
		t.Errorf("after four failures the server takes %v", quick)
	}
	stumble(t, n, "203.0.113.9")
	if took := wait("203.0.113.9"); took < 240*time.Millisecond || took > 3*time.Second {
		t.Errorf("after five failures the server takes %v, want a quarter of a second", took)
	}
	stumble(t, n, "203.0.113.9", "203.0.113.9")
	if took := wait("203.0.113.9"); took < 900*time.Millisecond || took > 4*time.Second {
		t.Errorf("after seven failures the server takes %v, want a second", took)
	}
	if took := wait("203.0.113.10"); took > 500*time.Millisecond {
		t.Errorf("a neighbour waits for %v", took)
	}
}

func TestAllowListedAddressesAreNeverBanned(t *testing.T) {
	n := start(t, guarded, func(c *config.Config) { c.Access.NeverBan = []string{"198.51.100.7", "2001:db8:5::/48"} })
	n.User("alice")
	bob := n.User("bob")
	testkit.Call[model.User](n, "PATCH", "/users/alice", map[string]any{"allow_ips": []string{"203.0.113.64/28"}})
	testkit.Call[model.Account](n, "PATCH", "/accounts/bob",
		map[string]any{"allow_ips": []string{"203.0.113.200", "2001:db8:6::/64", "198.51.100.0/24", "2001:db8:5::/48"}})
	testkit.List[model.Ban](n, "/bans") // the lists are read every second, and now
	for name, client := range map[string]string{
		"a user's list": "203.0.113.65", "an account's list": "203.0.113.200", "an account's IPv6 list": "2001:db8:6::9",
		"never_ban": "198.51.100.7", "never_ban of an IPv6 network": "2001:db8:5:77::9",
	} {
		stumble(t, n, times(25, client)...)
		if got := bans(n); len(got) != 0 {
			t.Errorf("%s: banned: %v", name, got)
		}
		began := time.Now()
		entered(t, dialAs(t, n, client))
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("%s: slowed down by %v", name, took)
		}
	}
	mustEnter(t, n, "203.0.113.200", "bob", bob)
	stumble(t, n, times(20, "203.0.113.201")...)
	if got := bans(n); !slices.Equal(got, []string{"203.0.113.201"}) {
		t.Errorf("the neighbour of a listed address: %v", got)
	}
}

// Every subscriber has a whole IPv6 /64 to knock from.
func TestIPv6CountsByNetwork(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	var clients []string
	for i := range 20 {
		clients = append(clients, fmt.Sprintf("2001:db8:1:2:%x::1", i*0x0c01+1))
	}
	stumble(t, n, clients...)
	if got := bans(n); !slices.Equal(got, []string{"2001:db8:1:2::/64"}) {
		t.Fatalf("20 failures of a /64: %v", got)
	}
	if text := parting(t, n, "2001:db8:1:2:ffff:ffff:ffff:ffff"); !strings.Contains(text, "Too many log-ins") {
		t.Errorf("another address of the /64: %q", text)
	}
	mustEnter(t, n, "2001:db8:1:3::1", "alice", key)
	if got := explained(n, "2001:db8:1:2::77").Summary; len(got) == 0 ||
		!strings.Contains(got[0].String(), "Banned since") {
		t.Errorf("explain of an address of the /64: %q", got)
	}
	testkit.Call[any](n, "DELETE", "/bans?address=2001:db8:1:2::1", nil) // named by any of its addresses
	mustEnter(t, n, clients[0], "alice", key)
}

// A stranger in the same /64 must not keep out who is on a list.
func TestAllowListedAddressInABannedNetwork(t *testing.T) {
	for name, list := range map[string]func(n *testkit.Node){
		"a user's list": func(n *testkit.Node) {
			testkit.Call[model.User](n, "PATCH", "/users/alice", map[string]any{"allow_ips": []string{"2001:db8:1:2::7"}})
			testkit.List[model.Ban](n, "/bans")
		},
		"never_ban": func(*testkit.Node) {},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, guarded, func(c *config.Config) {
				if name == "never_ban" {
					c.Access.NeverBan = []string{"2001:db8:1:2::7"}
				}
			})
			key := n.User("alice")
			list(n)
			stumble(t, n, times(20, "2001:db8:1:2::bad")...)
			mustEnter(t, n, "2001:db8:1:2::7", "alice", key)
		})
	}
}

// Load balancers and monitors look whether the port answers, every few seconds.
func TestHealthChecksBanNobody(t *testing.T) {
	n := start(t, guarded, func(c *config.Config) { c.Access.BanAfter = 4 })
	key := n.User("alice")
	local := proxyV2(0x20, 0, nil)
	for _, check := range []struct{ name, from, header, sees string }{
		{"connect and close", "127.0.0.5", "", ""},
		{"read the version and close", "127.0.0.6", "", "version"},
		{"a proxy's, without a header", proxyHost, "", ""},
		{"a proxy's, with a LOCAL header", proxyHost, local, ""},
		{"a proxy's, with a LOCAL header and the version", proxyHost, local, "version"},
		{"a partner's port check through the proxy", proxyHost, proxyV1("203.0.113.50"), "version"},
	} {
		for range 12 {
			conn := dialFrom(t, check.from, n.Addr)
			if _, err := io.WriteString(conn, check.header); err != nil {
				t.Fatal(err)
			}
			if check.sees != "" {
				entered(t, conn)
			}
			_ = conn.Close()
		}
		settled(t, n)
		if got := bans(n); len(got) != 0 {
			t.Fatalf("%s: banned: %v", check.name, got)
		}
	}
	for _, client := range []string{"127.0.0.5", "127.0.0.6", "203.0.113.50"} {
		mustEnter(t, n, client, "alice", key)
	}
	conn := dialFrom(t, proxyHost, n.Addr)
	_, _ = io.WriteString(conn, local)
	entered(t, conn)
}

// settled waits until no connection is being judged any more: a stranger's own
// failure, the last of all, is on record.
func settled(t *testing.T, n *testkit.Node) {
	t.Helper()
	stranger := fmt.Sprintf("192.0.2.%d", len(n.Log.String())%250+1)
	before := len(explained(n, stranger).Explanations)
	stumble(t, n, stranger)
	testkit.Eventually(t, "the last failure is on record",
		func() bool { return len(explained(n, stranger).Explanations) > before })
}

// Monitors log in to see whether that works, and leave as soon as they know.
func TestLoginsThatEndAtOnceAreNoFailures(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 10 {
				conn := dialFrom(t, "127.0.0.5", n.Addr)
				c := overConn(conn)
				c.begin(t)
				if got, err := c.prove("alice", key.PublicKey(), key); got != msgAuthSuccess {
					t.Errorf("a good log-in: %d, %v", got, err)
				}
				if i%2 == 0 {
					sessions(n, "alice")
				}
				_ = conn.Close()
			}
		})
	}
	all.Wait()
	testkit.Eventually(t, "all of them are over", func() bool {
		return strings.Count(n.Log.String(), "session ended")+strings.Count(n.Log.String(), "log-in refused") == 80
	})
	if refused := strings.Count(n.Log.String(), "log-in refused"); refused > 0 {
		t.Errorf("of 80 log-ins that worked, %d are on record as refused: %v", refused, outcomes(n, "alice"))
	}
	if got := bans(n); len(got) != 0 {
		t.Errorf("banned for logging in: %v", got)
	}
}

func TestUnbanOfNonsense(t *testing.T) {
	n := start(t, guarded)
	for _, address := range []string{"", "%1b%5b2J", "999.1.1.1", "203.0.113.9%25eth0", "example.com", "203.0.113.0/24",
		"::/0"} {
		if _, err := attempt[any](n, "DELETE", "/bans?address="+address, nil); !fault.Is(err, fault.Invalid) &&
			!fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// Lists may write IPv4 the way that a dual-stack log shows it.
func TestListsWithMappedIPv4(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	for _, list := range []string{"::ffff:203.0.113.9", "::ffff:203.0.113.0/120"} {
		_, err := attempt[model.User](n, "PATCH", "/users/alice", map[string]any{"allow_ips": []string{list}})
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", list, err)
		}
		if err != nil {
			continue // better than a list that nobody is on
		}
		if _, err := enter(t, n, "203.0.113.9", "alice", key); err != nil {
			t.Errorf("%s was taken, and 203.0.113.9 is not on it: %v", list, err)
		}
	}
}

// A username is no secret: failing under a partner's name, with the partner's
// key, from elsewhere, takes nothing from the partner.
func TestFailuresUnderAPartnersNameFromElsewhere(t *testing.T) {
	n := start(t, guarded)
	key := n.User("alice")
	var strangers []*rawSSH
	for range 20 {
		c := overConn(dialAs(t, n, "203.0.113.66"))
		c.begin(t)
		strangers = append(strangers, c)
	}
	for _, c := range strangers {
		if got, err := c.query("alice", testkit.NewKey(t).PublicKey()); got != msgAuthFailure {
			t.Fatalf("a stranger's key: %d, %v", got, err)
		}
		_ = c.conn.Close()
	}
	testkit.Eventually(t, "the stranger is banned", func() bool { return slices.Equal(bans(n), []string{"203.0.113.66"}) })
	began := time.Now()
	mustEnter(t, n, "198.51.100.7", "alice", key)
	t.Logf("alice was in after %v", time.Since(began))
}

// Operators look at bans, and lift them, while they come and go.
func TestBansAreListedAndLiftedWhileTheyAreMade(t *testing.T) {
	n := start(t, guarded, func(c *config.Config) { c.Access.BanAfter = 2 })
	key := n.User("alice")
	for i := range 20 {
		client := fmt.Sprintf("203.0.113.%d", i+1)
		stumble(t, n, client, client)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 3 {
				bans(n)
			}
		}()
		if _, err := attempt[any](n, "DELETE", "/bans?address="+client, nil); err != nil {
			t.Errorf("the ban of %s could not be lifted: %v", client, err)
		}
		mustEnter(t, n, client, "alice", key)
		<-done
	}
}
