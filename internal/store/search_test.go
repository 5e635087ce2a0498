package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestSearchByPartOnBoth: the two databases find the same names, whatever characters these and the text have.
func TestSearchByPartOnBoth(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := testkit.NewWorld(t, url)
		w.Begin(t)
		w.OpenAccounts()
		u, other := w.Customer("acme"), w.Customer("globex")
		names := []string{"Bill-1.csv", "bill_2.csv", "old bill.csv", "Müller.csv", "m\xffller.csv", `back\slash`,
			"100%.csv", "x"}
		for i, name := range names {
			of := u
			if name == "x" {
				of = other
			}
			testkit.Must(t, w.Store.Write(t.Context(), func(tx *store.Tx) error {
				return tx.NoteRefusedUpload(store.RefusedUpload{ID: w.IDs.New(), UserID: of.ID, Session: fmt.Sprint(i),
					Path: "/upload/" + name, Reason: "quota", Said: "No.", Times: 1, Until: w.Clock()})
			}))
			w.Pass(time.Second)
		}
		for text, want := range map[string][]string{
			"BILL": {"bill_2.csv", "Bill-1.csv", "old bill.csv"}, "bill-1.csv": {"Bill-1.csv"}, "ill_2": {"bill_2.csv"},
			"müller": {"m\xffller.csv", "Müller.csv"}, `back\sl`: {`back\slash`}, "100%": {"100%.csv"}, "nosuch": {},
			"'": {}, "\x00": names[:7],
		} {
			list, err := w.Store.Read(t.Context()).Search(store.SourceRefused, text, "acme", 10)
			testkit.Must(t, err)
			got := []string{}
			for _, n := range list {
				got = append(got, n.Name)
			}
			if text == "\x00" { // no text: every name
				slices.Sort(got)
				want = slices.Sorted(slices.Values(want))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q: %q, want %q", text, got, want)
			}
		}
		for from := store.SourcePublications; from <= store.SourceStored; from++ {
			list, err := w.Store.Read(t.Context()).Search(from, "up", "", 10)
			testkit.Must(t, err)
			if len(list) != 0 {
				t.Errorf("source %d: %v", from, list)
			}
		}
		q := w.Store.Read(t.Context())
		if all, err := q.SearchedAll(); err != nil || !all {
			t.Errorf("all: %v, %v", all, err)
		}
		if list, err := q.NewestNames("acme", 3); err != nil || len(list) != 2 { // the newest is another's
			t.Errorf("newest: %q, %v", list, err)
		}
		if list, err := q.RefusedUploadsOf(u.ID, 2); err != nil || len(list) != 2 || list[0].Path != "/upload/100%.csv" {
			t.Errorf("of a user: %+v, %v", list, err)
		}
		for _, err := range []error{second(q.PublicationsWithContent("abcdef01", "acme", 5)),
			second(q.DropsWithContent("abcdef0", "", 5)), second(q.FilesWithContent("abcdef012", "acme", 5)),
			second(q.UnreceivedOf(u.ID, 5)), second(q.UnreceivedFile(u.ID, "x")), second(q.DropsNamed("x", "acme", 5)),
			second(q.StoredSince(u.ID, "/x", w.Clock())), second(q.RefusedUploadsIn("0", 5)),
			second(q.RefusedUploadsNamed("x", "", 5))} {
			testkit.Must(t, err)
		}
		_, err := q.Removal("none")
		if err == nil {
			t.Error("a removal that is none")
		}
		edge, err := q.RefusedUploadEdge(3)
		testkit.Must(t, err)
		n, err := store.Change(t.Context(), w.Store,
			func(tx *store.Tx) (int64, error) { return tx.PruneRefusedUploads(edge) })
		if err != nil || n != int64(len(names)-3) {
			t.Errorf("pruned %d, %v", n, err)
		}
	})
}

func second[T any](_ T, err error) error { return err }
