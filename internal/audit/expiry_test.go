package audit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// aged makes a log with old rows that are older than a month, and young newer rows.
func (w *world) aged(old, young int) {
	w.Helper()
	w.sealed(old)
	w.Pass(40 * day)
	w.sealed(young)
	w.keep = "1mo"
}

// expired lets Keep expire rows, and seals the row that it writes.
func (w *world) expired(rows int64) {
	w.Helper()
	w.tidy(func() bool { return w.Count(`audit WHERE seq < $1`, rows) == 0 })
	w.seal()
}

var expiryStories = stories{
	"what rows say goes with age, and the log still verifies": func(t *testing.T, w *world) {
		w.aged(9, 6)
		w.expired(9)
		r := w.good(16) // one of them states the expiry
		if r.Expired != 9 || r.Rows != 7 {
			t.Errorf("%+v", r)
		}
		if n := w.Count(`audit WHERE action = 'audit.expire' AND subject = '9'`); n != 1 {
			t.Errorf("%d rows say that rows expired", n)
		}
		s, err := w.service.Status(ctx)
		testkit.Must(t, err)
		if s.Expired != 9 || s.Sealed != 16 {
			t.Errorf("the status is %+v", s)
		}
		if r := w.fine(w.export(audit.Selection{}), 16); r.Expired != 9 {
			t.Errorf("the export: %+v", r)
		}
		if r, err := w.offline(w.export(audit.Selection{Action: "key.*"}), ""); err != nil || !r.OK || r.Rows != 2 {
			t.Errorf("chosen rows: %v %+v", err, r)
		}
		sample, err := w.service.Sample(ctx, 100)
		testkit.Must(t, err)
		if len(sample) != 7 || sample[0].Seq < 9 {
			t.Errorf("%d rows were drawn", len(sample))
		}
	},
	"rows expire again and again": func(t *testing.T, w *world) {
		w.keep = "1mo"
		for i := range 4 {
			w.sealed(5)
			w.Pass(40 * day)
			w.expired(int64(5 + i*6))
			w.good(int64((i + 1) * 6))
		}
	},
	"nothing expires by a policy of ever": func(t *testing.T, w *world) {
		w.aged(9, 6)
		w.keep = ""
		w.note(1)
		w.tidy(func() bool { return w.Count(`audit WHERE seq IS NULL`) == 0 })
		w.good(16)
	},
	"the log verifies at every moment of an expiry": func(t *testing.T, w *world) {
		w.aged(9, 6)
		w.open()
		run, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { w.service.Keep(run); close(done) }()
		testkit.Eventually(t, "the expiry was sealed", func() bool {
			if r := w.verify(""); !r.OK {
				t.Errorf("%+v", r)
				return true
			}
			return w.Count(`audit WHERE action = 'audit.expire' AND seq IS NOT NULL`) == 1
		})
		stop()
		<-done
	},
	"rows that expire while the log is verified are not missed": func(t *testing.T, w *world) {
		w.aged(9, 6)
		passes := 0
		v := audit.Verifier{Store: w.Store, Public: w.Key.Public(), Progress: func(done, _ int64) {
			if done > 0 {
				return
			}
			if passes++; passes == 1 {
				w.expired(9)
			}
		}}
		r, err := v.Verify(ctx)
		testkit.Must(t, err)
		if !r.OK || r.Rows != 7 || r.Expired != 9 || passes != 2 {
			t.Errorf("after %d passes: %+v", passes, r)
		}
	},
	"rows that expire while they are exported do not leave a hole": func(t *testing.T, w *world) {
		w.aged(4050, 6)
		out := &hooked{hook: func() { w.expired(4050) }}
		err := w.service.Export(ctx, out, audit.Selection{})
		if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.PublicText(err), "Export them again") {
			t.Fatalf("the export: %v", err)
		}
		if r := w.fine(w.export(audit.Selection{}), 4057); r.Expired != 4050 {
			t.Errorf("the second export: %+v", r)
		}
	},
	"an expiry that was moved by hand is found": func(t *testing.T, w *world) {
		w.sealed(9)
		w.tamper(`UPDATE counters SET value = 4 WHERE name = 'audit.expired'`)
		w.tamper(`DELETE FROM audit WHERE seq < 4`)
		w.bad("", "Rows up to 4 count as expired by age, and no row of the log says so.")
	},
	"an expiry that was moved further is found": func(t *testing.T, w *world) {
		w.aged(9, 6)
		w.expired(9)
		w.tamper(`UPDATE counters SET value = 11 WHERE name = 'audit.expired'`)
		w.tamper(`DELETE FROM audit WHERE seq < 11`)
		w.bad("", "Rows up to 11 count as expired")
		w.tamper(`UPDATE counters SET value = 9 WHERE name = 'audit.expired'`)
		w.bad("", "Row 9 is missing.", "Row 10 is missing.")
	},
	"a changed hash of an expired row is found": func(t *testing.T, w *world) {
		w.aged(9, 6)
		w.expired(9)
		zero := make([]byte, 32)
		w.tamper(`UPDATE audit_hashes SET hash = $1 WHERE idx = 0`, zero)
		w.bad("")
		w.tamper(`DELETE FROM audit_hashes WHERE idx = 0`)
		w.bad("", "Row 0 and its hash are missing.")
	},
}

