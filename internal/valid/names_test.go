package valid_test

import (
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// FuzzCleanPath: for any input, the result is a clean absolute path within the limits, and cleaning
// it again changes nothing.
func FuzzCleanPath(f *testing.F) {
	for _, p := range []string{"", ".", "..", "/", "//", "/../..", "a/../../b", `..\..`, "%2e%2e", "a\x00b", "/\xff\xfe",
		strings.Repeat("../", 100), strings.Repeat("a", 256), strings.Repeat("/a", 2048), "/upload/\x1b[2J\n\u202E"} {
		f.Add("/", p)
		f.Add("/upload", p)
	}
	f.Fuzz(func(t *testing.T, cwd, p string) {
		cwd, err := valid.CleanPath("/", cwd) // starting directories are always clean
		if err != nil {
			return
		}
		got, err := valid.CleanPath(cwd, p)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || got != "" {
				t.Fatalf("%q, %v", got, err)
			}
			return
		}
		if got[0] != '/' || len(got) > valid.MaxPath || strings.Contains(got, "\x00") || path.Clean(got) != got {
			t.Fatalf("%q", got)
		}
		if got != "/" {
			for name := range strings.SplitSeq(got[1:], "/") {
				if err := valid.CheckName(name); err != nil {
					t.Fatalf("%q has the name %q: %v", got, name, err)
				}
			}
		}
		for _, from := range []string{"/", cwd, "/elsewhere"} {
			if again, err := valid.CleanPath(from, got); err != nil || again != got {
				t.Fatalf("%q becomes %q, %v", got, again, err)
			}
		}
	})
}

func TestCleanPath(t *testing.T) {
	for in, want := range map[string]string{
		"": "/home", ".": "/home", "..": "/", "../..": "/", "x": "/home/x", "/x": "/x", "//x//y/": "/x/y",
		"/a/./b/../c": "/a/c", `a\b`: `/home/a\b`, "%2e%2e": "/home/%2e%2e",
		"/" + strings.Repeat("n", 255): "/" + strings.Repeat("n", 255),
	} {
		if got, err := valid.CleanPath("/home", in); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"\x00", "/a\x00b", "/" + strings.Repeat("n", 256), strings.Repeat("/", 4097),
		strings.Repeat("d/", 2100), strings.Repeat("n", 4095)} {
		if got, err := valid.CleanPath("/home", in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.20q (%d bytes): %q, %v", in, len(in), got, err)
		}
	}
}

// FuzzCheckID: an accepted id is safe as a username, a folder and in a URL.
func FuzzCheckID(f *testing.F) {
	for _, s := range []string{"acme", "acme-1", "..", "a/b", "Acme", "root", "a\n", "\u0430cme", "-a",
		strings.Repeat("a", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		err := valid.CheckID("username", id)
		if err != nil {
			if text := fault.PublicText(err) + fault.HintIn(err); valid.Printable(text) != text {
				t.Fatalf("the refusal of %q is not fit to show: %q", id, text)
			}
			return
		}
		if id == "" || len(id) > valid.MaxID || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" ||
			strings.ContainsRune("._-", rune(id[0])) {
			t.Fatalf("%q was accepted", id)
		}
	})
}

func TestCheckID(t *testing.T) {
	for _, id := range []string{"a", "0", "acme", "acme-telco_1.x", "a..b", strings.Repeat("a", 64)} {
		if err := valid.CheckID("account ID", id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "a/b", `a\b`, "A", "aB", "a b", "a\x00", "a\n", "-a", "_a", ".a", "root",
		"admin", "sallyport", "new", "all", "caf\u00e9", strings.Repeat("a", 65)} {
		if err := valid.CheckID("account ID", id); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// FuzzPrintable: the result is safe for a terminal, and clean text is unchanged.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J", "\u202E", "\xff", "\u0085\u2028", "caf\u00e9 \u4e16", "\U0001F600",
		"\uFFFD", "a\nb", "\U000E0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := valid.Printable(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		clean := utf8.ValidString(s)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q becomes %q, which has %U", s, got, r)
			}
		}
		for _, r := range s {
			clean = clean && unicode.IsPrint(r)
		}
		if clean != (got == s) {
			t.Fatalf("%q becomes %q", s, got)
		}
		if valid.Printable(got) != got {
			t.Fatalf("%q changes again", got)
		}
	})
}

// FuzzExcerpt: the result is short and printable, and Excerpt of it is the same. Storable leaves
// text unchanged that a database accepts.
func FuzzExcerpt(f *testing.F) {
	for _, s := range []string{"", "SSH-2.0-OpenSSH_9.9", "SSH-2.0-x\x80\u202e", "a\x00b", "\xed\xa0\x80", "éé",
		"\x1b[31m\xff"} {
		f.Add(s, uint8(12))
		f.Add(s, uint8(1))
	}
	f.Fuzz(func(t *testing.T, s string, most uint8) {
		got := valid.Excerpt(s, int(most))
		if len(got) > int(most) || valid.Printable(got) != got || valid.Excerpt(got, int(most)) != got {
			t.Fatalf("of %q in %d bytes: %q", s, most, got)
		}
		got = valid.Storable(s)
		if text := utf8.ValidString(s) && !strings.Contains(s, "\x00"); text && got != s || !text &&
			got != valid.Printable(s) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

// A partner's file name is no formula in the operator's spreadsheet, whatever separates cells there.
func TestNoCellIsAFormula(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"calls.csv":              "calls.csv",
		"a=b;c":                  "a=b;c",
		"=1+1":                   "'=1+1",
		" -1":                    " '-1",
		"@sum":                   "'@sum",
		"/upload/x;=1+cmd|A0;.c": "/upload/x;'=1+cmd|A0;.c",
		"x; ;+1;-1":              "x; ;'+1;'-1",
		"＝1":                     "'＝1",
		"x;＋1":                   "x;'＋1",
		"\t=1":                   `\x09=1`,
		"'=1":                    "'=1",
	} {
		if got := valid.Cell(in); got != want || valid.Cell(got) != got {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
