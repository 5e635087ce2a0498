package tree_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/model"
)

func userEdit(enabled *bool) model.EditUser { return model.EditUser{Enabled: enabled} }

func TestNames(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"rights are per directory":                      rights,
		"what the operator made stays":                  fixed,
		"a listing streams 3000 names in order":         longListing,
		"a name round trips whatever its bytes":         anyBytes,
		"plain rename refuses, posix rename replaces":   renames,
		"a temporary name becomes a drop once":          temporary,
		"a staging folder holds drops back":             staging,
		"a folder that leaves staging is received":      stagedFolder,
		"a removed name withdraws its drop":             withdrawn,
		"a read-only account may only fetch":            readOnly,
		"served bytes are counted":                      served,
		"the operator may do everything and is no drop": operator,
	})
}

func rights(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	for what, err := range map[string]error{
		"mkdir in /":         s.Mkdir("/d"),
		"mkdir in /download": s.Mkdir("/download/d"),
		"rename out":         s.Rename("/download", "/upload/d", false),
	} {
		if !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, path := range []string{"/f", "/download/f"} {
		_, err := s.Open(path, create, 0)
		wantKind(t, err, fault.Denied)
	}
	must(t, s.Mkdir("/upload/d")) // rights are inherited
	put(t, s, "/upload/d/f", "x")
	wantKind(t, s.Rename("/upload/d/f", "/download/f", false), fault.Denied)
}

func fixed(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	wantKind(t, s.Rmdir("/upload"), fault.Denied)
	wantKind(t, s.Rmdir("/"), fault.Denied)
	wantKind(t, s.Rename("/upload", "/up", false), fault.Denied)
	wantKind(t, s.Remove("/upload"), fault.Denied)
	wantKind(t, s.Remove("/upload/absent"), fault.NotFound)
	wantKind(t, s.Rmdir("/upload/absent"), fault.NotFound)
}

func longListing(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	var want []string
	for i := range 1500 {
		if i%10 == 0 {
			must(t, s.Mkdir(fmt.Sprintf("/upload/d%04d", i)))
		}
		h := open(t, s, fmt.Sprintf("/upload/f%04d", i), create)
		h.Close(func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	h := open(t, s, "/upload/e-uploading", create)
	must(t, write(h, "x", 0))
	got := names(t, s, "/upload")
	for i := 0; i < 1500; i += 10 {
		want = append(want, fmt.Sprintf("d%04d", i))
	}
	for i := range 1500 {
		want = append(want, fmt.Sprintf("f%04d", i))
	}
	want = append(want, "e-uploading") // without a row it is listed last
	if !slices.Equal(got, want) {
		t.Fatalf("%d names, want %d", len(got), len(want))
	}
	must(t, closeHandle(h))
}

func anyBytes(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	all := []string{"a\nb", "\x1b[2Jx", "\u202egpj.exe", "\xff\xfe\x01", "back\\slash", "%2e%2e", " ", "...",
		strings.Repeat("n", 255), "CON", "~", "-rf"}
	for _, name := range all {
		put(t, s, "/upload/"+name, name)
		if got := get(t, s, "/upload/"+name); got != name {
			t.Errorf("%q reads %q", name, got)
		}
		wantKind(t, s.Mkdir("/upload/"+name+"/.."), fault.Exists) // the same as /upload
	}
}

func renames(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	put(t, s, "/upload/a", "A")
	put(t, s, "/upload/b", "B")
	must(t, s.Mkdir("/upload/d"))
	wantKind(t, s.Rename("/upload/a", "/upload/b", false), fault.Exists)
	wantKind(t, s.Rename("/upload/a", "/upload/d", true), fault.Exists)
	wantKind(t, s.Rename("/upload/absent", "/upload/x", false), fault.NotFound)
	wantKind(t, s.Rename("/upload/a", "/upload/a", false), fault.Exists) // as in OpenSSH and PROTOCOL.md
	must(t, s.Rename("/upload/a", "/upload/a", true))
	w.Pass(2 * time.Hour)
	must(t, s.Rename("/upload/a", "/upload/b", true))
	w.current(u, "/upload/b", "A")
	_, err := s.Stat("/upload/a")
	wantKind(t, err, fault.NotFound)
	v, err := s.Versions("/upload/b", model.Paging{})
	must(t, err)
	if len(v) != 2 {
		t.Fatalf("the history has %d versions", len(v))
	}
	must(t, s.Rename("/upload/b", "/upload/d/b", false))
	w.current(u, "/upload/d/b", "A")
}

func temporary(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	put(t, s, "/upload/f.part", "x")
	if len(w.drops()) != 0 {
		t.Fatal("a temporary name is a drop")
	}
	must(t, s.Rename("/upload/f.part", "/upload/g.part", false))
	must(t, s.Rename("/upload/g.part", "/upload/g", false))
	must(t, s.Rename("/upload/g", "/upload/h", false))
	when := time.Unix(1e9, 0)
	must(t, s.Setstat("/upload/h", exchange.Change{Mtime: &when}))
	must(t, s.Rename("/upload/h", "/upload/h.part", false))
	must(t, s.Rename("/upload/h.part", "/upload/h", false))
	if d := w.drops(); len(d) != 1 || d[0].Path != "/upload/h" {
		t.Fatalf("%+v", d)
	}
}

func staging(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	must(t, s.Mkdir("/stage/deep"))
	put(t, s, "/stage/deep/f", "x")
	if len(w.drops()) != 0 {
		t.Fatal("a staged file is a drop")
	}
	must(t, s.Rename("/stage/deep/f", "/upload/f", false))
	if d := w.drops(); len(d) != 1 || d[0].Path != "/upload/f" {
		t.Fatalf("%+v", d)
	}
}

func withdrawn(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	put(t, s, "/upload/f", "text")
	must(t, s.Remove("/upload/f"))
	d := w.drops()
	if len(d) != 1 || !d[0].Withdrawn || d[0].State != "new" {
		t.Fatalf("%+v", d)
	}
	_, r, err := w.inbox.Open(t.Context(), d[0].ID, "")
	must(t, err)
	defer r.Close()
	if r.Size() != 4 {
		t.Fatalf("the drop has %d bytes", r.Size())
	}
	put(t, s, "/upload/f.part", "temporary")
	must(t, s.Remove("/upload/f.part"))
}

func readOnly(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	put(t, s, "/upload/f", "text")
	s.End()
	s = w.tree.Begin(exchange.Login{User: u, ReadOnly: true}, nil)
	defer s.End()
	if got := get(t, s, "/upload/f"); got != "text" {
		t.Fatalf("read %q", got)
	}
	_, err := s.Open("/upload/g", create, 0)
	wantKind(t, err, fault.Denied)
	if fault.PublicText(err) != exchange.OnlyFetches {
		t.Errorf("it was put down to the directory: %q", fault.PublicText(err))
	}
	wantKind(t, s.Remove("/upload/f"), fault.Denied)
	wantKind(t, s.Mkdir("/upload/d"), fault.Denied)
	if _, err = s.Open("/download/g", create, 0); fault.PublicText(err) == exchange.OnlyFetches {
		t.Errorf("where nobody may write, it was put down to the account: %q", fault.PublicText(err))
	}
}

func served(t *testing.T, w *world) {
	u := w.Customer("acme")
	op := w.tree.Begin(exchange.Login{User: u, Operator: "test"}, nil)
	put(t, op, "/download/f", "0123456789")
	put(t, op, "/download/empty", "")
	op.End()
	s := w.login(u)
	h := open(t, s, "/download/f", exchange.FlagRead)
	h.Served(5, 5)
	h.Served(0, 3)
	must(t, closeHandle(h))
	if got := <-w.served; got.Total() != 8 {
		t.Fatalf("told of %v", got)
	}
	h = open(t, s, "/download/f", exchange.FlagRead)
	h.Served(0, 10)
	if got := <-w.served; got.Prefix() != 10 { // reported at once, not only by CLOSE
		t.Fatalf("told of %v", got)
	}
	must(t, closeHandle(h))
	h = open(t, s, "/download/empty", exchange.FlagRead)
	must(t, closeHandle(h))
	if got := <-w.served; got.Total() != 0 {
		t.Fatalf("told of %v", got)
	}
	s.End()
	if len(w.served) != 0 {
		t.Fatal("told more than once")
	}
}

func operator(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.tree.Begin(exchange.Login{User: u, Operator: "local:root"}, nil)
	defer s.End()
	must(t, s.Mkdir("/download/reports"))
	put(t, s, "/download/reports/r", "x")
	put(t, s, "/upload/f", "x")
	if len(w.drops()) != 0 {
		t.Fatal("the operator's own file is a drop")
	}
	must(t, s.Remove("/download/reports/r"))
}

// stagedFolder: programs fill a folder and move it out in one step. All files below it with
// a final name are received, once, however many there are.
func stagedFolder(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	must(t, s.Mkdir("/stage/day1"))
	must(t, s.Mkdir("/stage/day1/deep"))
	want := map[string]bool{"/upload/day1/deep/z.csv": true}
	put(t, s, "/stage/day1/deep/z.csv", "z")
	put(t, s, "/stage/day1/late.part", "not yet")
	for i := range 520 { // more than a page
		name := fmt.Sprintf("f%03d.csv", i)
		want["/upload/day1/"+name] = true
		put(t, s, "/stage/day1/"+name, name)
	}
	must(t, s.Rename("/stage/day1", "/stage/day2", false)) // its files are still not received
	if n := len(w.drops()); n != 0 {
		t.Fatalf("%d files were received inside staging", n)
	}
	must(t, s.Rename("/stage/day2", "/upload/day1", false))
	received := func(extra int) {
		t.Helper()
		got := w.drops()
		for _, d := range got {
			if !want[d.Path] {
				t.Errorf("received %s", d.Path)
			}
		}
		if len(got) != len(want)+extra {
			t.Fatalf("%d files were received, want %d", len(got), len(want)+extra)
		}
	}
	received(0)
	must(t, s.Rename("/upload/day1", "/stage/again", false)) // move it back and forth: a version becomes a drop only once
	must(t, s.Rename("/stage/again", "/upload/day1", false))
	received(0)
	want["/upload/day1/late.csv"] = true
	must(t, s.Rename("/upload/day1/late.part", "/upload/day1/late.csv", false))
	received(0)
}
