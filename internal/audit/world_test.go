package audit_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/audit"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

const day = testkit.Day

var ctx = context.Background()

// world is the audit service on a real database.
type world struct {
	*testkit.World
	service *audit.Service
	keep    string
	send    func(context.Context, string) error
	head    *kept
}

func newWorld(t *testing.T, url string) *world { return &world{World: testkit.NewWorld(t, url)} }

// begin resets the world to an empty log.
func (w *world) begin(t testing.TB) *world {
	t.Helper()
	w.Begin(t)
	w.keep, w.send, w.head = "", nil, nil
	w.open()
	return w
}

// open makes the service anew, like a restart.
func (w *world) open() { w.service = w.another() }

// another makes a second service, like that of another node.
func (w *world) another() *audit.Service {
	o := audit.Options{Store: w.Store, Clock: w.Clock, IDs: w.IDs, Log: slog.New(slog.DiscardHandler), Key: w.Key,
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

type stories = testkit.Stories[*world]

func TestAudit(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		testkit.Tell(t, newWorld(t, url), (*world).begin, sealStories, tamperStories, expiryStories, exportStories,
			leaveStories, headStories, streamStories)
	})
}

// note writes n rows that are not sealed yet.
func (w *world) note(n int) {
	w.Helper()
	w.Write(func(tx *store.Tx) error {
		for i := range n {
			row := model.AuditRow{ID: w.IDs.New(), At: w.Clock().UTC().Truncate(time.Microsecond), Actor: "op:jo",
				Action: []string{"file.store", "key.add", "account.add"}[i%3], Subject: fmt.Sprintf("/upload/%d.csv", i),
				User:   []string{"", "U1"}[i%2],
				Detail: map[string]string{"sha256": "abc", "text": "<a & b>"}}
			if err := tx.Audit(row); err != nil {
				return err
			}
		}
		return nil
	})
}

// sealed writes batches of rows, and seals each with a checkpoint.
func (w *world) sealed(batches ...int) {
	w.Helper()
	for _, n := range batches {
		w.note(n)
		w.seal()
	}
}

func (w *world) seal() { w.Helper(); w.Must(w.service.Seal(ctx)) }

// verify checks the log as an auditor does.
func (w *world) verify(against string) audit.Report {
	w.Helper()
	v := audit.Verifier{Store: w.Store, Public: w.Key.Public(), Against: against}
	r, err := v.Verify(ctx)
	w.Must(err)
	return r
}

// good fails unless the log verifies, with this number of rows.
func (w *world) good(rows int64) audit.Report {
	w.Helper()
	r := w.verify("")
	if !r.OK || r.Rows+r.Expired != rows || len(r.Faults) > 0 {
		w.Fatalf("verifying %d rows: %+v", rows, r)
	}
	return r
}

// bad fails unless verifying finds a fault with one of the words.
func (w *world) bad(against string, words ...string) audit.Report {
	w.Helper()
	r := w.verify(against)
	if r.OK {
		w.Fatalf("nobody saw it: %+v", r)
	}
	for _, word := range words {
		if !strings.Contains(strings.Join(r.Faults, "\n"), word) {
			w.Errorf("the faults do not say %q:\n%s", word, strings.Join(r.Faults, "\n"))
		}
	}
	return r
}

// tamper changes the database directly.
func (w *world) tamper(query string, args ...any) { w.Helper(); w.Exec(query, args...) }

// checkpoint returns the newest checkpoint.
func (w *world) checkpoint() string {
	w.Helper()
	s, err := w.service.Status(ctx)
	w.Must(err)
	return s.Checkpoint
}

// tidy runs Keep until done: it seals, expires, thins checkpoints and sends one.
func (w *world) tidy(done func() bool) {
	w.Helper()
	w.open() // Keep tidies as soon as it starts
	run, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { w.service.Keep(run); close(ended) }()
	testkit.Eventually(w, "the keeper tidied", done)
	stop()
	<-ended
}
