package audit_test

import (
	"context"
	"sync"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var sealStories = stories{
	"thousands of rows are sealed in batches, in the order they were written": func(t *testing.T, w *world) {
		w.note(3000)
		s, err := w.service.Status(ctx)
		testkit.Must(t, err)
		if s.Waiting != 3000 || s.OldestAt == nil || s.Sealed != 0 || s.Checkpoint != "" {
			t.Fatalf("before sealing: %+v", s)
		}
		w.seal()
		if n := w.Count(`checkpoints`); n != 3 {
			t.Errorf("3000 rows have %d checkpoints", n)
		}
		if n := w.Count(`audit a JOIN audit b ON b.seq = a.seq + 1 WHERE b.id <= a.id`); n > 0 {
			t.Errorf("%d rows are out of order", n)
		}
		r := w.good(3000)
		if r.Checkpoints != 3 || r.Size != 3000 || r.Waiting != 0 || r.Signer != "files.example.com" || r.At == "" {
			t.Errorf("the report is %+v", r)
		}
		w.seal()
		if n := w.Count(`checkpoints`); n != 3 {
			t.Errorf("sealing nothing made a checkpoint: %d", n)
		}
	},
	"a restart goes on where the log ended": func(t *testing.T, w *world) {
		for _, n := range []int{1, 2, 3, 5, 8, 13} {
			w.open()
			w.sealed(n)
		}
		w.good(32)
	},
	"an empty log verifies, and rows that wait are counted": func(t *testing.T, w *world) {
		w.good(0)
		w.note(4)
		if r := w.good(0); r.Waiting != 4 {
			t.Errorf("%d rows wait", r.Waiting)
		}
	},
	"two nodes seal at once, and numbers stay dense": func(t *testing.T, w *world) {
		services := []*audit.Service{w.service, w.another()}
		var work sync.WaitGroup
		for _, r := range services {
			work.Go(func() {
				for range 40 {
					if err := r.Note(ctx, model.AuditRow{Actor: "op:jo", Action: "server.start", Subject: "n"}); err != nil {
						t.Error(err)
					}
					if err := r.Seal(ctx); err != nil && !fault.Is(err, fault.Conflict) {
						t.Error(err)
					}
				}
			})
		}
		work.Wait()
		w.seal()
		var n, top int
		testkit.Must(t, w.DB.QueryRow(`SELECT COUNT(DISTINCT seq), MAX(seq) FROM audit`).Scan(&n, &top))
		if n != 80 || top != 79 {
			t.Errorf("80 rows have %d numbers up to %d", n, top)
		}
		w.good(80)
	},
	"verifying while rows are written and sealed finds nothing": func(t *testing.T, w *world) {
		w.sealed(50)
		run, stop := context.WithCancel(ctx)
		var work sync.WaitGroup
		work.Go(func() {
			for run.Err() == nil {
				if err := w.service.Note(ctx, model.AuditRow{Actor: "op:jo", Action: "key.add", Subject: "x"}); err != nil {
					t.Error(err)
				}
				if err := w.service.Seal(ctx); err != nil {
					t.Error(err)
				}
			}
		})
		for range 25 {
			if r := w.verify(""); !r.OK {
				t.Errorf("%+v", r)
				break
			}
		}
		stop()
		work.Wait()
	},
	"a checkpoint from before is part of what the log became": func(t *testing.T, w *world) {
		w.sealed(7)
		was := w.checkpoint()
		w.sealed(30)
		if r := w.verify(was); !r.OK || r.Against == "" {
			t.Errorf("%+v", r)
		}
		_, err := (&audit.Verifier{Store: w.Store, Public: w.Key.Public(), Against: "hello"}).Verify(ctx)
		testkit.WantKind(t, err, fault.Invalid)
	},
	"the newest rows are listed first, sealed or not": func(t *testing.T, w *world) {
		w.sealed(6)
		w.note(3)
		list, err := w.service.List(ctx, audit.Selection{}, model.Paging{Limit: 5})
		testkit.Must(t, err)
		if len(list) != 5 || list[0].Seq != -1 || list[2].Seq != -1 || list[3].Seq != 5 || list[4].Seq != 4 {
			t.Fatalf("listed %+v", list)
		}
		list, err = w.service.List(ctx, audit.Selection{Action: "key.*", User: "U1"}, model.Paging{})
		testkit.Must(t, err)
		if len(list) != 2 {
			t.Fatalf("chosen %+v", list)
		}
	},
}
