package keys_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// wrapped returns a file in each compression and encoding in which people send them.
func wrapped(t testing.TB, file []byte) map[string][]byte {
	t.Helper()
	var gz, zl, zipped bytes.Buffer
	g, l, z := gzip.NewWriter(&gz), zlib.NewWriter(&zl), zip.NewWriter(&zipped)
	f, err := z.Create(".ssh/id_ed25519")
	if err == nil {
		_, err = f.Write(file)
	}
	for _, do := range []func() error{func() error { _, err := g.Write(file); return err }, g.Close,
		func() error { _, err := l.Write(file); return err }, l.Close, z.Close} {
		if err == nil {
			err = do()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString(file)
	return map[string][]byte{
		"base64": []byte(b64), "base64 in lines": []byte(folded(b64, 76)),
		"base64 in a mail": []byte("Hello,\n\nhere it is:\n\n" + folded(b64, 64) + "\n\nRegards, Jo\n"),
		"base64, twice":    []byte(base64.StdEncoding.EncodeToString([]byte(b64))),
		"base64 as UTF-16": []byte(wide(b64, false)),
		"gzip":             gz.Bytes(), "zlib": zl.Bytes(), "zip": zipped.Bytes(),
		"gzip in base64":   []byte(folded(base64.StdEncoding.EncodeToString(gz.Bytes()), 76)),
		"HTML entities":    []byte(html.EscapeString(string(file))),
		"numeric entities": []byte(strings.NewReplacer("-", "&#45;", " ", "&#32;", ":", "&#x3a;").Replace(string(file))),
		"percents":         []byte(url.PathEscape(string(file))), "hexadecimal": []byte(hex.EncodeToString(file)),
		"hexadecimal in lines": []byte(folded(hex.EncodeToString(file), 60)),
	}
}

// Regression test: a private key with two wrappings was reported as damaged, and so stayed in
// use.
func areRefusedInAWrapping(t *testing.T, files map[string]privateFile) {
	for name, file := range files {
		for how, data := range wrapped(t, file.data) {
			if strings.HasSuffix(name, "RSA") && how != "base64" && how != "zip" {
				continue // slow, and the other types have these formats
			}
			if _, err := keys.Read(data); fault.PublicText(err) != keys.PrivateKeyAdvice {
				t.Errorf("%s, as %s: %v", name, how, err)
			}
			found := keys.ExamineUnguarded(data)
			checkPrintable(t, found)
			want := file.fingerprint
			if file.encrypted && !file.told {
				want = ""
			}
			known := false
			for _, e := range found {
				known = known || e.Key.Fingerprint == want
			}
			if want != "" && !known {
				t.Errorf("%s, as %s: %+v, want %s", name, how, found, want)
			}
		}
	}
}

// Secret keys of other programs are not SSH keys, but their senders are warned, too.
func TestOtherProgramsSecretKeys(t *testing.T) {
	testkit.Needs(t, "gpg")
	files := map[string][]byte{
		"age": []byte("# created: 2026-11-28T10:00:00Z\n# public key: " +
			"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\n" +
			"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n"),
	}
	for _, kind := range []string{"ed25519", "rsa2048"} {
		home := t.TempDir()
		gpg := func(args ...string) []byte {
			t.Helper()
			c := exec.Command("gpg",
				append([]string{"--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
			out, err := c.Output()
			if err != nil {
				t.Fatalf("gpg %v: %v", args, err)
			}
			return out
		}
		if err := os.Chmod(home, 0o700); err != nil {
			t.Fatal(err)
		}
		gpg("--quick-generate-key", "jo@example.com", kind, "sign", "never")
		files["OpenPGP "+kind] = gpg("--export-secret-keys")
		files["OpenPGP "+kind+", armoured"] = gpg("--armor", "--export-secret-keys")
		files["OpenPGP "+kind+", the armour lost"] = []byte(
			folded(base64.StdEncoding.EncodeToString(files["OpenPGP "+kind]), 64))
		if _, err := keys.Read(gpg("--export")); err == nil || fault.PublicText(err) == keys.PrivateKeyAdvice {
			t.Errorf("a public OpenPGP key: %v", err)
		}
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent").Run()
	}
	for name, file := range files {
		for how, data := range wrapped(t, file) {
			if _, err := keys.Read(data); fault.PublicText(err) != keys.PrivateKeyAdvice {
				t.Errorf("%s, as %s: %v", name, how, err)
			}
		}
		if _, err := keys.Read(file); fault.PublicText(err) != keys.PrivateKeyAdvice {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A wrapped public key is not reported as a private key.
func TestAWrappedPublicKeyIsNoPrivateOne(t *testing.T) {
	_, ed := pair(t)
	rsa := line(t, known(t, "rsa", "victim").Public())
	for name, file := range map[string]string{"a line": ed, "an RSA line": rsa, "RFC 4716": block(rsa, "Comment: c"),
		"a letter": "Hello & welcome,\n100% of it &amp; more: " + ed} {
		for how, data := range wrapped(t, []byte(file)) {
			if _, err := keys.Read(data); fault.PublicText(err) == keys.PrivateKeyAdvice {
				t.Errorf("%s, as %s, is called a private key", name, how)
			}
			if found := keys.ExamineUnguarded(data); len(found) != 0 {
				t.Errorf("%s, as %s: %+v", name, how, found)
			}
		}
	}
}

// No piece of a public key may be taken for a private key. One in 4,000 was, when only two
// bytes of OpenPGP keys were checked.
func TestPiecesOfPublicKeysAreNoPrivateOnes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) // the same each time
	for range 20_000 {
		piece := make([]byte, 48)
		for i := range piece {
			piece[i] = byte(random.Uint32())
		}
		text := base64.StdEncoding.EncodeToString(piece)
		if keys.LooksPrivate([]byte(text)) {
			t.Fatalf("%s is called a private key", text)
		}
	}
}

// Archives that unpack to very much data, or are nested very deep, are read up to a bound, and
// nothing is found.
func TestPackedBombs(t *testing.T) {
	files := wrapped(t, make([]byte, 8<<20))
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range 500 {
		f, err := z.Create(fmt.Sprintf("a/%d", i))
		if err == nil {
			_, err = f.Write(files["gzip"])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for how, data := range map[string][]byte{"gzip": files["gzip"], "zlib": files["zlib"], "zip": files["zip"],
		"500 of them": b.Bytes()} {
		if found := keys.ExamineUnguarded(data); len(found) != 0 {
			t.Errorf("%s: %+v", how, found)
		}
		if _, err := keys.Read(data); !fault.Is(err, fault.Invalid) || fault.PublicText(err) == keys.PrivateKeyAdvice {
			t.Errorf("%s: %v", how, err)
		}
	}
}
