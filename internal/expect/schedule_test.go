package expect_test

import (
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestDeadlinesFollowTheWallClock lists, for each schedule, the next deadlines after a time, in
// UTC.
func TestDeadlinesFollowTheWallClock(t *testing.T) {
	w := newWorld(t, "").begin(t)
	for _, c := range []struct {
		what, days, by, zone string
		from                 string // UTC
		want                 []string
	}{
		{"daily", "daily", "06:00", "UTC", "2026-10-30T05:59:00Z",
			[]string{"2026-10-30T06:00:00Z", "2026-10-31T06:00:00Z", "2026-11-01T06:00:00Z"}},
		{"a deadline that is now is over", "daily", "06:00", "UTC", "2026-10-30T06:00:00Z", []string{"2026-10-31T06:00:00Z"}},
		{"weekdays skip the weekend", "weekdays", "06:00", "UTC", "2026-10-29T12:00:00Z",
			[]string{"2026-10-30T06:00:00Z", "2026-11-02T06:00:00Z"}},
		{"several days", "monday, thursday", "06:00", "UTC", "2026-10-29T12:00:00Z",
			[]string{"2026-11-02T06:00:00Z", "2026-11-05T06:00:00Z", "2026-11-09T06:00:00Z"}},
		{"a day and weekdays", "Saturday, Weekdays", "06:00", "UTC", "2026-10-30T12:00:00Z",
			[]string{"2026-10-31T06:00:00Z", "2026-11-02T06:00:00Z"}},
		{"the third of a month", "3", "06:00", "UTC", "2026-12-03T06:00:00Z",
			[]string{"2027-01-03T06:00:00Z", "2027-02-03T06:00:00Z"}},
		{"the 31st is a short month's last day", "31", "06:00", "UTC", "2027-01-31T05:00:00Z",
			[]string{"2027-01-31T06:00:00Z", "2027-02-28T06:00:00Z", "2027-03-31T06:00:00Z", "2027-04-30T06:00:00Z"}},
		{"the 31st in a leap year", "31", "06:00", "UTC", "2028-02-01T00:00:00Z",
			[]string{"2028-02-29T06:00:00Z", "2028-03-31T06:00:00Z"}},
		{"the 29th without a 29 February", "29", "06:00", "UTC", "2027-02-01T00:00:00Z",
			[]string{"2027-02-28T06:00:00Z", "2027-03-29T06:00:00Z"}},
		{"the day is the zone's", "monday", "06:00", "Australia/Sydney", "2026-11-01T00:00:00Z",
			[]string{"2026-11-01T19:00:00Z"}},
		{"far east", "1", "00:00", "Pacific/Kiritimati", "2026-10-31T09:00:00Z",
			[]string{"2026-10-31T10:00:00Z", "2026-11-30T10:00:00Z"}},
		{"across midnight", "daily", "00:00", "Australia/Sydney", "2026-10-30T12:59:59Z",
			[]string{"2026-10-30T13:00:00Z", "2026-10-31T13:00:00Z"}},
		{"Sydney's clocks go forward", "daily", "06:00", "Australia/Sydney", "2026-10-02T21:00:00Z",
			[]string{"2026-10-03T19:00:00Z", "2026-10-04T19:00:00Z"}},
		{"Sydney skips 02:30", "daily", "02:30", "Australia/Sydney", "2026-10-02T17:00:00Z",
			// 03:30 in the new offset: two and a half hours after midnight
			[]string{"2026-10-03T16:30:00Z", "2026-10-04T15:30:00Z"}},
		{"Sydney has 02:30 twice", "daily", "02:30", "Australia/Sydney", "2026-04-03T16:00:00Z",
			[]string{"2026-04-04T15:30:00Z", "2026-04-05T16:30:00Z"}},
		{"New York skips 02:30", "daily", "02:30", "America/New_York", "2026-03-07T08:00:00Z",
			[]string{"2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"}},
		{"New York has 01:30 twice", "daily", "01:30", "America/New_York", "2026-10-31T06:00:00Z",
			[]string{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}},
		{"between the two is no second deadline", "daily", "01:30", "America/New_York", "2026-11-01T05:45:00Z",
			[]string{"2026-11-02T06:30:00Z"}},
		{"half an hour is skipped", "daily", "02:15", "Australia/Lord_Howe", "2026-10-02T16:00:00Z",
			[]string{"2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"}},
		{"a zone of three quarters", "daily", "06:00", "Asia/Kathmandu", "2026-10-30T00:00:00Z",
			[]string{"2026-10-30T00:15:00Z"}},
	} {
		from, err := time.Parse(time.RFC3339, c.from)
		testkit.Must(t, err)
		w.Set(from)
		e := w.expects(func(e *model.NewExpectation) { e.Days, e.Clock, e.Zone = c.days, c.by, c.zone })
		next := e.NextAt
		for i, want := range c.want {
			if got := next.UTC().Format(time.RFC3339); got != want {
				t.Errorf("%s: deadline %d is %s, want %s", c.what, i+1, got, want)
			}
			w.Set(*next)
			list, err := w.service.List(ctx, model.EveryFilter{})
			testkit.Must(t, err)
			next = list[0].NextAt
		}
		testkit.Must(t, w.service.Remove(ctx, "test", "cdr"))
	}
}

var addStories = stories{
	"what makes no sense is refused": func(t *testing.T, w *world) {
		for what, change := range map[string]func(*model.NewExpectation){
			"no name":          func(e *model.NewExpectation) { e.Name = "" },
			"nobody's":         func(e *model.NewExpectation) { e.User = "" },
			"both":             func(e *model.NewExpectation) { e.Feed = "data" },
			"user and account": func(e *model.NewExpectation) { e.Account = "acme" },
			"a feed's partner": func(e *model.NewExpectation) { e.User, e.Feed, e.Tell = "", "data", true },
			"bad glob":         func(e *model.NewExpectation) { e.Glob = "cdr-[" },
			"bad glob behind":  func(e *model.NewExpectation) { e.Glob = "cdr-*[" },
			"too many":         func(e *model.NewExpectation) { e.AtLeast = 10_001 },
			"too few":          func(e *model.NewExpectation) { e.AtLeast = -1 },
			"no zone":          func(e *model.NewExpectation) { e.Zone = "" },
			"this machine's":   func(e *model.NewExpectation) { e.Zone = "Local" },
			"unknown zone":     func(e *model.NewExpectation) { e.Zone = "Mars/Olympus" },
			"a zone's file":    func(e *model.NewExpectation) { e.Zone = "../../etc/passwd" },
			"no time":          func(e *model.NewExpectation) { e.Clock = "" },
			"no such time":     func(e *model.NewExpectation) { e.Clock = "24:00" },
			"seconds":          func(e *model.NewExpectation) { e.Clock = "06:00:00" },
			"no days":          func(e *model.NewExpectation) { e.Days = "" },
			"unknown day":      func(e *model.NewExpectation) { e.Days = "someday" },
			"half a list":      func(e *model.NewExpectation) { e.Days = "monday," },
			"day 0":            func(e *model.NewExpectation) { e.Days = "0" },
			"day 32":           func(e *model.NewExpectation) { e.Days = "32" },
		} {
			e := model.NewExpectation{Name: "cdr", User: "acme", Glob: "cdr-*.csv", Days: "daily", Clock: "06:00", Zone: "UTC"}
			change(&e)
			if _, err := w.service.Add(ctx, "test", e); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, e := range []model.NewExpectation{{User: "none"}, {Feed: "none"}, {Feed: "data", Account: "none"}} {
			e.Name, e.Days, e.Clock, e.Zone = "cdr", "daily", "06:00", "UTC"
			_, err := w.service.Add(ctx, "test", e)
			testkit.WantKind(t, err, fault.NotFound)
		}
	},
	"a name is taken once, and free again when it was removed": func(t *testing.T, w *world) {
		e := w.expects()
		if e.AtLeast != 1 || e.State != model.ExpectWaiting || e.NextAt == nil {
			t.Fatalf("expected %+v", e)
		}
		_, err := w.service.Add(ctx, "test",
			model.NewExpectation{Name: "cdr", User: "acme", Days: "daily", Clock: "06:00", Zone: "UTC"})
		testkit.WantKind(t, err, fault.Exists)
		testkit.Must(t, w.service.Remove(ctx, "test", "cdr"))
		testkit.WantKind(t, w.service.Remove(ctx, "test", "cdr"), fault.NotFound)
		w.expects()
	},
}
