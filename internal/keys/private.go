package keys

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// PrivateKeyAdvice is what a person who sent a private key is told.
const PrivateKeyAdvice = "This is a private key. It should never leave your computer, so we did not keep it. " +
	"Because it was sent, please stop using it, everywhere. Make a new pair and send only the public file, usually " +
	"ending in .pub. " +
	"This happens often; nothing else is needed."

// privateMarks are what private-key files have in them, lower-case, with the
// tool that writes each.
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

// LooksPrivate reports whether private-key material is anywhere in the input,
// also behind a public key, in a web page, as UTF-16 text, with its first and
// last lines lost, or wrapped: packed, in base64, in hexadecimal digits.
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
	// A mark may be broken by tags or typography.
	return hasMark(lowered([]byte(text))) || hasWrapped([]byte(text)) || privateJWK.MatchString(text) ||
		isPrivateDER(data) || isPGPSecret(data) || slices.ContainsFunc(bareBase64(text), isPrivateCore)
}

// lowered is data in lower case and without the zeros of UTF-16. Marks are
// ASCII, and input may be long: no other letter counts.
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

// textOf is plainText of what may also be UTF-16 that lost its mark.
func textOf(data []byte) string {
	text := plainText(data)
	if strings.ContainsRune(text, 0) {
		text = plainText([]byte(strings.ReplaceAll(text, "\x00", "")))
	}
	return text
}

// privateJWK is a JSON Web Key (RFC 7517) with a private member.
var privateJWK = regexp.MustCompile(`(?s)"kty"\s*:.*"d"\s*:|"d"\s*:.*"kty"\s*:`)

// armour is PEM's first and last line, or one of them.
var armour = regexp.MustCompile(`-----[A-Z0-9 ]+-----`)

// bareBase64 decodes text that is base64 and nothing else, and what stands
// between first and last lines, up to where it is damaged.
func bareBase64(text string) (out [][]byte) {
	for _, part := range armour.Split(text, -1) {
		out = append(out, decoded(part))
	}
	return out
}

// What begins private files within the base64.
const (
	openSSHMagic = "openssh-key-v1\x00"
	sshcomMagic  = "\x3f\x6f\xf9\xeb"
)

// isPrivateCore reports whether bytes begin as what is within a private file's
// base64: that may have been broken in the middle of a mark.
func isPrivateCore(b []byte) bool {
	return isPrivateDER(b) || isPGPSecret(b) || bytes.HasPrefix(b, []byte(openSSHMagic)) ||
		bytes.HasPrefix(b, []byte(sshcomMagic))
}

// privateCiphers begin the outer SEQUENCE of an encrypted PKCS#8 file: the
// password-based ciphers of PKCS#5 and PKCS#12.
var privateCiphers = []string{"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05",
	"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"}

// isPrivateDER reports whether bytes begin as a private key in DER does; the
// rest may be missing. PKCS#1 (RFC 8017 §A.1.2), PKCS#8 (RFC 5958 §2), SEC1
// (RFC 5915 §3) and PKCS#12 (RFC 7292 §4) begin with a version, which is a
// small number; a public key with its type, or with a large one.
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

// inSequence is what follows a SEQUENCE's head.
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
