package connection_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/connection"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var recordStories = stories{
	"a log-in is recorded, and again when it ends": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		r := w.login("203.0.113.7", u, k)
		open := w.explain(r.Reference).Explanations
		if len(open) != 1 || !open[0].Connection.LoggedIn || open[0].Connection.EndedAt != nil ||
			open[0].Connection.Session != r.Session {
			t.Fatalf("%+v", open)
		}
		end := r.At.Add(time.Minute)
		r.EndedAt, r.Received, r.Sent, r.Outcome, r.Detail = &end, 100, 2000, model.ReasonQuota, "store /upload/x"
		w.service.Note(r)
		c := w.explain(r.Reference).Explanations[0].Connection
		if c.EndedAt == nil || c.Received != 100 || c.Sent != 2000 || c.Outcome != model.ReasonQuota ||
			c.Detail != "store /upload/x" || !c.LoggedIn || c.Fingerprint != k.Fingerprint {
			t.Fatalf("%+v", c)
		}
		if n := w.Count("connections"); n != 1 {
			t.Fatalf("%d rows of one connection", n)
		}
	},
	"a monitor sees the first of a kind as an increase, and a log-in once": func(t *testing.T, w *world) {
		before := w.service.Counts().Outcomes
		if n, there := before[model.ReasonUnknownKey]; n != 0 || !there {
			t.Errorf("there was none yet, and it counts from %d (%v)", n, there)
		}
		u, k := w.customer("acme")
		w.failed("203.0.113.9", "acme", model.ReasonUnknownKey)
		r := w.login("203.0.113.7", u, k)
		r.EndedAt = new(r.At.Add(time.Minute))
		w.service.Note(r)
		if of := w.service.Counts().Outcomes; of[model.ReasonUnknownKey] != 1 || of[model.ReasonOK] != 1 {
			t.Errorf("%v", of)
		}
	},
	"what is queued is written when the service ends": func(t *testing.T, w *world) {
		for i := range 1000 {
			w.failed(fmt.Sprintf("2001:db8:0:%x::1", i), "acme", model.ReasonUnknownKey)
		}
		w.open()
		if n, m := w.Count("connections"), w.Count("addresses"); n != 1000 ||
			m != 1000 {
			t.Fatalf("%d connections and %d addresses of 1000", n, m)
		}
	},
	"pruning keeps log-ins, and the newest failures": func(t *testing.T, w *world) {
		w.policy.KeepFailed, w.policy.KeepSeen = 50, 10
		w.open()
		u, k := w.customer("acme")
		for i := range 150 {
			w.failed(fmt.Sprintf("2001:db8:0:%x::1", i), "root", model.ReasonUnknownUser)
			w.login("203.0.113.7", u, k)
			w.service.Seen(&exchange.Login{User: u, Fingerprint: k.Fingerprint, Session: "s"}, model.ActivityRead,
				fmt.Sprint("/", i), 1)
		}
		w.explain("acme") // writes them to the database
		w.Pass(2 * time.Hour)
		testkit.Eventually(t, "old failures are gone", func() bool {
			return w.Count("connections WHERE logged_in = 0") <= 50 &&
				w.Count("addresses WHERE last_ok IS NULL") <= 50 &&
				w.Count("activity") <= 10
		})
		if n := w.Count("connections WHERE logged_in = 1"); n != 150 {
			t.Errorf("%d of 150 log-ins are left", n)
		}
		if n, m := w.Count("connections WHERE logged_in = 0"), w.Count("activity"); n != 50 || m != 10 {
			t.Errorf("%d of the newest 50 failures and %d of the newest 10 sights are left", n, m)
		}
		if n := w.Count("connections WHERE address = '2001:db8:0:95::1'"); n != 1 {
			t.Error("the newest failure is gone")
		}
		if n := w.Count("addresses WHERE last_ok IS NOT NULL"); n != 1 {
			t.Error("the address of the log-ins is forgotten")
		}
	},
	"after its time everything goes": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		w.failed("192.0.2.1", "root", model.ReasonUnknownUser)
		w.login("203.0.113.7", u, k)
		w.service.Seen(&exchange.Login{User: u, Fingerprint: k.Fingerprint, Session: "s"}, model.ActivityRead, "/x", 1)
		w.explain("acme")
		w.Pass(394 * day)
		fresh := w.login("203.0.113.7", u, k)
		w.explain("acme")
		w.Pass(2 * day)
		testkit.Eventually(t, "what is older than 395 days is gone", func() bool {
			return w.Count("connections") == 1 && w.Count("activity") == 0 &&
				w.Count("addresses") == 1
		})
		if e := w.explain(fresh.Reference); len(e.Explanations) != 1 {
			t.Fatal("the newer log-in is gone, too")
		}
	},
	"a log-in notes the key's use, and retires the other": func(t *testing.T, w *world) {
		u, old := w.customer("acme")
		fresh := w.Enrol("acme", func(n *model.NewKey) { n.Replaces = old.Fingerprint }).Key
		w.login("203.0.113.7", u, fresh)
		r := w.login("203.0.113.9", u, fresh) // in the same batch: the later one counts
		w.explain("acme")
		list, err := w.Accounts.Key(ctx, fresh.Fingerprint)
		testkit.Must(t, err)
		if k := list[0]; k.LastUsedAt == nil || k.LastUsedAt.UnixMicro() != r.At.UnixMicro() ||
			k.LastAddress != "203.0.113.9" || k.LastClient != "SSH-2.0-x" {
			t.Fatalf("%+v", k)
		}
		list, err = w.Accounts.Key(ctx, old.Fingerprint)
		testkit.Must(t, err)
		if left := list[0].RetiresAt.Sub(r.At); left < 23*time.Hour || left > day {
			t.Fatalf("the old key works for another %v", left)
		}
		_, err = w.service.Explain(ctx, "nobody-at-all")
		testkit.WantKind(t, err, fault.NotFound)
	},
	"who got in and who failed is known at once": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		from := netip.MustParseAddr("203.0.113.7")
		near := func(got, want time.Time) bool { return got.Sub(want).Abs() < time.Millisecond }
		check := func(when string, wantOK, wantFailed time.Time) {
			t.Helper()
			if ok, failed := w.service.History(from); !near(ok, wantOK) || !near(failed, wantFailed) {
				t.Fatalf("%s: in at %v, failed at %v; want %v, %v", when, ok, failed, wantOK, wantFailed)
			}
		}
		check("at first", time.Time{}, time.Time{})
		// a port check is not a failure
		w.failed("203.0.113.7", "acme", model.ReasonSilent, func(r *connection.Record) { r.Methods = nil })
		check("after a port check", time.Time{}, time.Time{})
		w.failed("203.0.113.7", "acme", model.ReasonUnknownKey)
		failedAt := w.Clock()
		w.failed("203.0.113.8", "acme", model.ReasonUnknownKey) // another address, which does not count
		check("before it is written", time.Time{}, failedAt)
		w.explain("203.0.113.7")
		check("once it is written", time.Time{}, failedAt)
		w.Pass(time.Minute)
		okAt := w.Clock()
		r := w.login("203.0.113.7", u, k)
		check("after a log-in", okAt, failedAt)
		w.Pass(time.Hour)
		end := w.Clock()
		r.EndedAt = &end
		w.service.Note(r) // the end of a session is not a log-in
		w.open()
		check("another day", okAt, failedAt)
	},
	"a moment's outage loses no record": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		_, err := w.DB.Exec("ALTER TABLE connections RENAME TO away")
		testkit.Must(t, err)
		w.login("203.0.113.7", u, k)
		testkit.Eventually(t, "the log says that it failed",
			func() bool { return w.log.Contains("connection records could not be written") })
		_, err = w.DB.Exec("ALTER TABLE away RENAME TO connections")
		testkit.Must(t, err)
		r := w.login("203.0.113.7", u, k)
		if e := w.explain(r.Reference); len(e.Explanations) != 1 {
			t.Fatalf("%+v", e)
		}
		if n := w.Count("connections"); n != 2 {
			t.Fatalf("%d of two log-ins are recorded", n)
		}
		if ok, _ := w.service.History(r.From); ok.IsZero() {
			t.Fatal("nobody knows that they got in")
		}
	},
	"a record that is refused takes no other along": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		bad := w.login("203.0.113.7", u, k)
		w.explain("acme")
		w.service.Note(bad) // its reference exists already
		for range 5 {
			w.login("203.0.113.8", u, k)
		}
		testkit.Eventually(t, "the good ones are recorded",
			func() bool { return w.Count("connections WHERE address = '203.0.113.8'") == 5 })
		r := w.login("203.0.113.9", u, k)
		if e := w.explain(r.Reference); len(e.Explanations) != 1 {
			t.Fatal("what came after it is stuck")
		}
	},
}

