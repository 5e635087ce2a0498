package keys

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// maxInput is the largest key file that is read, in bytes. The largest accepted key, RSA 8192,
// takes about 1.5 KiB.
const maxInput = 64 << 10

// maxKeys is how many keys one file may have.
const maxKeys = 20

const howToSend = "send the .pub file that ssh-keygen made, or the file that PuTTYgen's \"Save public key\" wrote"

// Read returns the public keys in data: OpenSSH lines, also with options, RFC 4716 blocks, PKIX
// and PKCS#1 in PEM or DER, or bare base64. It also reads keys from a web page, with a word
// processor's quotes, or broken over lines by a mail program. It returns at least one key and
// no duplicates. Errors are fault.Invalid with a sentence for the sender.
func Read(data []byte) ([]Public, error) {
	const op = "keys.Read"
	if LooksPrivate(data) {
		return nil, fault.E(op, fault.Invalid, "%s", PrivateKeyAdvice)
	}
	if len(data) > maxInput {
		return nil, fault.E(op, fault.Invalid, "This is far too large for a public key.")
	}
	if p, ok := readDER(data); ok {
		return []Public{p}, nil
	}
	text := unquoted(strings.TrimRight(plainText(data), " \t\n")) // leading blank lines stay: lines are counted
	text = rfc4716Marks.ReplaceAllString(text, "---- $1 SSH2 PUBLIC KEY ----")
	var found []Public
	var err error
	switch {
	case strings.TrimSpace(text) == "":
		return nil, fault.E(op, fault.Invalid, "This file is empty.")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return nil, fault.E(op, fault.Invalid, "This is not a text file, so it is no public key that we can read.").
			WithHint("%s", howToSend)
	case strings.Contains(text, "-----BEGIN PGP PUBLIC KEY"):
		return nil, fault.E(op, fault.Invalid, "This is a PGP key, for encrypting mail and files. An SSH key is needed.").
			WithHint("%s", howToSend)
	case strings.Contains(text, "-----BEGIN"):
		found, err = readPEM(text)
	case strings.Contains(text, rfc4716Begin):
		found, err = readRFC4716(text)
	default:
		found, err = readLines(text)
	}
	if err != nil {
		return nil, err
	}
	var out []Public
	for _, p := range found {
		if !slices.ContainsFunc(out, func(q Public) bool { return q.Fingerprint == p.Fingerprint }) {
			out = append(out, p)
		}
	}
	if len(out) > maxKeys {
		return nil, fault.E(op, fault.Invalid, "There are %d keys in this file; send at most %d.", len(out), maxKeys)
	}
	return out, nil
}

// Parts of lines. typeAtEnd matches a line that was broken between type and base64. keyLike
// matches text that is not the rest of a comment.
var (
	base64Only = regexp.MustCompile(`^[A-Za-z0-9+/]+=*$`)
	typeAtEnd  = regexp.MustCompile(`(^|\s)(ssh|ecdsa|sk)-[a-z0-9.@-]+$`)
	keyLike    = regexp.MustCompile(`AAAA|\b(ssh|ecdsa|sk)-[a-z]|[A-Za-z0-9+/]{40}`)
)

// maxPieces is how many lines one key may be broken over. Each piece is tried, so the input
// must not choose the number.
const maxPieces = 200

