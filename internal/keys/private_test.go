package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/keys"
)

// pair makes one Ed25519 pair and its .pub line.
func pair(t testing.TB) (ed25519.PrivateKey, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private, line(t, private.Public())
}

func line(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	k, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(k))
}

// run is a program's standard output.
func run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// privateFiles are private keys in every format that tools write, by name.
func privateFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	ed, _ := pair(t)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, b *pem.Block, err error) {
		if err != nil {
			t.Fatal(err)
		}
		files[name] = pem.EncodeToMemory(b)
	}
	for name, key := range map[string]crypto.PrivateKey{"Ed25519": ed, "RSA": r, "ECDSA": ec} {
		b, err := ssh.MarshalPrivateKey(key, "comment")
		put("OpenSSH "+name, b, err)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		put("PKCS#8 "+name, &pem.Block{Type: "PRIVATE KEY", Bytes: der}, err)
	}
	b, err := ssh.MarshalPrivateKeyWithPassphrase(ed, "comment", []byte("secret"))
	put("OpenSSH encrypted", b, err)
	put("PKCS#1", &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(r)}, nil)
	put("PKCS#1 encrypted", &pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: make([]byte, 64)}, nil)
	put("PKCS#8 encrypted", &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: make([]byte, 64)}, nil)
	put("DSA", &pem.Block{Type: "DSA PRIVATE KEY", Bytes: make([]byte, 64)}, nil)
	der, err := x509.MarshalECPrivateKey(ec)
	put("SEC1", &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}, err)
	puttyFiles(t, files)
	files["PPK of our own"] = keys.MarshalPPK(ed, "comment")
	return files
}

// puttyFiles adds what puttygen writes: PPK of both versions, plain and
// encrypted, and ssh.com's format.
func puttyFiles(t testing.TB, files map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	pass, none := filepath.Join(dir, "pass"), filepath.Join(dir, "none")
	for path, text := range map[string]string{pass: "secret", none: ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []struct {
		name string
		args []string
	}{
		{"PPK v3", []string{"-t", "ed25519", "--new-passphrase", none}},
		{"PPK v3 encrypted", []string{"-t", "ed25519", "--new-passphrase", pass}},
		{"PPK v2", []string{"-t", "ed25519", "--new-passphrase", none, "--ppk-param", "version=2"}},
		{"PPK v2 encrypted", []string{"-t", "ecdsa", "--new-passphrase", pass, "--ppk-param", "version=2"}},
		{"ssh.com", []string{"-t", "rsa", "-b", "1024", "-O", "private-sshcom", "--new-passphrase", none}},
		{"ssh.com encrypted", []string{"-t", "rsa", "-b", "1024", "-O", "private-sshcom", "--new-passphrase", pass}},
		{"PuTTY's OpenSSH", []string{"-t", "ecdsa", "-O", "private-openssh", "--new-passphrase", none}},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(f.name, " ", "-"))
		run(t, "puttygen", append([]string{"-q", "-o", path}, f.args...)...)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[f.name] = b
	}
}

// Private keys are known for what they are in every format and disguise, and
// nothing of them is in the refusal.
func TestPrivateKeysAreRefused(t *testing.T) {
	_, public := pair(t)
	for name, file := range privateFiles(t) {
		text := string(file)
		lines := strings.Split(strings.TrimSpace(text), "\n")
		disguises := map[string]string{
			"as it is":              text,
			"CRLF":                  strings.ReplaceAll(text, "\n", "\r\n"),
			"old Macintosh":         strings.ReplaceAll(text, "\n", "\r"),
			"with a BOM":            "\xef\xbb\xbf" + text,
			"indented":              "  " + strings.ReplaceAll(text, "\n", "\n  "),
			"behind the public key": public + text,
			"before the public key": text + public,
			"in a web page":         "<pre>" + text + "</pre>",
			"on one line":           strings.Join(lines, " "),
			"quoted in a mail":      "> " + strings.ReplaceAll(text, "\n", "\n> "),
			"without its last line": strings.Join(lines[:len(lines)-1], "\n"),
			"UTF-16":                wide(text, false),
			"UTF-16, big-endian":    wide(text, true),
			"very long":             text + strings.Repeat("\n", 100<<10),
			"in upper case":         strings.ToUpper(text),
		}
		if strings.HasPrefix(name, "OpenSSH") || strings.HasPrefix(name, "PPK") {
			disguises["without its header"] = strings.Join(lines[1:], "\n")
		}
		for how, data := range disguises {
			p, err := keys.Read([]byte(data))
			if !exchange.Is(err, exchange.Invalid) || exchange.PublicText(err) != keys.PrivateKeyAdvice {
				t.Errorf("%s, %s: %+v, %v", name, how, p, err)
				continue
			}
			for _, l := range lines[1:] {
				if len(l) > 20 && strings.Contains(err.Error()+exchange.HintIn(err), l[:20]) {
					t.Errorf("%s, %s: the refusal repeats the key", name, how)
				}
			}
		}
	}
}

// wide is a text as Windows' "Unicode" files have it.
func wide(s string, big bool) string {
	b := []byte{0xff, 0xfe}
	if big {
		b = []byte{0xfe, 0xff}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

// What MarshalPPK wrote is opened by PuTTY, and is the same key.
func TestPPKIsOpenedByPuttygen(t *testing.T) {
	for _, comment := range []string{"", "demo key", strings.Repeat("long ", 30), "caf\u00e9"} {
		private, public := pair(t)
		path := filepath.Join(t.TempDir(), "key.ppk")
		if err := os.WriteFile(path, keys.MarshalPPK(private, comment), 0o600); err != nil {
			t.Fatal(err)
		}
		got, _, _, _, err := ssh.ParseAuthorizedKey(run(t, "puttygen", "-O", "public-openssh", path))
		if err != nil {
			t.Fatal(err)
		}
		if string(ssh.MarshalAuthorizedKey(got)) != public {
			t.Errorf("comment %q: PuTTY reads another key", comment)
		}
		out := filepath.Join(t.TempDir(), "openssh")
		run(t, "puttygen", "-O", "private-openssh", "-o", out, path)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.ParsePrivateKey(b)
		if err != nil || string(ssh.MarshalAuthorizedKey(signer.PublicKey())) != public {
			t.Errorf("comment %q: the private half differs: %v", comment, err)
		}
	}
}
