package audit_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/proof"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = 24 * time.Hour

var ctx = context.Background()

// world is the log's service over a real database, with a clock that moves only a
// microsecond a look, and by pass.
type world struct {
	t       testing.TB
	store   *store.Store
	db      *sql.DB // where somebody tampers
	service *audit.Service
	ids     *exchange.IDs
	key     *proof.Key
	keep    string
	send    func(context.Context, string) error
	head    *kept
	micros  atomic.Int64
}

func (w *world) clock() time.Time { return exchange.FromMicros(w.micros.Add(1)) }

func (w *world) pass(d time.Duration) { w.micros.Add(d.Microseconds()) }

// begin gives a story an empty log.
func (w *world) begin(t testing.TB) *world {
	w.t = t
	testkit.Empty(t, w.db, "audit", "audit_hashes", "checkpoints", "outbox")
	w.tamper("UPDATE counters SET value = 0")
	w.micros.Store(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC).UnixMicro())
	w.ids = exchange.NewIDs(w.clock, rand.Reader)
	w.keep, w.send, w.head = "", nil, nil
	w.open()
	return w
}

// open makes the service, as a restart does.
func (w *world) open() { w.service = w.another() }

// another is a service beside, as another node has one.
func (w *world) another() *audit.Service {
	o := audit.Options{Store: w.store, Clock: w.clock, IDs: w.ids, Log: slog.New(slog.DiscardHandler), Key: w.key,
		Keep: w.keep}
	if w.send != nil {
		o.To, o.Mail = []string{"mail:auditor@example.com"},
			func(ctx context.Context, _, note string) error { return w.send(ctx, note) }
	}
	if w.head != nil {
		o.Head = w.head
	}
	return audit.New(o)
}

type stories map[string]func(*testing.T, *world)

func TestAudit(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := &world{t: t}
		w.store, w.db = testkit.OpenStore(t, url)
		w.key = testkit.SigningKey(t)
		for _, part := range []stories{sealStories, tamperStories, expiryStories, exportStories, leaveStories, headStories} {
			for name, story := range part {
				t.Run(name, func(t *testing.T) { story(t, w.begin(t)) })
			}
		}
	})
}

// note writes n rows that are not sealed yet.
func (w *world) note(n int) {
	w.t.Helper()
	testkit.Must(w.t, testkit.Write(ctx, w.store, func(tx *store.Tx) error {
		for i := range n {
			row := model.AuditRow{ID: w.ids.New(), At: exchange.FromMicros(exchange.Micros(w.clock())), Actor: "op:jo",
				Action: []string{"file.store", "key.add", "account.add"}[i%3], Subject: fmt.Sprintf("/upload/%d.csv", i),
				User:   []string{"", "U1"}[i%2],
				Detail: map[string]string{"sha256": "abc", "text": "<a & b>"}}
			if err := tx.Audit(row); err != nil {
				return err
			}
		}
		return nil
	}))
}

// sealed writes and seals rows in so many checkpoints.
func (w *world) sealed(batches ...int) {
	w.t.Helper()
	for _, n := range batches {
		w.note(n)
		w.seal()
	}
}

func (w *world) seal() { w.t.Helper(); testkit.Must(w.t, w.service.Seal(ctx)) }

// verify checks the log as an auditor does.
func (w *world) verify(against string) audit.Report {
	w.t.Helper()
	v := audit.Verifier{Store: w.store, Public: w.key.Public(), Against: against}
	r, err := v.Verify(ctx)
	testkit.Must(w.t, err)
	return r
}

// good fails unless the log of so many rows verifies.
func (w *world) good(rows int64) audit.Report {
	w.t.Helper()
	r := w.verify("")
	if !r.OK || r.Rows+r.Expired != rows || len(r.Faults) > 0 {
		w.t.Fatalf("verifying %d rows: %+v", rows, r)
	}
	return r
}

// bad fails unless verifying finds a fault with one of the words.
func (w *world) bad(against string, words ...string) audit.Report {
	w.t.Helper()
	r := w.verify(against)
	if r.OK {
		w.t.Fatalf("nobody saw it: %+v", r)
	}
	for _, word := range words {
		if !strings.Contains(strings.Join(r.Faults, "\n"), word) {
			w.t.Errorf("the faults do not say %q:\n%s", word, strings.Join(r.Faults, "\n"))
		}
	}
	return r
}

// tamper changes the database behind the product's back.
func (w *world) tamper(query string, args ...any) {
	w.t.Helper()
	_, err := w.db.Exec(query, args...)
	testkit.Must(w.t, err)
}

// count runs a query for one number.
func (w *world) count(query string, args ...any) (n int64) {
	w.t.Helper()
	testkit.Must(w.t, w.db.QueryRow(query, args...).Scan(&n))
	return n
}

// checkpoint is the newest one.
func (w *world) checkpoint() string {
	w.t.Helper()
	s, err := w.service.Status(ctx)
	testkit.Must(w.t, err)
	return s.Checkpoint
}

// tidy lets the keeper look once: it seals, then expires, thins and sends.
func (w *world) tidy(done func() bool) {
	w.t.Helper()
	w.open() // a keeper tidies when it begins
	run, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { w.service.Keep(run); close(ended) }()
	testkit.Eventually(w.t, "the keeper tidied", done)
	stop()
	<-ended
}
