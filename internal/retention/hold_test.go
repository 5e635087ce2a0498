package retention_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func (w *world) hold(kind model.HoldKind, label string) model.Hold {
	w.Helper()
	h, err := w.service.Hold(ctx, "op:jo", model.NewHold{Kind: kind, Target: label, Reason: "case 7"})
	w.Must(err)
	return h
}

var holdStories = stories{
	"a hold keeps what it is on, until it is released": func(t *testing.T, w *world) {
		u, v := w.customer("acme"), w.customer("bolt")
		w.feed("inv", "acme", "bolt")
		w.publish("inv", "", "INV-1.pdf")
		version := w.put(u, "/a.csv", "a")
		w.put(u, "/a.csv", "a2")
		w.put(v, "/b.csv", "b")
		for _, c := range []struct {
			kind  model.HoldKind
			label string
			held  string
		}{{"account", "acme", "acme:/a.csv acme:/a.csv+ acme:/inv/INV-1.pdf"},
			{"user", "bolt", "bolt:/b.csv bolt:/inv/INV-1.pdf"}, {"feed", "inv", "acme:/inv/INV-1.pdf bolt:/inv/INV-1.pdf"},
			{"file", "acme:/a.csv", "acme:/a.csv acme:/a.csv+"}, {"file", version, "acme:/a.csv acme:/a.csv+"}} {
			h := w.hold(c.kind, c.label)
			f, err := w.service.Forecast(ctx, model.ForecastQuery{At: w.Clock().Add(400 * day), List: true})
			testkit.Must(t, err)
			held := 0
			for _, i := range f.Named {
				if i.Held {
					held++
					if !strings.Contains(c.held, i.User+":"+i.Path) {
						t.Errorf("%s %s holds %s:%s", c.kind, c.label, i.User, i.Path)
					}
				}
			}
			if held != len(strings.Fields(c.held)) {
				t.Errorf("%s %s holds %d files, want %s", c.kind, c.label, held, c.held)
			}
			_, err = w.service.Release(ctx, "op:jo", h.ID)
			testkit.Must(t, err)
			_, err = w.service.Release(ctx, "op:jo", h.ID)
			testkit.WantKind(t, err, fault.NotFound)
		}
		w.hold("account", "acme")
		w.on("2027-01-01")
		w.on(runDay)
		w.wantOutcomes(w.one().ID, map[string]string{"acme:/a.csv": "held", "acme:/a.csv+": "held",
			"acme:/inv/INV-1.pdf": "held", "bolt:/b.csv": "removed", "bolt:/inv/INV-1.pdf": "removed"})
		holds, err := w.service.Holds(ctx, model.HoldFilter{})
		testkit.Must(t, err)
		_, err = w.service.Release(ctx, "op:jo", holds[0].ID)
		testkit.Must(t, err)
		w.on("2027-03-01")
		w.on("2027-04-01 03:01")
		if n := w.Count(`versions`); n != 0 {
			t.Errorf("after its release %d are left", n)
		}
		w.sound()
	},
	"a hold that is placed while a run goes on keeps whatever is still there": func(t *testing.T, w *world) {
		u := w.customer("acme")
		r := w.announced(u, 400)
		w.to(runDay)
		var left atomic.Int64
		placed := make(chan struct{})
		go func() {
			defer close(placed)
			testkit.Eventually(t, "the run began", func() bool { return w.Count(`versions`) < 400 })
			if _, err := w.service.Hold(ctx, "op:jo",
				model.NewHold{Kind: model.HoldAccount, Target: "acme", Reason: "case 7"}); err != nil {
				t.Error(err)
			}
			left.Store(int64(w.Count(`versions`)))
		}()
		w.step()
		<-placed
		if n := w.Count(`versions`); int64(n) != left.Load() {
			t.Errorf("%d files were there when the hold stood, and %d are left", left.Load(), n)
		}
		if now := w.one(); now.State != model.RunDone || now.RemovedFiles != 400-left.Load() || now.ID != r.ID {
			t.Errorf("%+v", now)
		}
		w.sound()
	},
	"what is held, is held for everybody": func(t *testing.T, w *world) {
		u := w.customer("acme")
		v := w.put(u, "/a", "a")
		held := func() (yes bool) {
			testkit.Must(t, w.Store.Write(ctx, func(tx *store.Tx) (err error) { yes, err = w.service.Held(tx, v); return err }))
			return yes
		}
		if held() {
			t.Error("it is held by nobody")
		}
		w.hold("user", "acme")
		if !held() {
			t.Error("it is not held")
		}
	},
	"a hold on nothing is refused": func(t *testing.T, w *world) {
		w.customer("acme")
		for _, h := range []model.NewHold{{Kind: "account", Target: "x"}, {Kind: "user", Target: "x"},
			{Kind: "feed", Target: "x"}, {Kind: "file", Target: "x"}, {Kind: "file", Target: "acme:/none"},
			{Kind: "file", Target: "x:/none"}} {
			h.Reason = "why"
			_, err := w.service.Hold(ctx, "op:jo", h)
			testkit.WantKind(t, err, fault.NotFound)
		}
		_, err := w.service.Hold(ctx, "op:jo", model.NewHold{Kind: "account", Target: "acme"})
		testkit.WantKind(t, err, fault.Invalid)
	},
}

