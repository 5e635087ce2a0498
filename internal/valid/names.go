package valid

import (
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// MaxID is the longest account ID, username, vendor or feed name, in bytes.
const MaxID = 64

// MaxName is the longest name of a file or directory, in bytes. It equals NAME_MAX of common file
// systems. MaxPath is the longest path.
const (
	MaxName = 255
	MaxPath = 4096
	// MaxDepth is the largest number of names in a directory's path.
	MaxDepth = 64
)

// reserved are names that have another meaning to programs or people.
var reserved = []string{"root", "admin", "administrator", "sallyport", "system", "operator", "nobody", "all", "new"}

// CheckID accepts lower-case letters, digits, '.', '_' and '-', at most MaxID
// long, starting with a letter or digit, and no reserved word. what names the
// thing in the message: "account ID".
func CheckID(what, id string) error {
	const op = "valid.CheckID"
	switch {
	case id == "":
		return fault.E(op, fault.Invalid, "The %s is empty.", what)
	case len(id) > MaxID:
		return fault.E(op, fault.Invalid, "The %s is longer than %d characters.", what, MaxID)
	case slices.Contains(reserved, id):
		return fault.E(op, fault.Invalid, "The %s %q is reserved.", what, id).WithHint("choose another %s", what)
	}
	return checkBytes(op, what, id, "use lower-case letters, digits, '.', '_' and '-', starting with a letter or digit",
		func(i int) bool {
			return lowerOrDigit(id[i]) || i > 0 && strings.IndexByte("._-", id[i]) >= 0
		})
}

// CheckUserName accepts account IDs and usernames. Besides what CheckID takes, it accepts capitals,
// '@', '+' and single spaces inside, because other servers do. Names are stored as written, and
// compared without regard to case (see Fold).
func CheckUserName(what, name string) error {
	if slices.Contains(reserved, Fold(name)) || name == "" || len(name) > MaxID {
		return CheckID(what, Fold(name))
	}
	return checkBytes("valid.CheckUserName", what, name,
		"use letters, digits, '.', '_', '-', '@', '+' and spaces inside, starting with a letter or digit", func(i int) bool {
			c := name[i]
			inside := i > 0 && i < len(name)-1 && c == ' ' && name[i-1] != ' '
			return lowerOrDigit(c) || 'A' <= c && c <= 'Z' || inside || i > 0 && strings.IndexByte("._-@+", c) >= 0
		})
}

// lowerOrDigit reports whether a byte is a lower-case letter or a digit.
func lowerOrDigit(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// checkBytes accepts a word if may is true for the index of each of its bytes.
func checkBytes(op, what, word, hint string, may func(i int) bool) error {
	for i := range len(word) {
		if !may(i) {
			return fault.E(op, fault.Invalid, "The %s %q has a character that is not allowed.", what, Printable(word)).
				WithHint("%s", hint)
		}
	}
	return nil
}

// Fold returns the form in which account IDs and usernames are compared: A-Z in lower case.
func Fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// FileFor turns an account ID or username into a file name that needs no quotes.
func FileFor(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '@' || r == '+' {
			return '_'
		}
		return r
	}, name)
}

// CheckLabel accepts text for people, such as a company name or a comment: at most 200 bytes of
// UTF-8 without control characters.
func CheckLabel(what, s string) error {
	const op = "valid.CheckLabel"
	switch {
	case strings.TrimSpace(s) == "":
		return fault.E(op, fault.Invalid, "The %s is empty.", what)
	case len(s) > 200:
		return fault.E(op, fault.Invalid, "The %s is longer than 200 bytes.", what)
	case !utf8.ValidString(s) || Printable(s) != s:
		return fault.E(op, fault.Invalid, "The %s has control characters or is not UTF-8.", what)
	}
	return nil
}

// CheckName accepts one name of a file or directory as a client sent it: any
// bytes but '/' and NUL, 1 to MaxName of them, and not "." or "..".
func CheckName(name string) error {
	const op = "valid.CheckName"
	switch {
	case name == "" || name == "." || name == "..":
		return fault.E(op, fault.Invalid, "That is not a name.")
	case len(name) > MaxName:
		return fault.E(op, fault.Invalid, "The name is longer than %d bytes.", MaxName)
	case strings.ContainsAny(name, "/\x00"):
		return fault.E(op, fault.Invalid, "The name has a character that is not allowed.")
	}
	return nil
}

