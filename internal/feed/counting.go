package feed

import (
	"cmp"
	"slices"

	"github.com/sallyport-sftp/sallyport/model"
)

const (
	// maxMissing bounds how many ranges of missing numbers are remembered; the oldest are
	// forgotten first.
	maxMissing = 100
	// maxEarlier bounds how many periods before the present one are remembered.
	maxEarlier = 40
	// farAhead is how far ahead of the last a number may be to be believed at once. One
	// that is further ahead is a date typed as a number, or follows a great loss: the next
	// one tells.
	farAhead = 1000
	// largeGap is a range of which the start is told once more when a number inside comes.
	largeGap = 100
)

// counting is what a feed's pattern says of its numbers.
type counting struct {
	digits   int    // after 10^digits-1 they begin again with 0 or 1; 0: never
	restarts string // year, month, day, never; "": when one begins again with 0 or 1 on a later date
}

// numbered is a number, with the date in its name as far as there is one: 2026, 202611,
// 20261127.
type numbered struct {
	seq  int64
	date string
}

// heard is what a number tells about others.
type heard struct {
	gaps []model.Gap // they should have come before it
	odd  bool        // it is far from all others, and not counted yet
}

// counter counts the numbers of one account.
type counter struct {
	counting
	s *model.Sequence
}

// begin takes the first number: nothing is missing before it.
func (c counter) begin(n numbered) {
	c.s.Last, c.s.Date = n.seq, n.date
	if c.restarts != model.RestartsNever {
		c.s.Restarts = c.restarts
	}
	c.s.Period = periodOf(n.date, c.s.Restarts)
}

// take counts a number.
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

// beganAgain reports whether a number shows that the numbers begin again with a period, or
// with a shorter one than was known.
func (c counter) beganAgain(n numbered) bool {
	s := c.s
	if s.Date == "" || n.date <= s.Date || n.seq > 1 || n.seq > s.Last || c.misses(n.seq, s.Round) {
		return false
	}
	if digits := c.wrapsAt(n.seq); digits > 0 && n.seq+digits-s.Last < digits/2 {
		return false // their digits are used up
	}
	return periodOrder[coarsestChange(s.Date, n.date)] > periodOrder[s.Restarts]
}

// restart makes what was counted so far the numbers of one period.
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

// coarsestChange is the longest period in which two dates differ.
func coarsestChange(a, b string) string {
	for _, p := range []string{model.RestartsYear, model.RestartsMonth} {
		if periodOf(a, p) != periodOf(b, p) {
			return p
		}
	}
	return model.RestartsDay
}

// wrapsAt is the number after the largest one that the digits can show, if the last number
// and this one are below it; else 0.
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

// step counts a number of the present period.
func (c counter) step(seq int64) heard {
	s, limit := c.s, c.wrapsAt(seq)
	switch {
	case seq == s.Last:
		return heard{}
	case c.misses(seq, s.Round):
		return c.fill(seq, s.Period, s.Round)
	case seq > s.Last && limit > 0 && s.Round > 0 && seq-s.Last > limit/2:
		return c.fill(seq, s.Period, s.Round-1) // late, from before the digits were used up
	case seq > s.Last:
		return c.advance(seq, seq-s.Last, model.Gap{From: s.Last + 1, To: seq - 1, Round: s.Round})
	case limit > 0 && seq+limit-s.Last < limit/2:
		return c.advance(seq, seq+limit-s.Last, model.Gap{From: s.Last + 1, To: limit - 1, Round: s.Round},
			model.Gap{From: 1, To: seq - 1, Round: s.Round + 1})
	}
	return heard{} // it came before
}

// advance makes a number the last one, if it is to be believed; ahead is how far it is
// ahead, past the gaps.
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

// late counts a number of a period that is over.
func (c counter) late(period string, seq int64) heard {
	s := c.s
	i := slices.IndexFunc(s.Earlier, func(f model.Finished) bool { return f.Period == period })
	switch {
	case i < 0: // nothing is known of it
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

// gapOf finds the range that misses a number; -1 if none does.
func gapOf(missing []model.Gap, seq int64, period string, round int64) int {
	return slices.IndexFunc(missing, func(g model.Gap) bool {
		return g.From <= seq && seq <= g.To && g.Period == period && g.Round == round
	})
}

func (c counter) misses(seq, round int64) bool {
	return gapOf(c.s.Missing, seq, c.s.Period, round) >= 0
}

// fill takes a late number out of the range that misses it. What is missing before it in a
// large range is told again: the range may be a slip's.
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
