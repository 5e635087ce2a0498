package keys

import (
	"encoding/base64"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// maxWords is how many words of a line are tried as pieces of one key. An RSA 8192 key has
// about 22 plus signs.
const maxWords = 64

// keyType matches the first word of a line with a key. RSA signature algorithms are not key
// types, but people write them as if they were.
var keyType = regexp.MustCompile(`^(ssh-(rsa|ed25519)|rsa-sha2-(256|512)|ecdsa-sha2-nistp(256|384|521))$`)

// mended reads a line whose base64 has blanks in it. Either a web form turned its plus signs
// into blanks, or a mail program added blanks. Only the right repair gives a valid key, so
// nothing is guessed.
func mended(line string) (p Public, ok bool) {
	words := strings.Fields(line)
	if len(words) < 2 || len(words) > maxWords+32 || !keyType.MatchString(words[0]) {
		return Public{}, false
	}
	named := words[0]
	if strings.HasPrefix(named, "rsa-sha2-") {
		named = ssh.KeyAlgoRSA
	}
	for _, lost := range []string{"+", ""} {
		text := ""
		for i, w := range words[1:] {
			if i == maxWords || !base64Only.MatchString(w) {
				break
			}
			if i > 0 {
				text += lost
			}
			if text += w; len(text)%4 != 0 {
				continue
			}
			wire, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				continue
			}
			if key, err := ssh.ParsePublicKey(wire); err == nil && key.Type() == named {
				p, err := accept(key, strings.Join(words[i+2:], " "), "OpenSSH")
				return p, err == nil
			}
		}
	}
	return Public{}, false
}

// aKeyAmong reports whether at least one of the lines is a key.
func aKeyAmong(lines []string) bool {
	for _, l := range lines[:min(len(lines), 1000)] {
		words := strings.Fields(l)
		if len(words) > 1 && keyType.MatchString(words[0]) {
			if _, err := readLine(strings.TrimSpace(l)); err == nil {
				return true
			}
		}
	}
	return false
}

func errWordsAround(number int) error {
	return fault.E("keys.Read", fault.Invalid,
		"Line %d is not a public key that we can read; there is a key in this text, with other words around it. Send the "+
			"key's file alone, or only the line that begins with the key's type (such as ssh-ed25519).", number)
}
