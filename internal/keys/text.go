package keys

import (
	"bytes"
	"encoding/binary"
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Patterns for web pages: a tag that shows that text is a web page, invisible parts, tags that
// end a line, and any tag. A tag's name must end the word: "<p@example.com>" is an address.
var (
	webPage = regexp.MustCompile(`(?i)<(html|body|p|div|br|span|pre|code|td|table|blockquote)(\s[^<>]*)?/?>`)
	unseen  = regexp.MustCompile(
		`(?is)<!--.*?-->|<head\b.*?</head\s*>|<style\b.*?</style\s*>|<script\b.*?</script\s*>|<title\b.*?</title\s*>`)
	lineTags = regexp.MustCompile(`(?i)</?(p|div|br|pre|tr|td|table|blockquote|li)\b[^<>]*>`)
	anyTag   = regexp.MustCompile(`</?[a-zA-Z!?][^<>]*>`)
	blanks   = regexp.MustCompile(`\n\s*\n`)
)

// quoteMarks matches the quote marks that mail programs put before each line of a reply, and
// spaces there.
var quoteMarks = regexp.MustCompile(`(?m)^[ \t>]+`)

// typography undoes what word processors and mail programs do to plain text.
var typography = strings.NewReplacer("\r\n", "\n", "\r", "\n",
	"\u00a0", " ", "\u202f", " ", "\u2007", " ", "\u2028", "\n", "\u2029", "\n",
	"\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00ad", "",
	"\u201c", `"`, "\u201d", `"`, "\u201e", `"`, "\u00ab", `"`, "\u00bb", `"`, "\u2018", "'", "\u2019", "'",
	"\u2014", "--", "\u2013", "-", "\u2011", "-", "\u2010", "-")

// plainText undoes UTF-16, ISO 8859-1, byte order marks, web pages, typography and a mail's
// quote marks. Other data is returned unchanged.
func plainText(data []byte) string {
	text := string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if len(data) >= 2 {
		switch binary.BigEndian.Uint16(data) {
		case 0xfeff:
			text = fromUTF16(data[2:], binary.BigEndian)
		case 0xfffe:
			text = fromUTF16(data[2:], binary.LittleEndian)
		}
	}
	if !utf8.ValidString(text) {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && !unicode.IsSpace(r) }) {
			return text
		}
		text = fromLatin1(text)
	}
	if webPage.MatchString(text) {
		text = lineTags.ReplaceAllString(unseen.ReplaceAllString(text, ""), "\n")
		text = html.UnescapeString(anyTag.ReplaceAllString(text, ""))
		text = blanks.ReplaceAllString(typography.Replace(text), "\n") // two tags may have ended one line
	}
	return quoteMarks.ReplaceAllString(typography.Replace(text), "")
}

// fromUTF16 decodes whole units. It ignores an odd byte at the end.
func fromUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

// fromLatin1 decodes ISO 8859-1, in which old programs write comments such as "René".
func fromLatin1(text string) string {
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return string(runes)
}

// unquoted removes quotes around a text. It also removes them from the ends of its lines, since
// each line may have been quoted.
func unquoted(text string) string {
	t := strings.TrimSpace(text)
	if len(t) < 2 || t[0] != t[len(t)-1] || !strings.ContainsAny(t[:1], "\"'`") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.Trim(strings.TrimSpace(l), t[:1])
	}
	return strings.Join(lines, "\n")
}
