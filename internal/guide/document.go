package guide

import (
	_ "embed"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// document is a guide before it is rendered. Text in `…` is literal: to be typed or looked for as
// it is.
type document struct {
	title    string
	intro    []string
	card     []row
	sections []section
}

type row struct{ name, value string }

// code marks a name as literal text.
func code(s string) string { return "`" + s + "`" }

// plainName escapes a name from outside for one line. It replaces backquotes, which would begin or
// end literal text.
func plainName(s string) string { return strings.ReplaceAll(valid.Printable(s), "`", "'") }

// tame returns a copy of the card with plainName applied to every name from outside.
func (c Card) tame() *Card {
	c.Account, c.StartDir = plainName(c.Account), plainName(c.StartDir)
	c.Support = Support{plainName(c.Support.Email), plainName(c.Support.URL), plainName(c.Support.Phone)}
	c.Folders, c.Feeds = slices.Clone(c.Folders), slices.Clone(c.Feeds)
	for i := range c.Folders {
		c.Folders[i].Path, c.Folders[i].Retention = plainName(c.Folders[i].Path), plainName(c.Folders[i].Retention)
	}
	for i := range c.Feeds {
		f := &c.Feeds[i]
		f.Name, f.Title, f.Dir, f.Retention, f.Types = plainName(f.Name), plainName(f.Title), plainName(f.Dir),
			plainName(f.Retention), slices.Clone(f.Types)
		for j := range f.Types {
			f.Types[j] = plainName(f.Types[j])
		}
	}
	return &c
}

type section struct {
	title string
	intro string
	steps []string // numbered
	code  string   // to paste
	after string
}

// Markdown renders the guide as Markdown.
func (c *Card) Markdown() string {
	d := c.document()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", mdText(d.title))
	for _, p := range d.intro {
		b.WriteString(mdText(p) + "\n\n")
	}
	b.WriteString("| | |\n|---|---|\n")
	for _, r := range d.card {
		fmt.Fprintf(&b, "| **%s** | %s |\n", mdText(r.name), mdCell(r.value))
	}
	for _, s := range d.sections {
		fmt.Fprintf(&b, "\n## %s\n\n", mdText(s.title))
		if s.intro != "" {
			b.WriteString(mdText(s.intro) + "\n\n")
		}
		for i, step := range s.steps {
			fmt.Fprintf(&b, "%d. %s\n", i+1, mdText(step))
		}
		if s.code != "" {
			b.WriteString("\n```\n" + s.code + "\n```\n")
		}
		if s.after != "" {
			b.WriteString("\n" + mdText(s.after) + "\n")
		}
	}
	return b.String()
}

// mdText escapes markup in text. Literal text (`…`) stays as it is.
func mdText(s string) string {
	parts := strings.Split(s, "`")
	for i := range parts {
		if i%2 == 0 {
			parts[i] = mdEscape.Replace(parts[i])
		}
	}
	return strings.Join(parts, "`")
}

// mdCell escapes text for a table cell. Markdown programs treat a | within literal text
// differently, so literal text with a | is not marked as such.
func mdCell(s string) string {
	parts := strings.Split(s, "`")
	for i := range parts {
		if i%2 == 0 || strings.Contains(parts[i], "|") {
			parts[i] = strings.ReplaceAll(mdEscape.Replace(parts[i]), "|", `\|`)
		} else {
			parts[i] = "`" + parts[i] + "`"
		}
	}
	return strings.Join(parts, "")
}

var mdEscape = strings.NewReplacer("&", "&amp;", `\`, `\\`, "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;", "[", `\[`,
	"]", `\]`, "#", `\#`, "~", `\~`)

// Text renders the guide as plain text, at most about 78 columns wide.
func (c *Card) Text() string {
	d := c.document()
	var b strings.Builder
	b.WriteString(heading(d.title, "=") + "\n")
	for _, p := range d.intro {
		b.WriteString(wrap(plain(p), "", "") + "\n")
	}
	for _, r := range d.card {
		b.WriteString(wrap(plain(r.value), fmt.Sprintf("%-*s", nameWidth, r.name+":"), strings.Repeat(" ", nameWidth)))
	}
	for _, s := range d.sections {
		b.WriteString("\n" + heading(s.title, "-"))
		if s.intro != "" {
			b.WriteString(wrap(plain(s.intro), "", ""))
		}
		for i, step := range s.steps {
			b.WriteString(wrap(plain(step), fmt.Sprintf("%2d. ", i+1), "    "))
		}
		if s.code != "" {
			b.WriteString("\n    " + strings.ReplaceAll(s.code, "\n", "\n    ") + "\n")
		}
		if s.after != "" {
			b.WriteString("\n" + wrap(plain(s.after), "", ""))
		}
	}
	return b.String()
}

// nameWidth is the width of the card's name column in plain text.
const nameWidth = 22

// heading underlines a title.
func heading(title, with string) string {
	text, longest := wrap(title, "", ""), 0
	for line := range strings.Lines(text) {
		longest = max(longest, utf8.RuneCountInString(line)-1)
	}
	return text + strings.Repeat(with, longest) + "\n"
}

func plain(s string) string { return strings.ReplaceAll(s, "`", "") }

// wrap breaks a paragraph between words.
func wrap(s, first, rest string) string {
	const width = 78
	var b strings.Builder
	line := first
	empty := true
	for word := range strings.FieldsSeq(s) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	return b.String() + strings.TrimRight(line, " ") + "\n"
}

//go:embed guide.html
var guideHTML string

var guidePage = template.Must(template.New("guide").Funcs(template.FuncMap{"rich": rich}).Parse(guideHTML))

// addresses finds web and e-mail addresses, which become links.
var addresses = regexp.MustCompile(`https://[^\s,<>"]*[^\s,<>".]|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+`)

// rich turns `…` into code and addresses into links, and escapes the rest.
func rich(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		if i%2 == 1 {
			b.WriteString("<code>" + template.HTMLEscapeString(part) + "</code>")
			continue
		}
		at := 0
		for _, m := range addresses.FindAllStringIndex(part, -1) {
			text := template.HTMLEscapeString(part[m[0]:m[1]])
			to := text
			if !strings.HasPrefix(to, "https://") {
				to = "mailto:" + to
			}
			b.WriteString(template.HTMLEscapeString(part[at:m[0]]) + `<a href="` + to + `">` + text + "</a>")
			at = m[1]
		}
		b.WriteString(template.HTMLEscapeString(part[at:]))
	}
	return template.HTML(b.String())
}

// HTML renders the guide as one page. It loads no other resources, and can be printed.
func (c *Card) HTML() (string, error) {
	d := c.document()
	type htmlRow struct {
		Name   string
		Values []string // of all rows with this name
	}
	type htmlSection struct {
		Title, Intro, Code, After string
		Steps                     []string
	}
	page := struct {
		Title    string
		Intro    []string
		Card     []htmlRow
		Sections []htmlSection
	}{Title: d.title, Intro: d.intro}
	for _, r := range d.card {
		if n := len(page.Card); n > 0 && page.Card[n-1].Name == r.name {
			page.Card[n-1].Values = append(page.Card[n-1].Values, r.value)
			continue
		}
		page.Card = append(page.Card, htmlRow{r.name, []string{r.value}})
	}
	for _, s := range d.sections {
		page.Sections = append(page.Sections, htmlSection{s.title, s.intro, s.code, s.after, s.steps})
	}
	var b strings.Builder
	if err := guidePage.Execute(&b, page); err != nil {
		return "", fault.Wrap("guide.HTML", fault.Internal, err)
	}
	return b.String(), nil
}

// Render renders the guide as "md", "text" or "html".
func (c *Card) Render(format string) (string, error) {
	switch format {
	case "md", "markdown":
		return c.Markdown(), nil
	case "text", "txt", "":
		return c.Text(), nil
	case "html":
		return c.HTML()
	}
	return "", fault.E("guide.Render", fault.Invalid, "There is no format %q.", valid.Printable(format)).
		WithHint("choose html, md or text")
}
