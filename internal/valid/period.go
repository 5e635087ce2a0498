package valid

import (
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// ParseZone is a time zone by its name in the IANA database; "" is UTC. The computer's own,
// "Local", is refused: it differs between nodes.
func ParseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fault.E("valid.ParseZone", fault.Invalid, "There is no time zone %q.", Printable(name)).
			WithHint("such as Australia/Sydney, or UTC")
	}
	return zone, nil
}

// CheckPeriod accepts a whole number of days, months or years: 90d, 12mo, 7y.
func CheckPeriod(s string) error {
	_, _, err := parsePeriod(s)
	return err
}

func parsePeriod(s string) (n int, unit string, err error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	unit = s[len(digits):]
	n, err = strconv.Atoi(digits)
	if err != nil || n <= 0 || len(digits) > 4 || strings.Trim(digits, "0123456789") != "" || unit != "d" &&
		unit != "mo" && unit != "y" {
		return 0, "", fault.E("valid.CheckPeriod", fault.Invalid, "%q is not a period.", Printable(s)).
			WithHint("write days, months or years: 90d, 12mo, 7y")
	}
	return n, unit, nil
}

// Before is the time a period before another: what was stored before it is
// older than the period. Months and years are those of the calendar, in UTC; a
// day that the month does not have is its last (29 February less a year is 28
// February).
func Before(at time.Time, period string) (time.Time, error) { return shift(at, period, -1) }

// After is the first time at which something from at is a period old.
func After(at time.Time, period string) (time.Time, error) { return shift(at, period, 1) }

func shift(at time.Time, period string, sign int) (time.Time, error) {
	n, unit, err := parsePeriod(period)
	if err != nil {
		return at, err
	}
	at = at.UTC()
	months := sign * n
	switch unit {
	case "d":
		return at.AddDate(0, 0, sign*n), nil
	case "y":
		months *= 12
	}
	first := time.Date(at.Year(), at.Month()+time.Month(months), 1, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(),
		time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(at.Day(), last)-1), nil
}

// Length reads a positive length of time as Go writes it: 90s, 15m, 2h.
func Length(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fault.E("valid.Length", fault.Invalid, "%q is not a length of time.", Printable(s)).
			WithHint("write 90s, 15m or 2h")
	}
	return d, nil
}
