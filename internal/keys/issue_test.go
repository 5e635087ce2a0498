package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// PuTTY and OpenSSH open an issued key with its passphrase and no other. Both forms contain the
// same key.
func TestIssuedPairsAreOpenedByPuTTYAndOpenSSH(t *testing.T) {
	for _, kind := range keys.IssuedTypes {
		for _, version := range []int{2, 3} {
			t.Run(fmt.Sprintf("%s, PPK %d", kind, version), func(t *testing.T) { issueOne(t, kind, version) })
		}
	}
}

func issueOne(t *testing.T, kind string, version int) {
	b := newBench(t)
	word, err := keys.Passphrase()
	if err != nil {
		t.Fatal(err)
	}
	p, err := keys.Issue(kind, "made for Jane", word, version)
	if err != nil {
		t.Fatal(err)
	}
	b.write("secret", []byte(word+"\n"))
	ppk, openssh, pub := b.write("key.ppk", p.PPK), b.write("key", p.OpenSSH), b.write("issued.pub", p.PubFile)

	want := map[string]struct {
		kind string
		bits int
	}{"ed25519": {"ssh-ed25519", 256}, "rsa": {"ssh-rsa", 3072}, "rsa-4096": {"ssh-rsa", 4096},
		"ecdsa": {"ecdsa-sha2-nistp256", 256}}[kind]
	if p.Public.Type != want.kind || p.Public.Bits != want.bits || p.Public.Comment != "made for Jane" {
		t.Errorf("%+v", p.Public)
	}
	if read, err := one(string(p.PubFile)); err != nil || read != p.Public {
		t.Errorf("the .pub file reads as %+v, %v; not %+v", read, err, p.Public)
	}
	for tool, out := range map[string][]byte{"puttygen -l": run(t, "puttygen", "-l", ppk),
		"ssh-keygen -l": run(t, "ssh-keygen", "-l", "-f", pub)} {
		if !bytes.Contains(out, []byte(p.Public.Fingerprint)) || !bytes.Contains(out, []byte(fmt.Sprint(p.Public.Bits))) {
			t.Errorf("%s says %s, not %s", tool, out, p.Public.Fingerprint)
		}
	}

	// PuTTY opens it, and the private half that comes out is this key's.
	if got := run(t, "puttygen", ppk, "-O", "public-openssh", "--old-passphrase",
		b.path("secret")); string(got) != string(p.PubFile) {
		t.Errorf("PuTTY's public half is %s", got)
	}
	run(t, "puttygen", ppk, "-O", "private-openssh", "-o", b.path("out"), "--old-passphrase", b.path("secret"),
		"--new-passphrase", b.path("none"))
	for opened, args := range map[string][]string{"PuTTY's": {"-P", "", "-f", b.path("out")},
		"OpenSSH's": {"-P", word, "-f", openssh}} {
		got := strings.Fields(string(run(t, "ssh-keygen", append([]string{"-y"}, args...)...)))
		if len(got) < 2 || got[0]+" "+got[1] != p.Public.Line {
			t.Errorf("%s private half is of %s", opened, got)
		}
	}
	if head := fmt.Sprintf("PuTTY-User-Key-File-%d: ", version); !bytes.HasPrefix(p.PPK, []byte(head)) {
		t.Errorf("it begins %.40q", p.PPK)
	}

	refused(t, b, ppk, openssh, word)
	noTrace(t, p, word)
}

// refused fails if another passphrase opens a file.
func refused(t *testing.T, b bench, ppk, openssh, word string) {
	t.Helper()
	for how, wrong := range map[string]string{"none": "", "another": "not the secret",
		"its beginning": word[:len(word)-1]} {
		b.write("wrong", []byte(wrong+"\n"))
		if out, _, err := try("puttygen", ppk, "-O", "private-openssh", "-o", b.path("not"), "--old-passphrase",
			b.path("wrong"), "--new-passphrase", b.path("none")); err == nil {
			t.Errorf("PuTTY opened it with %s passphrase: %s", how, out)
		}
		if out, _, err := try("ssh-keygen", "-y", "-P", wrong, "-f", openssh); err == nil {
			t.Errorf("OpenSSH opened it with %s passphrase: %s", how, out)
		}
	}
}

