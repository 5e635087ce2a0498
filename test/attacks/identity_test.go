package attacks

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestOfferKeyASignWithKeyB(t *testing.T) {
	n := start(t)
	alice, stranger := n.User("alice"), testkit.NewKey(t)
	c := greet(t, n.Addr)
	if got, err := c.prove("alice", alice.PublicKey(), stranger); got == msgAuthSuccess {
		t.Fatalf("a stranger's signature under alice's key was taken (%v)", err)
	}
	if len(sessions(n, "alice")) != 0 {
		t.Error("a session of alice is live")
	}
	alive(t, n, "alice", alice)
}

func TestQueryOneUsersKeySignWithAnothers(t *testing.T) {
	n := start(t)
	alice, bob := n.User("alice"), n.User("bob")
	c := greet(t, n.Addr)
	if got, err := c.query("alice", alice.PublicKey()); got != msgAuthPKOK {
		t.Fatalf("alice's own key: %d, %v", got, err)
	}
	if got, _ := c.prove("alice", bob.PublicKey(), bob); got != msgAuthFailure {
		t.Fatalf("bob's key logged in as alice: %d", got)
	}
	if got, _ := c.query("alice", alice.PublicKey()); got != msgAuthPKOK {
		t.Fatal("alice's key is not welcome any more")
	}
	if got, err := c.prove("bob", bob.PublicKey(), bob); got != msgAuthSuccess {
		t.Fatalf("bob: %d, %v", got, err)
	}
	// The identity is the key that signed, and nothing of the keys offered.
	live := sessions(n, "bob")
	if len(live) != 1 || live[0].Fingerprint != ssh.FingerprintSHA256(bob.PublicKey()) {
		t.Errorf("the session is not bob's by bob's key: %+v", live)
	}
	if len(sessions(n, "alice")) != 0 {
		t.Error("a session of alice is live")
	}
}

// A key that is offered again after it signed for somebody must be checked anew.
func TestOneKeyForTwoUsersInOneConnection(t *testing.T) {
	n := start(t)
	alice := n.User("alice")
	n.User("bob")
	c := greet(t, n.Addr)
	if got, _ := c.query("alice", alice.PublicKey()); got != msgAuthPKOK {
		t.Fatalf("alice's own key: %d", got)
	}
	if got, _ := c.prove("bob", alice.PublicKey(), alice); got != msgAuthFailure {
		t.Errorf("alice's key, found good for alice, logged in as bob: %d", got)
	}
}

// certify makes a user certificate of a key, signed by a CA of the attacker's.
func certify(t *testing.T, key ssh.Signer, user string) ssh.PublicKey {
	t.Helper()
	cert := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{user},
		ValidAfter: 0, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, testkit.NewKey(t)); err != nil {
		t.Fatal(err)
	}
	return cert
}

// skKey is an sk-ssh-ed25519 public key over an ordinary Ed25519 pair, with a
// signer that claims no touch (flags 0).
func skKey(t *testing.T) (ssh.PublicKey, ssh.Signer) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePublicKey(pack(ssh.KeyAlgoSKED25519, []byte(public), "ssh:"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key, plain
}

func TestCertificatesAndSecurityKeysAreRefused(t *testing.T) {
	n := start(t)
	alice := n.User("alice")
	sk, skSigner := skKey(t)
	for _, a := range []struct {
		name    string
		offered ssh.PublicKey
		signer  ssh.Signer
	}{
		{"a certificate over alice's key", certify(t, alice, "alice"), alice},
		{"a certificate over a stranger's key", certify(t, testkit.NewKey(t), "alice"), alice},
		{"a security key without touch", sk, skSigner},
	} {
		t.Run(a.name, func(t *testing.T) {
			c := greet(t, n.Addr)
			if got, err := c.query("alice", a.offered); got != msgAuthFailure {
				t.Errorf("query: %d, %v", got, err)
			}
			if got, err := c.prove("alice", a.offered, a.signer); got == msgAuthSuccess {
				t.Errorf("it logged in (%v)", err)
			}
			// The same connection or, if it was ended, the same server goes on.
			alive(t, n, "alice", alice)
		})
	}
	if n.Log.Contains("panic") {
		t.Error("the server panicked")
	}
	for _, key := range []ssh.PublicKey{certify(t, alice, "alice"), sk} {
		_, err := attempt[[]model.Key](n, "POST", "/users/alice/keys",
			map[string]string{"text": string(ssh.MarshalAuthorizedKey(key))})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s was not refused at enrolment: %v", key.Type(), err)
		}
	}
}

