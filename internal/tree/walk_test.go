package tree_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestWhatARenameOwes(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"a folder of hundreds leaves staging at once":               staysOrGoes,
		"what could not be received at once is received later":      receivedLater,
		"a start receives what an earlier process owed":             receivedAfterACrash,
		"drops that nobody has claimed follow their folder":         followFolder,
		"a drop that is renamed keeps the name that it was claimed": claimedName,
	})
}

// received returns the sorted paths of all drops.
func (w *world) received() (paths []string) {
	for _, d := range w.drops() {
		paths = append(paths, d.Path)
	}
	slices.Sort(paths)
	return paths
}

func (w *world) wantReceived(want ...string) {
	w.Helper()
	if got := w.received(); !slices.Equal(got, want) {
		w.Fatalf("received is %q, want %q", got, want)
	}
}

func staysOrGoes(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	must(t, s.Mkdir("/stage/a"))
	var want []string
	for i := range 12 { // nested directories, with sizes around that of a page
		dir := "/a" + strings.Repeat("/d", i)
		if i > 0 {
			must(t, s.Mkdir("/stage"+dir))
		}
		for j := range []int{0, 1, 40, 199, 0, 0, 200, 3, 0, 1, 0, 1}[i] {
			put(t, s, fmt.Sprintf("/stage%s/%03d", dir, j), fmt.Sprint(i, j))
			want = append(want, fmt.Sprintf("/upload%s/%03d", dir, j))
		}
	}
	put(t, s, "/stage/a/x.part", "x")
	w.wantReceived()
	must(t, s.Rename("/stage/a", "/upload/a", false))
	slices.Sort(want)
	if got := w.received(); !slices.Equal(got, want) {
		t.Fatalf("%d were received, want %d", len(got), len(want))
	}
	must(t, s.Rename("/upload/a", "/stage/a", false)) // received files stay received
	must(t, s.Rename("/stage/a", "/upload/a", false))
	if got := w.received(); !slices.Equal(got, want) {
		t.Fatalf("%d were received, want %d", len(got), len(want))
	}
}

// refuseAfter makes the inbox fail after n transactions with arrivals.
func (w *world) refuseAfter(n int) {
	w.arrived = func(tx *store.Tx, list []exchange.Arrival) error {
		if n--; n < 0 {
			return fault.Wrap("test", fault.Unavailable, errors.New("no inbox"))
		}
		return w.inbox.Arrived(tx, list)
	}
}

func stage(t *testing.T, s interface{ Mkdir(string) error }, files int, put func(path string)) {
	must(t, s.Mkdir("/stage/a"))
	must(t, s.Mkdir("/stage/a/b"))
	for i := range files {
		put(fmt.Sprintf("/stage/a/%03d", i))
	}
	put("/stage/a/b/last")
}

func receivedLater(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	stage(t, s, 250, func(p string) { put(t, s, p, p) })
	w.refuseAfter(1)
	must(t, s.Rename("/stage/a", "/upload/a", false)) // succeeds: the owed work is recorded
	if n := len(w.received()); n != 200 {
		t.Fatalf("%d were received before the inbox was gone", n)
	}
	wantKind(t, s.Remove("/upload/a/b/last"), fault.Unavailable) // else the file would never be received
	wantKind(t, try(s, "/upload/a/249", "newer"), fault.Unavailable)
	w.arrived = nil
	must(t, s.Remove("/upload/a/b/last"))
	if n := len(w.received()); n != 251 {
		t.Fatalf("%d are received", n)
	}
	for _, d := range w.drops() {
		if d.Withdrawn != (d.Path == "/upload/a/b/last") {
			t.Fatalf("%+v", d)
		}
	}
}

func receivedAfterACrash(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	stage(t, s, 3, func(p string) { put(t, s, p, p) })
	w.refuseAfter(0)
	must(t, s.Rename("/stage/a", "/upload/a", false))
	s.End()
	w.arrived = nil
	w.reopen()
	testkit.Eventually(t, "what was owed is received", func() bool { return len(w.received()) == 4 })
	w.wantReceived("/upload/a/000", "/upload/a/001", "/upload/a/002", "/upload/a/b/last")
	if d := w.drops()[0]; d.Fingerprint != "SHA256:test" {
		t.Fatalf("received with key %q", d.Fingerprint)
	}
}