var noticeStories = stories{
	"files stay of whom no notice reached, until somebody told them": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.people["acme"] = nil
		w.announced(u, 1)
		r := w.one()
		w.on(runDay)
		w.wantOutcomes(r.ID, map[string]string{"acme:/upload/000.csv": "kept"})
		w.on("2027-03-01")
		again := w.runs()[0]
		testkit.Must(t, w.service.Told(ctx, "op:jo", again.ID, "acme"))
		testkit.WantKind(t, w.service.Told(ctx, "op:jo", again.ID, "acme"), fault.NotFound)
		w.on("2027-04-01 03:01")
		w.wantOutcomes(again.ID, map[string]string{"acme:/upload/000.csv": "removed"})
	},
	"mail that bounced reached nobody": func(t *testing.T, w *world) {
		w.announced(w.customer("acme"), 1)
		w.Exec(`UPDATE messages SET state = 'bounced'`)
		w.on(runDay)
		w.wantOutcomes(w.one().ID, map[string]string{"acme:/upload/000.csv": "kept"})
	},
	"a policy that needs no notice goes on without": func(t *testing.T, w *world) {
		w.policy.RequireNotice = false
		w.open()
		u := w.customer("acme")
		w.people["acme"] = nil
		w.announced(u, 1)
		w.on(runDay)
		w.wantOutcomes(w.one().ID, map[string]string{"acme:/upload/000.csv": "removed"})
	},
}

var closeStories = stories{
	"a closed account's files go after a while, and its people get the report": func(t *testing.T, w *world) {
		u, v := w.customer("acme"), w.customer("bolt")
		w.put(u, "/a", "a")
		w.put(v, "/b", "b")
		_, err := w.Accounts.Close(ctx, "op:jo", "acme", "10d")
		testkit.Must(t, err)
		r, err := w.service.PlanClosing(ctx, "acme")
		testkit.Must(t, err)
		if again, err := w.service.PlanClosing(ctx, "acme"); err != nil || again.ID != r.ID {
			t.Errorf("planned twice: %v %v", again, err)
		}
		if r.Files != 1 || r.Kind != model.RunClosing || len(w.letters) != 1 ||
			!strings.Contains(w.letters[0].Text,
				"The account acme is closed. On 15 January 2026 we remove all its files: 1 file.") {
			t.Fatalf("%+v, %+v", r, w.letters)
		}
		w.on("2026-01-15 11:00")
		if !w.has(u, "/a") {
			t.Fatal("it went early")
		}
		w.on("2026-01-15 13:00")
		if w.has(u, "/a") || !w.has(v, "/b") {
			t.Fatal("not what was to go")
		}
		last := w.letters[len(w.letters)-1]
		if d, err := proof.Open(last.Signed, w.Key.Public()); err != nil || last.Kind != "removed" ||
			d.Get("account") != "acme" || d.Get("removed") != "1 files, 1 bytes" {
			t.Errorf("the last letter is %+v (%v)", last, err)
		}
		w.sound()
	},
	"the time said at an account's end counts, whoever plans it": func(t *testing.T, w *world) {
		w.put(w.customer("acme"), "/a", "a")
		_, err := w.Accounts.Close(ctx, "op:jo", "acme", "4mo")
		testkit.Must(t, err)
		w.step() // the server stopped before planning
		if r := w.one(); r.DueAt.Format("2006-01-02") != "2026-05-05" {
			t.Errorf("due at %s", r.DueAt)
		}
	},
	"an account that was closed elsewhere is found": func(t *testing.T, w *world) {
		w.put(w.customer("acme"), "/a", "a")
		_, err := w.Accounts.SetState(ctx, "op:jo", "acme", model.AccountClosed)
		testkit.Must(t, err)
		w.step()
		w.step()
		if r := w.one(); r.Kind != model.RunClosing || r.DueAt.Sub(r.CreatedAt) != w.policy.AfterClose {
			t.Errorf("%+v", r)
		}
	},
}