// readLines reads lines of "[options] type base64 [comment]", or bare base64. It skips blank
// lines and # comments, and joins a key that was broken over lines.
func readLines(text string) (out []Public, err error) {
	lines := strings.Split(text, "\n")
	if bare := strings.Join(strings.Fields(text), ""); strings.HasPrefix(bare, "AAAA") && base64Only.MatchString(bare) {
		p, err := readBase64(bare, "", "base64")
		return []Public{p}, err
	}
	for i := 0; i < len(lines); i++ {
		whole := strings.TrimSpace(unquoted(lines[i]))
		if whole == "" || strings.HasPrefix(whole, "#") {
			continue
		}
		first := i
		p, err := readLine(whole)
		for err == errNoKey && i+1 < len(lines) && i-first < maxPieces && pieceOfKey(lines[i+1]) {
			i++
			if typeAtEnd.MatchString(whole) {
				whole += " "
			}
			whole += strings.TrimSpace(lines[i])
			p, err = readLine(whole)
		}
		if err == errNoKey && len(lines) > 1 && aKeyAmong(lines) {
			return nil, errWordsAround(first + 1)
		} else if err == errNoKey {
			return nil, noKeyInLine(first+1, len(lines))
		} else if err != nil {
			return nil, err
		}
		if i+1 < len(lines) && restOfComment(p, lines[i+1], i > first) {
			i++
			p.Comment = tidy(p.Comment + " " + lines[i])
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, fault.E("keys.Read", fault.Invalid, "There is no key in this file, only comments.").
			WithHint("%s", howToSend)
	}
	return out, nil
}

// pieceOfKey reports whether a line may continue a key's base64. A comment may follow the last
// piece.
func pieceOfKey(line string) bool {
	words := strings.Fields(line)
	return len(words) > 0 && base64Only.MatchString(words[0])
}

// restOfComment reports whether the line after a key may be the end of its comment. After a key
// that was broken over lines that is any text that is not like a key. After a key without a
// comment it is an e-mail address.
func restOfComment(p Public, line string, broken bool) bool {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") || keyLike.MatchString(line) {
		return false
	}
	return broken || p.Comment == "" && len(words) == 1 && strings.Contains(line, "@")
}

func noKeyInLine(number, lines int) error {
	if lines == 1 {
		return fault.E("keys.Read", fault.Invalid, "This is not a public key that we can read.").WithHint("%s", howToSend)
	}
	return fault.E("keys.Read", fault.Invalid, "Line %d is not a public key that we can read.", number).
		WithHint("%s", howToSend)
}

// errNoKey means that a line is not a key. It never leaves the package.
var errNoKey = fault.E("keys.Read", fault.Invalid, "This is not a public key that we can read.")

func readLine(line string) (Public, error) {
	key, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		if p, ok := mended(line); ok {
			return p, nil
		}
		return Public{}, errNoKey
	}
	if err := checkOptions(options); err != nil {
		return Public{}, err
	}
	p, err := accept(key, comment, "OpenSSH")
	p.Options = tidy(strings.Join(options, ","))
	return p, err
}

// lineOptions are the options that authorized_keys allows before a key (sshd(8)).
var lineOptions = []string{"agent-forwarding", "command", "environment", "expiry-time", "from", "no-agent-forwarding",
	"no-port-forwarding", "no-pty", "no-touch-required", "no-user-rc", "no-x11-forwarding", "permitlisten", "permitopen",
	"port-forwarding",
	"principals", "pty",
	"restrict", "tunnel", "user-rc", "verify-required", "x11-forwarding"}

// checkOptions refuses options that show that the key is not a user's: a server's key from
// known_hosts, or a key that signs certificates.
func checkOptions(options []string) error {
	const op = "keys.Read"
	for _, o := range options {
		name, _, _ := strings.Cut(strings.ToLower(o), "=")
		switch {
		case name == "cert-authority":
			return fault.E(op, fault.Invalid,
				"This key is an authority that signs certificates. Send your own public key instead.")
		case !slices.Contains(lineOptions, name):
			return fault.E(op, fault.Invalid,
				"This looks like a line of known_hosts, which has a server's key. Send your own public key instead.").
				WithHint("%s", howToSend)
		}
	}
	return nil
}

// readBase64 reads a key's wire form (RFC 4253 §6.6) from base64.
func readBase64(text, comment, format string) (Public, error) {
	const op = "keys.Read"
	wire, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return Public{}, fault.E(op, fault.Invalid, "The key's text is damaged. Send the file itself instead of pasting it.")
	}
	key, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return Public{}, fault.E(op, fault.Invalid, "The key is cut short or damaged. Send the whole file.").
			WithHint("%s", howToSend)
	}
	return accept(key, comment, format)
}