func followFolder(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	must(t, s.Mkdir("/upload/a"))
	must(t, s.Mkdir("/upload/ab"))
	put(t, s, "/upload/a/f", "1")
	put(t, s, "/upload/a/g", "2")
	put(t, s, "/upload/ab/f", "3")
	w.claim("/upload/a/g")
	must(t, s.Rename("/upload/a", "/upload/b", false))
	w.wantReceived("/upload/a/g", "/upload/ab/f", "/upload/b/f")
	must(t, s.Rename("/upload/b", "/stage/b", false)) // drops do not follow into a staging folder
	w.wantReceived("/upload/a/g", "/upload/ab/f", "/upload/b/f")
}

func claimedName(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	put(t, s, "/upload/x.csv.4711", "1")
	must(t, s.Rename("/upload/x.csv.4711", "/upload/x.csv", false))
	w.wantReceived("/upload/x.csv")
	w.claim("/upload/x.csv")
	must(t, s.Rename("/upload/x.csv", "/upload/y.csv", false))
	w.wantReceived("/upload/x.csv")
	for _, name := range []string{"x.csv.4711", "y.csv"} {
		list, err := w.Store.Read(t.Context()).DropsNamed(name, "", 10)
		must(t, err)
		if len(list) != 1 || list[0].Path != "/upload/x.csv" {
			t.Fatalf("%s: %+v", name, list)
		}
	}
}

// claim claims the drop with a path.
func (w *world) claim(full string) {
	w.Helper()
	for _, d := range w.drops() {
		if d.Path == full {
			w.Must(testkit.Write(w.Context(), w.Store, func(tx *store.Tx) error {
				return tx.ClaimDrop(d.ID, "c", "somebody", w.Clock().Add(1e12))
			}))
			return
		}
	}
	w.Fatalf("there is no drop %s", full)
}

// TestNothingIsPutIntoAFolderOfDeliveries: a user that may only remove and rename delivered
// files can neither write in their folder nor move anything into it or over them.
func TestNothingIsPutIntoAFolderOfDeliveries(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){"remove and rename alone": func(t *testing.T, w *world) {
		u := w.Customer("acme")
		must(t, testkit.Write(t.Context(), w.Store, func(tx *store.Tx) error {
			found, err := tx.Walk(u.ID, []string{"download"})
			if err != nil {
				return err
			}
			return tx.SetDirRights(found[1].ID, exchange.FeedRights(model.FeedsRemove))
		}))
		op := w.tree.Begin(exchange.Login{User: u, Operator: "test"}, nil)
		for _, name := range []string{"a", "b", "c"} {
			put(t, op, "/download/"+name, name)
		}
		op.End()
		s := w.login(u)
		defer s.End()
		put(t, s, "/upload/mine", "mine")
		must(t, s.Mkdir("/upload/d"))
		h := open(t, s, "/upload/open", create)
		must(t, write(h, "x", 0))
		for what, err := range map[string]error{
			"a file into it":        s.Rename("/upload/mine", "/download/mine", true),
			"a file over another":   s.Rename("/upload/mine", "/download/a", true),
			"one of its own over":   s.Rename("/download/b", "/download/a", true),
			"an upload under way":   s.Rename("/upload/open", "/download/open", true),
			"a directory":           s.Rename("/upload/d", "/download/d", false),
			"writing":               try(s, "/download/new", "x"),
			"writing over a file":   try(s, "/download/a", "x"),
			"a directory of theirs": s.Mkdir("/download/d"),
		} {
			if !fault.Is(err, fault.Denied) {
				t.Errorf("%s: %v", what, err)
			}
		}
		must(t, closeHandle(h))
		must(t, s.Rename("/download/a", "/download/a2", false))
		must(t, s.Rename("/download/b", "/upload/b", false))
		must(t, s.Remove("/download/c"))
	}})
}
