package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestTheAuditLogIsListedSealedOrNot: unsealed rows are listed among the sealed ones, each once, under
// every filter and at any limit.
func TestTheAuditLogIsListedSealedOrNot(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		s, _ := testkit.OpenStore(t, url)
		const rows = 10
		id := func(i int) string { return fmt.Sprintf("01J%023d", i) }
		write(t, s, func(tx *store.Tx) error {
			for i := range rows {
				if err := tx.Audit(model.AuditRow{ID: id(i), At: time.Now(), Actor: "jo", Action: "user.add", Subject: "acme",
					User: "U"}); err != nil {
					return err
				}
			}
			var some []store.LogRow // with two nodes, a row of one may be sealed before an older row of the other
			for _, i := range []int{0, 1, 2, 4, 7} {
				some = append(some, store.LogRow{ID: id(i)})
			}
			return tx.NumberRows(some, 0)
		})
		q := s.Read(context.Background())
		var want []string
		for i := range rows {
			want = append(want, id(i))
		}
		var oldestFirst []string
		for after := ""; ; {
			page, err := q.AuditOf("U", after, 3)
			testkit.Must(t, err)
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				oldestFirst = append(oldestFirst, r.ID)
			}
			after = oldestFirst[len(oldestFirst)-1]
		}
		if !slices.Equal(oldestFirst, want) {
			t.Errorf("a user's rows are %q", oldestFirst)
		}
		slices.Reverse(want)
		for _, f := range []store.LogFilter{{}, {Actor: "jo"}, {Action: "user.add"}, {Action: "user.*"}, {Subject: "acme"},
			{User: "U"}, {Actor: "jo", Subject: "acme"}} {
			for limit := 1; limit <= rows+1; limit++ {
				var got []string
				for p := (model.Paging{Limit: limit}); ; p.Cursor = got[len(got)-1] {
					page, err := q.LogPage(f, p)
					testkit.Must(t, err)
					for _, r := range page {
						got = append(got, r.ID)
					}
					if len(page) < limit {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%+v, %d at a time: %q", f, limit, got)
				}
			}
		}
	})
}
