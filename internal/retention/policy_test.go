package retention_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/feed"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
	"github.com/sallyport-sftp/sallyport/model"
)

// set sets a policy.
func (w *world) set(p model.SetPolicy) {
	w.Helper()
	_, err := w.service.SetPolicy(ctx, "op:jo", p)
	w.Must(err)
}

// confirmed clears the need for a confirmation after a policy was shortened.
func (w *world) confirmed() { w.Exec(`DELETE FROM settings WHERE name = 'retention.confirm'`) }

func (w *world) waits() string {
	w.Helper()
	why, err := w.Store.Read(ctx).Setting("retention.confirm")
	w.Must(err)
	return why
}

func (w *world) feed(name string, to ...string) {
	w.Helper()
	_, err := w.feeds.AddFeed(ctx, "op:jo", model.NewFeed{Name: name, Kind: "invoices"})
	w.Must(err)
	for _, u := range to {
		_, err := w.feeds.Subscribe(ctx, "op:jo", name, model.NewSubscription{User: u, Dir: "/" + name})
		w.Must(err)
	}
}

func (w *world) publish(feedName, account, name string) {
	w.Helper()
	_, err := w.feeds.Publish(ctx, "op:jo",
		feed.Publication{Feed: feedName, Account: account, All: account == "", Name: name,
			Body: strings.NewReader("%PDF-1.4\n"), Size: -1})
	w.Must(err)
}

var policyStories = stories{
	"a feed's own period applies to the file that is published right after it was added": func(t *testing.T, w *world) {
		u := w.customer("acme")
		if got := w.service.Period(u.ID, "/inv/a", ""); got != "12mo" { // the policies were read a moment ago
			t.Fatalf("files stay %s", got)
		}
		_, err := w.feeds.AddFeed(ctx, "op:jo", model.NewFeed{Name: "inv", Kind: "invoices", Retention: "90d"})
		w.Must(err)
		if got := w.service.Period(u.ID, "/inv/a", "inv"); got != "90d" {
			t.Errorf("the feed's files stay %s", got)
		}
		_, err = w.feeds.AddFeed(ctx, "op:jo", model.NewFeed{Name: "bills", Kind: "invoices", Retention: "2y"})
		w.Must(err)
		if got := w.service.Period(u.ID, "/inv/a", "bills"); got != "2y" {
			t.Errorf("the feed's files stay %s", got)
		}
	},
	"the nearest policy keeps a file": func(t *testing.T, w *world) {
		u, v := w.customer("acme"), w.customer("bolt")
		w.feed("inv", "acme")
		for _, p := range []model.SetPolicy{{User: "acme", Keep: "2y"}, {Feed: "inv", Keep: "3y"},
			{Folder: "/inv", Keep: "4y"}, {Folder: "/inv/old/", Keep: "5y"}, {User: "acme", Folder: "/inv", Keep: "6y"}} {
			w.set(p)
		}
		for _, c := range []struct {
			user             model.User
			path, feed, keep string
		}{{u, "/a", "", "2y"}, {u, "/x/a", "inv", "3y"}, {u, "/inv/a", "inv", "6y"}, {u, "/inv/old/a", "", "6y"},
			{u, "/invoices/a", "", "2y"}, {u, "/a", "other", "2y"},
			{v, "/a", "", "12mo"}, {v, "/inv/a", "", "4y"}, {v, "/inv/old/a", "inv", "5y"}, {v, "/inv/older", "", "4y"},
			{v, "/x", "inv", "3y"}} {
			full := c.path
			class := w.service.Class(c.user.ID, full, c.feed)
			list, err := w.service.Policies(ctx)
			testkit.Must(t, err)
			shown := strings.Replace(class, u.ID, "acme", 1)
			for _, p := range list {
				if p.Class == shown && p.Keep != c.keep {
					t.Errorf("%s:%s of feed %q is kept %s by %s, want %s", c.user.Name, full, c.feed, p.Keep, p.Class, c.keep)
				}
			}
			if shown == "default" && c.keep != "12mo" {
				t.Errorf("%s:%s of feed %q is the default's", c.user.Name, full, c.feed)
			}
		}
	},
	"a changed policy takes the files that are there, and a forecast shows it": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.put(u, "/upload/a.csv", "aaa")
		w.put(u, "/docs/b.csv", "bb")
		w.set(model.SetPolicy{Folder: "/docs", Keep: "90d"})
		f, err := w.service.Forecast(ctx, model.ForecastQuery{At: w.Clock().Add(100 * day), List: true})
		testkit.Must(t, err)
		if f.Files != 1 || f.Bytes != 2 || len(f.Lines) != 1 || f.Lines[0].Keep != "90d" ||
			f.Lines[0].Class != "folder:/docs" || f.Named[0].Path != "/docs/b.csv" {
			t.Errorf("in 100 days: %+v", f)
		}
		f, err = w.service.Forecast(ctx, model.ForecastQuery{At: w.Clock().Add(400 * day), Account: "acme", List: false})
		testkit.Must(t, err)
		if f.Files != 2 || f.Bytes != 5 || len(f.Lines) != 2 || len(f.Named) != 0 {
			t.Errorf("in 400 days: %+v", f)
		}
		w.customer("other")
		f, err = w.service.Forecast(ctx, model.ForecastQuery{At: w.Clock().Add(400 * day), Account: "OTHER", List: true})
		if err != nil || f.Files != 0 {
			t.Errorf("of another: %+v %v", f, err)
		}
		_, err = w.service.Forecast(ctx, model.ForecastQuery{Account: "nobody"})
		testkit.WantKind(t, err, fault.NotFound)
		if _, err := w.service.Hold(ctx, "op:jo",
			model.NewHold{Kind: model.HoldFile, Target: "acme:/docs/b.csv", Reason: "court"}); err != nil {
			t.Fatal(err)
		}
		f, err = w.service.Forecast(ctx, model.ForecastQuery{At: w.Clock().Add(100 * day), List: true})
		if err != nil || f.Lines[0].Held != 1 || f.Lines[0].Stay != 1 || !f.Named[0].Held || len(f.Holds) != 1 ||
			len(f.Stays) != 1 || !strings.HasSuffix(f.Stays[0].Why, "on file acme:/docs/b.csv: court") {
			t.Errorf("with a hold: %+v %v", f, err)
		}
	},
	"a policy that cannot be is refused": func(t *testing.T, w *world) {
		w.customer("acme")
		for _, p := range []model.SetPolicy{{Keep: "1y"}, {Folder: "/", Keep: "1y"}, {Folder: "/a\n", Keep: "1y"},
			{Feed: "f", User: "acme", Keep: "1y"}, {User: "acme", Keep: "0d"}, {User: "acme", Keep: "-1d"},
			{User: "acme", Keep: "1w"}, {User: "acme", Keep: "12 mo"},
			{User: "acme", Keep: "99999d"}, {User: "acme", Keep: "1.5y"}} {
			_, err := w.service.SetPolicy(ctx, "op:jo", p)
			testkit.WantKind(t, err, fault.Invalid)
		}
		for _, p := range []model.SetPolicy{{User: "nobody", Keep: "1y"}, {Feed: "nothing", Keep: "1y"}, {Folder: "/a"},
			{User: "acme"}} {
			_, err := w.service.SetPolicy(ctx, "op:jo", p)
			testkit.WantKind(t, err, fault.NotFound)
		}
	},
	"only what may remove sooner waits for an administrator": func(t *testing.T, w *world) {
		w.customer("acme")
		w.feed("inv")
		for _, c := range []struct {
			p     model.SetPolicy
			waits bool
		}{{model.SetPolicy{User: "acme", Keep: "12mo"}, false}, {model.SetPolicy{User: "acme", Keep: "2y"}, false},
			{model.SetPolicy{User: "acme", Keep: "729d"}, true},
			{model.SetPolicy{User: "acme", Keep: "3y"}, false}, {model.SetPolicy{User: "acme"}, true},
			{model.SetPolicy{Feed: "inv", Keep: "90d"}, true},
			{model.SetPolicy{Feed: "inv", Keep: ""}, false}, {model.SetPolicy{Folder: "/x", Keep: "1d"}, true}} {
			w.confirmed()
			w.set(c.p)
			if got := w.waits(); got != "" != c.waits {
				t.Errorf("after %+v it waits: %q", c.p, got)
			}
		}
	},
	"taking away a folder's policy waits when a user's shorter one takes over": func(t *testing.T, w *world) {
		w.customer("acme")
		w.set(model.SetPolicy{User: "acme", Keep: "90d"})
		w.set(model.SetPolicy{Folder: "/upload", Keep: "12mo"})
		w.confirmed()
		w.set(model.SetPolicy{Folder: "/upload"})
		if w.waits() == "" {
			t.Error("what was kept 12 months is kept 90 days now, and nobody is asked")
		}
	},
	"a default that was shortened in the configuration waits": func(t *testing.T, w *world) {
		w.step()
		for _, c := range []struct {
			keep  string
			waits bool
		}{{"12mo", false}, {"2y", false}, {"23mo", true}} {
			w.confirmed()
			w.policy.Keep = c.keep
			w.open()
			w.step()
			if got := w.waits(); got != "" != c.waits {
				t.Errorf("with %s it waits: %q", c.keep, got)
			}
		}
	},
}

