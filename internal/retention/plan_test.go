package retention_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var planStories = stories{
	"a run is planned one notice ahead, whatever the month's length": func(t *testing.T, w *world) {
		for _, c := range []struct{ at, due string }{
			{"2027-01-01 02:59", "2027-01-31"}, {"2027-01-01 03:01", "2027-02-01"}, {"2027-01-02 02:59", "2027-02-01"},
			{"2027-01-02 03:01", ""}, {"2027-01-29 12:00", "2027-03-01"},
			{"2027-01-28 12:00", ""}, {"2028-01-30 12:00", "2028-03-01"}, {"2028-01-29 12:00", ""},
			{"2027-12-01 12:00", "2028-01-01"}, {"2027-04-01 02:30", "2027-05-01"}} {
			w.Exec(`DELETE FROM retention_runs`)
			w.on(c.at)
			list := w.runs()
			if c.due == "" && len(list) > 0 || c.due != "" && c.due != "2027-01-31" &&
				(len(list) != 1 || list[0].DueAt.Format("2006-01-02 15:04") != c.due+" 03:00") {
				t.Errorf("on %s: %+v, want one of %q", c.at, list, c.due)
			}
			for _, r := range list {
				if r.DueAt.Sub(r.CreatedAt) < w.policy.Notice {
					t.Errorf("on %s a run of %s is planned, which leaves too little time", c.at, r.DueAt)
				}
			}
			w.step()
			if again := w.runs(); len(again) != len(list) {
				t.Errorf("on %s it is planned %d times", c.at, len(again))
			}
		}
	},
	"29 February is kept twelve months as a year": func(t *testing.T, w *world) {
		u, v := w.customer("acme"), w.customer("bolt")
		w.set(model.SetPolicy{User: "bolt", Keep: "1y"})
		w.to("2028-02-29 02:00")
		w.put(u, "/a", "a")
		w.put(v, "/a", "a")
		w.to("2028-03-01 03:30")
		w.put(u, "/later", "a")
		w.put(v, "/later", "a")
		w.on("2029-01-29 12:00")
		r := w.one()
		if r.Files != 2 || r.DueAt.Format(time.DateOnly) != "2029-03-01" {
			t.Fatalf("%+v", r)
		}
		w.on("2029-03-01 03:01")
		w.wantOutcomes(r.ID, map[string]string{"acme:/a": "removed", "bolt:/a": "removed"})
	},
	"planning that was interrupted is forgotten, and done anew": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.put(u, "/a", "a")
		w.to("2027-01-01 12:00")
		id := w.IDs.New()
		w.Exec(`INSERT INTO retention_runs (id, kind, account_id, due_at, state, confirm, confirmed_by, created_at, files,
			bytes, removed_files, removed_bytes, report, list_key, planner)
			VALUES ($1, 'regular', '', $2, 'planning', '', '', $3, 0, 0, 0, 0, '', '', 'node')`, id,
			time.Date(2027, 2, 1, 3, 0, 0, 0, time.UTC).UnixMicro(), w.Clock().Add(-time.Hour).UnixMicro())
		w.Exec(`INSERT INTO retention_items (run_id, account_id, version_id, user_id, path, size, sha256, class, stored_at,
			fetched, state, why)
			VALUES ($1, 'acme', 'V', $2, $3, 1, $3, 'default', 1, '', 'named', '')`, id, u.ID, []byte("/x"))
		w.step()
		if r := w.one(); r.ID == id || r.Files != 1 || r.State != model.RunAnnounced {
			t.Fatalf("%+v", r)
		}
		if n := w.Count(`retention_items WHERE run_id = $1`, id); n > 0 {
			t.Errorf("%d files are still named by what was forgotten", n)
		}
	},
	"planning that cannot go on leaves nothing announced": func(t *testing.T, w *world) {
		w.put(w.customer("acme"), "/a", "a")
		w.to("2027-01-01 12:00")
		run, stop := context.WithCancel(ctx)
		stop()
		if err := w.service.Step(run); err == nil {
			t.Fatal("it went on")
		}
		if n := w.Count(`retention_runs WHERE state = 'announced'`); n > 0 {
			t.Error("it was announced")
		}
		w.step()
		if r := w.one(); r.Files != 1 {
			t.Errorf("%+v", r)
		}
	},
	"a clock that jumps makes no run come early or twice": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.put(u, "/a", "a")
		w.on("2027-01-01")
		w.on("2026-06-01") // the clock goes back
		w.on("2027-01-01 18:00")
		if r := w.one(); r.State != model.RunAnnounced || r.Files != 1 {
			t.Fatalf("%+v", r)
		}
		w.on("2027-05-10") // the clock goes forward
		r := w.runs()
		if len(r) != 1 || r[0].State != model.RunDone || r[0].RemovedFiles != 1 {
			t.Fatalf("%+v", r)
		}
		w.on("2027-01-20") // the clock goes back again
		w.on("2027-02-01 04:00")
		if n := w.Count(`retention_runs WHERE state = 'done'`); n != 1 {
			t.Errorf("%d runs are done", n)
		}
		w.sound()
	},
	"the notice names what was never downloaded, and a reminder follows": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.feed("inv", "acme")
		w.publish("inv", "acme", "INV-1.pdf")
		w.publish("inv", "acme", "INV-2.pdf")
		w.put(u, "/upload/mine.csv", "mine")
		w.Exec(`UPDATE deliveries SET state = 'collected' WHERE version_id IN (SELECT version_id FROM files WHERE name = $1)`,
			[]byte("INV-2.pdf"))
		w.on("2027-01-01")
		if len(w.letters) != 1 {
			t.Fatalf("%d letters", len(w.letters))
		}
		l := w.letters[0]
		if l.Account != "acme" || !strings.Contains(l.Text, "On 1 February 2027 we remove 3 files older than 12 months") ||
			!strings.Contains(l.Text, "1 of them was never fully downloaded: INV-1.pdf.") ||
			strings.Contains(l.Text, "INV-2") || len(l.Items) != 3 || l.Items[0].Path != "/inv/INV-1.pdf" ||
			l.Items[0].Fetched != "published" || l.Files != 3 || l.Missed != 1 {
			t.Errorf("the letter is %+v", l)
		}
		w.on("2027-01-24")
		if len(w.letters) != 1 {
			t.Error("it was told early")
		}
		w.on("2027-01-25 03:05")
		w.step()
		if len(w.letters) != 2 || !strings.HasPrefix(w.letters[1].Text, "A reminder. ") {
			t.Errorf("letters: %+v", w.letters)
		}
		list, err := w.service.Notices(ctx, model.RunFilter{Run: w.one().ID})
		testkit.Must(t, err)
		if len(list) != 2 || !list[0].Reached || list[0].Mark != "first" || list[1].Mark != "reminder" ||
			len(list[0].Mails) != 1 || list[0].Mails[0].To != "acme@example.com" {
			t.Errorf("notices: %+v", list)
		}
		if n := w.Count(`outbox WHERE type = 'file.expiring'`); n != 2 {
			t.Errorf("%d events", n)
		}
	},
}
