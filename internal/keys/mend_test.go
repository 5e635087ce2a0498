package keys_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
)

// withPlus returns a key line whose base64 has several plus signs.
func withPlus(t *testing.T) string {
	t.Helper()
	for range 1000 {
		b := make([]byte, 256)
		if _, err := rand.Read(b); err != nil {
			t.Fatal(err)
		}
		b[0], b[255] = b[0]|0x80, b[255]|1
		l := strings.TrimSpace(line(t, &rsa.PublicKey{N: new(big.Int).SetBytes(b), E: 65537}))
		if strings.Count(l, "+") > 2 && !strings.Contains(l, "++") && !strings.HasSuffix(l, "+") {
			return l
		}
	}
	t.Fatal("no key of a thousand has plus signs")
	return ""
}

// TestKeysThatCameApart: keys as web forms, mail programs and people break them.
func TestKeysThatCameApart(t *testing.T) {
	plus := withPlus(t)
	_, ed := pair(t)
	ed = strings.TrimSpace(ed)
	text := strings.Fields(plus)[1]
	spread := func(s string, every int) string { return strings.Join(strings.Fields(folded(s, every)), " ") }
	for how, c := range map[string]struct{ data, want, comment string }{
		"plus signs that became blanks":     {strings.ReplaceAll(plus, "+", " "), plus, ""},
		"the same, and a comment":           {strings.ReplaceAll(plus, "+", " ") + " jo at work", plus, "jo at work"},
		"a blank inside":                    {plus[:60] + " " + plus[60:] + " jo", plus, "jo"},
		"blanks every 64":                   {"ssh-rsa " + spread(text, 64), plus, ""},
		"a blank inside a short key":        {ed[:30] + " " + ed[30:], ed, ""},
		"a signature algorithm as its type": {strings.Replace(plus, "ssh-rsa", "rsa-sha2-512", 1) + " jo", plus, "jo"},
		"the other one":                     {strings.Replace(plus, "ssh-rsa", "rsa-sha2-256", 1), plus, ""},
		"several lines":                     {strings.ReplaceAll(plus, "+", " ") + "\n" + plus, plus, ""},
		"RFC 4716 with five dashes": {strings.NewReplacer("---- BEGIN", "-----BEGIN", "---- END", "-----END",
			"KEY ----", "KEY-----").Replace(block(plus, "Comment: jo")), plus, "jo"},
		"with five dashes and blanks": {strings.ReplaceAll(block(plus), "----", "-----"), plus, ""},
		"RFC 4716 on one line": {strings.ReplaceAll(block(plus, `Comment: "jo at work"`), "\n", " "),
			plus, "jo at work"},
		"on one line, two headers": {strings.ReplaceAll(block(plus, "Subject: x", "Comment: jo"), "\n", " "),
			plus, ""},
		"RFC 4716 with a blank inside": {strings.Replace(block(plus), text[10:12], text[10:11]+" "+text[11:12],
			1), plus, ""},
		"RFC 4716 on one line without any headers": {strings.ReplaceAll(block(plus), "\n", " "), plus, ""},
	} {
		p, err := one(c.data)
		if err != nil || p.Line != c.want || c.comment != "" && p.Comment != c.comment {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
	for how, data := range map[string]string{
		"another type's name":      strings.Replace(strings.ReplaceAll(plus, "+", " "), "ssh-rsa", "ssh-ed25519", 1),
		"a piece is missing":       plus[:80] + " " + plus[90:],
		"a signature of no type":   strings.Replace(ed, "ssh-ed25519", "rsa-sha2-512", 1),
		"a comment that goes on":   "ssh-rsa jo at work",
		"very many words":          "ssh-rsa" + strings.Repeat(" AAAA", 5000),
		"only the type":            "ssh-rsa",
		"an authority in the line": "cert-authority " + strings.ReplaceAll(plus, "+", " "),
	} {
		if p, err := keys.Read([]byte(data)); !fault.Is(err, fault.Invalid) || len(p) != 0 {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
}

// TestLabelsThatAreNotTrue: SPKI and PKCS#1 under each other's labels, and without labels.
func TestLabelsThatAreNotTrue(t *testing.T) {
	line := strings.TrimSpace(rsaLine(t, 2048))
	public := opensshPublic(t, line)
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	parsed, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := pkcs1Of(t, parsed)
	for how, data := range map[string][]byte{
		"SPKI as RSA PUBLIC KEY": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: spki}),
		"PKCS#1 as PUBLIC KEY":   pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkcs1}),
		"SPKI as DER":            spki, "PKCS#1 as DER": pkcs1,
	} {
		if p, err := one(string(data)); err != nil || p.Line != line {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
	for _, cut := range []int{1, 2, 20, len(spki) - 1} {
		if p, err := keys.Read(spki[:cut]); !fault.Is(err, fault.Invalid) || len(p) != 0 {
			t.Errorf("%d bytes of DER: %+v, %v", cut, p, err)
		}
	}
}

// TestWhatItIsIsSaid: the error never says "no public key" if the input contains one.
func TestWhatItIsIsSaid(t *testing.T) {
	_, public := pair(t)
	for how, c := range map[string]struct{ data, says string }{
		"a PGP key": {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n",
			"PGP key"},
		"a pasted mail": {"Hello,\n\nhere is our key:\n\n" + public + "\nRegards\nJo\n", "other words around it"},
		"a saved mail": {"From: jo@example.com\nSubject: key\nContent-Type: text/plain\n\n" + public,
			"other words around it"},
		"a line before": {"our key:\n" + public, "other words around it"},
	} {
		p, err := keys.Read([]byte(c.data))
		if len(p) != 0 || !strings.Contains(fault.PublicText(err), c.says) {
			t.Errorf("%s: %+v, %v", how, p, err)
		}
	}
}

// pkcs1Of encodes an RSA key as PKCS#1.
func pkcs1Of(t *testing.T, key ssh.PublicKey) []byte {
	t.Helper()
	public, ok := key.(ssh.CryptoPublicKey).CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		t.Fatal("no RSA key")
	}
	return x509.MarshalPKCS1PublicKey(public)
}
