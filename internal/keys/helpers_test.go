package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// one reads text that must contain exactly one key.
func one(data string) (keys.Public, error) {
	found, err := keys.Read([]byte(data))
	if err != nil {
		return keys.Public{}, err
	}
	if len(found) != 1 {
		return keys.Public{}, fault.E("one", fault.Conflict, "%d keys: %+v", len(found), found)
	}
	return found[0], nil
}

// pair returns an Ed25519 pair and its .pub line.
func pair(t testing.TB) (ed25519.PrivateKey, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private, line(t, private.Public())
}

// line returns a public key as in a .pub file, without comment.
func line(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	k, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(k))
}

// fingerprint returns the fingerprint of a public key as OpenSSH prints it.
func fingerprint(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	k, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(k)
}

// rsaLine returns a public key line for an RSA modulus of this many bits.
func rsaLine(t testing.TB, bits int) string {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return line(t, &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537})
}

func ecPublic(t testing.TB) crypto.PublicKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

// wire encodes string fields as a public key's blob.
func wire(fields ...string) []byte {
	var b []byte
	for _, f := range fields {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return b
}

// wireFields decodes the string fields of a key line's blob.
func wireFields(t testing.TB, public string) (fields [][]byte) {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.Fields(public)[1])
	if err != nil {
		t.Fatal(err)
	}
	for len(b) >= 4 {
		n := 4 + binary.BigEndian.Uint32(b)
		fields = append(fields, b[4:n])
		b = b[n:]
	}
	return fields
}

// wide encodes text as in Windows' "Unicode" files.
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

// folded breaks the lines of a text after so many columns.
func folded(s string, columns int) string {
	var out []string
	for l := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		for len(l) > columns {
			out, l = append(out, l[:columns]), l[columns:]
		}
		out = append(out, l)
	}
	return strings.Join(out, "\n") + "\n"
}

// run returns a program's standard output.
func run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	out, stderr, err := try(name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr)
	}
	return out
}

// try runs a program that may fail.
func try(name string, args ...string) (stdout, stderr []byte, err error) {
	c := exec.Command(name, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	return out.Bytes(), errs.Bytes(), err
}

// bench is a directory in which real tools create files.
type bench struct {
	t   testing.TB
	dir string
}

func newBench(t testing.TB) bench {
	t.Helper()
	testkit.Long(t, "the programs that partners have make the files")
	b := bench{t, t.TempDir()}
	b.write("secret", []byte("a secret of seven words"))
	b.write("wrong", []byte("not the secret"))
	b.write("none", nil)
	return b
}

func (b bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b bench) write(name string, data []byte) string {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return b.path(name)
}

func (b bench) read(name string) []byte {
	b.t.Helper()
	data, err := os.ReadFile(b.path(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

// keygen creates a pair with ssh-keygen and returns the path of the private key file.
func (b bench) keygen(name string, args ...string) string {
	b.t.Helper()
	run(b.t, "ssh-keygen", append([]string{"-q", "-N", "", "-C", "me@example.com", "-f", b.path(name)}, args...)...)
	return b.path(name)
}

// convert converts a private key file with puttygen.
func (b bench) convert(name, from string, args ...string) []byte {
	b.t.Helper()
	run(b.t, "puttygen", append([]string{"-q", from, "-o", b.path(name)}, args...)...)
	return b.read(name)
}

// opensshPublic parses a .pub line into a key of the standard library.
func opensshPublic(t testing.TB, line string) crypto.PublicKey {
	t.Helper()
	k, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return k.(ssh.CryptoPublicKey).CryptoPublicKey()
}

// pkixKey parses a PKIX structure.
func pkixKey(t testing.TB, der []byte) crypto.PublicKey {
	t.Helper()
	k, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func dsaFile(b bench) []byte {
	b.t.Helper()
	b.keygen("dsa", "-t", "dsa", "-m", "PEM")
	return b.read("dsa")
}
