package feed

import (
	"cmp"
	"slices"

	"github.com/sallyport-sftp/sallyport/model"
)

const (
	// maxMissing bounds how many ranges of missing numbers are remembered. The oldest are dropped
	// first.
	maxMissing = 100
	// maxEarlier bounds how many finished periods are remembered.
	maxEarlier = 40
	// farAhead is the largest step ahead of the last number that is accepted at once. A larger
	// step is either a mistake, such as a date typed as a number, or a real loss. The next number
	// decides which.
	farAhead = 1000
	// largeGap is the size of a missing range from which a late number inside it reports the part
	// before that number again.
	largeGap = 100
)

// counting holds the numbering rules of a feed's pattern.
type counting struct {
	digits   int    // numbers wrap to 0 or 1 after 10^digits-1; 0: they never wrap
	restarts string // year, month, day or never; "": deduced when a number restarts at 0 or 1 on a later date
}

// numbered is a number with as much of a date as its file name has: 2026, 202611 or 20261127.
type numbered struct {
	seq  int64
	date string
}

// heard is what one number shows about other numbers.
type heard struct {
	gaps []model.Gap // missing numbers that this one revealed, or reported again
	odd  bool        // the number is far from all others and is not counted yet
}

// counter applies the numbering rules to the sequence of one account.
type counter struct {
	counting
	s *model.Sequence
}

// begin records the first number. Nothing counts as missing before it.
func (c counter) begin(n numbered) {
	c.s.Last, c.s.Date = n.seq, n.date
	if c.restarts != model.RestartsNever {
		c.s.Restarts = c.restarts
	}
	c.s.Period = periodOf(n.date, c.s.Restarts)
}

// take counts a number after the first.
func (c counter) take(n numbered) heard {
	s := c.s
	switch {
	case c.restarts == model.RestartsNever:
		s.Restarts, s.Period = "", ""
	case c.restarts != "" && c.restarts != s.Restarts:
		c.restart(c.restarts)
	case c.restarts == "" && c.beganAgain(n):
		c.restart(coarsestChange(s.Date, n.date))
	}
	period := periodOf(n.date, s.Restarts)
	later := period > s.Period
	s.Date = max(s.Date, n.date)
	switch {
	case s.Restarts == "" || period == s.Period:
		return c.step(n.seq)
	case !later:
		return c.late(period, n.seq)
	}
	s.Earlier = append(s.Earlier, model.Finished{Period: s.Period, Last: s.Last})
	s.Earlier = s.Earlier[max(0, len(s.Earlier)-maxEarlier):]
	s.Period, s.Last, s.Round, s.Odd = period, 0, 0, nil
	return c.step(n.seq)
}

// beganAgain reports whether a number shows that the numbering restarts with a period, or with
// a shorter period than was known.
func (c counter) beganAgain(n numbered) bool {
	s := c.s
	if s.Date == "" || n.date <= s.Date || n.seq > 1 || n.seq > s.Last || c.misses(n.seq, s.Round) {
		return false
	}
	if digits := c.wrapsAt(n.seq); digits > 0 && n.seq+digits-s.Last < digits/2 {
		return false // the number wrapped because the digits were used up
	}
	return periodOrder[coarsestChange(s.Date, n.date)] > periodOrder[s.Restarts]
}

// restart sets the restart period, and assigns what was counted so far to the current period.
func (c counter) restart(with string) {
	s := c.s
	was := s.Period
	s.Restarts, s.Period = with, periodOf(s.Date, with)
	for i := range s.Missing {
		if s.Missing[i].Period == was {
			s.Missing[i].Period = s.Period
		}
	}
}

var periodOrder = map[string]int{"": 0, model.RestartsYear: 4, model.RestartsMonth: 6, model.RestartsDay: 8}

// periodOf cuts a date to its period.
func periodOf(date, period string) string { return date[:min(len(date), periodOrder[period])] }

// coarsestChange returns the longest period in which two dates differ.
func coarsestChange(a, b string) string {
	for _, p := range []string{model.RestartsYear, model.RestartsMonth} {
		if periodOf(a, p) != periodOf(b, p) {
			return p
		}
	}
	return model.RestartsDay
}

// wrapsAt returns 10^digits, at which the numbers wrap. It returns 0 if they never wrap, or if
// the last number or this one has more digits.
func (c counter) wrapsAt(seq int64) int64 {
	limit := int64(1)
	for range c.digits {
		limit *= 10
	}
	if c.digits == 0 || seq >= limit || c.s.Last >= limit {
		return 0
	}
	return limit
}

