package inbox_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestEveryStepOfAnInbox runs each operation with its context ended at each statement, with
// each statement refused, and with the answer of each COMMIT lost.
func TestEveryStepOfAnInbox(t *testing.T) {
	testkit.OnBothSteps(t, func(t *testing.T, on testkit.Stepped) {
		w, n := newWorld(t, on.URL).begin(t), 0
		w.Asked.Proxy = on.Proxy
		w.after = inbox.AfterMove
		w.open()
		var id, claim string
		arrive := func() {
			n++
			id = w.arrive("acme", fmt.Sprintf("/upload/%d.csv", n), "text")
		}
		claimed := func() {
			arrive()
			d, err := w.service.ClaimOne(ctx, nil, "test", "erp", id)
			w.Must(err)
			claim = d.Claim
		}
		acked := func() {
			w.Must(w.service.After(ctx)) // finish the previous run
			claimed()
			_, err := w.service.Ack(ctx, "test", id, claim)
			w.Must(err)
		}
		over := func(err error) bool { return fault.Is(err, fault.Conflict) }
		for name, o := range map[string]testkit.Operation{
			"a claim": {Begin: arrive, Do: func(c context.Context) error {
				_, err := w.service.ClaimOne(c, nil, "test", "erp", id)
				return err
			}},
			"a renewal": {Begin: claimed, Do: func(c context.Context) error {
				_, err := w.service.Renew(c, "test", id, claim, (2 * lease).String())
				return err
			}},
			"an ack": {Begin: claimed, Done: over, Do: func(c context.Context) error {
				_, err := w.service.Ack(c, "test", id, claim)
				return err
			}},
			"a refusal": {Begin: claimed, Done: over, Do: func(c context.Context) error {
				_, err := w.service.Reject(c, "test", id, claim, "no header", "")
				return err
			}},
			"a claim given back": {Begin: claimed, Done: over, Do: func(c context.Context) error {
				_, err := w.service.Release(c, "test", id, claim)
				return err
			}},
			"what follows an ack": {Begin: acked, Do: func(c context.Context) error { return w.service.After(c) }},
		} {
			t.Run(name, func(t *testing.T) {
				w.TB = t
				o.Check = func() error { return testkit.Books(w.DB, w.Blobs) }
				o.End = func() string {
					d, err := w.service.Show(ctx, id)
					testkit.Must(t, err)
					var pending int
					testkit.Must(t, w.DB.QueryRow("SELECT COUNT(*) FROM drops WHERE id = $1 AND pending <> ''", id).Scan(&pending))
					return fmt.Sprintf("%s by %q, %d to do", d.State, d.Consumer, pending)
				}
				t.Logf("%d runs", w.Asked.Steps(t, o))
			})
		}
	})
}
