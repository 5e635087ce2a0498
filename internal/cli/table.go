package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// table is rows for display. Cells are text, numbers, sizes or times (time.Time, *time.Time), so that
// they can be sorted, and written for people and for programs.
type table struct {
	head []string
	rows [][]any
	none string // printed in place of an empty table
	// more is how many of the last columns are only for --wide and CSV.
	more int
	// long says that the last shown column has sentences, which are printed below each row.
	long bool
	// apart says that most cells have sentences, so that each row is a record.
	apart bool
}

// fileSize is a cell: a number of bytes.
type fileSize int64

// exactTime is a cell: a time that people read with its seconds.
type exactTime time.Time

func (t *table) add(cells ...any) { t.rows = append(t.rows, cells) }

// texts returns the cells as people read them.
func (t *table) texts() [][]string {
	rows := make([][]string, len(t.rows))
	for i, r := range t.rows {
		rows[i] = make([]string, len(r))
		for k, c := range r {
			if rows[i][k] = cellText(c); rows[i][k] == "" {
				rows[i][k] = "-"
			}
		}
	}
	return rows
}

// show prints v as JSON, or the table.
func (a *app) show(v any, t table) error {
	if a.json {
		enc := json.NewEncoder(a.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	if len(t.rows) == 0 {
		_, err := fmt.Fprintln(a.Out, t.none)
		return err
	}
	head := t.head
	if t.more > 0 && !a.wide {
		head = head[:len(head)-t.more]
	}
	l := grid{head: head, rows: t.texts(), width: a.width(), long: t.long}
	text := l.text
	if t.apart {
		if l.width == 0 || l.width > paragraphWidth {
			l.width = paragraphWidth
		}
		text = l.records
	}
	_, err := fmt.Fprint(a.Out, text())
	return err
}

// card prints v as JSON, or fields as lines of "name: value".
func (a *app) card(v any, fields ...[2]string) error {
	if a.json {
		return a.show(v, table{})
	}
	var shown [][2]string
	for _, f := range fields {
		if f[1] != "" {
			shown = append(shown, [2]string{f[0], valid.Printable(f[1])})
		}
	}
	_, err := fmt.Fprint(a.Out, record(shown, a.width()))
	return err
}

// done prints v as JSON, or one line that says what happened.
func (a *app) done(v any, format string, args ...any) error {
	if a.json {
		return a.show(v, table{})
	}
	_, err := fmt.Fprintf(a.Out, format+"\n", args...)
	return err
}

// width is the number of columns that a line may have, or 0 if that is not known or does not matter:
// what goes into a file or another program is not fitted to anything. COLUMNS, if it is exported,
// counts there, too.
func (a *app) width() int {
	if a.wide {
		return 0
	}
	if n, err := strconv.Atoi(a.env["COLUMNS"]); err == nil && n > 0 {
		return n
	}
	if f, ok := a.Out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return 0
}

// cellText is a cell for people.
func cellText(c any) string {
	switch v := c.(type) {
	case string:
		return valid.Printable(v)
	case fileSize:
		return size(int64(v))
	case exactTime:
		return whenExactly(time.Time(v))
	case time.Time:
		return when(v)
	case *time.Time:
		return whenPtr(v)
	}
	return fmt.Sprint(c)
}

// cellCSV is a cell for programs: times as in RFC 3339, in UTC, sizes in bytes. Text is made safe for
// spreadsheets.
func cellCSV(c any) string {
	switch v := c.(type) {
	case string:
		return valid.Cell(v)
	case fileSize:
		return strconv.FormatInt(int64(v), 10)
	case exactTime:
		return time.Time(v).UTC().Format(time.RFC3339)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case *time.Time:
		if v == nil {
			return ""
		}
		return v.UTC().Format(time.RFC3339)
	}
	return fmt.Sprint(c)
}

// columnName is a heading as --sort takes it, and as the head of a CSV has it: last_used for LAST USED.
func columnName(heading string) string {
	return strings.NewReplacer(" ", "_", "-", "").Replace(strings.ToLower(heading))
}

// writeCSV writes rows as CSV.
func writeCSV(w *csv.Writer, rows ...[]any) error {
	for _, r := range rows {
		line := make([]string, len(r))
		for i, c := range r {
			line[i] = cellCSV(c)
		}
		_ = w.Write(line) // Flush keeps the error
	}
	w.Flush()
	return fault.Wrap("cli.writeCSV", fault.Internal, w.Error())
}

// digest matches the hashes and fingerprints that are shortened if a table does not fit.
var digest = regexp.MustCompile(`^([0-9a-f]{12})[0-9a-f]{52}$|^(SHA256:[A-Za-z0-9+/]{8})[A-Za-z0-9+/]{35}$`)

// grid is a table as text.
type grid struct {
	head  []string
	rows  [][]string // may have more cells than the head, which are left out
	width int        // 0: no limit
	long  bool       // the last column is printed below each row
}

const (
	columnGap = 2
	// longestWord is the longest word that is kept in one piece when columns shrink: a little more than
	// an id, so that ids can be copied.
	longestWord = 28
	// paragraphWidth is the width of paragraphs if that of the terminal is not known, or larger.
	paragraphWidth = 96
)

// text lays the table out: as it is, if it fits; else with hashes shortened; else with cells that have
// several lines; and if even that is too wide, as a record for each row.
func (l grid) text() string {
	head, texts := l.head, []string(nil)
	if l.long {
		last := len(head) - 1
		head = head[:last]
		for _, r := range l.rows {
			texts = append(texts, r[last])
		}
	}
	rows := make([][]string, len(l.rows))
	for i, r := range l.rows {
		rows[i] = slices.Clone(r[:len(head)])
	}
	widths := naturalWidths(head, rows)
	if l.width > 0 && total(widths) > l.width {
		for _, r := range rows {
			for k, cell := range r {
				if m := digest.FindStringSubmatch(cell); m != nil {
					r[k] = m[1] + m[2] + "…"
				}
			}
		}
		widths = naturalWidths(head, rows)
	}
	if l.width > 0 && !shrink(widths, leastWidths(head, rows), l.width) {
		return l.records()
	}
	var out strings.Builder
	writeRow(&out, head, widths)
	for i, r := range rows {
		if texts != nil && i > 0 {
			out.WriteByte('\n')
		}
		writeRow(&out, r, widths)
		if texts != nil {
			out.WriteString(paragraph(texts[i], "  ", l.width))
		}
	}
	return out.String()
}

// records is the table as a record for each row.
func (l grid) records() string {
	var out strings.Builder
	for i, r := range l.rows {
		if i > 0 {
			out.WriteByte('\n')
		}
		var fields [][2]string
		for k, name := range l.head {
			if r[k] != "-" {
				fields = append(fields, [2]string{name, r[k]})
			}
		}
		out.WriteString(record(fields, l.width))
	}
	return out.String()
}

// record is fields as lines of "name: value". Long values go on in the next line, under their
// beginning.
func record(fields [][2]string, width int) string {
	names := 0
	for _, f := range fields {
		names = max(names, runewidth.StringWidth(f[0])+1)
	}
	var out strings.Builder
	for _, f := range fields {
		lines := []string{f[1]}
		if room := width - names - columnGap; width > 0 {
			lines = wrap(f[1], max(room, longestWord), false)
		}
		for i, line := range lines {
			name := ""
			if i == 0 {
				name = f[0] + ":"
			}
			out.WriteString(strings.TrimRight(runewidth.FillRight(name, names+columnGap)+line, " ") + "\n")
		}
	}
	return out.String()
}

// paragraph wraps text, with an indent before each line.
func paragraph(text, indent string, width int) string {
	if width <= 0 || width > paragraphWidth {
		width = paragraphWidth
	}
	var out strings.Builder
	for _, line := range wrap(text, max(width-len(indent), longestWord), false) {
		out.WriteString(indent + line + "\n")
	}
	return out.String()
}

func naturalWidths(head []string, rows [][]string) []int {
	widths := make([]int, len(head))
	for _, r := range append([][]string{head}, rows...) {
		for k, cell := range r {
			widths[k] = max(widths[k], runewidth.StringWidth(cell))
		}
	}
	return widths
}

// leastWidths returns how narrow each column may become: as its longest word, up to longestWord.
func leastWidths(head []string, rows [][]string) []int {
	least := make([]int, len(head))
	for _, r := range append([][]string{head}, rows...) {
		for k, cell := range r {
			for _, word := range strings.Fields(cell) {
				least[k] = max(least[k], min(runewidth.StringWidth(word), longestWord))
			}
		}
	}
	return least
}

func total(widths []int) int {
	sum := columnGap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// shrink takes from the widest columns until the table fits. It reports whether it does.
func shrink(widths, least []int, width int) bool {
	for over := total(widths) - width; over > 0; over-- {
		widest := -1
		for k, w := range widths {
			if w > least[k] && (widest < 0 || w > widths[widest]) {
				widest = k
			}
		}
		if widest < 0 {
			return false
		}
		widths[widest]--
	}
	return true
}

// writeRow writes a row, with several lines if a cell does not fit its column.
func writeRow(out *strings.Builder, cells []string, widths []int) {
	lines, most := make([][]string, len(cells)), 1
	for k, cell := range cells {
		lines[k] = wrap(cell, widths[k], true)
		most = max(most, len(lines[k]))
	}
	for i := range most {
		line := ""
		for k := range cells {
			part := ""
			if i < len(lines[k]) {
				part = lines[k][i]
			}
			line += runewidth.FillRight(part, widths[k]+columnGap)
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// wrap breaks text into lines of a width at its spaces and, if hard is set, within longer words.
func wrap(text string, width int, hard bool) (lines []string) {
	if runewidth.StringWidth(text) <= width {
		return []string{text}
	}
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > width {
			lines, line = append(lines, line), ""
		}
		for hard && runewidth.StringWidth(word) > width {
			part := runewidth.Truncate(word, width, "")
			lines, word = append(lines, part), word[len(part):]
			if part == "" { // one wide character, and a width of 1
				return append(lines, word)
			}
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
