package guide

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text renders the guide as plain text, at most about 78 columns wide.
func (c *Card) Text() string {
	d := c.document()
	return d.text()
}

func (d *document) text() string {
	var b strings.Builder
	b.WriteString(heading(d.title, "=") + "\n")
	if from := d.sender(); from != "" {
		b.WriteString(wrap(from, "", "") + "\n")
	}
	for _, p := range d.intro {
		b.WriteString(wrap(plain(p), "", "") + "\n")
	}
	textRows(&b, d.card, nameWidth)
	for _, s := range d.sections {
		b.WriteString("\n" + heading(s.title, "-"))
		if s.intro != "" {
			b.WriteString(wrap(plain(s.intro), "", ""))
		}
		if len(s.rows) > 0 {
			b.WriteString("\n")
			textRows(&b, s.rows, shortWidth)
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
	if len(d.others) > 0 {
		b.WriteString("\n" + wrap(plain(d.without), "", ""))
	}
	return b.String()
}

// textRows writes rows in two columns. width is the first one's.
func textRows(b *strings.Builder, rows []row, width int) {
	for _, r := range rows {
		b.WriteString(wrap(plain(r.value), fmt.Sprintf("%-*s", width, r.name+":"), strings.Repeat(" ", width)))
	}
}

// Widths of name columns in plain text: the card's, and that of a table in a section.
const (
	nameWidth  = 22
	shortWidth = 10
)

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
