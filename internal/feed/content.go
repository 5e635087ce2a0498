package feed

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// fileType is a name's type: its ending in lower case.
func fileType(name string) string { return strings.ToLower(strings.TrimPrefix(path.Ext(name), ".")) }

// textTypes hold text and nothing else; beginnings are what files of a type
// begin with. Types that are in neither are taken at their name's word.
var (
	textTypes  = []string{"csv", "tsv", "txt", "xml", "json", "jsonl", "edi", "dat"}
	beginnings = map[string][]string{
		"pdf": {"%PDF-"}, "zip": {"PK\x03\x04", "PK\x05\x06"}, "xlsx": {"PK\x03\x04"}, "docx": {"PK\x03\x04"}, "gz": {"\x1f\x8b"},
		"bz2": {"BZh"}, "xz": {"\xfd7zXZ\x00"}, "zst": {"\x28\xb5\x2f\xfd"}, "7z": {"7z\xbc\xaf\x27\x1c"}, "png": {"\x89PNG"}, "jpg": {"\xff\xd8\xff"},
	}
)

// looks checks content against a type while it is written through it.
type looks struct {
	kind  string
	begin []byte // the first bytes, up to headBytes

	hold   []byte // until there are enough to see a byte order mark
	bad    string
	utf16  bool
	marked bool // a byte order mark was looked for
}

const headBytes = 16

func (l *looks) Write(p []byte) (int, error) {
	n := len(p)
	if n == 0 || l.bad != "" {
		return n, nil
	}
	if len(l.begin) < headBytes {
		l.begin = append(l.begin, p[:min(n, headBytes-len(l.begin))]...)
	}
	if len(l.begin) < 2 {
		l.hold = append(l.hold, p...)
		return n, nil
	}
	if !l.marked { // the mark can be seen now
		l.marked = true
		l.utf16 = bytes.HasPrefix(l.begin, []byte{0xff, 0xfe}) || bytes.HasPrefix(l.begin, []byte{0xfe, 0xff})
		p = slices.Concat(l.hold, p)
		l.hold = nil
	}
	if slices.Contains(textTypes, l.kind) && !l.utf16 {
		l.text(p)
	}
	return n, nil
}

// text refuses what no text has. It need not be UTF-8: old systems write
// Latin-1; but NUL and the other control characters are in no encoding of it.
func (l *looks) text(p []byte) {
	for _, c := range p {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1a || c == 0x7f {
			l.bad = "it has bytes that no text has"
			return
		}
	}
}

// judge refuses content that is not of its type, once all was written.
func (l *looks) judge(name string) error {
	const op = "feed.looks"
	if slices.Contains(textTypes, l.kind) {
		l.text(l.hold)
	}
	if l.bad == "" && len(l.begin) > 0 {
		if want := beginnings[l.kind]; len(want) > 0 && !slices.ContainsFunc(want, func(s string) bool { return strings.HasPrefix(string(l.begin), s) }) {
			l.bad = "its content does not begin like one"
		}
		for kind, starts := range beginnings {
			if slices.Contains(textTypes, l.kind) && (kind == "pdf" || kind == "zip") && slices.ContainsFunc(starts, func(s string) bool { return strings.HasPrefix(string(l.begin), s) }) {
				l.bad = "its content is that of a " + kind
			}
		}
	}
	if l.bad == "" && len(l.begin) == 0 && len(beginnings[l.kind]) > 0 {
		l.bad = "it is empty"
	}
	if l.bad == "" {
		return nil
	}
	return exchange.E(op, exchange.Invalid, "%q is called a %s, but %s.", exchange.Printable(name), l.kind, l.bad)
}
