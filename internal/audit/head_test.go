package audit_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// kept is a head in memory.
type kept struct {
	mu   sync.Mutex
	note string
}

func (k *kept) Load() (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.note, nil
}

func (k *kept) Save(note string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note = note
	return nil
}

// headed opens the service with a head.
func (w *world) headed() *kept {
	w.head = &kept{}
	w.open()
	return w.head
}

// cut deletes the rows from a number on, with everything in the database that shows that they
// existed.
func (w *world) cut(from int64) {
	w.Helper()
	w.tamper(`DELETE FROM audit WHERE seq >= $1`, from)
	w.tamper(`DELETE FROM audit_hashes WHERE idx >= $1`, tlog.StoredHashIndex(0, from))
	w.tamper(`DELETE FROM checkpoints WHERE size > $1`, from)
	w.tamper(`UPDATE counters SET value = $1 WHERE name = 'audit.sealed'`, from)
}

// judged verifies with the head.
func (w *world) judged() audit.Report {
	w.Helper()
	v := audit.Verifier{Store: w.Store, Public: w.Key.Public(), Head: w.head.note}
	r, err := v.Verify(ctx)
	w.Must(err)
	return r
}

func (w *world) wantStopped(part string) {
	w.Helper()
	err := w.service.Seal(ctx)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.PublicText(err), part) {
		w.Fatalf("sealing: %v, want %q", err, part)
	}
}

var headStories = stories{
	"a log whose end was taken is not sealed any more": func(t *testing.T, w *world) {
		w.headed()
		w.sealed(3, 4, 2)
		w.cut(7)
		if r := w.verify(""); !r.OK || !strings.Contains(r.Unproven, "removed from the log's end") {
			t.Errorf("without the head: %+v", r)
		}
		if r := w.judged(); r.OK || !strings.Contains(strings.Join(r.Faults, " "), "The log has 7 rows, and had 9") {
			t.Errorf("with it: %+v", r)
		}
		w.note(1)
		w.wantStopped("rows were removed from its end")
		w.open() // a restarted service detects it, too
		w.wantStopped("rows were removed from its end")
		w.note(5) // the same number of rows does not hide it
		w.wantStopped("rows were removed from its end")
	},
	"a log that was written anew is not sealed any more": func(t *testing.T, w *world) {
		head := w.headed()
		w.sealed(3, 4)
		signed := head.note
		w.cut(3)
		w.head.note = "" // so that another service can seal the changed log
		other := w.another()
		w.note(4)
		testkit.Must(t, other.Seal(ctx))
		w.head.note = signed
		w.open()
		w.note(1)
		w.wantStopped("are not those that were signed")
		if r := w.judged(); r.OK {
			t.Errorf("it verifies: %+v", r)
		}
	},
	"a stop between sealing and keeping is no fault": func(t *testing.T, w *world) {
		head := w.headed()
		w.sealed(3)
		early := head.note
		w.sealed(4, 2)
		head.note = early
		w.open()
		w.sealed(1)
		if c, err := proof.OpenCheckpoint(head.note, w.Key.Public()); err != nil || c.Size != 10 {
			t.Errorf("kept is %+v, %v", c, err)
		}
		if r := w.judged(); !r.OK || !strings.Contains(r.Unproven, "signing key") {
			t.Errorf("%+v", r)
		}
	},
	"a deployment from before begins with its newest checkpoint": func(t *testing.T, w *world) {
		w.sealed(3, 4)
		w.headed()
		w.sealed(1)
		w.cut(3)
		w.note(1)
		w.wantStopped("had 8")
	},
	"a head that somebody else signed is no head": func(t *testing.T, w *world) {
		head := w.headed()
		w.sealed(3)
		other, err := testkit.SigningKey(t).SignCheckpoint(proof.Checkpoint{Size: 1, At: "2026-01-05T09:00:00Z"})
		testkit.Must(t, err)
		head.note = other
		w.open()
		w.note(1)
		w.wantStopped("not signed by it")
	},
	"a restored database is accepted with a reason, and a row says so": func(t *testing.T, w *world) {
		w.headed()
		w.sealed(3, 4)
		err := w.service.Accept(ctx, "by mistake")
		testkit.WantKind(t, err, fault.Conflict)
		w.cut(3)
		w.open()
		testkit.Must(t, w.service.Accept(ctx, "the database was restored from Sunday's backup"))
		w.sealed(1)
		if r := w.judged(); !r.OK || r.Size != 5 {
			t.Errorf("%+v", r)
		}
		if n := w.Count(`audit WHERE action = 'audit.accept' AND detail LIKE '%Sunday%'
			AND detail LIKE '%"had":"7"%'`); n != 1 {
			t.Errorf("%d rows say so", n)
		}
	},
	"the operator is told once": func(t *testing.T, w *world) {
		w.headed()
		w.sealed(3, 4)
		w.cut(3)
		w.note(1)
		w.tidy(func() bool { return w.Count(`outbox WHERE type = 'alarm'`) == 1 })
		s, err := w.service.Status(ctx)
		testkit.Must(t, err)
		if s.Stopped == "" || s.Waiting != 1 {
			t.Errorf("the status is %+v", s)
		}
	},
	"an expiry that somebody wrote by hand is found": func(t *testing.T, w *world) {
		w.headed()
		w.sealed(9)
		w.tamper(fmt.Sprintf(`INSERT INTO audit (id, at, actor, action, subject, user_id, detail)
			VALUES ('%s', 1, 'system:audit', 'audit.expire', '4', '', '{"keep":"7y"}')`, w.IDs.New()))
		w.seal() // whatever is there is sealed
		w.tamper(`UPDATE counters SET value = 4 WHERE name = 'audit.expired'`)
		w.tamper(`DELETE FROM audit WHERE seq < 4`)
		w.bad("", "Row 9 says that rows below 4 expired, and the key did not sign that.",
			"Rows up to 4 count as expired by age")
	},
	"rows whose times were set back do not expire": func(t *testing.T, w *world) {
		w.headed()
		w.sealed(5)
		w.Pass(40 * day)
		w.sealed(6)
		w.keep = "1mo"
		old := exchange.FirstID(w.Clock().Add(-90 * day))
		w.tamper(`UPDATE audit SET at = 1 WHERE seq >= 5`)
		for seq := 5; seq < 11; seq++ {
			w.tamper(fmt.Sprintf(`UPDATE audit SET id = '%s%02d' WHERE seq = %d`, old[:24], seq, seq))
		}
		w.tidy(func() bool { return w.Count(`audit WHERE action = 'audit.expire'`) == 1 })
		w.seal()
		if n := w.Count(`audit WHERE action = 'audit.expire' AND subject = '5'`); n != 1 {
			t.Error("rows that were sealed lately expired")
		}
	},
	"a checkpoint that was made older by hand lets nothing expire": func(t *testing.T, w *world) {
		w.headed()
		w.sealed(5)
		w.tamper(`UPDATE checkpoints SET at = 1`)
		w.tamper(`UPDATE audit SET id = 'A' || id`)
		w.Pass(time.Hour)
		w.keep = "1mo"
		w.open()
		w.note(1)
		w.tidy(func() bool { return w.Count(`audit WHERE seq IS NULL`) == 0 })
		if n := w.Count(`audit WHERE action = 'audit.expire'`); n != 0 {
			t.Error("rows of an hour ago expired")
		}
	},
}
