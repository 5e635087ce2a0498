package retention_test

import (
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// forecast asks, and fails on an error.
func (w *world) forecast(ask model.ForecastQuery) model.Forecast {
	w.Helper()
	f, err := w.service.Forecast(ctx, ask)
	w.Must(err)
	return f
}

var forecastStories = stories{
	"on the eve of a run, the forecast begins with it": func(t *testing.T, w *world) {
		u := w.customer("acme")
		r := w.announced(u, 6)
		w.to("2027-01-31")
		f := w.forecast(model.ForecastQuery{List: true})
		if len(f.Announced) != 1 || f.Announced[0].Run.ID != r.ID || f.Announced[0].Files != 6 ||
			len(f.Announced[0].Lines) != 1 || len(f.Announced[0].Named) != 6 || len(f.Announced[0].Stays) != 0 ||
			f.Announced[0].Waits || !strings.HasPrefix(f.Announced[0].Lines[0].Told, "mailed 2027-01-") {
			t.Fatalf("%+v", f)
		}
		if f.Files != 0 || f.At.Format("2006-01-02") == r.DueAt.Format("2006-01-02") || !f.At.After(r.DueAt) ||
			f.AnnounceAt == nil || len(f.Later) != 2 {
			t.Fatalf("next: %+v", f)
		}
		w.customer("other")
		if f := w.forecast(model.ForecastQuery{Account: "other"}); len(f.Announced) != 0 || f.Files != 0 {
			t.Errorf("of another account: %+v", f)
		}
		w.on(runDay)
		if f := w.forecast(model.ForecastQuery{}); len(f.Announced) != 0 {
			t.Errorf("after the run: %+v", f)
		}
	},
	"what an announced run names and spares is told with its reason": func(t *testing.T, w *world) {
		u, deaf := w.customer("acme"), w.customer("deaf")
		w.people["deaf"] = nil
		w.put(deaf, "/upload/x", "x")
		r := w.announced(u, 4)
		_, err := w.service.Hold(ctx, "op:jo", model.NewHold{Kind: model.HoldFile, Target: "acme:/upload/000.csv",
			Reason: "court"})
		testkit.Must(t, err)
		w.Exec(`DELETE FROM files WHERE name = $1`, []byte("001.csv"))
		w.Exec(`DELETE FROM versions WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.version_id = versions.id)`)
		f := w.forecast(model.ForecastQuery{})
		n := f.Announced[0]
		why := map[string]int64{}
		for _, s := range n.Stays {
			why[s.Why[:strings.IndexAny(s.Why, " ,")]] += s.Files
		}
		if n.Run.ID != r.ID || n.Files != 2 || why["hold"] != 1 || why["its"] != 1 || why["removed"] != 1 {
			t.Fatalf("%+v", n)
		}
		for _, l := range n.Lines {
			if l.Account == "acme" && (l.Files != 4 || l.Stay != 2 || l.Held != 1) ||
				l.Account == "deaf" && (l.Stay != 1 || l.Told != "not reached") {
				t.Errorf("%+v", l)
			}
		}
		testkit.Must(t, w.service.Told(ctx, "op:jo", r.ID, "deaf"))
		if n := w.forecast(model.ForecastQuery{Account: "deaf"}).Announced[0]; n.Files != 1 || len(n.Stays) != 0 ||
			n.Lines[0].Told != "told by op:jo" {
			t.Errorf("told by hand: %+v", n)
		}
		w.on(runDay) // the forecast was true
		if w.has(u, "/upload/002.csv") || !w.has(u, "/upload/000.csv") || w.has(deaf, "/upload/x") {
			t.Error("the run did otherwise")
		}
	},
	"a due run that waits for a confirmation is not \"nothing\"": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.put(u, "/a", "a")
		w.on("2026-06-02")
		w.set(model.SetPolicy{User: "acme", Keep: "30d"})
		f := w.forecast(model.ForecastQuery{})
		if f.Confirm == "" || f.Files != 1 || len(f.Announced) != 0 {
			t.Fatalf("before it is announced: %+v", f)
		}
		w.on("2026-07-02 02:00")
		f = w.forecast(model.ForecastQuery{})
		if len(f.Announced) != 1 || !f.Announced[0].Waits || f.Announced[0].ConfirmFrom == nil || f.Files != 0 {
			t.Fatalf("announced: %+v", f)
		}
		w.on("2026-08-03")
		list, err := w.service.RunNow(ctx)
		testkit.Must(t, err)
		if len(list) != 1 || list[0].State != model.RunAnnounced || !w.has(u, "/a") {
			t.Fatalf("%+v", list)
		}
		if f := w.forecast(model.ForecastQuery{}); !f.Announced[0].Waits || f.Announced[0].ConfirmFrom != nil {
			t.Errorf("due: %+v", f.Announced)
		}
	},
	"a policy that was taken away or added was not shortened": func(t *testing.T, w *world) {
		w.customer("acme")
		w.set(model.SetPolicy{User: "acme", Keep: "7y"})
		w.set(model.SetPolicy{User: "acme"})
		if why := w.waits(); !strings.HasPrefix(why, "the policy user:acme, which kept files for 7y, was taken away on ") ||
			!strings.HasSuffix(why, "for 12mo only") {
			t.Errorf("taken away: %q", why)
		}
		w.set(model.SetPolicy{User: "acme", Keep: "30d"})
		if why := w.waits(); !strings.HasPrefix(why, "the policy user:acme was added on 2026-") {
			t.Errorf("added: %q", why)
		}
		w.set(model.SetPolicy{User: "acme", Keep: "20d"})
		if why := w.waits(); !strings.HasPrefix(why, "the policy user:acme was shortened from 30d to 20d on ") {
			t.Errorf("shortened: %q", why)
		}
	},
	"later runs are counted": func(t *testing.T, w *world) {
		u := w.customer("acme")
		for _, day := range []string{"2026-01-10", "2026-02-10", "2026-02-20", "2026-03-10", "2026-05-10"} {
			w.to(day)
			w.put(u, "/upload/"+day, "12")
		}
		w.to("2026-12-10")
		f := w.forecast(model.ForecastQuery{})
		if f.At.Format("2006-01-02") != "2027-02-01" || f.Files != 1 || len(f.Later) != 2 || f.Later[0].Files != 2 ||
			f.Later[0].Bytes != 4 || f.Later[1].Files != 1 || f.Later[1].At.Format("2006-01-02 15:04") != "2027-04-01 03:00" {
			t.Fatalf("%+v", f)
		}
	},
	"a folder that was renamed takes its files to another policy": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.set(model.SetPolicy{Folder: "/kept", Keep: "7y"})
		w.put(u, "/gone/a", "a")
		w.Exec(`UPDATE dirs SET name = $1 WHERE name = $2`, []byte("kept"), []byte("gone"))
		f := w.forecast(model.ForecastQuery{At: w.Clock().Add(400 * day)})
		if f.Files != 1 || f.Lines[0].Stay != 1 || len(f.Stays) != 1 || !strings.HasPrefix(f.Stays[0].Why, "another policy") {
			t.Fatalf("%+v", f)
		}
	},
}
