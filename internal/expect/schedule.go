package expect

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// schedule is a series of deadlines.
type schedule struct {
	zone         *time.Location
	hour, minute int
	days         [7]bool // of the week
	monthday     int     // 1 to 31, instead of days; past the end of a month it is the last day
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// parseSchedule parses an expectation's days, clock and zone.
func parseSchedule(e model.Expectation) (s schedule, err error) {
	const op = "expect.parseSchedule"
	if e.Zone == "" || e.Zone == "Local" {
		return s, fault.E(op, fault.Invalid, "Name the time zone.").WithHint("such as Australia/Sydney, or UTC")
	}
	if s.zone, err = valid.ParseZone(e.Zone); err != nil {
		return s, err
	}
	at, err := time.Parse("15:04", e.Clock)
	if err != nil {
		return s, fault.E(op, fault.Invalid, "%q is not a time of day.", valid.Printable(e.Clock)).WithHint("such as 06:00")
	}
	s.hour, s.minute = at.Hour(), at.Minute()
	days := strings.ToLower(strings.TrimSpace(e.Days))
	if n, err := strconv.Atoi(days); err == nil {
		if n < 1 || n > 31 {
			return s, fault.E(op, fault.Invalid, "%d is not a day of a month.", n)
		}
		s.monthday = n
		return s, nil
	}
	for word := range strings.SplitSeq(days, ",") {
		word = strings.TrimSpace(word)
		switch i := slices.Index(weekdays, word); {
		case word == "daily":
			s.days = [7]bool{true, true, true, true, true, true, true}
		case word == "weekdays":
			for d := time.Monday; d <= time.Friday; d++ {
				s.days[d] = true
			}
		case i >= 0:
			s.days[i] = true
		default:
			return s, fault.E(op, fault.Invalid, "%q are no days.", valid.Printable(e.Days)).
				WithHint("daily, weekdays, names of days (monday,thursday), or a day of the month (3)")
		}
	}
	return s, nil
}

// instant returns the deadline of a day. If clocks skip that time, the deadline is as long
// after midnight as on other days. If it occurs twice, it is the first. time.Date guarantees
// neither.
func (s *schedule) instant(year int, month time.Month, day int) time.Time {
	wall := time.Date(year, month, day, s.hour, s.minute, 0, 0, time.UTC)
	_, before := wall.Add(-24 * time.Hour).In(s.zone).Zone()
	_, after := wall.Add(24 * time.Hour).In(s.zone).Zone()
	first := wall.Add(-time.Duration(max(before, after)) * time.Second)
	second := wall.Add(-time.Duration(min(before, after)) * time.Second)
	for _, at := range []time.Time{first, second} {
		if local := at.In(s.zone); local.Hour() == s.hour && local.Minute() == s.minute {
			return at
		}
	}
	return wall.Add(-time.Duration(before) * time.Second)
}

// on returns the deadline of a day, and whether the schedule includes that day.
func (s *schedule) on(year int, month time.Month, day int) (time.Time, bool) {
	at := s.instant(year, month, day)
	if s.monthday > 0 {
		last := time.Date(year, month+1, 0, 12, 0, 0, 0, s.zone).Day()
		return at, day == min(s.monthday, last)
	}
	return at, s.days[time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Weekday()]
}

// horizon bounds the search for a deadline, in days. Every month has at least one.
const horizon = 63

// after returns the first deadline after t.
func (s *schedule) after(t time.Time) time.Time {
	y, m, d := t.In(s.zone).Date()
	for i := -1; i <= horizon; i++ {
		day := time.Date(y, m, d+i, 12, 0, 0, 0, time.UTC)
		if at, ok := s.on(day.Year(), day.Month(), day.Day()); ok && at.After(t) {
			return at.UTC()
		}
	}
	return t.AddDate(100, 0, 0) // unreachable: every schedule has a day
}

// before returns the last deadline before t.
func (s *schedule) before(t time.Time) time.Time {
	y, m, d := t.In(s.zone).Date()
	for i := 1; i >= -horizon; i-- {
		day := time.Date(y, m, d+i, 12, 0, 0, 0, time.UTC)
		if at, ok := s.on(day.Year(), day.Month(), day.Day()); ok && at.Before(t) {
			return at.UTC()
		}
	}
	return t.AddDate(-100, 0, 0)
}
