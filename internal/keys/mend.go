package keys

import (
	"encoding/base64"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// maxWords is how many words of a line may be pieces of one key. A key of RSA 8192 has
// about 22 plus signs.
const maxWords = 64

// keyType is how a line begins that has a key; the signature algorithms of RSA are no
// types, and people write them as if they were.
var keyType = regexp.MustCompile(`^(ssh-(rsa|ed25519)|rsa-sha2-(256|512)|ecdsa-sha2-nistp(256|384|521))$`)

// mended reads a line whose base64 came apart: a web form made blanks of its plus signs,
// or a mail program put blanks in. Only the right characters make a key of the right
// length, so nothing is guessed.
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

// aKeyAmong says that one of the lines has a key; the others are something else.
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
