package guide

import (
	"fmt"
	"strings"
)

// Markdown renders the guide as Markdown.
func (c *Card) Markdown() string {
	d := c.document()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", mdText(d.title))
	if from := d.sender(); from != "" {
		b.WriteString(mdText(from) + "\n\n")
	}
	for _, p := range d.intro {
		b.WriteString(mdText(p) + "\n\n")
	}
	mdTable(&b, d.card)
	for _, s := range d.sections {
		fmt.Fprintf(&b, "\n## %s\n\n", mdText(s.title))
		if s.intro != "" {
			b.WriteString(mdText(s.intro) + "\n\n")
		}
		if len(s.rows) > 0 {
			mdTable(&b, s.rows)
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
	if len(d.others) > 0 {
		b.WriteString("\n" + mdText(d.without) + "\n")
	}
	return b.String()
}

// mdTable writes rows as a table without a head.
func mdTable(b *strings.Builder, rows []row) {
	b.WriteString("| | |\n|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| **%s** | %s |\n", mdText(r.name), mdCell(r.value))
	}
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
