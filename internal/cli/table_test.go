package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestTablesFitTheTerminal: a table keeps to the width, in the gentlest form that does.
func TestTablesFitTheTerminal(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	l := grid{head: []string{"ID", "AT", "NAME", "SHA-256"}, rows: [][]string{
		{"01M6DDFPW6V8SGVEDHB4D9FX5S", "2026-11-29 08:21 AEDT", "a name of several words", hash},
		{"01M6DDFPW6V8SGVEDHB4D9FX5T", "2026-11-29 08:21 AEDT", "請求書の一覧", "-"}}}
	for _, c := range []struct {
		width       int
		hash, lines string // what the text has
	}{
		{0, hash, "a name of several words"},
		{200, hash, "a name of several words"},
		{139, "0123456789ab… ", "a name of several words"}, // 12 digits are enough to tell files apart
		{80, "0123456789ab…", "several"},
		{40, hash, "NAME:     a name of several"},
	} {
		l.width = c.width
		text := l.text() + " "
		for line := range strings.Lines(text) {
			w := runewidth.StringWidth(strings.TrimRight(line, "\n"))
			if c.width > 0 && w > c.width && !strings.Contains(line, hash) {
				t.Errorf("%d columns: a line has %d: %q", c.width, w, line)
			}
		}
		text = strings.ReplaceAll(text, "\n", " \n")
		if !strings.Contains(text, c.hash) || !strings.Contains(text, c.lines) {
			t.Errorf("%d columns:\n%s", c.width, text)
		}
	}
}

// TestIdsStayInOnePiece: what people copy is not broken, however narrow the terminal.
func TestIdsStayInOnePiece(t *testing.T) {
	id := "01M6DDFPW6V8SGVEDHB4D9FX5S"
	for width := 1; width < 120; width++ {
		l := grid{head: []string{"ID", "TEXT"}, rows: [][]string{{id, strings.Repeat("word ", 30)}}, width: width}
		if text := l.text(); !strings.Contains(text, id) {
			t.Fatalf("%d columns:\n%s", width, text)
		}
	}
}

// TestTimesAsPeopleTypeThem: each form of a time is read in the operator's zone.
func TestTimesAsPeopleTypeThem(t *testing.T) {
	zone, err := time.LoadLocation("Australia/Sydney")
	testkit.Must(t, err)
	now := time.Date(2026, 11, 29, 8, 21, 30, 0, zone)
	at := func(year int, month time.Month, day, hour, minute int) time.Time {
		return time.Date(year, month, day, hour, minute, 0, 0, zone)
	}
	for _, c := range []struct {
		text string
		to   direction
		end  bool
		want time.Time
	}{
		{"2026-11-01", ago, false, at(2026, 11, 1, 0, 0)},
		{"2026-11-01", ago, true, at(2026, 11, 2, 0, 0)},
		{"2026-10-04", ago, true, at(2026, 10, 5, 0, 0)}, // a day of 23 hours
		{"today", ago, false, at(2026, 11, 29, 0, 0)},
		{"Yesterday", ago, true, at(2026, 11, 29, 0, 0)},
		{"2026-11-01 08:21", ago, true, at(2026, 11, 1, 8, 21)},
		{"2026-11-01T08:21", ago, false, at(2026, 11, 1, 8, 21)},
		{"2026-11-01 08:21 AEDT", ago, false, at(2026, 11, 1, 8, 21)},
		{"2026-07-01 08:21:00 AEST", ago, false, at(2026, 7, 1, 8, 21)},
		{"2026-11-01 08:21 UTC", ago, false, at(2026, 11, 1, 19, 21)},
		{"2026-11-01T08:21:00Z", ago, false, at(2026, 11, 1, 19, 21)},
		{"2026-11-01T08:21:00+02:00", ago, false, at(2026, 11, 1, 17, 21)},
		{"12h", ago, false, now.Add(-12 * time.Hour)},
		{"12h ago", ahead, false, now.Add(-12 * time.Hour)},
		{"in 12h", ago, false, now.Add(12 * time.Hour)},
		{"90m", ahead, false, now.Add(90 * time.Minute)},
		{"3d", ago, false, now.AddDate(0, 0, -3)},
		{"3d ago", ago, false, now.AddDate(0, 0, -3)},
		{"365d", ahead, true, now.AddDate(0, 0, 365)},
		{"now", ago, false, now},
	} {
		got, err := parseTime(c.text, now, c.to, c.end)
		if diff := got.Sub(c.want); err != nil || diff.Abs() > time.Hour || diff != 0 && !strings.HasSuffix(c.text, "d") &&
			!strings.HasSuffix(c.text, "d ago") {
			t.Errorf("%q is %v (%v), want %v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"", "soon", "2026-13-01", "2026-02-30", "08:21", "3", "-3d", "3x ago",
		"2026-11-01 08:21 PST",
		"2026-11-01 25:00", "9999999d", "in", "ago"} {
		if got, err := parseTime(text, now, ago, false); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is taken for %v (%v)", text, got, err)
		}
	}
}

// TestWhatALongListIsSortedBy: empty cells come last, sizes and times are no text.
func TestWhatALongListIsSortedBy(t *testing.T) {
	early, late := time.Unix(1, 0), time.Unix(100, 0)
	for _, c := range []struct {
		x, y any
		down bool
		want int
	}{
		{fileSize(9), fileSize(10), false, -1}, {fileSize(9), fileSize(10), true, 1},
		{&early, &late, false, -1}, {(*time.Time)(nil), &late, false, 1}, {(*time.Time)(nil), &late, true, 1},
		{"b", "A", false, 1}, {"", "A", true, 1}, {"", "", false, 0}, {int64(2), "not sealed", false, -1},
	} {
		if got := compareCells(c.x, c.y, c.down); got != c.want {
			t.Errorf("%v beside %v (down: %v) is %d, want %d", c.x, c.y, c.down, got, c.want)
		}
	}
}
