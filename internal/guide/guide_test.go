package guide_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/guide"
)

func TestEveryFormSaysEverythingOfTheCard(t *testing.T) {
	for form, text := range render(t, card()) {
		got := read(form, text)
		for _, fact := range facts {
			if !strings.Contains(got, fact) {
				t.Errorf("%s does not say %q:\n%.2500s", form, fact, got)
			}
		}
	}
}

func TestAnEmptyCardSaysNothingWrong(t *testing.T) {
	for form, text := range render(t,
		guide.Card{Account: "Acme", User: "acme", Host: "192.0.2.1", Port: 22, StartDir: "/"}) {
		got := read(form, text)
		for _, wrong := range []string{"Help:", "Your key on file", "You receive", "use the name, not a number", "%!",
			"<nil>"} {
			if strings.Contains(got, wrong) {
				t.Errorf("%s says %q", form, wrong)
			}
		}
		if !strings.Contains(got, "anywhere") {
			t.Errorf("%s does not say that log-ins may come from anywhere", form)
		}
	}
}

func TestWhoWasGivenAPairIsToldOfItsFiles(t *testing.T) {
	c := card()
	c.Issued = true
	for form, text := range render(t, c) {
		got := read(form, text)
		for _, fact := range []string{"acme.ppk", "acme.pub", "passphrase", "it is not a password"} {
			if !strings.Contains(got, fact) {
				t.Errorf("%s does not say %q", form, fact)
			}
		}
	}
}

func TestForms(t *testing.T) {
	c := card()
	for form, begins := range map[string]string{"": "File access", "txt": "File access", "text": "File access",
		"md": "# File", "markdown": "# File", "html": "<!DOCTYPE html>"} {
		if text, err := c.Render(form); err != nil || !strings.HasPrefix(text, begins) {
			t.Errorf("%q: %.40q, %v", form, text, err)
		}
	}
	if _, err := c.Render("pdf\x1b"); !fault.Is(err, fault.Invalid) || strings.ContainsRune(err.Error(), '\x1b') {
		t.Errorf("%v", err)
	}
}

// hostile are names that contain markup.
var hostile = []string{"<script>alert(1)</script>", "a | b | c", "`code` and ` half", "``<b>``",
	"*bold* _slanted_ ~~gone~~", "x\n\n# A heading\n\n| a | b |", "x\r\n<img src=x>", "[click](javascript:alert(1))",
	"![x](http://evil.example/x.png)", "&lt;b&gt; &amp; &#60;", "\x1b[31mred",
	"\u202egnp.exe", "\xff\xfe", `\`, `\|`, "`\\`|`", "\" onmouseover=\"x", "' onload='x", "{{.}}"}

// poisoned returns a card with a name in every field that comes from outside.
func poisoned(name string) guide.Card {
	c := card()
	c.Account, c.StartDir = name, "/"+name
	c.Folders = []guide.Folder{{Path: "/" + name, Fetch: true, Retention: name}}
	c.Feeds = []guide.Feed{{Name: name, Title: name, Dir: "/" + name, Types: []string{name}, Retention: name}}
	c.Support = exchange.Support{Email: name, URL: name, Phone: name}
	c.Keys[0].Comment, c.Keys[0].Holder = name, name
	c.Operator.Name, c.Operator.URL, c.Vendor = name, name, name
	c.Outbound = []guide.Outbound{{Name: name, Title: name}}
	c.Expected = []guide.Expected{{Glob: name, Days: "daily", Clock: "06:00", Zone: "UTC"}}
	return c
}

// htmlTag matches tags with their attributes.
var htmlTag = regexp.MustCompile(`</?([a-zA-Z0-9]+|!DOCTYPE)([^>]*)>`)

func TestHostileNamesStayNamesInHTML(t *testing.T) {
	allowed := map[string]int{}
	for _, m := range htmlTag.FindAllStringSubmatch(render(t, poisoned("plain"))["html"], -1) {
		allowed[m[1]]++
	}
	for _, name := range hostile {
		text := render(t, poisoned(name))["html"]
		got := map[string]int{}
		for _, m := range htmlTag.FindAllStringSubmatch(text, -1) {
			got[m[1]]++
			if strings.Contains(m[2], "on") && regexp.MustCompile(`\son\w+\s*=`).MatchString(m[2]) ||
				strings.Contains(m[2], "javascript:") {
				t.Errorf("%q made the tag %s", name, m[0])
			}
		}
		for tag, n := range got {
			if tag != "code" && tag != "a" && n != allowed[tag] || allowed[tag] == 0 {
				t.Errorf("%q: %d tags <%s>, want %d", name, n, tag, allowed[tag])
			}
		}
		if strings.Count(text, "<code>") != strings.Count(text, "</code>") {
			t.Errorf("%q: code does not end", name)
		}
	}
}

