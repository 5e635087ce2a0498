package mail

import (
	"strings"
	"unicode/utf8"
)

// block is a part of a letter: a paragraph, a table, a link, or lines to be kept as they are.
type block struct {
	Paragraph []line
	Head      []string // of Rows
	Rows      [][][]line
	Link      string // what is behind Label
	Label     string
	Code      string
}

// line is a line of text with literal parts.
type line []span

// span is text. Code is to be typed or compared as it is.
type span struct {
	Text string
	Code bool
}

func (l line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// parse reads a letter's text: paragraphs between empty lines, tables of | cells |, [links](https://…)
// alone on a line, and ``` fences. Values were marked, so no value begins or ends any of them.
func parse(text string) (out []block) {
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			out = append(out, block{Paragraph: parseLine(strings.Join(paragraph, " "))})
			paragraph = nil
		}
	}
	rows := strings.Split(text, "\n")
	for i := 0; i < len(rows); i++ {
		row := strings.TrimSpace(rows[i])
		label, link, isLink := cutLink(row)
		switch {
		case row == "":
			flush()
		case strings.HasPrefix(row, "```"):
			flush()
			var code []string
			for i++; i < len(rows) && strings.TrimSpace(rows[i]) != "```"; i++ {
				code = append(code, rows[i])
			}
			out = append(out, block{Code: verbatim(strings.Join(code, "\n"))})
		case strings.HasPrefix(row, "|"):
			flush()
			from := i
			for i+1 < len(rows) && strings.HasPrefix(strings.TrimSpace(rows[i+1]), "|") {
				i++
			}
			out = append(out, parseTable(rows[from:i+1]))
		case isLink:
			flush()
			out = append(out, block{Label: restore(label), Link: restore(link)})
		default:
			paragraph = append(paragraph, row)
		}
	}
	flush()
	return out
}

func cutLink(row string) (label, link string, ok bool) {
	label, link, ok = strings.Cut(strings.TrimSuffix(strings.TrimPrefix(row, "["), ")"), "](")
	return label, link, ok && strings.HasPrefix(row, "[") && strings.HasSuffix(row, ")")
}

// parseTable reads rows of cells. A row of dashes after the first makes the first the head.
func parseTable(rows []string) (b block) {
	for i, row := range rows {
		cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), "|")
		if i == 1 && strings.Trim(row, "|-: \t") == "" {
			for _, cell := range b.Rows[0] {
				b.Head = append(b.Head, cell[0].String())
			}
			b.Rows = nil
			continue
		}
		var parsed [][]line
		for _, cell := range cells {
			parsed = append(parsed, parseLine(strings.TrimSpace(cell)))
		}
		b.Rows = append(b.Rows, parsed)
	}
	return b
}

// parseLine reads `literal` parts and <br>.
func parseLine(s string) (out []line) {
	for part := range strings.SplitSeq(s, "<br>") {
		var l line
		for i, text := range strings.Split(strings.TrimSpace(part), "`") {
			if text != "" {
				l = append(l, span{Text: restore(text), Code: i%2 == 1})
			}
		}
		if len(l) > 0 {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		out = []line{{}}
	}
	return out
}

// plain writes blocks as text.
func plain(blocks []block) string {
	var b strings.Builder
	for i, bl := range blocks {
		if i > 0 {
			b.WriteString("\n")
		}
		switch {
		case bl.Rows != nil:
			b.WriteString(plainTable(bl))
		case bl.Link != "":
			b.WriteString(bl.Label + ":\n" + bl.Link + "\n")
		case bl.Code != "":
			b.WriteString(bl.Code + "\n")
		default:
			for _, l := range bl.Paragraph {
				b.WriteString(l.String() + "\n")
			}
		}
	}
	return b.String()
}

// longestLabel is the longest head of a column, in bytes, that stands before each cell of a table that is
// too wide. A longer one is a sentence.
const longestLabel = 20

// widest is the widest table that is written in columns, in characters.
const widest = 76

// plainTable writes a table in columns; or, if it is too wide, each row as lines of its own.
func plainTable(b block) string {
	rows := [][]string{}
	if b.Head != nil {
		rows = append(rows, b.Head)
	}
	broken := false // a cell has several lines
	for _, r := range b.Rows {
		row := make([]string, len(r))
		for i, cell := range r {
			parts := make([]string, len(cell))
			for j, l := range cell {
				parts[j] = l.String()
			}
			row[i] = strings.Join(parts, "\n")
			broken = broken || len(cell) > 1
		}
		rows = append(rows, row)
	}
	widths, whole := columns(rows)
	if b.Head == nil && len(widths) == 2 || whole <= widest && !broken {
		return aligned(rows, widths)
	}
	if b.Head != nil {
		rows = rows[1:]
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = record(b.Head, r)
	}
	return strings.Join(out, "\n")
}

// record writes a row as lines: the first cell, and below it the others, with the heads of their
// columns.
func record(head, row []string) string {
	var b strings.Builder
	for i, cell := range row {
		if cell == "" {
			continue
		}
		indent := ""
		if i > 0 {
			indent = "  "
			if i < len(head) && head[i] != "" && len(head[i]) <= longestLabel {
				cell = head[i] + ": " + cell
			}
		}
		b.WriteString(indent + strings.ReplaceAll(cell, "\n", "\n  ") + "\n")
	}
	return b.String()
}

// columns returns the width of each column, and of a whole line.
func columns(rows [][]string) (widths []int, whole int) {
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			for part := range strings.SplitSeq(cell, "\n") {
				widths[i] = max(widths[i], utf8.RuneCountInString(part))
			}
		}
	}
	for _, w := range widths {
		whole += w + 2
	}
	return widths, whole
}

// aligned writes rows in columns. Further lines of a cell stand below its first.
func aligned(rows [][]string, widths []int) string {
	var b strings.Builder
	for _, r := range rows {
		cells, height := make([][]string, len(r)), 0
		for i, cell := range r {
			cells[i] = strings.Split(cell, "\n")
			height = max(height, len(cells[i]))
		}
		for at := range height {
			text := ""
			for i := range r {
				part := ""
				if at < len(cells[i]) {
					part = cells[i][at]
				}
				text += part + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(part)+2)
			}
			b.WriteString(strings.TrimRight(text, " ") + "\n")
		}
	}
	return b.String()
}
