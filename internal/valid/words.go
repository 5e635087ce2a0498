package valid

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/mail"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// CheckEmail accepts one plain e-mail address. It returns the form to store, with the domain in
// lower case.
func CheckEmail(s string) (string, error) {
	if len(s) > 254 { // RFC 5321 §4.5.3.1.3
		return "", fault.E("valid.CheckEmail", fault.Invalid, "This e-mail address is too long.")
	}
	a, err := mail.ParseAddress(strings.TrimSpace(s))
	if err != nil || a.Name != "" || Printable(s) != s || strings.ContainsAny(s, "<>\"") {
		return "", fault.E("valid.CheckEmail", fault.Invalid, "%q is not an e-mail address.", Printable(s))
	}
	local, domain, _ := strings.Cut(a.Address, "@")
	return local + "@" + strings.ToLower(domain), nil
}

// CheckGlobs fails unless every text is a valid pattern of file names.
func CheckGlobs(what string, globs []string) error {
	for _, g := range globs {
		if _, err := path.Match(g, ""); err != nil || g == "" || strings.Contains(g, "/") {
			return fault.E("valid.CheckGlobs", fault.Invalid, "%s: %q is not a pattern of file names.", what, Printable(g)).
				WithHint("such as *.tmp, .* or upload-?.part")
		}
	}
	return nil
}

// IsFingerprint reports whether a text is a complete fingerprint in OpenSSH's form. A mistyped one
// must be refused: nobody would notice that the wrong key was blocked.
func IsFingerprint(s string) bool {
	sum, found := strings.CutPrefix(s, "SHA256:")
	b, err := base64.RawStdEncoding.Strict().DecodeString(sum)
	return found && err == nil && len(b) == sha256.Size && !strings.ContainsAny(sum, "\r\n")
}

// MaxGrace is the longest grace period of a doubtful name.
const MaxGrace = 24 * time.Hour

// Count is a number with its noun, whose plural ends in s: 1 key, 2 keys.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// Size writes a number of bytes for people: 999 bytes, 1.5 GB.
func Size(n int64) string {
	const units = "KMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	f, u := float64(n), -1
	for f >= 999.95 && u < len(units)-1 {
		f, u = f/1000, u+1
	}
	return fmt.Sprintf("%.1f %cB", f, units[u])
}
