package keys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

func TestRSASizes(t *testing.T) {
	for _, bits := range []int{1024, 2047, 8193, 16384} {
		public := rsaLine(t, bits)
		for how, data := range map[string]string{"a line": public, "RFC 4716": block(public), "folded": folded(public, 76)} {
			_, err := keys.Read([]byte(data))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.PublicText(err), fmt.Sprint(bits)) {
				t.Errorf("%d bits, %s: the refusal does not say why: %v", bits, how, err)
			}
		}
	}
	for _, bits := range []int{2048, 3072, 4096, 8192} {
		if p, err := one(rsaLine(t, bits)); err != nil || p.Bits != bits || p.Type != ssh.KeyAlgoRSA ||
			p.Family() != keys.FamilyRSA {
			t.Errorf("%d bits: %+v, %v", bits, p, err)
		}
	}
}

func TestKindsOfKeys(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := one(line(t, k.Public())); err != nil || p.Bits != curve.Params().BitSize ||
			p.Family() != keys.FamilyECDSA {
			t.Errorf("%s: %+v, %v", curve.Params().Name, p, err)
		}
	}
	private, public := pair(t)
	p, err := one(public)
	if err != nil || p.Type != ssh.KeyAlgoED25519 || p.Bits != 256 || p.Line+"\n" != public ||
		p.Family() != keys.FamilyEd25519 {
		t.Fatalf("Ed25519: %+v, %v", p, err)
	}
	key, _, _, _, _ := ssh.ParseAuthorizedKey([]byte(public))
	if p.Fingerprint != ssh.FingerprintSHA256(key) || p.MD5 != ssh.FingerprintLegacyMD5(key) {
		t.Errorf("the fingerprints are %s and %s", p.Fingerprint, p.MD5)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: key, CertType: ssh.UserCert, ValidPrincipals: []string{"x"},
		ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	one := string([]byte{1})
	ec := wireFields(t, line(t, ecPublic(t)))
	point := string(ec[2])
	for name, f := range map[string]struct {
		blob []byte
		says string // part of the error text
	}{
		"a certificate":            {cert.Marshal(), "certificate"},
		"DSA":                      {wire("ssh-dss", "\x7f", "\x7f", "\x02", "\x03"), ""},
		"an Ed25519 security key":  {wire(ssh.KeyAlgoSKED25519, strings.Repeat("x", 32), "ssh:"), ssh.KeyAlgoSKED25519},
		"an ECDSA security key":    {wire(ssh.KeyAlgoSKECDSA256, "nistp256", point, "ssh:"), ssh.KeyAlgoSKECDSA256},
		"a short Ed25519 key":      {wire("ssh-ed25519", "short"), ""},
		"ECDSA, a point off curve": {wire("ecdsa-sha2-nistp256", "nistp256", "\x04"+strings.Repeat(one, 64)), ""},
		"RSA with exponent 1":      {wire("ssh-rsa", one, "\x00\x80"+strings.Repeat(one, 255)), ""},
		"RSA with an even modulus": {wire("ssh-rsa", "\x01\x00\x01", ""), ""},
		"a type of the sender's":   {wire("ssh-ed25519\x1b[2J", strings.Repeat("x", 32)), ""},
		"nothing":                  {nil, ""},
	} {
		kind := "ssh-ed25519"
		if len(f.blob) > 4 {
			kind = string(f.blob[4 : 4+binary.BigEndian.Uint32(f.blob)])
		}
		text := base64.StdEncoding.EncodeToString(f.blob)
		for how, data := range map[string]string{"a line": kind + " " + text + " comment", "RFC 4716": block("x " + text)} {
			p, err := keys.Read([]byte(data))
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%s, %s was taken: %+v, %v", name, how, p, err)
			} else if said := fault.PublicText(err); valid.Printable(said) != said || !strings.Contains(said, f.says) {
				t.Errorf("%s, %s: the refusal is not fit to show, or does not say why: %q", name, how, said)
			}
		}
	}
}
