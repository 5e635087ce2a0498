package retention_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// announced stores n files dated one year earlier, and announces their run.
func (w *world) announced(u model.User, n int) model.RetentionRun {
	w.Helper()
	for i := range n {
		w.put(u, fmt.Sprintf("/upload/%03d.csv", i), "text")
	}
	w.on("2027-01-01")
	return w.one()
}

const runDay = "2027-02-01 03:01"

var runStories = stories{
	"a run removes what it named, and only that": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.feed("inv", "acme")
		w.publish("inv", "acme", "INV-1.pdf")
		w.put(u, "/upload/a.csv", "one")
		w.put(u, "/upload/a.csv", "second")
		gone := w.put(u, "/upload/gone.csv", "gone")
		w.Exec(`DELETE FROM files WHERE version_id = $1`, gone) // as when its uploader removes the name
		w.Exec(`UPDATE mailboxes SET used_files = used_files - 1, used_bytes = used_bytes - 4`)
		w.to("2026-02-10")
		w.put(u, "/upload/young.csv", "young")
		w.on("2027-01-01")
		w.put(u, "/upload/new.csv", "new")
		w.on("2027-02-01 02:59")
		if r := w.one(); r.State != model.RunAnnounced || r.Files != 4 {
			t.Fatalf("before its hour: %+v", r)
		}
		w.on(runDay)
		r := w.one()
		if r.State != model.RunDone || r.RemovedFiles != 4 || r.RemovedBytes != 9+3+6+4 || r.Files != 4 {
			t.Fatalf("%+v", r)
		}
		for path, want := range map[string]bool{"/upload/a.csv": false, "/inv/INV-1.pdf": false, "/upload/young.csv": true,
			"/upload/new.csv": true} {
			if w.has(u, path) != want {
				t.Errorf("%s is there: %v", path, !want)
			}
		}
		if n := w.Count(`versions`); n != 2 {
			t.Errorf("%d versions are left", n)
		}
		if n := w.Count(`deliveries WHERE state = 'expired'`); n != 1 {
			t.Error("the delivery has not expired")
		}
		if n := w.Count(`audit WHERE action = 'file.expire'`); n != 4 {
			t.Errorf("%d rows say that a file was removed", n)
		}
		if n := w.Count(`blobs WHERE state = 'dead'`); n != 4 {
			t.Errorf("%d blobs are dead", n)
		}
		w.sound()
	},
	"the report is signed, and has the hash of its list": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.announced(u, 3)
		_, err := w.service.Hold(ctx, "op:jo",
			model.NewHold{Kind: model.HoldFile, Target: "acme:/upload/001.csv", Reason: "case 7"})
		testkit.Must(t, err)
		w.on(runDay)
		r := w.one()
		d, err := proof.Open(r.Report, w.Key.Public())
		testkit.Must(t, err)
		var list bytes.Buffer
		testkit.Must(t, w.service.List(ctx, &list, r.ID))
		sum := sha256.Sum256(list.Bytes())
		for name, want := range map[string]string{"run": r.ID, "kind": "regular", "named": "3 files, 12 bytes",
			"removed": "2 files, 8 bytes", "held": "1 files, 4 bytes", "kept": "0 files, 0 bytes",
			"policy": "default keeps files 12 months", "due": "2027-02-01T03:00:00Z",
			"list sha256": hex.EncodeToString(sum[:])} {
			if d.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, d.Get(name), want)
			}
		}
		if n := w.Count(`retention_items`); n != 0 {
			t.Errorf("%d items are left in the database", n)
		}
		w.sound()
	},
	"a policy that was lengthened meanwhile keeps": func(t *testing.T, w *world) {
		r := w.announced(w.customer("acme"), 2)
		w.set(model.SetPolicy{User: "acme", Keep: "2y"})
		w.on(runDay)
		w.wantOutcomes(r.ID, map[string]string{"acme:/upload/000.csv": "kept", "acme:/upload/001.csv": "kept"})
		w.sound()
	},
	"somebody else may be faster": func(t *testing.T, w *world) {
		u := w.customer("acme")
		r := w.announced(u, 2)
		w.Exec(`DELETE FROM versions WHERE id = (SELECT MIN(id) FROM versions)`)
		w.Exec(`DELETE FROM files WHERE name = $1`, []byte("000.csv"))
		w.on(runDay)
		w.wantOutcomes(r.ID, map[string]string{"acme:/upload/000.csv": "gone", "acme:/upload/001.csv": "removed"})
	},
	"a shortened policy removes nothing until it is confirmed, and not before its notice": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.put(u, "/a", "a")
		w.on("2026-06-02")
		w.set(model.SetPolicy{User: "acme", Keep: "30d"})
		w.on("2026-07-02 02:00")
		r := w.one()
		if r.Confirm == "" || r.Files != 1 {
			t.Fatalf("%+v", r)
		}
		_, err := w.service.Confirm(ctx, "op:jo", r.ID)
		testkit.WantKind(t, err, fault.Conflict)
		// the date alone, in UTC, was a day that had begun for the operator already
		in := exchange.InZone(ctx, time.FixedZone("AEDT", 11*3600))
		if _, err = w.service.Confirm(in, "op:jo", r.ID); !strings.Contains(fault.PublicText(err), ":00 AEDT on: ") {
			t.Errorf("when it can be confirmed: %v", err)
		}
		w.on("2026-08-03")
		if w.one().State != model.RunAnnounced || !w.has(u, "/a") {
			t.Fatal("it ran without an administrator")
		}
		if n := w.Count(`outbox WHERE type = 'retention.confirm'`); n != 1 {
			t.Errorf("%d events say that it waits", n)
		}
		_, err = w.service.Confirm(ctx, "op:jo", r.ID)
		testkit.Must(t, err)
		_, err = w.service.Confirm(ctx, "op:jo", r.ID)
		testkit.WantKind(t, err, fault.Conflict)
		list, err := w.service.RunNow(ctx)
		testkit.Must(t, err)
		if len(list) != 1 || list[0].RemovedFiles != 1 || w.has(u, "/a") || w.waits() != "" {
			t.Fatalf("%+v, waits: %q", list, w.waits())
		}
	},
	"a run that was called off removes nothing": func(t *testing.T, w *world) {
		u := w.customer("acme")
		r := w.announced(u, 2)
		w.to("2027-01-20")
		_, err := w.service.Cancel(ctx, "op:jo", r.ID, "")
		testkit.WantKind(t, err, fault.Invalid)
		_, err = w.service.Cancel(ctx, "op:jo", r.ID, "the customer asked")
		testkit.Must(t, err)
		_, err = w.service.Cancel(ctx, "op:jo", r.ID, "again")
		testkit.WantKind(t, err, fault.Conflict)
		w.on(runDay)
		if r := w.runs(); !w.has(u, "/upload/000.csv") || r[len(r)-1].State != model.RunCancelled {
			t.Fatalf("%+v", r)
		}
		for _, again := range w.runs() {
			w.to(again.DueAt.Format("2006-01-02") + " 04:00")
		}
	},
	"a run that was called off on its first day is not planned again for the same date": func(t *testing.T, w *world) {
		r := w.announced(w.customer("acme"), 2)
		_, err := w.service.Cancel(ctx, "op:jo", r.ID, "the customer asked")
		testkit.Must(t, err)
		w.step()
		for _, again := range w.runs() {
			if again.ID != r.ID && again.DueAt.Equal(r.DueAt) {
				t.Errorf("it is planned again: %+v", again)
			}
		}
	},
}

