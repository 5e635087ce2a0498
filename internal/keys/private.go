package keys

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// PrivateKeyAdvice is the answer to a person who sent a private key.
const PrivateKeyAdvice = "This is a private key. It should never leave your computer, so we did not keep it. " +
	"Because it was sent, please stop using it, everywhere. Make a new pair and send only the public file, usually " +
	"ending in .pub. " +
	"This happens often; nothing else is needed."

// privateMarks are lower-case strings that occur in private key files, each with the tool that
// writes it.
var privateMarks = []string{
	// OpenSSH, PKCS#1, PKCS#8, SEC1: "-----BEGIN … PRIVATE KEY-----", of which a word processor leaves two dashes
	"private key--",
	"private key block--",           // OpenPGP
	"private key --",                // ssh.com: "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----"
	"proc-type: 4,encrypted",        // encrypted PKCS#1 and SEC1, header lost
	"putty-user-key-file-",          // PuTTYgen, every version
	"private-lines:",                // PuTTYgen, header lost
	"private-mac:",                  // PuTTYgen, the end alone
	"b3blbnnzac1rzxktdj",            // base64 of "openssh-key-v1", header lost
	"awytbw9kbntzawdue",             // base64 of "if-modn{sign{", ssh.com's RSA, header lost
	"ssh private key file format 1", // SSH-1
	"age-secret-key-1",              // age
}

// LooksPrivate reports whether the input contains private key material anywhere. That includes
// material after a public key, in a web page, as UTF-16, without its first and last lines, or
// wrapped: compressed, in base64, or in hexadecimal.
func LooksPrivate(data []byte) bool {
	if len(data) > maxInput {
		return hasMark(lowered(data)) || bytes.Contains(data, []byte(openSSHMagic)) || hasWrapped(data)
	}
	return slices.ContainsFunc(layers(data), looksPrivate)
}

func looksPrivate(data []byte) bool {
	if hasMark(lowered(data)) || bytes.Contains(data, []byte(openSSHMagic)) || hasWrapped(data) {
		return true
	}
	text := textOf(data)
	// Tags or typography may have split a mark.
	return hasMark(lowered([]byte(text))) || hasWrapped([]byte(text)) || privateJWK.MatchString(text) ||
		isPrivateDER(data) || isPGPSecret(data) || slices.ContainsFunc(bareBase64(text), isPrivateCore)
}

// lowered returns data with ASCII letters in lower case and without the zero bytes of UTF-16.
// Marks are ASCII, so other letters need not be converted.
func lowered(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for _, c := range data {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != 0 {
			out = append(out, c)
		}
	}
	return out
}

func hasMark(lower []byte) bool {
	for _, mark := range privateMarks {
		if bytes.Contains(lower, []byte(mark)) {
			return true
		}
	}
	return false
}

// textOf is plainText, also for UTF-16 without a byte order mark.
func textOf(data []byte) string {
	text := plainText(data)
	if strings.ContainsRune(text, 0) {
		text = plainText([]byte(strings.ReplaceAll(text, "\x00", "")))
	}
	return text
}

// privateJWK matches a JSON Web Key (RFC 7517) with a private member.
var privateJWK = regexp.MustCompile(`(?s)"kty"\s*:.*"d"\s*:|"d"\s*:.*"kty"\s*:`)

// armour matches the first or the last line of PEM.
var armour = regexp.MustCompile(`-----[A-Z0-9 ]+-----`)

// bareBase64 decodes text that is only base64, and the parts between armour lines. Each part is
// decoded up to the first damage.
func bareBase64(text string) (out [][]byte) {
	for _, part := range armour.Split(text, -1) {
		out = append(out, decoded(part))
	}
	return out
}

// The first bytes of private key files, after base64 decoding.
const (
	openSSHMagic = "openssh-key-v1\x00"
	sshcomMagic  = "\x3f\x6f\xf9\xeb"
)

// isPrivateCore reports whether decoded bytes begin like a private key file. It catches files
// whose text marks were split.
func isPrivateCore(b []byte) bool {
	return isPrivateDER(b) || isPGPSecret(b) || bytes.HasPrefix(b, []byte(openSSHMagic)) ||
		bytes.HasPrefix(b, []byte(sshcomMagic))
}

// privateCiphers are the first bytes in the outer SEQUENCE of an encrypted PKCS#8 file: the
// password-based ciphers of PKCS#5 and PKCS#12.
var privateCiphers = []string{"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05",
	"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"}

// isPrivateDER reports whether bytes begin like a private key in DER; the rest may be missing.
// PKCS#1 (RFC 8017 §A.1.2), PKCS#8 (RFC 5958 §2), SEC1 (RFC 5915 §3) and PKCS#12 (RFC 7292 §4)
// begin with a version, which is a small number. A public key begins with its type or with a
// large number.
func isPrivateDER(der []byte) bool {
	body, ok := inSequence(der)
	if !ok || len(body) < 3 {
		return false
	}
	if body[0] == 0x02 && body[1] <= 8 {
		return true
	}
	cipher, _ := inSequence(body)
	return slices.ContainsFunc(privateCiphers, func(c string) bool { return bytes.HasPrefix(cipher, []byte(c)) })
}

// inSequence returns what follows the header of a SEQUENCE.
func inSequence(der []byte) (body []byte, ok bool) {
	if len(der) < 2 || der[0] != 0x30 {
		return nil, false
	}
	n := 2
	if der[1]&0x80 != 0 {
		n += int(der[1] & 0x7f)
	}
	if n > len(der) {
		return nil, false
	}
	return der[n:], true
}