// noTrace fails if a file contains a part of the passphrase, or is not recognized as the
// private file of this key.
func noTrace(t *testing.T, p keys.Pair, word string) {
	t.Helper()
	for name, file := range map[string][]byte{"PPK": p.PPK, "OpenSSH": p.OpenSSH} {
		inside := append([]byte{}, file...)
		for l := range strings.SplitSeq(string(file), "\n") {
			b, _ := base64.StdEncoding.DecodeString(l)
			inside = append(inside, b...)
		}
		traces := []string{word, hex.EncodeToString([]byte(word)), base64.StdEncoding.EncodeToString([]byte(word))[:12]}
		words := strings.Fields(word)
		for i := range words[1:] {
			traces = append(traces, words[i]+" "+words[i+1])
		}
		for _, trace := range traces {
			if bytes.Contains(bytes.ToLower(inside), []byte(strings.ToLower(trace))) {
				t.Errorf("%s: %q of the passphrase is in the file", name, trace)
			}
		}
		if _, err := keys.Read(file); fault.PublicText(err) != keys.PrivateKeyAdvice {
			t.Errorf("%s: its own form is not known for private: %v", name, err)
		}
		if found := keys.Examine(file); len(found) != 1 || found[0].Proven ||
			found[0].Key.Fingerprint != p.Public.Fingerprint {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	for how, f := range map[string]struct {
		kind, passphrase string
		version          int
	}{"no type": {"", "secret", 3}, "DSA": {"dsa", "secret", 3}, "small RSA": {"rsa-1024", "secret", 3},
		"a type of the sender's": {"\x1b[2J", "secret", 3}, "PPK 1": {"ed25519", "secret", 1},
		"PPK 4":         {"ed25519", "secret", 4},
		"no passphrase": {"ed25519", "", 3}} { // used to make an unencrypted PuTTY file
		p, err := keys.Issue(f.kind, "comment", f.passphrase, f.version)
		if text := fault.PublicText(err); !fault.Is(err, fault.Invalid) || valid.Printable(text) != text || p.PPK != nil ||
			p.OpenSSH != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
}

// A comment becomes one printable line in both files. Its line breaks used to add lines to the
// PuTTY file.
func TestCommentsThatBreakLines(t *testing.T) {
	for _, comment := range []string{"x\nPublic-Lines: 0\nPrivate-Lines: 0", "\x1b]0;title\a\r\n",
		strings.Repeat("long ", 60), "", " caf\u00e9 \u2028"} {
		b := newBench(t)
		p, err := keys.Issue("ed25519", comment, "a secret of seven words", 2)
		if err != nil {
			t.Fatal(err)
		}
		ppk, openssh := b.write("key.ppk", p.PPK), b.write("key", p.OpenSSH)
		if got := run(t, "puttygen", ppk, "-O", "public-openssh", "--old-passphrase", b.path("secret")); !bytes.HasPrefix(got,
			[]byte(p.Public.Line)) {
			t.Errorf("%q: PuTTY reads %s", comment, got)
		}
		run(t, "puttygen", ppk, "-O", "private-openssh", "-o", b.path("out"), "--old-passphrase", b.path("secret"),
			"--new-passphrase", b.path("none"))
		run(t, "ssh-keygen", "-y", "-P", "a secret of seven words", "-f", openssh)
		if n := bytes.Count(p.PubFile, []byte("\n")); n != 1 || bytes.HasSuffix(p.PubFile, []byte(" \n")) ||
			valid.Printable(string(p.PubFile[:len(p.PubFile)-1])) != string(p.PubFile[:len(p.PubFile)-1]) {
			t.Errorf("%q: the .pub file is %q", comment, p.PubFile)
		}
		if n := bytes.Count(p.PPK, []byte("Public-Lines:")); n > 1 && !bytes.Contains(p.PPK, []byte(`\x0aPublic-Lines`)) {
			t.Errorf("%q: wrote lines of the file:\n%s", comment, p.PPK)
		}
	}
}

// PuTTY opens what MarshalPPK wrote, and it is the same key.
func TestPPKIsOpenedByPuttygen(t *testing.T) {
	word := "a secret of seven words"
	for _, f := range []struct {
		kind, comment, passphrase string
		version                   int
	}{
		{"ed25519", "", "", 3}, {"ed25519", "demo key", "", 2}, {"ed25519", strings.Repeat("long ", 30), "", 3},
		{"ed25519", "caf\u00e9", "", 3}, {"ed25519", "caf\u00e9", word, 2},
		{"P-256", "c", "", 2}, {"P-384", "c", "", 3}, {"P-521", "c", "", 2}, {"P-384", "c", word, 2}, {"P-521", "c", word, 3},
		{"rsa", "c", "", 2}, {"rsa", "c", "", 3}, {"rsa", "c", word, 3}, {"ed25519", "c", "p\u00e4ss w\u00f6rd", 3},
		{"ed25519", "two\nlines", "", 3}, {"ed25519", "two\nlines", word, 2},
	} {
		b := newBench(t)
		private := signer(t, f.kind)
		public := line(t, private.Public())
		data, err := keys.MarshalPPK(private, f.comment, f.passphrase, f.version)
		if err != nil {
			t.Fatal(err)
		}
		path := b.write("key.ppk", data)
		b.write("secret", []byte(f.passphrase+"\n"))
		got, _, _, _, err := ssh.ParseAuthorizedKey(run(t, "puttygen", "-O", "public-openssh", path))
		if err != nil {
			t.Fatal(err)
		}
		if string(ssh.MarshalAuthorizedKey(got)) != public {
			t.Errorf("%+v: PuTTY reads another key", f)
		}
		run(t, "puttygen", "-O", "private-openssh", "-o", b.path("out"), path, "--old-passphrase", b.path("secret"),
			"--new-passphrase", b.path("none"))
		opened, err := ssh.ParsePrivateKey(b.read("out"))
		if err != nil || string(ssh.MarshalAuthorizedKey(opened.PublicKey())) != public {
			t.Errorf("%+v: the private half differs: %v", f, err)
		}
		if found := keys.Examine(data); len(found) != 1 || found[0].Proven != (f.passphrase == "") ||
			found[0].Key.Line+"\n" != public {
			t.Errorf("%+v: %+v", f, found)
		}
	}
	if data, err := keys.MarshalPPK(signer(t, "P-224"), "c", "", 3); err == nil {
		t.Errorf("a curve that SSH lacks: %s", data)
	}
	if data, err := keys.MarshalPPK(signer(t, "P-256"), "c", "", 1); err == nil {
		t.Errorf("version 1: %s", data)
	}
}

func signer(t testing.TB, kind string) (key crypto.Signer) {
	t.Helper()
	var err error
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		key, err = ecdsa.GenerateKey(map[string]elliptic.Curve{"P-224": elliptic.P224(), "P-256": elliptic.P256(),
			"P-384": elliptic.P384(), "P-521": elliptic.P521()}[kind], rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestPassphrases(t *testing.T) {
	seven := regexp.MustCompile(`^([a-z-]{3,} ){6}[a-z-]{3,}$`)
	had := map[string]bool{}
	for range 100 {
		word, err := keys.Passphrase()
		if err != nil || !seven.MatchString(word) || had[word] || keys.PassphraseWords != 7 {
			t.Fatalf("%q, %v", word, err)
		}
		had[word] = true
	}
}