// CleanPath resolves a client's path against its working directory and returns
// the absolute form: "/" or "/a/b", without "." and "..", which cannot rise
// above "/". A backslash is an ordinary byte. The result is only ever looked
// up in the database.
func CleanPath(cwd, p string) (string, error) {
	const op = "valid.CleanPath"
	if len(p) > MaxPath {
		return "", fault.E(op, fault.Invalid, "The path is longer than %d bytes.", MaxPath)
	}
	if strings.IndexByte(p, 0) >= 0 {
		return "", fault.E(op, fault.Invalid, "The path has a NUL byte.")
	}
	if !strings.HasPrefix(p, "/") {
		p = cwd + "/" + p
	}
	p = path.Clean("/" + p)
	if len(p) > MaxPath {
		return "", fault.E(op, fault.Invalid, "The path is longer than %d bytes.", MaxPath)
	}
	for name := range strings.SplitSeq(p[1:], "/") {
		if len(name) > MaxName {
			return "", fault.E(op, fault.Invalid, "A name in the path is longer than %d bytes.", MaxName)
		}
	}
	return p, nil
}

// CheckFolder cleans the path of a folder that a rule applies to. It refuses the root, and paths
// with unprintable characters.
func CheckFolder(p string) (string, error) {
	clean, err := CleanPath("/", p)
	if err != nil || clean == "/" || !strings.HasPrefix(p, "/") || Printable(clean) != clean {
		return "", fault.E("valid.CheckFolder", fault.Invalid, "%q is not a folder.", Printable(p)).
			WithHint("write the whole path, such as /upload/usage")
	}
	return clean, nil
}

// Printable escapes bytes from outside for logs, terminals and tables: control, formatting and
// invalid runes become \x or \u escapes.
func Printable(s string) string {
	clean := true
	for _, r := range s {
		if !printable(r) {
			clean = false
			break
		}
	}
	if clean && utf8.ValidString(s) {
		return s
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1 || r < 0x80 && !printable(r):
			b.WriteString(`\x`)
			b.WriteByte(hex[s[i]>>4])
			b.WriteByte(hex[s[i]&15])
		case !printable(r):
			b.WriteString(`\u{`)
			for shift := 20; shift >= 0; shift -= 4 {
				if d := r >> shift; d > 0 || shift == 0 {
					b.WriteByte(hex[d&15])
				}
			}
			b.WriteByte('}')
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// Excerpt is Printable of text from an unknown client, cut to at most most bytes. It is idempotent.
func Excerpt(s string, most int) string {
	s = Printable(s[:min(len(s), most)])
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// Storable returns s unchanged if databases accept it as text. Otherwise, with NUL or bytes that
// are not UTF-8, it returns Printable(s).
func Storable(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, "\x00") {
		return s
	}
	return Printable(s)
}

// Text converts bytes from outside for JSON. If s is not UTF-8, text is escaped and raw has the
// original bytes; otherwise raw is nil.
func Text(s string) (text string, raw []byte) {
	if utf8.ValidString(s) {
		return s, nil
	}
	return Printable(s), []byte(s)
}

func printable(r rune) bool { return unicode.IsPrint(r) }

// formulaSigns begin a formula in a spreadsheet: their wide and small forms do so where these are typed.
const formulaSigns = "=+-@＝＋－＠﹦﹢﹣﹫−"

// Cell makes text safe for a spreadsheet: it adds a quote where text would be read as a formula: at its
// beginning and behind a semicolon, which separates cells where the comma is for decimals. Blanks before
// the formula may be skipped.
func Cell(s string) string {
	s = Printable(s)
	var b strings.Builder
	begins := true
	for _, r := range s {
		if begins && strings.ContainsRune(formulaSigns, r) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		begins = r == ';' || begins && unicode.IsSpace(r)
	}
	return b.String()
}

// CutName shortens a name to at most n bytes. It does not cut within a UTF-8 character.
func CutName(name string, n int) string {
	if len(name) <= n {
		return name
	}
	for back := range min(utf8.UTFMax, n) {
		if utf8.RuneStart(name[n-back]) {
			return name[:n-back]
		}
	}
	return name[:n]
}