// mdSpans matches code spans, mdEscaped escaped characters.
var (
	mdSpans   = regexp.MustCompile("``[^`]+(`[^`]+)*``|`[^`]+`")
	mdEscaped = regexp.MustCompile(`\\.`)
)

func TestHostileNamesStayNamesInMarkdown(t *testing.T) {
	lines := func(name string) []string { return strings.Split(render(t, poisoned(name))["md"], "\n") }
	plain := lines("plain")
	for _, name := range hostile {
		got := lines(name)
		if len(got) != len(plain) {
			t.Errorf("%q: %d lines, want %d", name, len(got), len(plain))
			continue
		}
		inCode := false
		for i, line := range got {
			if strings.HasPrefix(line, "```") {
				inCode = !inCode
				continue
			}
			if strings.HasPrefix(plain[i], "|") && strings.Count(mdEscaped.ReplaceAllString(line, ""), "|") != 3 {
				t.Errorf("%q: the table's row has other columns: %s", name, line)
			}
			if inCode || strings.HasPrefix(plain[i], "| **") && strings.HasPrefix(line, "| **") &&
				!strings.Contains(plain[i], "plain") {
				continue
			}
			rest := mdEscaped.ReplaceAllString(mdSpans.ReplaceAllString(line, ""), "")
			want := mdEscaped.ReplaceAllString(mdSpans.ReplaceAllString(plain[i], ""), "")
			for _, mark := range []string{"<", "`", "*", "_", "[", "~~"} {
				if strings.Count(rest, mark) != strings.Count(want, mark) {
					t.Errorf("%q: a %s is markup in: %s", name, mark, line)
				}
			}
		}
	}
}

func TestEveryTextIsPrintable(t *testing.T) {
	for _, name := range append(hostile, "plain", "ünï 李") {
		for form, text := range render(t, poisoned(name)) {
			if !utf8.ValidString(text) {
				t.Errorf("%q in %s is not UTF-8", name, form)
			}
			for _, r := range text {
				if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
					t.Errorf("%q in %s brings %U", name, form, r)
					break
				}
			}
		}
	}
}

func TestPlainTextKeepsToItsWidth(t *testing.T) {
	for _, name := range append(hostile, "plain", strings.Repeat("very long company names ", 8), strings.Repeat("x", 190),
		strings.Repeat("ü ", 95)) {
		c := poisoned(name)
		for _, issued := range []bool{false, true} {
			c.Issued = issued
			for _, line := range strings.Split(render(t, c)["text"], "\n") {
				if n := utf8.RuneCountInString(line); n <= 78 || strings.HasPrefix(line, "    ") && isCode(line) {
					continue
				}
				indent := len(line) - len(strings.TrimLeft(line, " "))
				if list := strings.Fields(line); len(list) > 1 && !unbreakable(line, indent) {
					t.Errorf("%.20q…: %d columns: %s", name, utf8.RuneCountInString(line), line)
				}
			}
		}
	}
}

// isCode reports whether a line is a command to paste, which is not wrapped.
func isCode(line string) bool {
	for _, program := range []string{"psftp ", "sftp ", "rclone ", "curl "} {
		if strings.HasPrefix(strings.TrimSpace(line), program) {
			return true
		}
	}
	return false
}

// unbreakable reports whether a line is one long word, after a name of the card or an indent.
func unbreakable(line string, indent int) bool {
	list := strings.Fields(line)
	last := list[len(list)-1]
	return indent+utf8.RuneCountInString(last) > 78-22 && utf8.RuneCountInString(line)-utf8.RuneCountInString(last) <= 22
}

func TestWordsAreNotLostInWrapping(t *testing.T) {
	c := card()
	c.Account = strings.Repeat("word ", 30) + "end"
	if text := words(render(t, c)["text"]); !strings.Contains(text, words(c.Account)) {
		t.Errorf("the name is broken: %.300s", text)
	}
}

func TestKnownHost(t *testing.T) {
	c := card()
	if got := c.KnownHost(); got != "[sftp.example.com]:3333" {
		t.Errorf("%s", got)
	}
	if c.Port = 22; c.KnownHost() != "sftp.example.com" {
		t.Errorf("%s", c.KnownHost())
	}
	if c.Host = "2001:db8::1"; c.Address() != "[2001:db8::1]:22" || c.KnownHost() != "2001:db8::1" {
		t.Errorf("%s, %s", c.Address(), c.KnownHost())
	}
}