// TestPeriodsOfTheCalendar: months and years are calendar months and years.
func TestPeriodsOfTheCalendar(t *testing.T) {
	for _, c := range []struct{ from, period, after string }{
		{"2024-02-29", "1y", "2025-02-28"}, {"2024-02-29", "12mo", "2025-02-28"}, {"2024-02-29", "4y", "2028-02-29"},
		{"2024-02-29", "365d", "2025-02-28"}, {"2024-02-29", "1mo", "2024-03-29"},
		{"2026-01-31", "1mo", "2026-02-28"}, {"2028-01-31", "1mo", "2028-02-29"}, {"2026-03-31", "1mo", "2026-04-30"},
		{"2026-08-31", "6mo", "2027-02-28"}, {"2026-12-31", "2mo", "2027-02-28"},
		{"2026-10-25", "1d", "2026-10-26"}, {"2026-12-15", "12mo", "2027-12-15"}, {"2026-12-15", "25mo", "2029-01-15"}} {
		from, err := time.Parse(time.DateOnly, c.from)
		testkit.Must(t, err)
		after, err := valid.After(from, c.period)
		testkit.Must(t, err)
		if got := after.Format(time.DateOnly); got != c.after {
			t.Errorf("%s and %s is %s, want %s", c.from, c.period, got, c.after)
		}
		before, err := valid.Before(after, c.period)
		testkit.Must(t, err)
		if d := from.Sub(before); d < 0 || d > 3*day {
			t.Errorf("%s less %s is %s, and it came from %s", c.after, c.period, before.Format(time.DateOnly), c.from)
		}
	}
}
