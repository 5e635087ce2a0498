// Package keys reads the public keys that people send, in whatever form they
// send them, says what they are, and refuses what must not be taken: private
// keys above all, which it never returns, keeps or repeats in an error. It
// also makes encrypted pairs for those whom the operator gives one.
//
// read.go finds public keys, with rfc4716.go and pem.go for formats and text.go
// for what programs made of the text; private.go notices private keys, and
// examine.go proves what they open, with ppk.go and sshcom.go for formats;
// issue.go and ppk.go make pairs.
package keys

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// RSA moduli taken, in bits. An operator's policy may narrow them.
const (
	MinRSA = 2048
	MaxRSA = 8192
)

// Families of key types, as policies name them.
const (
	FamilyEd25519 = "ed25519"
	FamilyECDSA   = "ecdsa"
	FamilyRSA     = "rsa"
)

// Public is one public key that may be enrolled.
type Public struct {
	Type        string `json:"type"` // the SSH name: ssh-ed25519
	Bits        int    `json:"bits"`
	Fingerprint string `json:"fingerprint"` // SHA256:…, as OpenSSH prints it
	MD5         string `json:"md5"`         // the old form: 16 bytes, in hexadecimal with colons
	Line        string `json:"public"`      // authorized_keys line without comment or newline
	Comment     string `json:"comment,omitempty"`
	Format      string `json:"format"`            // how it was written: "OpenSSH", "RFC 4716", …
	Options     string `json:"options,omitempty"` // stood before the key, and do not count here
}

// Family is the key's type as policies name it.
func (p Public) Family() string {
	switch {
	case p.Type == ssh.KeyAlgoED25519:
		return FamilyEd25519
	case p.Type == ssh.KeyAlgoRSA:
		return FamilyRSA
	}
	return FamilyECDSA
}

// accept says what a key is, unless its type or size is never taken.
func accept(key ssh.PublicKey, comment, format string) (Public, error) {
	const op = "keys.Read"
	p := Public{Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), MD5: ssh.FingerprintLegacyMD5(key),
		Comment: tidy(comment), Format: format, Line: key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())}
	switch key.Type() {
	case ssh.KeyAlgoED25519:
		p.Bits = 256
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		p.Bits = key.(ssh.CryptoPublicKey).CryptoPublicKey().(*ecdsa.PublicKey).Curve.Params().BitSize
	case ssh.KeyAlgoRSA:
		p.Bits = key.(ssh.CryptoPublicKey).CryptoPublicKey().(*rsa.PublicKey).N.BitLen()
		if p.Bits < MinRSA {
			return Public{}, fault.E(op, fault.Invalid, "This RSA key has %d bits; at least %d are needed. Make a new pair.",
				p.Bits, MinRSA)
		}
		if p.Bits > MaxRSA {
			return Public{}, fault.E(op, fault.Invalid, "This RSA key has %d bits; at most %d are taken.", p.Bits, MaxRSA)
		}
	default:
		if strings.Contains(key.Type(), "-cert-") {
			return Public{}, fault.E(op, fault.Invalid,
				"This is an SSH certificate. Send the plain public key instead: the .pub file without \"-cert\" in its name.")
		}
		return Public{}, fault.E(op, fault.Invalid, "Keys of type %s are not taken. Make an Ed25519, ECDSA or RSA pair.",
			valid.Printable(key.Type()))
	}
	return p, nil
}

// tidy keeps a comment that is fit to show, within 200 bytes.
func tidy(comment string) string {
	comment = valid.Printable(strings.TrimSpace(comment))
	if len(comment) > 200 {
		comment = comment[:200]
		for !utf8.ValidString(comment) {
			comment = comment[:len(comment)-1]
		}
	}
	return comment
}
