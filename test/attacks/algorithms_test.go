package attacks

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// offer is the server's KEXINIT: its ten name-lists.
func offer(t *testing.T, addr string, mine []byte) [][]string {
	t.Helper()
	c := dialRaw(t, addr)
	if err := c.hello("SSH-2.0-probe"); err != nil {
		t.Fatal(err)
	}
	if err := c.send(raw(mine)); err != nil {
		t.Fatal(err)
	}
	p, err := c.wait(msgKexInit)
	if err != nil {
		t.Fatal(err)
	}
	u := &unpack{b: p[17:]}
	var lists [][]string
	for range 10 {
		lists = append(lists, u.names())
	}
	return lists
}

func TestAlgorithmProbeFindsStrictKexAndNothingWeak(t *testing.T) {
	n := start(t)
	plain := pack(byte(msgKexInit), raw(make([]byte, 16)), []string{"curve25519-sha256"}, []string{"ssh-ed25519"},
		[]string{"chacha20-poly1305@openssh.com", "aes128-ctr"}, []string{"chacha20-poly1305@openssh.com", "aes128-ctr"},
		[]string{"hmac-sha2-256"}, []string{"hmac-sha2-256"}, []string{"none"}, []string{"none"}, "", "", false, uint32(0))
	for name, mine := range map[string][]byte{"a client with AES-GCM": clientInit(), "a client without": plain} {
		t.Run(name, func(t *testing.T) {
			lists := offer(t, n.Addr, mine)
			if !slices.Contains(lists[0], "kex-strict-s-v00@openssh.com") {
				t.Errorf("strict key exchange is not offered (Terrapin): %v", lists[0])
			}
			assertStrong(t, lists)
		})
	}
}

// assertStrong looks for every algorithm with a known weakness.
func assertStrong(t *testing.T, lists [][]string) {
	t.Helper()
	names := []string{"kex", "host key", "cipher in", "cipher out", "MAC in", "MAC out", "compression in",
		"compression out"}
	for i, what := range names {
		if len(lists[i]) == 0 || lists[i][0] == "" {
			t.Errorf("no %s algorithm is offered", what)
		}
		for _, a := range lists[i] {
			weak := a == ssh.KeyAlgoRSA || a == "ssh-dss" || a == "hmac-sha1" || strings.HasPrefix(a, "hmac-sha1-") ||
				strings.HasSuffix(a, "-sha1") || strings.Contains(a, "cbc") || strings.Contains(a, "arcfour") ||
				strings.Contains(a, "3des") ||
				strings.Contains(a, "md5") || strings.Contains(a, "ripemd") || strings.Contains(a, "-cert-") ||
				strings.Contains(a, "umac-64") ||
				strings.Contains(a, "zlib")
			if weak {
				t.Errorf("the %s algorithm %q is offered", what, a)
			}
		}
	}
}

// A client whose only signatures are SHA-1's must not get in with an RSA key
// that is enrolled.
func TestSHA1SignatureOfAnEnrolledRSAKey(t *testing.T) {
	n := start(t)
	n.User("alice")
	key := rsaKey(t)
	n.Enrol("alice", key)
	c := greet(t, n.Addr)
	request := pack(byte(msgAuthRequest), "alice", "ssh-connection", "publickey", true, ssh.KeyAlgoRSA,
		key.PublicKey().Marshal())
	sig, err := key.(ssh.AlgorithmSigner).SignWithAlgorithm(nil, pack(c.session, raw(request)), ssh.KeyAlgoRSA)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.send(raw(request), pack(sig.Format, sig.Blob)); err != nil {
		t.Fatal(err)
	}
	if got, _, _, _ := c.outcome(); got == msgAuthSuccess {
		t.Error("an ssh-rsa signature (SHA-1) was taken")
	}
	// The same key with SHA-2 is welcome.
	if _, err := ssh.Dial("tcp", n.Addr, testkit.ClientConfig("alice", key)); err != nil {
		t.Errorf("the RSA key does not log in with rsa-sha2: %v", err)
	}
}