var crashStories = stories{
	"a run that was cut off goes on, and nothing is done twice": func(t *testing.T, w *world) {
		u := w.customer("acme")
		r := w.announced(u, 350)
		w.to(runDay)
		run, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- w.service.Step(run) }()
		testkit.Eventually(t, "some are removed", func() bool { return w.Count(`versions`) < 350 })
		stop()
		<-ended
		w.open()
		w.step()
		now := w.one()
		if now.State != model.RunDone || now.RemovedFiles != 350 || w.Count(`versions`) != 0 ||
			now.ID != r.ID {
			t.Fatalf("%+v", now)
		}
		if n := w.Count(`audit WHERE action = 'file.expire'`); n != 350 {
			t.Errorf("%d rows say that a file was removed", n)
		}
		if n := w.Count(`outbox WHERE type = 'file.removed'`); n != 1 {
			t.Errorf("%d events say so", n)
		}
		w.sound()
	},
	"only one node at a time plans and runs": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.announced(u, 120)
		w.to(runDay)
		other := w.another("other")
		testkit.Must(t, other.Step(ctx)) // the first node's lease has expired
		if r := w.one(); r.State != model.RunDone || r.RemovedFiles != 120 {
			t.Fatalf("%+v", r)
		}
		w.step() // this node has no lease now
		w.one()
	},
	"one node runs by hand what another is running, and the report is right": func(t *testing.T, w *world) {
		u := w.customer("acme")
		w.announced(u, 600)
		w.to(runDay)
		other := w.another("other")
		var work sync.WaitGroup
		work.Go(func() { _ = w.service.Step(ctx) })
		work.Go(func() { _, _ = other.RunNow(ctx) })
		work.Wait()
		w.step()
		if r := w.one(); r.State != model.RunDone || r.RemovedFiles != 600 {
			t.Errorf("%+v", r)
		}
	},
}
