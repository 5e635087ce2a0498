// Package keys reads public keys in every form that people send them, describes them, and
// refuses what must not be accepted. Above all that is private keys, which it never returns,
// keeps or repeats in an error. It also makes encrypted key pairs that the operator issues.
//
// read.go finds public keys. rfc4716.go and pem.go read two formats; text.go undoes what
// programs did to the text. private.go detects private keys, and examine.go proves which key
// they belong to, with ppk.go and sshcom.go for formats. issue.go and ppk.go make key pairs.
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

// Accepted sizes of RSA moduli, in bits. An operator's policy may narrow them.
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
	Type        string `json:"type"` // SSH name, such as ssh-ed25519
	Bits        int    `json:"bits"`
	Fingerprint string `json:"fingerprint"` // SHA256:…, as OpenSSH prints it
	MD5         string `json:"md5"`         // the old fingerprint: 16 bytes, hexadecimal with colons
	Line        string `json:"public"`      // authorized_keys line without comment or newline
	Comment     string `json:"comment,omitempty"`
	Format      string `json:"format"`            // format of the input: "OpenSSH", "RFC 4716", …
	Options     string `json:"options,omitempty"` // options before the key; they have no effect here
}

// Family returns the name of the key's type in policies.
func (p Public) Family() string {
	switch {
	case p.Type == ssh.KeyAlgoED25519:
		return FamilyEd25519
	case p.Type == ssh.KeyAlgoRSA:
		return FamilyRSA
	}
	return FamilyECDSA
}

// accept describes a key. It returns Invalid if its type or size is never accepted.
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

// tidy makes a comment printable and cuts it to 200 bytes.
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
