package keys

import (
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// Markers of RFC 4716 §3.2.
const (
	rfc4716Begin = "---- BEGIN SSH2 PUBLIC KEY ----"
	rfc4716End   = "---- END SSH2 PUBLIC KEY ----"
)

// readRFC4716 reads one block: headers ("Tag: value", continued after a
// backslash at the end of the line), then base64.
func readRFC4716(text string) (Public, error) {
	const op = "keys.Read"
	body, rest, found := strings.Cut(strings.TrimPrefix(text, rfc4716Begin), rfc4716End)
	if !found {
		return Public{}, exchange.E(op, exchange.Invalid, "The key's last line (END SSH2 PUBLIC KEY) is missing. Send the whole file.")
	}
	if strings.TrimSpace(rest) != "" {
		return Public{}, exchange.E(op, exchange.Invalid, "There is more after the key. Send one key at a time.")
	}
	var comment string
	var b64 strings.Builder
	lines := strings.Split(strings.TrimSpace(body), "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		tag, value, isHeader := strings.Cut(line, ":")
		if !isHeader {
			b64.WriteString(line)
			continue
		}
		for strings.HasSuffix(value, `\`) && i+1 < len(lines) {
			i++
			value = strings.TrimSuffix(value, `\`) + strings.TrimSpace(lines[i])
		}
		if strings.EqualFold(strings.TrimSpace(tag), "comment") {
			comment = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	wire, err := base64.StdEncoding.DecodeString(b64.String())
	if err != nil {
		return Public{}, exchange.E(op, exchange.Invalid, "The key's text is damaged. Send the file itself instead of pasting it.")
	}
	key, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return Public{}, exchange.E(op, exchange.Invalid, "This is not a public key that we can read.")
	}
	return accept(key, comment)
}
