package feed

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/model"
)

// told counts numbers written as 7 or 20261127:7. It returns what each showed about other
// numbers, and what is missing at the end.
func told(rule counting, numbers ...string) (heardOf []string, s model.Sequence) {
	s.Missing = []model.Gap{}
	c := counter{rule, &s}
	for i, text := range numbers {
		var n numbered
		date, seq, dated := strings.Cut(text, ":")
		if !dated {
			date, seq = "", text
		}
		n.date = date
		if _, err := fmt.Sscan(seq, &n.seq); err != nil {
			panic(err)
		}
		if i == 0 {
			c.begin(n)
			continue
		}
		h := c.take(n)
		for _, g := range h.gaps {
			heardOf = append(heardOf, g.Text())
		}
		if h.odd {
			heardOf = append(heardOf, "odd "+seq)
		}
	}
	return heardOf, s
}

func missing(s model.Sequence) (out []string) {
	for _, g := range s.Missing {
		out = append(out, g.Text())
	}
	return out
}

func TestCounting(t *testing.T) {
	four, three := counting{digits: 4}, counting{digits: 3}
	for name, c := range map[string]struct {
		rule    counting
		numbers string
		heard   string
		missing string
		last    int64
	}{
		"digits that are used up, from 0":       {four, "9998 9999 0 1 4", "2-3", "2-3", 4},
		"digits that are used up, from 1":       {four, "9998 9999 1 4", "2-3", "2-3", 4},
		"a gap where digits are used up":        {four, "9997 2", "9998-9999 1", "9998-9999 1", 2},
		"late, from before digits were used up": {four, "9997 2 9998 1", "9998-9999 1", "9999", 2},
		"repeated, from before":                 {four, "9997 9998 9999 1 9998", "", "", 1},
		"one more digit is no new round":        {four, "9998 9999 10000 10003", "10001-10002", "10001-10002", 10003},
		"a number from long ago is no round":    {four, "5 6 2 7", "", "", 7},
		"without digits nothing is used up":     {counting{}, "9999 1 10000", "", "", 10000},
		"twice around":                          {counting{digits: 1}, "7 8 9 0 1 2 3 4 5 6 7 8 9 1 2 4", "3", "3", 4},
		"a new day": {three, "20261126:1 20261126:2 20261126:3 20261127:1 20261127:3",
			"20261127: 2", "20261127: 2", 3},
		"a day whose start is missing": {three, "20261126:1 20261127:1 20261128:3", "20261128: 1-2", "20261128: 1-2",
			3},
		"late, of yesterday": {three, "20261126:1 20261126:3 20261127:1 20261126:2", "2", "", 1},
		"later than the end of yesterday": {three, "20261126:1 20261127:1 20261126:4", "20261126: 2-3", "20261126: 2-3",
			1},
		"a month's end, then days": {three, "20261031:1 20261031:2 20261101:1 20261102:1 20261102:3",
			"20261102: 2", "20261102: 2", 3},
		"a new month":                      {three, "202610:8 202610:9 202611:1 202611:3", "202611: 2", "202611: 2", 3},
		"numbers that go on through days":  {three, "20261126:7 20261127:8 20261128:10", "9", "9", 10},
		"an old number under a later date": {three, "20261126:7 20261127:8 20261128:5 20261128:9", "", "", 9},
		"digits used up on a later date":   {three, "20261126:998 20261127:999 20261128:1 20261129:3", "2", "2", 3},
		"each day, as the pattern says": {counting{restarts: "day"}, "20261126:5 20261127:2", "20261127: 1",
			"20261127: 1", 2},
		"never, as the pattern says": {counting{restarts: "never"}, "20261126:5 20261127:1 20261127:7", "6", "6",
			7},
		"each month, as the pattern says": {counting{restarts: "month"}, "20261126:5 20261127:6 20261201:2",
			"202612: 1", "202612: 1", 2},
		"a date typed as a number":              {three, "1 2 20261127 3 5 6 8", "odd 20261127 4 7", "4 7", 8},
		"a slip that is not so far":             {three, "12 912 13 14 16", "13-911 15", "15 17-911", 912},
		"a great loss, which the next confirms": {counting{}, "5 9000 9001", "odd 9000 6-8999", "6-8999", 9001},
		"two slips":                             {counting{}, "5 9000 90000 6 8", "odd 9000 odd 90000 7", "7", 8},
	} {
		heardOf, s := told(c.rule, strings.Fields(c.numbers)...)
		if got := strings.Join(heardOf, " "); got != c.heard {
			t.Errorf("%s: heard %q, want %q", name, got, c.heard)
		}
		if got := strings.Join(missing(s), " "); got != c.missing {
			t.Errorf("%s: missing are %q, want %q", name, got, c.missing)
		}
		if s.Last != c.last {
			t.Errorf("%s: last is %d, want %d", name, s.Last, c.last)
		}
	}
}

// TestWhatNeverCameIsMissed drops some numbers of feeds of every kind, and delivers some a
// little late. At the end the missing numbers must be those that were dropped, whether or not
// the numbering restarts.
func TestWhatNeverCameIsMissed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"plain", "digits", "days", "months"}).Draw(t, "kind")
		rule, next := counting{}, int64(rapid.IntRange(1, 50).Draw(t, "first"))
		day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
		switch kind {
		case "digits":
			rule.digits, next = 3, 900
		case "days":
			rule.restarts = model.RestartsDay
		case "months":
			rule.restarts = model.RestartsMonth
		}
		var sent []numbered
		for range rapid.IntRange(5, 150).Draw(t, "length") {
			n := numbered{seq: next}
			if kind == "days" || kind == "months" {
				n.date = day.Format("20060102")
			}
			sent = append(sent, n)
			if next++; kind == "digits" && next == 1000 {
				next = int64(rapid.IntRange(0, 1).Draw(t, "begins with"))
			}
			if rapid.IntRange(0, 9).Draw(t, "a day passes") == 0 {
				was := day
				day = day.AddDate(0, 0, 1)
				if kind == "days" || kind == "months" && was.Month() != day.Month() {
					next = 1
				}
			}
		}
		lost := map[numbered]bool{}
		var order []numbered
		for i, n := range sent {
			if 0 < i && i < len(sent)-1 && n.seq != 0 && rapid.IntRange(0, 5).Draw(t, "lost") == 0 && next0(sent, i) {
				lost[n] = true
				continue
			}
			order = append(order, n)
		}
		for i := 1; i+2 < len(order); i++ { // swap neighbours, but not the first and the last
			if order[i].date == order[i+1].date && rapid.IntRange(0, 4).Draw(t, "late") == 0 {
				order[i], order[i+1] = order[i+1], order[i]
			}
		}
		s := model.Sequence{Missing: []model.Gap{}}
		c := counter{rule, &s}
		c.begin(order[0])
		for _, n := range order[1:] {
			if c.take(n).odd {
				t.Fatalf("%v is odd after %d", n, s.Last)
			}
		}
		var want, got []string
		for n := range lost {
			want = append(want, fmt.Sprint(periodOf(n.date, rule.restarts), ":", n.seq))
		}
		for _, g := range s.Missing {
			for n := g.From; n <= g.To; n++ {
				got = append(got, fmt.Sprint(g.Period, ":", n))
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("of %v, in the order %v, missing is %v, want %v", sent, order, got, want)
		}
	})
}

// next0 reports whether the loss of a number can be detected: the number after it belongs to
// the same count.
func next0(sent []numbered, i int) bool { return sent[i+1].seq == sent[i].seq+1 }
