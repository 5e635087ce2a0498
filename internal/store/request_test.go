package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestQuestionsOfTheQueueUseIndexes looks at SQLite's query plans: the lists and counts of what waits, and the
// names that look like another, read no whole table. The letters of store.alike stand in a migration, too.
func TestQuestionsOfTheQueueUseIndexes(t *testing.T) {
	w := testkit.NewWorld(t, "")
	w.Begin(t)
	q := w.Store.Read(t.Context())
	w.Asked.Watch(func(int, string, bool) error { return nil })
	_, err := q.NamesAlike("acme", 5)
	testkit.Must(t, err)
	_, err = q.RequestCounts("kim", w.Clock())
	testkit.Must(t, err)
	for _, f := range []model.RequestFilter{{WaitsFor: model.AwaitedOperator}, {Open: true}, {Owner: "kim"},
		{In: model.RequestNew}, {Email: "jo@acme.example"}} {
		f.Limit = 50
		_, err := q.Requests(f, w.Clock())
		testkit.Must(t, err)
	}
	asked := w.Asked.Stop()
	if len(asked) < 7 {
		t.Fatalf("%d statements were seen", len(asked))
	}
	slices.Sort(asked)
	for _, query := range slices.Compact(asked) {
		plan := w.Plan(query)
		for step := range strings.SplitSeq(plan, "\n") {
			if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "USING") && !strings.Contains(step, "CONSTANT") ||
				strings.Contains(step, "TEMP B-TREE FOR ORDER") && strings.Contains(query, "ORDER BY r.id") {
				t.Errorf("%s\n%s", query, plan)
			}
		}
	}
}

// TestRequestsAreFoundByAnyText: whatever characters it has, on both databases.
func TestRequestsAreFoundByAnyText(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := testkit.NewWorld(t, url)
		w.Begin(t)
		for _, text := range []string{"%", "_", "!", "'", `\\`, "\x00", "\xff", "a\nb", strings.Repeat("x", 10_000)} {
			for _, f := range []model.RequestFilter{{Text: text}, {Owner: text}, {Number: text}, {Email: text}} {
				list, err := w.Store.Read(t.Context()).Requests(f, w.Clock())
				if err != nil || len(list) != 0 {
					t.Errorf("%q: %d, %v", text, len(list), err)
				}
			}
		}
	})
}
