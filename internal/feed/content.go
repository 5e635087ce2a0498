package feed

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// Type describes a file type by its name extensions and its content. A Type with no content
// fields set accepts every content.
type Type struct {
	Extensions []string // name extensions, lower case, without dot
	Begins     []string // magic bytes: the content has one of these at an offset of at most Within
	Within     int      // in bytes
	Text       bool     // the content is text, in any encoding
}

// AnyType makes a feed accept every file name and content. It stands in the feed's list of types.
const AnyType = "any"

// inFront is the largest offset of a PDF header. Readers search the first 1,024 bytes, since
// some programs write a line before the header.
const inFront = 1024

// office lists the magic bytes of Office files: a ZIP archive, or an OLE file if it has a
// password.
var office = []string{"PK\x03\x04", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}

// builtin holds the types that need no configuration. The types dat and edi are left out on
// purpose: such files may have any content, such as binary call records or control characters
// as separators.
var builtin = map[string]Type{
	"csv": {Text: true}, "tsv": {Text: true}, "txt": {Text: true}, "xml": {Text: true}, "json": {Text: true},
	"jsonl": {Text: true},
	"pdf":   {Begins: []string{"%PDF-"}, Within: inFront},
	"zip":   {Begins: []string{"PK\x03\x04", "PK\x05\x06", "PK\x07\x08"}}, "xlsx": {Begins: office},
	"docx": {Begins: office}, "pptx": {Begins: office},
	"gz": {Begins: []string{"\x1f\x8b"}}, "bz2": {Begins: []string{"BZh"}}, "xz": {Begins: []string{"\xfd7zXZ\x00"}},
	"zst": {Begins: []string{"\x28\xb5\x2f\xfd"}},
	"7z":  {Begins: []string{"7z\xbc\xaf\x27\x1c"}}, "png": {Begins: []string{"\x89PNG"}},
	"jpg": {Begins: []string{"\xff\xd8\xff"}},
}

// types combines builtin and configured types. A configured type replaces the built-in one of
// the same name.
type types struct {
	byName map[string]Type
	byEnd  map[string]string // extension → name
}

func newTypes(configured map[string]Type) *types {
	t := &types{byName: map[string]Type{}, byEnd: map[string]string{}}
	for name, v := range builtin {
		t.byName[name] = v
	}
	for name, v := range configured {
		t.byName[name] = v
		for _, e := range v.Extensions {
			t.byEnd[e] = name
		}
	}
	return t
}

// of returns the type of a file name: the configured type that claims the extension, else the
// extension itself in lower case.
func (t *types) of(name string) string {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	if kind, ok := t.byEnd[ext]; ok {
		return kind
	}
	return ext
}

// contentCheck examines content while the content is written through it.
type contentCheck struct {
	kind     string
	want     Type
	begin    []byte // the first bytes, up to headBytes
	controls int    // non-text bytes among the first sample bytes
	nuls     [2]int // NUL bytes among them, at even and at odd offsets
	seen     int64
	odd      bool // a non-text byte came anywhere in the content
}

const (
	headBytes = inFront + 16
	sample    = 8192 // how many bytes decide whether a file is text
)

func (l *contentCheck) Write(p []byte) (int, error) {
	n := len(p)
	if len(l.begin) < headBytes {
		l.begin = append(l.begin, p[:min(n, headBytes-len(l.begin))]...)
	}
	if l.want.Text {
		l.text(p)
	}
	l.seen += int64(n)
	return n, nil
}

// text counts bytes that no text has. Bytes above 0x7f are accepted, since old systems write
// Latin-1.
func (l *contentCheck) text(p []byte) {
	for i, c := range p {
		if c >= 0x20 && c != 0x7f || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == 0x1a {
			continue
		}
		l.odd = true
		at := l.seen + int64(i)
		if at >= sample {
			return // past the sample, only odd matters
		}
		l.controls++
		if c == 0 {
			l.nuls[at%2]++
		}
	}
}

// verdict returns what is wrong with the content for its type, or "", and whether that is
// certain.
func (l *contentCheck) verdict() (wrong string, certain bool) {
	switch {
	case len(l.want.Begins) > 0 && l.seen == 0:
		return "it is empty", true
	case len(l.want.Begins) > 0 && !beginsWith(l.begin, l.want.Begins, l.want.Within):
		return "its content does not begin like one", true
	case !l.want.Text || l.seen == 0:
		return "", false
	}
	for _, other := range []string{"pdf", "zip"} {
		if beginsWith(l.begin, builtin[other].Begins, 0) {
			return "its content is that of a " + other, true
		}
	}
	looked := min(l.seen, sample)
	wide := l.nuls[0]*10 > int(looked)*2 != (l.nuls[1]*10 > int(looked)*2) // NULs at every other byte: UTF-16
	switch {
	case bytes.HasPrefix(l.begin, []byte{0xff, 0xfe}), bytes.HasPrefix(l.begin, []byte{0xfe, 0xff}):
		return "", false // UTF-16 with a byte order mark
	case wide:
		return "it looks like UTF-16 without a byte order mark", false
	case int64(l.controls)*20 > looked && l.controls >= 4:
		return "it has bytes that no text has", true
	case l.odd:
		return "it has control characters", false
	}
	return "", false
}

func beginsWith(begin []byte, with []string, within int) bool {
	return slices.ContainsFunc(with, func(s string) bool {
		at := bytes.Index(begin, []byte(s))
		return 0 <= at && at <= within
	})
}

// judge returns an error if the content is certainly not of its type, or a flag text if it may
// not be. checks can turn refusals into flags, or turn both off.
func (l *contentCheck) judge(name, checks string) (flag string, err error) {
	if checks == model.ChecksOff {
		return "", nil
	}
	wrong, certain := l.verdict()
	if wrong == "" {
		return "", nil
	}
	if certain && checks != model.ChecksFlag {
		return "", fault.E("feed.looks", fault.Invalid, "%q is called a %s, but %s.", valid.Printable(name), l.kind, wrong).
			WithHint("if such files are meant, flag them instead, or take files of any type").
			WithAction("edit-feed", "checks", model.ChecksFlag)
	}
	return "called a " + l.kind + ", but " + wrong, nil
}
