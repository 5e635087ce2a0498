package attacks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// openSSHFile writes an unencrypted, or seemingly encrypted, OpenSSH private
// file by hand (OpenSSH PROTOCOL.key), so that its parts need not fit.
func openSSHFile(cipher string, public, private []byte) string {
	kdf, options := "none", []byte{}
	if cipher != "none" {
		kdf, options = "bcrypt", pack(make([]byte, 16), uint32(16))
	}
	body := pack(raw("openssh-key-v1\x00"), cipher, kdf, options, uint32(1), public, private)
	return string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: body}))
}

// section is the private part of such a file, padded.
func section(fields ...any) []byte {
	b := pack(append([]any{uint32(7), uint32(7)}, fields...)...)
	for i := byte(1); len(b)%8 != 0; i++ {
		b = append(b, i)
	}
	return b
}

// forgeries are private files of the attacker's that carry a victim's public half.
func forgeries(t *testing.T, victim, victimEC ssh.PublicKey) map[string]string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs := victim.(ssh.CryptoPublicKey).CryptoPublicKey().(ed25519.PublicKey)
	point := victimEC.(ssh.CryptoPublicKey).CryptoPublicKey().(*ecdsa.PublicKey)
	mixed := append([]byte(private)[:32:32], theirs...) // the attacker's seed, the victim's public half
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	uncompressed, err := point.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := ec.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := asn1.Marshal(struct {
		Version int
		Key     []byte
		Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Public  asn1.BitString        `asn1:"explicit,tag:1"`
	}{1, secret, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7},
		asn1.BitString{Bytes: uncompressed, BitLength: len(uncompressed) * 8}})
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(victim)))
	ppk := "PuTTY-User-Key-File-2: ssh-ed25519\nEncryption: none\nComment: x\nPublic-Lines: 2\n" +
		strings.Fields(line)[1][:64] + "\n" + strings.Fields(line)[1][64:] +
		"\nPrivate-Lines: 1\n" + base64.StdEncoding.EncodeToString(pack(private.Seed())) + "\nPrivate-MAC: " +
		strings.Repeat("0", 40) + "\n"
	return map[string]string{
		"the victim's outside, the attacker's inside": openSSHFile("none", victim.Marshal(),
			section("ssh-ed25519", []byte(public), []byte(private), "x")),
		"the attacker's seed beside the victim's": openSSHFile("none", victim.Marshal(),
			section("ssh-ed25519", []byte(theirs), mixed, "x")),
		"an ECDSA number beside the victim's point": openSSHFile("none", victimEC.Marshal(),
			section("ecdsa-sha2-nistp256", "nistp256", uncompressed, mpint(secret), "x")),
		"SEC1 with the victim's point": string(
			pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})),
		"an empty private part": openSSHFile("none", victim.Marshal(), nil),
		"PKCS#8 behind the victim's line": line + "\n" +
			string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		"PPK with the victim's lines": ppk,
		"PKCS#8 that claims to be encrypted": "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + line +
			"\n-----END ENCRYPTED PRIVATE KEY-----\n",
	}
}

// Anybody can put somebody else's public half on a private file; that must not
// lock the other out.
func TestForgedPrivateFilesBurnNobody(t *testing.T) {
	n := start(t)
	n.User("mallory")
	victim := n.User("alice")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	victimEC, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	n.Enrol("alice", victimEC)
	live := n.SSH("alice", victim)
	forged := forgeries(t, victim.PublicKey(), victimEC.PublicKey())
	forged["an encrypted file"] = openSSHFile("aes256-ctr", victim.PublicKey().Marshal(), make([]byte, 256))
	for name, file := range forged {
		for _, user := range []string{"mallory", "alice"} {
			if _, err := attempt[[]model.Key](n, "POST", "/users/"+user+"/keys", map[string]string{"text": file}); !fault.Is(err,
				fault.Invalid) {
				t.Errorf("%s, for %s: %v", name, user, err)
			}
		}
	}
	for _, b := range testkit.List[model.BurnedKey](n, "/keys/burned") {
		if b.Fingerprint == ssh.FingerprintSHA256(victim.PublicKey()) ||
			b.Fingerprint == ssh.FingerprintSHA256(victimEC.PublicKey()) {
			t.Errorf("a forgery burned alice's key: %+v", b)
		}
	}
	for _, key := range []ssh.Signer{victim, victimEC} {
		alive(t, n, "alice", key)
	}
	if _, _, err := live.SendRequest("keepalive", true, nil); err != nil {
		t.Errorf("a session of alice was ended: %v", err)
	}
	for _, k := range testkit.List[model.Key](n, "/users/alice/keys") {
		if k.State != model.KeyActive || k.Flag == "" && k.Type == "ssh-ed25519" {
			t.Errorf("alice's key is %s, flag %q; the encrypted file should have flagged it", k.State, k.Flag)
		}
	}
	assertCleanLog(t, n)
}

