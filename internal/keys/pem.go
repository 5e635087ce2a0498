package keys

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

const pemBegin = "-----BEGIN"

// readPEM reads PEM blocks. Anything else between them is an error: the decoder would silently
// skip what it cannot read, and the sender would believe that it was accepted.
func readPEM(text string) (out []Public, err error) {
	for rest := strings.TrimSpace(text); rest != ""; {
		block, after := pem.Decode([]byte(rest))
		if block == nil {
			if strings.Contains(rest, pemBegin) {
				return nil, damagedPEM()
			}
			return nil, somethingElse()
		}
		p, err := readPEMBlock(block)
		if err != nil {
			return nil, err
		}
		passed := rest[:len(rest)-len(after)]
		if strings.Count(passed, pemBegin) > 1 {
			return nil, damagedPEM()
		} else if !strings.HasPrefix(passed, pemBegin) {
			return nil, somethingElse()
		}
		out, rest = append(out, p), strings.TrimSpace(string(after))
	}
	return out, nil
}

// readPEMBlock reads a public key as OpenSSL writes it: PKIX ("BEGIN PUBLIC
// KEY", RFC 5280 §4.1) or PKCS#1 ("BEGIN RSA PUBLIC KEY", RFC 8017 §A.1.1).
func readPEMBlock(block *pem.Block) (p Public, err error) {
	const op = "keys.Read"
	var key any
	format := "PEM (PKIX)"
	switch {
	case block.Type == "PUBLIC KEY" || block.Type == "RSA PUBLIC KEY": // each format occurs under the other's label
		if key, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			format = "PEM (PKCS#1)"
			key, err = x509.ParsePKCS1PublicKey(block.Bytes)
		}
	case strings.HasSuffix(block.Type, "CERTIFICATE"): // also "TRUSTED CERTIFICATE"
		return p, fault.E(op, fault.Invalid,
			"This is an X.509 certificate, as web servers have. Send an SSH public key instead.").WithHint("%s", howToSend)
	default:
		return p, fault.E(op, fault.Invalid, "A file with %q in it is no public key.", valid.Printable(block.Type)).
			WithHint("%s", howToSend)
	}
	if _, isRSA := key.(*rsa.PublicKey); err != nil || !isRSA && block.Type == "RSA PUBLIC KEY" {
		return p, damagedPEM()
	}
	return acceptCrypto(key, format)
}

// readDER reads the public keys of readPEMBlock without PEM armour.
func readDER(data []byte) (p Public, ok bool) {
	if len(data) == 0 || data[0] != 0x30 || len(data) > maxInput { // a SEQUENCE
		return p, false
	}
	key, err := x509.ParsePKIXPublicKey(data)
	if err != nil {
		key, err = x509.ParsePKCS1PublicKey(data)
	}
	if err != nil {
		return p, false
	}
	p, err = acceptCrypto(key, "DER")
	return p, err == nil
}

// acceptCrypto is accept for a key of the standard library.
func acceptCrypto(key any, format string) (p Public, err error) {
	const op = "keys.Read"
	sshKey, err := ssh.NewPublicKey(key)
	if err != nil {
		return p, fault.E(op, fault.Invalid, "Keys of this type are not taken. Make an Ed25519, ECDSA or RSA pair.")
	}
	// Some keys that the standard library accepts are refused by the SSH parser, so parse the key
	// again.
	if sshKey, err = ssh.ParsePublicKey(sshKey.Marshal()); err != nil {
		return p, damagedPEM()
	}
	return accept(sshKey, "", format)
}

func damagedPEM() error {
	return fault.E("keys.Read", fault.Invalid, "The key's text is damaged. Send the file itself instead of pasting it.").
		WithHint("%s", howToSend)
}

func somethingElse() error {
	return fault.E("keys.Read", fault.Invalid, "There is something else beside the key. Send the key's file alone.")
}
