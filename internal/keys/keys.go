// Package keys reads the public keys that people send, says what they are, and
// refuses what must not be taken: private keys above all, which it never
// returns, keeps or repeats in an error.
package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// maxInput is the largest key file that is looked at, in bytes. The largest
// acceptable key, RSA 8192, takes about 1.5 KiB.
const maxInput = 64 << 10

// RSA moduli taken, in bits.
const (
	minRSA = 2048
	maxRSA = 8192
)

// Public is one public key that may be enrolled.
type Public struct {
	Type        string // the SSH name: ssh-ed25519
	Bits        int
	Fingerprint string // SHA256:…, as OpenSSH prints it
	Line        string // authorized_keys line without comment or newline
	Comment     string
}

// PrivateKeyAdvice is what a person who sent a private key is told.
const PrivateKeyAdvice = "This is a private key. It should never leave your computer, so we did not keep it. " +
	"Because it was sent, please stop using it, everywhere. Make a new pair and send only the public file, usually ending in .pub."

// Read understands one public key: an OpenSSH line (as in a .pub file) or an
// RFC 4716 block (as PuTTYgen's "Save public key" writes). Errors are
// exchange.Invalid with a sentence for whoever sent it.
func Read(data []byte) (Public, error) {
	const op = "keys.Read"
	if looksPrivate(data) {
		return Public{}, exchange.E(op, exchange.Invalid, "%s", PrivateKeyAdvice)
	}
	if len(data) > maxInput {
		return Public{}, exchange.E(op, exchange.Invalid, "This is far too large for a public key.")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	text := strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n"))
	switch {
	case text == "":
		return Public{}, exchange.E(op, exchange.Invalid, "This file is empty.")
	case !utf8.ValidString(text):
		return Public{}, exchange.E(op, exchange.Invalid, "This is not a text file, so it is no public key that we can read.")
	case strings.HasPrefix(text, rfc4716Begin):
		return readRFC4716(text)
	}
	return readLine(text)
}

// readLine reads "type base64 comment"; blank lines and # comments are passed over.
func readLine(text string) (Public, error) {
	const op = "keys.Read"
	line := ""
	for l := range strings.SplitSeq(text, "\n") {
		if l = strings.TrimSpace(l); l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if line != "" {
			return Public{}, exchange.E(op, exchange.Invalid, "This file has more than one line. Send one key at a time, on one line.")
		}
		line = l
	}
	key, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return Public{}, exchange.E(op, exchange.Invalid, "This is not a public key that we can read.").
			WithHint("send the .pub file that ssh-keygen made, or the file that PuTTYgen's \"Save public key\" wrote")
	}
	if len(options) > 0 {
		return Public{}, exchange.E(op, exchange.Invalid, "This line has options before the key. Send the key alone; limits are set here.")
	}
	return accept(key, comment)
}

// accept applies the policy on types and sizes.
func accept(key ssh.PublicKey, comment string) (Public, error) {
	const op = "keys.Read"
	p := Public{Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Comment: tidy(comment),
		Line: key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal())}
	switch key.Type() {
	case ssh.KeyAlgoED25519:
		p.Bits = 256
	case ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		p.Bits = key.(ssh.CryptoPublicKey).CryptoPublicKey().(*ecdsa.PublicKey).Curve.Params().BitSize
	case ssh.KeyAlgoRSA:
		p.Bits = key.(ssh.CryptoPublicKey).CryptoPublicKey().(*rsa.PublicKey).N.BitLen()
		if p.Bits < minRSA {
			return Public{}, exchange.E(op, exchange.Invalid, "This RSA key has %d bits; at least %d are needed. Make a new pair.", p.Bits, minRSA)
		}
		if p.Bits > maxRSA {
			return Public{}, exchange.E(op, exchange.Invalid, "This RSA key has %d bits; at most %d are taken.", p.Bits, maxRSA)
		}
	default:
		if strings.Contains(key.Type(), "-cert-") {
			return Public{}, exchange.E(op, exchange.Invalid, "This is an SSH certificate. Send the plain public key instead.")
		}
		return Public{}, exchange.E(op, exchange.Invalid, "Keys of type %s are not taken. Make an Ed25519, ECDSA or RSA pair.", exchange.Printable(key.Type()))
	}
	return p, nil
}

// tidy keeps a comment that is fit to show, within 200 bytes.
func tidy(comment string) string {
	comment = exchange.Printable(strings.TrimSpace(comment))
	for len(comment) > 200 {
		_, n := utf8.DecodeLastRuneInString(comment[:200])
		comment = comment[:200-n+1]
		for !utf8.ValidString(comment) {
			comment = comment[:len(comment)-1]
		}
	}
	return comment
}
