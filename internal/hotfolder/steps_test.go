package hotfolder_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestEveryStepOfALook runs a look with its context ended at each statement, with each
// statement refused, and with the answer of each COMMIT lost. The next looks must publish what
// was not published.
func TestEveryStepOfALook(t *testing.T) {
	testkit.OnBothSteps(t, func(t *testing.T, on testkit.Stepped) {
		w := newWorld(t, on.URL)
		w.Asked.Proxy = on.Proxy
		for name, account := range map[string]string{"for one account": "acme", "for all": "all"} {
			t.Run(name, func(t *testing.T) {
				t.Logf("%d runs", w.Asked.Steps(t, testkit.Operation{Every: 3, From: on.From,
					Begin: func() {
						w.begin(t)
						w.put("data/"+account+"/a.csv", "1")
						w.look()
						w.Pass(settle)
					},
					Do: func(c context.Context) error {
						defer w.Pass(time.Minute) // until the next try
						if err := w.service.Look(c); err != nil {
							return err
						}
						var n int
						testkit.Must(t, w.DB.QueryRow("SELECT COUNT(*) FROM publications WHERE placed_up_to IS NULL").Scan(&n))
						if n == 0 {
							return errors.New("nothing is published yet")
						}
						return nil
					},
					Check: func() error { return errors.Join(testkit.Books(w.DB, w.blobs), testkit.Strays(w.DB, w.Root, 0)) },
					End: func() string {
						w.settled()
						w.want("data/"+account+"/processed/a.csv", "1")
						w.wantNone("data/" + account + "/a.csv")
						w.wantNone("data/" + account + "/failed")
						return fmt.Sprint(w.published())
					}}))
			})
		}
	})
}
