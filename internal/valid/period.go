package valid

import (
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// ParseZone returns a time zone by its IANA name; "" is UTC. It refuses "Local", because that
// differs between nodes.
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

// Before returns the time that is a period before at. What was stored before it is older than the
// period. Months and years are calendar ones, in UTC. If the month has no such day, the result is
// its last day (29 February minus a year is 28 February).
func Before(at time.Time, period string) (time.Time, error) { return shift(at, period, -1) }

// After returns the first time at which something made at at is a period old.
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

// Length parses a positive duration in Go's form: 90s, 15m, 2h.
func Length(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fault.E("valid.Length", fault.Invalid, "%q is not a length of time.", Printable(s)).
			WithHint("write 90s, 15m or 2h")
	}
	return d, nil
}
