package retention_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestEveryStepOfRetention runs each step with its context ended at each statement, with each
// statement refused, and with the answer of each COMMIT lost.
func TestEveryStepOfRetention(t *testing.T) {
	testkit.OnBothSteps(t, func(t *testing.T, on testkit.Stepped) {
		w := newWorld(t, on.URL)
		w.Asked.Proxy = on.Proxy
		var u model.User
		begin := func() {
			w.begin(w.TB)
			u = w.customer("acme")
			for i := range 3 {
				w.put(u, fmt.Sprintf("/upload/%d.csv", i), "text")
			}
		}
		step := func(c context.Context) error { return w.service.Step(c) }
		for name, o := range map[string]testkit.Operation{
			"a plan and its notices":              {Begin: func() { begin(); w.to("2027-01-01") }, Do: step},
			"a run and its report":                {Begin: func() { begin(); w.on("2027-01-01"); w.to(runDay) }, Do: step},
			"a closed account's plan and notices": {Begin: func() { begin(); w.closed("acme") }, Do: step},
			"a closed account's run": {Begin: func() {
				begin()
				w.closed("acme")
				w.step()
				w.to(
					"2026-01-15 13:00")
			}, Do: step},
			"a sweep": {Begin: func() {
				begin()
				w.on("2027-01-01")
				w.on(runDay)
				w.Pass(25 * time.Hour)
			},
				Do: func(c context.Context) error {
					_, err := retention.NewSweeper(w.Store, w.Blobs, w.Clock, slog.New(slog.DiscardHandler)).Sweep(c)
					return err
				}},
		} {
			t.Run(name, func(t *testing.T) {
				w.TB = t
				o.Every, o.From = 4, on.From
				o.Check = func() error {
					return errors.Join(testkit.Books(w.DB, w.Blobs), testkit.Strays(w.DB, w.Root, 0))
				}
				o.End = func() string {
					testkit.Must(t, w.service.Step(ctx)) // the next step continues
					r := w.one()
					return fmt.Sprintf("the run is %s: %d of %d files went; %d versions, %d live blobs, %d dead, %d notices", r.State,
						r.RemovedFiles, r.Files, w.Count("versions"),
						w.Count("blobs WHERE state = 'live'"),
						w.Count("blobs WHERE state = 'dead'"), w.Count("retention_notices"))
				}
				t.Logf("%d runs", w.Asked.Steps(t, o))
			})
		}
	})
}

// closed closes an account.
func (w *world) closed(name string) {
	w.Helper()
	_, err := w.Accounts.Close(ctx, "op:jo", name, "10d")
	w.Must(err)
}