var crowdStories = stories{
	"a flood of failures is bounded, log-ins are all kept": func(t *testing.T, w *world) {
		w.policy.KeepFailed = 100_000
		w.open()
		u, k := w.customer("acme")
		begun := time.Now()
		for i := range 10_000 {
			w.failed("192.0.2.1", "root", model.ReasonUnknownUser)
			if i%50 == 0 {
				w.login("203.0.113.7", u, k)
			}
		}
		took := time.Since(begun)
		w.open()
		most := 2000 + int(30*took.Seconds()) + 1
		if n := w.Count("connections WHERE logged_in = 0"); n < 2000 || n > most {
			t.Errorf("%d failures of 10000 are recorded, want 2000 to %d", n, most)
		}
		if n := w.Count("connections WHERE logged_in = 1"); n != 200 {
			t.Errorf("%d log-ins of 200 are recorded", n)
		}
	},
	"a full queue makes nobody wait": func(t *testing.T, w *world) {
		u, k := w.customer("acme")
		const many = 6000
		for range many {
			w.login("203.0.113.7", u, k) // would hang if the queue made it wait
		}
		testkit.Eventually(t, "the log says that records were dropped",
			func() bool { return w.log.Contains("connection records were dropped") })
		w.open()
		if n := w.Count("connections"); n < 4000 || n >= many {
			t.Fatalf("%d of %d are recorded", n, many)
		}
	},
	"sights that could not be kept are counted": activityLost,
}
