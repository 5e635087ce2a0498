package attacks

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// guess is one way to fail: a username and a key.
type guess struct {
	name string
	user string
	key  func() ssh.Signer
}

// waiting lets unknown keys of real users wait for approval.
func waiting(c *config.Config) { c.Keys.Pending = true }

// guesses prepares a node with every sort of user and key that must not be told
// apart; the first seven are also timed.
func guesses(t *testing.T, n *testkit.Node) []guess {
	t.Helper()
	n.User("alice")
	other, disabled, revoked, suspended := n.User("bob"), n.User("carol"), n.User("dave"), n.User("erin")
	burned, frozen, pending := n.User("frank"), n.User("gina"), testkit.NewKey(t)
	testkit.Call[model.User](n, "PATCH", "/users/carol", map[string]any{"enabled": false})
	revoke := func(key ssh.Signer, burn bool) {
		testkit.Call[model.Revoked](n, "POST", "/keys/revoke",
			map[string]any{"fingerprint": ssh.FingerprintSHA256(key.PublicKey()), "reason": "test", "burn": burn})
	}
	revoke(revoked, false)
	revoke(burned, true)
	testkit.Call[model.Contact](n, "POST", "/contacts",
		map[string]string{"account": "gina", "name": "Gina", "email": "gina@g.example"})
	testkit.Call[[]model.Key](n, "POST", "/keys/freeze",
		map[string]string{"fingerprint": ssh.FingerprintSHA256(frozen.PublicKey()), "by": "gina@g.example"})
	testkit.Call[model.Account](n, "PATCH", "/accounts/erin",
		map[string]model.AccountState{"state": model.AccountSuspended})
	c := greet(t, n.Addr)
	if got, err := c.query("alice", pending.PublicKey()); got != msgAuthFailure {
		t.Fatalf("the key that is to wait: %d, %v", got, err)
	}
	_ = c.conn.Close()
	testkit.Eventually(t, "an unknown key waits", func() bool {
		return len(testkit.List[model.PendingKey](n, "/keys/pending?user=alice")) == 1
	})
	fresh := func() ssh.Signer { return testkit.NewKey(t) }
	same := func(s ssh.Signer) func() ssh.Signer { return func() ssh.Signer { return s } }
	return []guess{
		{"an unknown user", "nobody-here", fresh},
		{"a disabled user's own key", "carol", same(disabled)},
		{"a wrong key", "alice", fresh},
		{"another user's key", "alice", same(other)},
		{"a burned key", "frank", same(burned)},
		{"a frozen key", "gina", same(frozen)},
		{"a key that waits", "alice", same(pending)},
		{"a revoked key", "dave", same(revoked)},
		{"a suspended account's key", "erin", same(suspended)},
		{"a burned key for nobody", "nobody-here", same(burned)},
		{"an empty username", "", fresh},
		{"a username with ESC and newline", "al\x1b[2Jice\nx", fresh},
		{"a username of 64 KiB", string(make([]byte, 64<<10)), fresh},
	}
}

var referenceForm = regexp.MustCompile(`reference [2-9a-z]{4}-[2-9a-z]{4}\b`)

// trail is all that a stranger sees of one connection's failures.
func trail(t *testing.T, addr string, g guess) (seen []string, banners []string) {
	t.Helper()
	c := greet(t, addr)
	note := func(request []byte) {
		if err := c.send(raw(request)); err != nil {
			t.Fatal(err)
		}
		p, err := c.wait(msgAuthFailure, msgAuthSuccess, msgAuthPKOK)
		if err != nil {
			t.Fatalf("%s: %v", g.name, err)
		}
		seen = append(seen, string(p))
	}
	key := g.key()
	note(pack(byte(msgAuthRequest), g.user, "ssh-connection", "none"))
	note(pack(byte(msgAuthRequest), g.user, "ssh-connection", "publickey", false, key.PublicKey().Type(),
		key.PublicKey().Marshal()))
	request := pack(byte(msgAuthRequest), g.user, "ssh-connection", "publickey", true, key.PublicKey().Type(),
		key.PublicKey().Marshal())
	sig, err := key.Sign(nil, pack(c.session, raw(request)))
	if err != nil {
		t.Fatal(err)
	}
	note(append(request, pack(pack(sig.Format, sig.Blob))...))
	for range 3 {
		note(pack(byte(msgAuthRequest), g.user, "ssh-connection", "password", false, "secret"))
	}
	note(pack(byte(msgAuthRequest), g.user, "ssh-connection", "keyboard-interactive", "", ""))
	return seen, c.banners
}

func TestUserEnumerationByAnswersAndBanner(t *testing.T) {
	n := start(t, waiting)
	all := guesses(t, n)
	trail(t, n.Addr, all[0]) // so that each of those that count follows a failure
	var first []string
	var text string
	references := map[string]bool{}
	for _, g := range all {
		seen, banners := trail(t, n.Addr, g)
		if len(banners) != 1 {
			t.Fatalf("%s: %d banners, want one: %q", g.name, len(banners), banners)
		}
		ref := referenceForm.FindString(banners[0])
		if ref == "" || references[ref] {
			t.Errorf("%s: the banner has no reference of its own: %q", g.name, banners[0])
		}
		references[ref] = true
		plain := referenceForm.ReplaceAllString(banners[0], "reference R")
		if first == nil {
			first, text = seen, plain
		}
		if !slices.Equal(seen, first) || plain != text {
			t.Errorf("%s is told apart:\n%q\n%q\n%q\n%q", g.name, seen, first, plain, text)
		}
	}
	assertCleanLog(t, n)
}

// Who logs in fine is never shown the banner, whatever happened before.
func TestNoBannerForAGoodLogin(t *testing.T) {
	n := start(t)
	key := n.User("alice")
	for range 2 {
		c := loginRaw(t, n.Addr, "alice", key)
		if len(c.banners) != 0 {
			t.Errorf("banner at a good log-in: %q", c.banners)
		}
		_ = c.conn.Close()
	}
}

// Each class of guess is as fast as its best median of a few tries, since noise
// only ever adds.
func TestUserEnumerationByTime(t *testing.T) {
	n := start(t, waiting)
	all := guesses(t, n)[:7]
	best := slices.Repeat([]time.Duration{time.Hour}, len(all))
	apart := 1.0
	for try := 0; try < 4 && apart > 0.30; try++ {
		times := make([][]time.Duration, len(all))
		for range 40 {
			for i, g := range all { // in turn, so that the machine's noise hits all alike
				times[i] = append(times[i], timeGuess(t, n.Addr, g))
			}
		}
		for i := range times {
			slices.Sort(times[i])
			best[i] = min(best[i], times[i][len(times[i])/2])
		}
		low, high := slices.Min(best), slices.Max(best)
		apart = float64(high-low) / float64(high)
		t.Logf("best medians %v, %.0f%% apart", best, 100*apart)
	}
	if apart > 0.35 {
		t.Errorf("the time to refuse tells users apart by %.0f%%", 100*apart)
	}
}

// timeGuess is how long the refusal of one key takes on a new connection.
func timeGuess(t *testing.T, addr string, g guess) time.Duration {
	t.Helper()
	c := greet(t, addr)
	defer c.conn.Close()
	key := g.key().PublicKey()
	began := time.Now()
	if got, err := c.query(g.user, key); got != msgAuthFailure {
		t.Fatalf("%s: %d, %v", g.name, got, err)
	}
	return time.Since(began)
}
