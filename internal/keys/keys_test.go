package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/keys"
)

// rsaLine is a public key line of an RSA modulus of this many bits.
func rsaLine(t testing.TB, bits int) string {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return line(t, &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537})
}

func TestRSASizes(t *testing.T) {
	for _, bits := range []int{1024, 2047, 8193, 16384} {
		_, err := keys.Read([]byte(rsaLine(t, bits)))
		if !exchange.Is(err, exchange.Invalid) || !strings.Contains(exchange.PublicText(err), fmt.Sprint(bits)) {
			t.Errorf("%d bits: the refusal does not say why: %v", bits, err)
		}
	}
	for _, bits := range []int{2048, 3072, 4096, 8192} {
		if p, err := keys.Read([]byte(rsaLine(t, bits))); err != nil || p.Bits != bits || p.Type != ssh.KeyAlgoRSA {
			t.Errorf("%d bits: %+v, %v", bits, p, err)
		}
	}
}

// wire is a public key's blob of string fields.
func wire(fields ...string) []byte {
	var b []byte
	for _, f := range fields {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return b
}

// wireFields takes the string fields of a key line's blob apart.
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

func ecPublic(t testing.TB) crypto.PublicKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

func TestKindsOfKeys(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := keys.Read([]byte(line(t, k.Public()))); err != nil || p.Bits != curve.Params().BitSize {
			t.Errorf("%s: %+v, %v", curve.Params().Name, p, err)
		}
	}
	private, public := pair(t)
	p, err := keys.Read([]byte(public))
	if err != nil || p.Type != ssh.KeyAlgoED25519 || p.Bits != 256 || p.Line+"\n" != public {
		t.Fatalf("Ed25519: %+v, %v", p, err)
	}
	key, _, _, _, _ := ssh.ParseAuthorizedKey([]byte(public))
	if p.Fingerprint != ssh.FingerprintSHA256(key) {
		t.Errorf("the fingerprint is %s", p.Fingerprint)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: key, CertType: ssh.UserCert, ValidPrincipals: []string{"x"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	one := string([]byte{1})
	ec := wireFields(t, line(t, ecPublic(t)))
	point := string(ec[2])
	for name, blob := range map[string][]byte{
		"a certificate":            cert.Marshal(),
		"DSA":                      wire("ssh-dss", "\x7f", "\x7f", "\x02", "\x03"),
		"an Ed25519 security key":  wire(ssh.KeyAlgoSKED25519, strings.Repeat("x", 32), "ssh:"),
		"an ECDSA security key":    wire(ssh.KeyAlgoSKECDSA256, "nistp256", point, "ssh:"),
		"a short Ed25519 key":      wire("ssh-ed25519", "short"),
		"ECDSA, a point off curve": wire("ecdsa-sha2-nistp256", "nistp256", "\x04"+strings.Repeat(one, 64)),
		"RSA with exponent 1":      wire("ssh-rsa", one, "\x00\x80"+strings.Repeat(one, 255)),
		"RSA with an even modulus": wire("ssh-rsa", "\x01\x00\x01", ""),
		"a type of the sender's":   wire("ssh-ed25519\x1b[2J", strings.Repeat("x", 32)),
		"nothing":                  nil,
	} {
		kind := "ssh-ed25519"
		if len(blob) > 4 {
			kind = string(blob[4 : 4+binary.BigEndian.Uint32(blob)])
		}
		p, err := keys.Read([]byte(kind + " " + base64.StdEncoding.EncodeToString(blob) + " comment"))
		if !exchange.Is(err, exchange.Invalid) {
			t.Errorf("%s was taken: %+v, %v", name, p, err)
		} else if text := exchange.PublicText(err); exchange.Printable(text) != text {
			t.Errorf("%s: the refusal is not fit to show: %q", name, text)
		}
	}
}

func TestLines(t *testing.T) {
	_, public := pair(t)
	bare := strings.TrimSpace(public)
	for how, data := range map[string]string{
		"plain": public, "no newline": bare, "CRLF": bare + "\r\n", "a BOM": "\xef\xbb\xbf" + public, "blank lines": "\n\n" + public + "\n\n",
		"a comment line": "# my key\n" + public, "spaces around": "   " + bare + "   ", "a comment": bare + " me@example.com", "tabs": strings.ReplaceAll(bare, " ", "\t"),
	} {
		if p, err := keys.Read([]byte(data)); err != nil || p.Line != bare {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
	for how, data := range map[string]string{
		"two keys": public + public, "options": `command="id" ` + public, "cut short": bare[:40], "empty": "", "blank": " \n\t\r\n", "a comment alone": "# nothing",
		"a fingerprint": "SHA256:abc", "noise": string([]byte{0xff, 0xfe, 0, 1, 2}), "too large": public + strings.Repeat("#\n", 64<<10), "from=": `from="*" ` + public,
	} {
		if p, err := keys.Read([]byte(data)); !exchange.Is(err, exchange.Invalid) {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
	for _, comment := range []string{"\x1b[2J\u202E", strings.Repeat("\u00e9", 300), strings.Repeat("x", 199) + "\u00e9", "=cmd()"} {
		p, err := keys.Read([]byte(bare + " " + comment))
		if err != nil || len(p.Comment) > 200 || exchange.Printable(p.Comment) != p.Comment || !utf8.ValidString(p.Comment) {
			t.Errorf("the comment %.20q: %q, %v", comment, p.Comment, err)
		}
	}
}

// block is an RFC 4716 file of a key line.
func block(public string, headers ...string) string {
	text := strings.Fields(public)[1]
	var b strings.Builder
	b.WriteString("---- BEGIN SSH2 PUBLIC KEY ----\n")
	for _, h := range headers {
		b.WriteString(h + "\n")
	}
	for len(text) > 0 {
		n := min(70, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return b.String() + "---- END SSH2 PUBLIC KEY ----\n"
}

func TestRFC4716(t *testing.T) {
	_, public := pair(t)
	bare := strings.TrimSpace(public)
	for how, f := range map[string]struct{ data, comment string }{
		"no header":                          {block(public), ""},
		"a quoted comment":                   {block(public, `Comment: "my key"`), "my key"},
		"a plain comment":                    {block(public, "Comment: my key"), "my key"},
		"a continued header":                 {block(public, `Comment: "a long com\`, `ment over \`, `lines"`), "a long comment over lines"},
		"a private header":                   {block(public, "x-thing: one \\", "two: three", "COMMENT: c"), "c"},
		"a header with a colon that goes on": {block(public, "Subject: me", "Comment: a: b"), "a: b"},
	} {
		for ending, data := range map[string]string{"LF": f.data, "CRLF": strings.ReplaceAll(f.data, "\n", "\r\n"), "CR": strings.ReplaceAll(f.data, "\n", "\r"),
			"BOM": "\xef\xbb\xbf" + f.data, "blank lines": "\n\n" + f.data + "\n\n", "no newline at the end": strings.TrimSpace(f.data)} {
			if p, err := keys.Read([]byte(data)); err != nil || p.Line != bare || p.Comment != f.comment {
				t.Errorf("%s, %s: %+v, %v", how, ending, p, err)
			}
		}
	}
	whole := block(public)
	for how, data := range map[string]string{
		"no last line": strings.Split(whole, "---- END")[0], "two blocks": whole + whole, "a line after it": whole + public, "damaged base64": strings.Replace(whole, "A", "!", 1),
		"no body": "---- BEGIN SSH2 PUBLIC KEY ----\n---- END SSH2 PUBLIC KEY ----", "a header without end": block("x "+strings.Repeat("A", 40), `Comment: \`),
	} {
		if p, err := keys.Read([]byte(data)); !exchange.Is(err, exchange.Invalid) {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
}

// FuzzRead: whatever is sent, the answer is a key that reads back as itself,
// or a refusal for people; and never a private key's words.
func FuzzRead(f *testing.F) {
	_, public := pair(f)
	f.Add([]byte(public))
	f.Add([]byte(block(public, `Comment: "a\`, `b"`)))
	f.Add([]byte(rsaLine(f, 2048)))
	f.Add([]byte("-----BEGIN OPENSSH PRIVATE KEY-----\n"))
	f.Add([]byte("---- BEGIN SSH2 PUBLIC KEY ----\nComment: \\\n---- END SSH2 PUBLIC KEY ----"))
	f.Add([]byte("\xef\xbb\xbf\r\n#"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := keys.Read(data)
		if err != nil {
			if !exchange.Is(err, exchange.Invalid) {
				t.Fatalf("%v", err)
			}
			if text := exchange.PublicText(err); exchange.Printable(text) != text || p != (keys.Public{}) {
				t.Fatalf("%q, %+v", text, p)
			}
			return
		}
		again, err := keys.Read([]byte(p.Line + " " + p.Comment))
		if err != nil || again.Line != p.Line || again.Fingerprint != p.Fingerprint {
			t.Fatalf("%+v reads back as %+v, %v", p, again, err)
		}
		if exchange.Printable(p.Comment) != p.Comment || len(p.Comment) > 200 || strings.ContainsAny(p.Line, "\r\n") {
			t.Fatalf("%+v is not fit to show", p)
		}
	})
}
