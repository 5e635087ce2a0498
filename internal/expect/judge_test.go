package expect_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var judgeStories = stories{
	"what came in time is met, without a word": func(t *testing.T, w *world) {
		w.expects()
		w.judge("2026-10-30 18:00", model.ExpectWaiting)
		w.comes("acme", "cdr-1.csv", "2026-10-31 05:30")
		w.judge("2026-10-31 05:59", model.ExpectWaiting)
		w.judge("2026-10-31 06:00", model.ExpectMet)
		w.wantEvents(0, 0)
	},
	"what did not come is told once": func(t *testing.T, w *world) {
		w.expects()
		w.judge("2026-10-31 05:59", model.ExpectWaiting)
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.judge("2026-10-31 06:01", model.ExpectMissed)
		w.judge("2026-10-31 18:00", model.ExpectMissed)
		all := w.wantEvents(1, 0)
		text := fmt.Sprint(all[len(all)-1].Field("text"))
		if want :=
			"Expected a file called cdr-*.csv from acme by Saturday 31 October 2026, 06:00 (Australia/Sydney); " +
				"0 came."; !strings.HasPrefix(text, want) {
			t.Fatalf("it is told %q, want %q", text, want)
		}
		if e := all[len(all)-1]; e.Account != "acme" || e.User != "acme" || e.Field("due") != "2026-10-30T19:00:00Z" {
			t.Fatalf("the event is %+v", e)
		}
		w.judge("2026-11-01 06:00", model.ExpectMissed)
		all = w.wantEvents(2, 0)
		if text := fmt.Sprint(all[len(all)-1].Field("text")); !strings.Contains(text, "missed the time before, too") {
			t.Fatalf("the second time it is told %q", text)
		}
	},
	"what comes at the deadline itself is late": func(t *testing.T, w *world) {
		w.expects()
		w.comes("acme", "cdr-1.csv", "2026-10-31 06:00")
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.judge("2026-10-31 06:01", model.ExpectMet)
		w.wantEvents(1, 1)
	},
	"what came a moment before the deadline is in time": func(t *testing.T, w *world) {
		w.expects()
		w.at("2026-10-31 06:00")
		w.Pass(-time.Microsecond)
		w.comesNow("acme", "cdr-1.csv")
		w.judge("2026-10-31 06:00", model.ExpectMet)
		w.wantEvents(0, 0)
	},
	"what comes late clears it, with one event": func(t *testing.T, w *world) {
		w.expects()
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.comes("acme", "cdr-1.csv", "2026-10-31 08:00")
		w.judge("2026-10-31 08:01", model.ExpectMet)
		w.judge("2026-10-31 08:02", model.ExpectMet)
		all := w.wantEvents(1, 1)
		if text := fmt.Sprint(all[len(all)-1].Field("text")); !strings.HasPrefix(text,
			"It came late: a file called cdr-*.csv from acme, expected by Saturday 31 October 2026, 06:00") {
			t.Fatalf("it is told %q", text)
		}
	},
	"what came late does not count for the next time": func(t *testing.T, w *world) {
		w.expects()
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.comes("acme", "cdr-1.csv", "2026-10-31 08:00")
		w.judge("2026-10-31 08:01", model.ExpectMet)
		w.judge("2026-11-01 06:00", model.ExpectMissed)
		w.comes("acme", "cdr-2.csv", "2026-11-01 07:00")
		w.judge("2026-11-01 07:01", model.ExpectMet)
		w.comes("acme", "cdr-3.csv", "2026-11-02 05:00")
		w.judge("2026-11-02 06:00", model.ExpectMet)
		w.wantEvents(2, 2)
	},
	"two files that come late together are the late one and the next": func(t *testing.T, w *world) {
		w.expects()
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.comes("acme", "cdr-1.csv", "2026-11-01 05:00")
		w.comes("acme", "cdr-2.csv", "2026-11-01 05:01")
		w.judge("2026-11-01 05:02", model.ExpectMet)
		w.judge("2026-11-01 06:00", model.ExpectMet)
		w.wantEvents(1, 1)
	},
	"as many as are expected must come": func(t *testing.T, w *world) {
		w.expects(func(e *model.NewExpectation) { e.AtLeast = 3 })
		w.comes("acme", "cdr-1.csv", "2026-10-31 04:00")
		w.comes("acme", "cdr-2.csv", "2026-10-31 05:00")
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.comes("acme", "cdr-3.csv", "2026-10-31 07:00")
		w.judge("2026-10-31 07:01", model.ExpectMet) // two in time and one late are three
		w.wantEvents(1, 1)
	},
	"other names and other users' files do not count": func(t *testing.T, w *world) {
		w.expects()
		w.comes("acme", "report.csv", "2026-10-31 04:00")
		w.comes("acme", "cdr-1.csv.bad", "2026-10-31 04:00")
		w.comes("beta", "cdr-1.csv", "2026-10-31 04:00")
		w.judge("2026-10-31 06:00", model.ExpectMissed)
	},
	"what is too small does not count, and is told": func(t *testing.T, w *world) {
		w.expects(func(e *model.NewExpectation) { e.LeastBytes, e.LeastRows = new(int64(50)), 8 })
		w.at("2026-10-31 04:00")
		w.comesLarge("acme", "cdr-empty.csv", 0)
		w.comesLarge("acme", "cdr-short.csv", 70) // seven lines
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		text := fmt.Sprint(w.wantEvents(1, 0)[0].Field("text"))
		if !strings.Contains(text, "0 came") ||
			!strings.Contains(text, "Too small to count: cdr-empty.csv (0 bytes), cdr-short.csv (7 lines).") {
			t.Fatalf("the event says %q", text)
		}
		w.comesLarge("acme", "cdr-1.csv", 80)
		w.judge("2026-10-31 06:01", model.ExpectMet)
	},
	"what was removed or replaced does not count": func(t *testing.T, w *world) {
		w.expects()
		w.comes("acme", "cdr-1.csv", "2026-10-31 04:00")
		w.comes("acme", "cdr-2.csv", "2026-10-31 04:00")
		_, err := w.DB.Exec("UPDATE drops SET withdrawn = CASE WHEN path LIKE '%1.csv' THEN 1 ELSE 0 END, state = CASE " +
			"WHEN path LIKE '%1.csv' THEN 'new' ELSE 'superseded' END")
		testkit.Must(t, err)
		w.judge("2026-10-31 06:00", model.ExpectMissed)
	},
	"a file that left staging in time counts, however long ago it was uploaded": func(t *testing.T, w *world) {
		w.expects()
		w.comes("acme", "cdr-1.csv", "2026-10-25 04:00")
		received, err := time.ParseInLocation("2006-01-02 15:04", "2026-10-31 05:00", w.zone)
		testkit.Must(t, err)
		_, err = w.DB.Exec(fmt.Sprintf("UPDATE drops SET received_at = %d", received.UnixMicro()))
		testkit.Must(t, err)
		w.judge("2026-10-31 06:00", model.ExpectMet)
	},
	"without a pattern every name counts": func(t *testing.T, w *world) {
		w.expects(func(e *model.NewExpectation) { e.Glob = "" })
		w.comes("acme", "what ever", "2026-10-31 04:00")
		w.judge("2026-10-31 06:00", model.ExpectMet)
	},
	"a feed's publications to an account, or to all, count": func(t *testing.T, w *world) {
		w.expects(func(e *model.NewExpectation) {
			e.User, e.Feed, e.Account, e.Glob, e.LeastBytes = "", "data", "acme", "*.csv", new(int64(0))
		})
		w.published("beta", "a.csv", "2026-10-31 04:00")
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.published("acme", "b.csv", "2026-10-31 07:00")
		w.judge("2026-10-31 07:01", model.ExpectMet)
		w.published("", "c.csv", "2026-11-01 04:00")
		w.judge("2026-11-01 06:00", model.ExpectMet)
		all := w.wantEvents(1, 1)
		if e := all[0]; e.Account != "acme" || !strings.Contains(fmt.Sprint(e.Field("text")), "in the feed data for acme") {
			t.Fatalf("the event is %+v", e)
		}
	},
	"a server that was down for three days judges each of them": func(t *testing.T, w *world) {
		w.expects()
		w.comes("acme", "cdr-1.csv", "2026-10-31 05:00") // received by another node
		w.comes("acme", "cdr-3.csv", "2026-11-02 05:00")
		e := w.judge("2026-11-02 12:00", model.ExpectMet)
		if got := e.DueAt.In(w.zone).Format("2006-01-02 15:04"); got != "2026-11-02 06:00" {
			t.Fatalf("the last deadline is %s", got)
		}
		w.wantEvents(1, 0) // for the first of November
		w.judge("2026-11-02 12:01", model.ExpectMet)
		w.wantEvents(1, 0)
	},
	"three days without a file are three that were missed": func(t *testing.T, w *world) {
		w.expects()
		w.judge("2026-11-02 12:00", model.ExpectMissed)
		w.wantEvents(3, 0)
		w.comes("acme", "cdr-1.csv", "2026-11-02 13:00")
		w.judge("2026-11-02 13:01", model.ExpectMet)
		w.wantEvents(3, 1)
	},
	"one that was missed before three days' rest does not swallow what came in them": func(t *testing.T, w *world) {
		w.expects()
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.comes("acme", "cdr-1.csv", "2026-10-31 09:00")
		w.comes("acme", "cdr-2.csv", "2026-11-01 05:00")
		w.comes("acme", "cdr-3.csv", "2026-11-02 05:00")
		w.judge("2026-11-02 12:00", model.ExpectMet)
		w.wantEvents(1, 1)
	},
	"years of rest are not told one by one": func(t *testing.T, w *world) {
		w.expects()
		w.judge("2029-10-31 12:00", model.ExpectMissed)
		w.wantEvents(100, 0)
		w.judge("2029-10-31 13:00", model.ExpectMissed)
		w.judge("2029-11-01 06:00", model.ExpectMissed)
		w.wantEvents(101, 0)
	},
	"many that judge at once tell it once": func(t *testing.T, w *world) {
		w.expects()
		w.at("2026-10-31 06:00")
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { errs[i] = w.service.Judge(ctx) })
		}
		wg.Wait()
		for _, err := range errs {
			testkit.Must(t, err)
		}
		w.wantEvents(1, 0)
	},
	"a partner that is to be told gets words of its own": func(t *testing.T, w *world) {
		w.expects(func(e *model.NewExpectation) { e.Tell = true })
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		w.comes("acme", "cdr-1.csv", "2026-10-31 07:00")
		w.judge("2026-10-31 07:01", model.ExpectMet)
		for _, e := range w.wantEvents(1, 1) {
			if text := fmt.Sprint(e.Field("partner_text")); !strings.Contains(text, "a file called cdr-*.csv from acme") ||
				strings.Contains(text, "expectation") {
				t.Errorf("%s says %q", e.Type, text)
			}
		}
	},
	"a partner that is not to be told gets none": func(t *testing.T, w *world) {
		w.expects()
		w.judge("2026-10-31 06:00", model.ExpectMissed)
		if e := w.wantEvents(1, 0)[0]; e.Field("partner_text") != nil {
			t.Errorf("the event is %+v", e)
		}
	},
	"one that cannot be judged stops no other": func(t *testing.T, w *world) {
		w.expects(func(e *model.NewExpectation) { e.Name = "a" })
		w.expects()
		_, err := w.DB.Exec(`UPDATE expectations SET zone = 'Atlantis/Port' WHERE name = 'a'`)
		testkit.Must(t, err)
		w.at("2026-10-31 06:00")
		if err := w.service.Judge(ctx); err == nil {
			t.Error("nobody hears of it")
		}
		w.wantEvents(1, 0)
	},
	"one that is removed is judged no more": func(t *testing.T, w *world) {
		w.expects()
		testkit.Must(t, w.service.Remove(ctx, "test", "cdr"))
		w.at("2026-10-31 06:00")
		testkit.Must(t, w.service.Judge(ctx))
		w.wantEvents(0, 0)
	},
}