// step counts a number of the current period.
func (c counter) step(seq int64) heard {
	s, limit := c.s, c.wrapsAt(seq)
	switch {
	case seq == s.Last:
		return heard{}
	case c.misses(seq, s.Round):
		return c.fill(seq, s.Period, s.Round)
	case seq > s.Last && limit > 0 && s.Round > 0 && seq-s.Last > limit/2:
		return c.fill(seq, s.Period, s.Round-1) // a late number from the round before the wrap
	case seq > s.Last:
		return c.advance(seq, seq-s.Last, model.Gap{From: s.Last + 1, To: seq - 1, Round: s.Round})
	case limit > 0 && seq+limit-s.Last < limit/2:
		return c.advance(seq, seq+limit-s.Last, model.Gap{From: s.Last + 1, To: limit - 1, Round: s.Round},
			model.Gap{From: 1, To: seq - 1, Round: s.Round + 1})
	}
	return heard{} // it came before, or is from before the first number
}

// advance makes seq the last number. If it is more than farAhead ahead, it is only remembered
// as odd, until a second number follows it. ahead is the distance from the last number, and
// gaps are the numbers skipped.
func (c counter) advance(seq, ahead int64, gaps ...model.Gap) (out heard) {
	s := c.s
	if ahead > farAhead {
		if s.Odd == nil || seq <= *s.Odd || seq-*s.Odd > farAhead {
			s.Odd = &seq
			return heard{odd: true}
		}
		gaps = []model.Gap{{From: s.Last + 1, To: *s.Odd - 1, Round: s.Round},
			{From: *s.Odd + 1, To: seq - 1, Round: s.Round}}
		s.Odd = nil
	}
	for _, g := range gaps {
		if g.From <= g.To {
			g.Period = s.Period
			out.gaps = append(out.gaps, g)
		}
	}
	if seq < s.Last {
		s.Round++
	}
	s.Last = seq
	c.miss(out.gaps...)
	return out
}

// late counts a number of an earlier period.
func (c counter) late(period string, seq int64) heard {
	s := c.s
	i := slices.IndexFunc(s.Earlier, func(f model.Finished) bool { return f.Period == period })
	switch {
	case i < 0: // no number of this period is known
		s.Earlier = append(s.Earlier, model.Finished{Period: period, Last: seq})
		slices.SortFunc(s.Earlier, func(a, b model.Finished) int { return cmp.Compare(a.Period, b.Period) })
		s.Earlier = s.Earlier[max(0, len(s.Earlier)-maxEarlier):]
		return heard{}
	case seq <= s.Earlier[i].Last:
		return c.fill(seq, period, 0)
	case seq-s.Earlier[i].Last > farAhead:
		return heard{odd: true}
	}
	var out heard
	if g := (model.Gap{From: s.Earlier[i].Last + 1, To: seq - 1, Period: period}); g.From <= g.To {
		out.gaps = []model.Gap{g}
	}
	s.Earlier[i].Last = seq
	c.miss(out.gaps...)
	return out
}

func (c counter) miss(gaps ...model.Gap) {
	c.s.Missing = append(c.s.Missing, gaps...)
	c.s.Missing = c.s.Missing[max(0, len(c.s.Missing)-maxMissing):]
}

// gapOf returns the index of the range that misses a number, or -1.
func gapOf(missing []model.Gap, seq int64, period string, round int64) int {
	return slices.IndexFunc(missing, func(g model.Gap) bool {
		return g.From <= seq && seq <= g.To && g.Period == period && g.Round == round
	})
}

func (c counter) misses(seq, round int64) bool {
	return gapOf(c.s.Missing, seq, c.s.Period, round) >= 0
}

// fill removes a late number from the range that misses it. In a large range the part before
// the number is reported again, since the range may have come from a mistyped number.
func (c counter) fill(seq int64, period string, round int64) (out heard) {
	i := gapOf(c.s.Missing, seq, period, round)
	if i < 0 {
		return heard{}
	}
	g := c.s.Missing[i]
	before, after := g, g
	before.To, after.From = seq-1, seq+1
	var rest []model.Gap
	if before.From <= before.To {
		rest = append(rest, before)
		if g.To-g.From >= largeGap {
			out.gaps = rest[:1:1]
		}
	}
	if after.From <= after.To {
		rest = append(rest, after)
	}
	c.s.Missing = append([]model.Gap{}, slices.Concat(c.s.Missing[:i], rest, c.s.Missing[i+1:])...)
	return out
}
