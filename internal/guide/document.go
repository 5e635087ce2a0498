package guide

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
)

// document is a guide before it takes a form. Text in `…` is to be typed or
// looked for literally.
type document struct {
	title    string
	intro    []string
	card     []row
	sections []section
}

type row struct{ name, value string }

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
		fmt.Fprintf(&b, "| **%s** | %s |\n", mdText(r.name), strings.ReplaceAll(mdText(r.value), "|", `\|`))
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

// mdText keeps names from outside from being taken for markup; `…` stays.
func mdText(s string) string {
	parts := strings.Split(s, "`")
	for i := range parts {
		if i%2 == 0 {
			parts[i] = mdEscape.Replace(parts[i])
		}
	}
	return strings.Join(parts, "`")
}

var mdEscape = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;", "[", `\[`, "]", `\]`, "#", `\#`)

// Text renders the guide as plain text, at most about 78 columns wide.
func (c *Card) Text() string {
	d := c.document()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", d.title, strings.Repeat("=", len([]rune(d.title))))
	for _, p := range d.intro {
		b.WriteString(wrap(plain(p), "", "") + "\n")
	}
	for _, r := range d.card {
		b.WriteString(wrap(plain(r.value), fmt.Sprintf("%-*s", nameWidth, r.name+":"), strings.Repeat(" ", nameWidth)))
	}
	for _, s := range d.sections {
		fmt.Fprintf(&b, "\n%s\n%s\n", s.title, strings.Repeat("-", len([]rune(s.title))))
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

// nameWidth is the column of the card's names in plain text.
const nameWidth = 22

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

// rich turns `…` into code; the rest is escaped.
func rich(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		text := template.HTMLEscapeString(part)
		if i%2 == 1 {
			text = "<code>" + text + "</code>"
		}
		b.WriteString(text)
	}
	return template.HTML(b.String())
}

// HTML renders the guide as one page that loads nothing and prints well.
func (c *Card) HTML() (string, error) {
	d := c.document()
	type htmlRow struct{ Name, Value string }
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
		page.Card = append(page.Card, htmlRow{r.name, r.value})
	}
	for _, s := range d.sections {
		page.Sections = append(page.Sections, htmlSection{s.title, s.intro, s.code, s.after, s.steps})
	}
	var b strings.Builder
	if err := guidePage.Execute(&b, page); err != nil {
		return "", exchange.Wrap("guide.HTML", exchange.Internal, err)
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
	return "", exchange.E("guide.Render", exchange.Invalid, "There is no format %q.", exchange.Printable(format)).WithHint("choose html, md or text")
}
