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

// Marks of a web page, what of it nobody sees, tags that end a line, and the
// others. A tag's name ends the word: "<p@example.com>" is an address.
var (
	webPage = regexp.MustCompile(`(?i)<(html|body|p|div|br|span|pre|code|td|table|blockquote)(\s[^<>]*)?/?>`)
	unseen  = regexp.MustCompile(
		`(?is)<!--.*?-->|<head\b.*?</head\s*>|<style\b.*?</style\s*>|<script\b.*?</script\s*>|<title\b.*?</title\s*>`)
	lineTags = regexp.MustCompile(`(?i)</?(p|div|br|pre|tr|td|table|blockquote|li)\b[^<>]*>`)
	anyTag   = regexp.MustCompile(`</?[a-zA-Z!?][^<>]*>`)
	blanks   = regexp.MustCompile(`\n\s*\n`)
)

// quoteMarks are what mail programs put before the lines of an answer, and
// spaces there.
var quoteMarks = regexp.MustCompile(`(?m)^[ \t>]+`)

// typography is what word processors and mail programs make of plain text.
var typography = strings.NewReplacer("\r\n", "\n", "\r", "\n",
	"\u00a0", " ", "\u202f", " ", "\u2007", " ", "\u2028", "\n", "\u2029", "\n",
	"\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00ad", "",
	"\u201c", `"`, "\u201d", `"`, "\u201e", `"`, "\u00ab", `"`, "\u00bb", `"`, "\u2018", "'", "\u2019", "'",
	"\u2014", "--", "\u2013", "-", "\u2011", "-", "\u2010", "-")

// plainText undoes UTF-16, ISO 8859-1, byte order marks, web pages, typography
// and a mail's quote marks. What is no text in any of these stays as it is.
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
		text = blanks.ReplaceAllString(typography.Replace(text), "\n") // two tags end one line
	}
	return quoteMarks.ReplaceAllString(typography.Replace(text), "")
}

// fromUTF16 reads whole units; an odd byte at the end is left out.
func fromUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

// fromLatin1 reads ISO 8859-1: old programs write "René" so into comments.
func fromLatin1(text string) string {
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return string(runes)
}

// unquoted takes quotes from around a text, and so from the ends of its lines:
// each may have been quoted alone.
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