// The real file, unencrypted, burns the key wherever it is sent: sessions end,
// and nobody can have it again. None of it is kept.
func TestARealPrivateFileBurnsTheKey(t *testing.T) {
	k := openCounter(t)
	key, path := fileKey(t)
	k.Enrol("alice", key)
	k.User("bob")
	text := string(testkit.MustRead(t, path))
	live := k.SSH("alice", key)
	_, err := attempt[[]model.Key](k.Node, "POST", "/users/bob/keys",
		map[string]string{"text": strings.ReplaceAll(text, "\n", "\r\n")})
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("a private key: %v", err)
	}
	gone(t, "the session", live, 2*time.Second)
	for _, user := range []string{"alice", "bob"} {
		_, err := attempt[[]model.Key](k.Node, "POST", "/users/"+user+"/keys",
			map[string]string{"text": string(ssh.MarshalAuthorizedKey(key.PublicKey()))})
		if !fault.Is(err, fault.Denied) {
			t.Errorf("the burned key was enrolled for %s: %v", user, err)
		}
	}
	lines := strings.Split(text, "\n")
	k.assertKeptNowhere("the private key", lines[2][:60])
	k.assertKeptNowhere("the private key's end", lines[len(lines)-3])
}

// People of one account have no say in another's, under whatever name.
func TestContactsOfAnotherAccountHaveNoSay(t *testing.T) {
	n := start(t)
	n.User("alice")
	key := n.User("bob")
	ours := testkit.Call[model.Contact](n, "POST", "/contacts",
		map[string]string{"account": "alice", "name": "Ann", "email": "ann@a.example"})
	theirs := testkit.Call[model.Contact](n, "POST", "/contacts",
		map[string]string{"account": "bob", "name": "Eve", "email": "eve@b.example"})
	fp := ssh.FingerprintSHA256(key.PublicKey())
	line := string(ssh.MarshalAuthorizedKey(testkit.NewKey(t).PublicKey()))
	for _, who := range []string{ours.ID, ours.Email, strings.ToUpper(ours.Email)} {
		for _, c := range []struct {
			method, path string
			body         map[string]any
		}{
			{"POST", "/keys/freeze", map[string]any{"fingerprint": fp, "by": who}},
			{"POST", "/users/bob/keys", map[string]any{"text": line, "holder": who}},
			{"POST", "/users/bob/keys", map[string]any{"text": line, "confirmed_by": who}},
			{"PATCH", "/users/bob/keys", map[string]any{"fingerprint": fp, "holder": who}},
		} {
			if _, err := attempt[any](n, c.method, c.path, c.body); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s %s with %q: %v", c.method, c.path, c.body, err)
			}
		}
	}
	testkit.Call[[]model.Key](n, "POST", "/keys/freeze", map[string]string{"fingerprint": fp, "by": theirs.ID})
	for _, who := range []string{ours.ID, ours.Email, theirs.ID, theirs.Email, ""} {
		if _, err := attempt[[]model.Key](n, "POST", "/keys/thaw",
			map[string]string{"fingerprint": fp, "by": who}); err == nil {
			t.Errorf("the key was thawed at the word of %q", who)
		}
		if _, err := attempt[[]model.Key](n, "POST", "/users/bob/keys",
			map[string]string{"text": line, "confirmed_by": who}); err == nil {
			t.Errorf("a new key came in at the word of %q", who)
		}
	}
	if c, err := ssh.Dial("tcp", n.Addr, testkit.ClientConfig("bob", key)); err == nil {
		_ = c.Close()
		t.Error("the frozen key logged in")
	}
}

func TestRotationGames(t *testing.T) {
	n := start(t)
	first, second, third := n.User("alice"), testkit.NewKey(t), testkit.NewKey(t)
	bob := n.User("bob")
	rotate := func(user string, key, old ssh.Signer) error {
		_, err := attempt[[]model.Key](n, "POST", "/users/"+user+"/keys", map[string]string{
			"text": string(ssh.MarshalAuthorizedKey(key.PublicKey())), "replaces": ssh.FingerprintSHA256(old.PublicKey())})
		return err
	}
	for name, c := range map[string]struct {
		key, old ssh.Signer
		want     fault.Kind
	}{
		"a key by itself":       {first, first, fault.Exists},
		"another user's key":    {second, bob, fault.NotFound},
		"by another user's key": {bob, first, fault.Denied},
		"a key that nobody has": {second, third, fault.NotFound},
	} {
		if err := rotate("alice", c.key, c.old); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := rotate("alice", second, first); err != nil {
		t.Fatal(err)
	}
	if err := rotate("alice", third, first); !fault.Is(err, fault.Conflict) {
		t.Errorf("replaced twice: %v", err)
	}
	alive(t, n, "alice", first) // both work
	alive(t, n, "alice", second)
	revoke := func(key ssh.Signer) model.Revoked {
		return testkit.Call[model.Revoked](n, "POST", "/keys/revoke",
			map[string]string{"fingerprint": ssh.FingerprintSHA256(key.PublicKey()), "reason": "test"})
	}
	if v := revoke(first); len(v.Warnings) != 0 {
		t.Errorf("warned though another key works: %q", v.Warnings)
	}
	if v := revoke(second); len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "last key of user alice") {
		t.Errorf("the last key: %q", v.Warnings)
	}
}