// No method is ever partly good, and none follows another.
func TestPartialSuccessTricks(t *testing.T) {
	n := start(t)
	alice := n.User("alice")
	c := greet(t, n.Addr)
	try := func(what string, request []byte) {
		t.Helper()
		if err := c.send(raw(request)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got, methods, partial, err := c.outcome()
		if got != msgAuthFailure || partial || methods != "publickey" {
			t.Fatalf("%s: %d, methods %q, partial %v, %v", what, got, methods, partial, err)
		}
	}
	request := func(method string, rest ...any) []byte {
		return pack(byte(msgAuthRequest), "alice", "ssh-connection", method, raw(pack(rest...)))
	}
	try("none", request("none"))
	try("password", request("password", false, "secret"))
	try("a changed password", request("password", true, "secret", "new"))
	try("keyboard-interactive", request("keyboard-interactive", "", ""))
	try("hostbased", request("hostbased", "ssh-ed25519", alice.PublicKey().Marshal(), "host", "alice", ""))
	try("gssapi", request("gssapi-with-mic", uint32(0)))
	try("a method with an odd name", request("publickey\x00none"))
	if got, err := c.prove("alice", alice.PublicKey(), alice); got != msgAuthSuccess {
		t.Errorf("alice's own key after that: %d, %v", got, err)
	}
}

func TestDamagedAuthenticationRequestsDoNotPanic(t *testing.T) {
	n := start(t)
	alice := n.User("alice")
	key := alice.PublicKey()
	head := pack(byte(msgAuthRequest), "alice", "ssh-connection", "publickey", true, key.Type(), key.Marshal())
	flags := binary.BigEndian.AppendUint32(nil, 0)
	for name, p := range map[string][]byte{
		"no signature":                  head,
		"an empty signature":            append(head[:len(head):len(head)], pack("")...),
		"a signature of nothing":        append(head[:len(head):len(head)], pack(pack("ssh-ed25519", ""))...),
		"a signature of zeros":          append(head[:len(head):len(head)], pack(pack("ssh-ed25519", make([]byte, 64)))...),
		"a signature of a foreign kind": append(head[:len(head):len(head)], pack(pack("ssh-rsa", make([]byte, 64)))...),
		"an sk signature of no touch": append(head[:len(head):len(head)],
			pack(pack("sk-ssh-ed25519@openssh.com", make([]byte, 64), raw(append([]byte{0}, flags...))))...),
		"an empty key": pack(byte(msgAuthRequest), "alice", "ssh-connection", "publickey", false,
			"ssh-ed25519", ""),
		"a short Ed25519 key": pack(byte(msgAuthRequest), "alice", "ssh-connection", "publickey", true,
			"ssh-ed25519", pack("ssh-ed25519", "x"), pack("ssh-ed25519", make([]byte, 64))),
		"an RSA key with exponent 0": pack(byte(msgAuthRequest), "alice", "ssh-connection", "publickey", true,
			"rsa-sha2-256", pack("ssh-rsa", "", "\x7f"), pack("rsa-sha2-256", "x")),
		"no method at all":        pack(byte(msgAuthRequest), "alice", "ssh-connection"),
		"a foreign service":       pack(byte(msgAuthRequest), "alice", "ssh-userauth", "none"),
		"success from the client": pack(byte(msgAuthSuccess)),
		"a channel before log-in": pack(byte(msgChannelOpen), "session", uint32(0), uint32(1<<20), uint32(1<<15)),
	} {
		t.Run(name, func(t *testing.T) {
			c := greet(t, n.Addr)
			_ = c.conn.SetDeadline(time.Now().Add(5 * time.Second))
			if err := c.send(raw(p)); err != nil {
				return
			}
			if p, err := c.wait(msgAuthSuccess, msgOpenConfirm, msgAuthFailure); err == nil && p[0] != msgAuthFailure {
				t.Errorf("answered with %d", p[0])
			}
		})
	}
	alive(t, n, "alice", alice)
}
