package cli

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-sftp/sallyport/client"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// People read times in the operator's zone: the server's time_zone if it has one, else the zone of
// this machine; with --utc, in UTC. Each time names its zone. JSON and CSV have UTC.

// when formats a time for people. The client has put it into their zone (client.InZone).
func when(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }

// whenExactly is when with seconds, for logs.
func whenExactly(t time.Time) string { return t.Format("2006-01-02 15:04:05 MST") }

func whenPtr(t *time.Time) string {
	if t == nil {
		return ""
	}
	return when(*t)
}

// serverTime is where and when the operator is, as the server says.
type serverTime struct {
	zone  *time.Location
	ahead time.Duration // of the server's clock, before this machine's
}

// patience is how long a command waits to be told the zone.
const patience = 5 * time.Second

// askPlace returns a function that asks the server once. If the server does not answer, the place is
// that of this machine; what the command asks for itself says why.
func (a *app) askPlace() func(context.Context) serverTime {
	var once sync.Once
	var p serverTime
	return func(ctx context.Context) serverTime {
		once.Do(func() {
			p.zone = time.Local
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			if s, err := a.plainClient().ShowServer(ctx); err == nil {
				p.ahead = s.Time.Sub(a.Clock())
				if zone, err := valid.ParseZone(s.TimeZone); err == nil && s.TimeZone != "" {
					p.zone = zone
				}
			}
			if a.utc {
				p.zone = time.UTC
			}
		})
		return p
	}
}

// zone returns the zone in which times are printed and read.
func (a *app) zone(ctx context.Context) *time.Location { return a.place(ctx).zone }

// now returns the time by the server's clock, in the operator's zone.
func (a *app) now(ctx context.Context) time.Time {
	p := a.place(ctx)
	return a.Clock().Add(p.ahead).In(p.zone)
}

// inZone makes a client's answers have their times in the operator's zone, unless they are printed as
// JSON.
func (a *app) inZone(c *client.Client) *client.Client {
	if a.json {
		return c
	}
	return client.InZone(c, a.zone)
}

// direction is how a time without a date is meant: 3d is three days ago, or in three days.
type direction int

const (
	ago direction = iota
	ahead
)

// timeForms are the forms of a time that parseTime takes, in the operator's zone if they name none.
var timeForms = []string{time.RFC3339, "2006-01-02 15:04:05 MST", "2006-01-02 15:04 MST", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"}

// parseTime reads a time that a person typed: a day, which is its beginning or, if end is set, the
// beginning of the next; a time, as tables print it or in other forms; or a length of time before or
// after now. Days and times without a zone are in the operator's zone. now is the server's.
func parseTime(text string, now time.Time, to direction, end bool) (time.Time, error) {
	zone, word := now.Location(), strings.TrimSpace(text)
	days := map[string]int{"yesterday": -1, "today": 0, "tomorrow": 1}
	day, err := time.ParseInLocation(time.DateOnly, word, zone)
	if n, known := days[strings.ToLower(word)]; known {
		day, err = time.Date(now.Year(), now.Month(), now.Day()+n, 0, 0, 0, 0, zone), nil
	}
	if err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	if strings.EqualFold(word, "now") {
		return now, nil
	}
	for _, form := range timeForms {
		at, err := time.ParseInLocation(form, word, zone)
		if name, offset := at.Zone(); err == nil && (offset != 0 || at.Location() == zone || name == "UTC" || name == "GMT") {
			return at, nil
		}
	}
	length, past := strings.CutSuffix(strings.ToLower(word), " ago")
	if past {
		to = ago
	} else if rest, future := strings.CutPrefix(length, "in "); future {
		length, to = rest, ahead
	}
	if at, err := shifted(now, length, to); err == nil {
		return at, nil
	}
	example := "3d ago"
	if to == ahead {
		example = "365d"
	}
	return time.Time{}, fault.E("cli.parseTime", fault.Invalid, "%q is not a time.", valid.Printable(text)).
		WithHint("write a day (2026-11-01), a time (2026-11-01 08:21, with a zone if it is not yours: "+
			"2026-11-01T08:21:00Z), or a length (%s, 12h)", example)
}

// shifted returns the time a length before or after now: 12h, 90m, 3d, 2mo, 1y.
func shifted(now time.Time, length string, to direction) (time.Time, error) {
	length = strings.TrimSpace(length)
	if d, err := valid.Length(length); err == nil {
		if to == ago {
			d = -d
		}
		return now.Add(d), nil
	}
	move := valid.After
	if to == ago {
		move = valid.Before
	}
	at, err := move(now, length)
	return at.In(now.Location()), err
}