// hooked calls a function at the first write.
type hooked struct{ hook func() }

func (h *hooked) Write(p []byte) (int, error) {
	if h.hook != nil {
		h.hook()
		h.hook = nil
	}
	return len(p), nil
}

// sizes returns the sizes of the remaining checkpoints.
func (w *world) sizes() (out []int64) {
	w.Helper()
	list, err := w.Store.Read(ctx).CheckpointsAfter(-1, 1000)
	w.Must(err)
	for _, c := range list {
		out = append(out, c.Size)
	}
	return out
}

var leaveStories = stories{
	"of old checkpoints one a day is kept, and those that left": func(t *testing.T, w *world) {
		for range 3 { // three days with three each
			w.sealed(1, 1, 1)
			w.Pass(day)
		}
		w.tamper(`UPDATE checkpoints SET sent = 1 WHERE size = 4`)
		w.Pass(30 * day)
		w.sealed(1, 1)
		w.tidy(func() bool { return len(w.sizes()) <= 6 })
		if got := w.sizes(); !slices.Equal(got, []int64{3, 4, 6, 9, 10, 11}) {
			t.Errorf("left are %v", got)
		}
		w.good(11)
	},
	"a checkpoint leaves the machine once a day": func(t *testing.T, w *world) {
		var sent []string
		var n atomic.Int64
		w.send = func(_ context.Context, note string) error { sent = append(sent, note); n.Add(1); return nil }
		w.sealed(5)
		w.tidy(func() bool { return n.Load() == 1 })
		c, err := proof.OpenCheckpoint(sent[0], w.Key.Public())
		testkit.Must(t, err)
		if c.Size != 5 || sent[0] != w.checkpoint() {
			t.Errorf("sent %+v", c)
		}
		s, err := w.service.Status(ctx)
		testkit.Must(t, err)
		if s.SentAt == nil {
			t.Error("nobody noted that it was sent")
		}
		w.Pass(23 * time.Hour)
		w.note(1)
		w.tidy(func() bool { return w.Count(`audit WHERE seq IS NULL`) == 0 })
		w.Pass(90 * time.Minute)
		w.note(1)
		w.tidy(func() bool { return n.Load() >= 2 })
		if n.Load() != 2 || !strings.Contains(sent[1], "\n7\n") {
			t.Errorf("%d were sent: %q", n.Load(), sent)
		}
		testkit.Must(t, w.service.SendCheckpoint(ctx))
		if n.Load() != 3 {
			t.Error("a checkpoint could not be sent by hand")
		}
	},
	"a checkpoint that could not leave is tried again": func(t *testing.T, w *world) {
		var tries atomic.Int64
		w.send = func(context.Context, string) error {
			if tries.Add(1) == 1 {
				return fault.E("test", fault.Unavailable, "no way")
			}
			return nil
		}
		w.sealed(5)
		w.open()
		if err := w.service.SendCheckpoint(ctx); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("sending: %v", err)
		}
		if n := w.Count(`checkpoints WHERE sent = 1`); n != 0 {
			t.Error("one that did not leave counts as sent")
		}
		w.tidy(func() bool { return w.Count(`checkpoints WHERE sent = 1`) == 1 })
	},
	"a checkpoint that left already does not leave every hour": func(t *testing.T, w *world) {
		var n atomic.Int64
		w.send = func(context.Context, string) error { n.Add(1); return nil }
		w.sealed(5)
		w.tidy(func() bool { return n.Load() == 1 })
		w.Pass(25 * time.Hour)
		for range 3 {
			w.Pass(time.Hour)
			w.open()
			run, stop := context.WithTimeout(ctx, 300*time.Millisecond)
			w.service.Keep(run)
			stop()
		}
		if n.Load() > 2 {
			t.Errorf("the same checkpoint left %d times", n.Load())
		}
	},
	"nothing is sent before the first checkpoint": func(t *testing.T, w *world) {
		w.send = func(context.Context, string) error { return errors.New("sent") }
		w.open()
		testkit.Must(t, w.service.SendCheckpoint(ctx))
	},
}
