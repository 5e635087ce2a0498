package tree_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

func TestPartials(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"a lost session leaves a partial that resumes":        lostSession,
		"a partial of a whole file still wants its last byte": lostAfterLastByte,
		"only what is contiguous counts":                      contiguous,
		"nobody else sees a partial":                          nobodyElse,
		"a partial survives a restart":                        survivesRestart,
		"after a crash it is cut to what was synced":          survivesCrash,
		"a stage that was never synced goes":                  neverSynced,
		"a fresh upload replaces a partial":                   freshReplaces,
		"rename and remove work on a partial":                 renamePartial,
		"old partials expire":                                 expires,
		"a lost change of a stored file is no version":        lostChange,
		"who closes last leaves a partial, also of another's": lastToLeave,
		"a reader that is lost holds no upload":               lostReader,
	})
}

// lose begins an upload and ends the session in the middle.
func (w *world) lose(u model.User, path, text string) {
	w.Helper()
	s := w.login(u)
	h := open(w, s, path, create)
	w.Must(write(h, text, 0))
	s.End()
}

// resume completes an upload as OpenSSH's reput does: from the size that STAT shows.
func (w *world) resume(u model.User, path, text string) {
	w.Helper()
	s := w.login(u)
	defer s.End()
	f, err := s.Stat(path)
	w.Must(err)
	if f.Size >= int64(len(text)) {
		w.Fatalf("it shows %d of %d bytes: no client would send the rest", f.Size, len(text))
	}
	h := open(w, s, path, exchange.FlagWrite|exchange.FlagCreate)
	w.Must(write(h, text[f.Size:], f.Size))
	w.Must(closeHandle(h))
	w.current(u, path, text)
}

func lostSession(t *testing.T, w *world) {
	u := w.Customer("acme")
	text := strings.Repeat("line of text\n", 10_000)
	w.lose(u, "/upload/f", text[:70_000])
	if len(w.drops()) != 0 {
		t.Fatal("a partial became a drop")
	}
	s := w.login(u)
	f, err := s.Stat("/upload/f")
	must(t, err)
	if f.Mtime.Unix() != 0 || f.Size != 69_999 {
		t.Fatalf("%+v", f)
	}
	if got := get(t, s, "/upload/f"); got != text[:69_999] {
		t.Fatalf("it reads %d bytes", len(got))
	}
	if n := names(t, s, "/upload"); len(n) != 1 || n[0] != "f" {
		t.Fatalf("the listing has %q", n)
	}
	s.End()
	w.resume(u, "/upload/f", text)
}

func lostAfterLastByte(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.lose(u, "/upload/f", "all of it")
	w.resume(u, "/upload/f", "all of it")
}

func contiguous(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "0123", 0))
	must(t, write(h, "6789", 6))
	s.End()
	w.resume(u, "/upload/f", "0123456789")
	s = w.login(u)
	h = open(t, s, "/upload/g", create)
	must(t, write(h, "6789", 6))
	s.End()
	s = w.login(u)
	_, err := s.Stat("/upload/g")
	wantKind(t, err, fault.NotFound) // no contiguous prefix, so nothing to resume
	s.End()
}

func nobodyElse(t *testing.T, w *world) {
	u := w.Customer("acme")
	other := w.Customer("acme2")
	w.lose(u, "/upload/f", "text")
	s := w.login(other)
	defer s.End()
	_, err := s.Stat("/upload/f")
	wantKind(t, err, fault.NotFound)
	if n := names(t, s, "/upload"); len(n) != 0 {
		t.Fatalf("the other user sees %q", n)
	}
}

func survivesRestart(t *testing.T, w *world) {
	u := w.Customer("acme")
	text := strings.Repeat("0123456789", 1000)
	w.lose(u, "/upload/f", text[:5000])
	w.tree.Close()
	w.open()
	w.resume(u, "/upload/f", text)
}

func survivesCrash(t *testing.T, w *world) {
	u := w.Customer("acme")
	text := strings.Repeat("0123456789", 1000)
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, text[:4000], 0))
	must(t, wait(h.Sync))
	must(t, write(h, text[4000:8000], 4000))
	crashed := w.tree // not closed: its session is just dropped
	w.open()
	s2 := w.login(u)
	f, err := s2.Stat("/upload/f")
	must(t, err)
	if f.Size != 3999 {
		t.Fatalf("it shows %d bytes, 4000 were synced", f.Size)
	}
	s2.End()
	w.resume(u, "/upload/f", text)
	crashed.Close()
}

func neverSynced(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "text", 0))
	crashed := w.tree
	w.open()
	s2 := w.login(u)
	_, err := s2.Stat("/upload/f")
	wantKind(t, err, fault.NotFound)
	s2.End()
	left, err := os.ReadDir(filepath.Join(w.Root, "staging"))
	must(t, err)
	if len(left) != 0 {
		t.Fatalf("staging has %v", left)
	}
	crashed.Close()
}

func freshReplaces(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.lose(u, "/upload/f", "the first, longer try")
	s := w.login(u)
	put(t, s, "/upload/f", "second")
	s.End()
	w.current(u, "/upload/f", "second")
	left, err := os.ReadDir(filepath.Join(w.Root, "staging"))
	must(t, err)
	if len(left) != 0 {
		t.Fatalf("staging has %v", left)
	}
}

func renamePartial(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.lose(u, "/upload/f.part", "0123456789")
	s := w.login(u)
	must(t, s.Rename("/upload/f.part", "/upload/g", false))
	if len(w.drops()) != 0 {
		t.Fatal("a renamed partial became a drop")
	}
	s.End()
	w.resume(u, "/upload/g", "0123456789abc")
	w.lose(u, "/upload/h", "xyz")
	s = w.login(u)
	must(t, s.Remove("/upload/h"))
	_, err := s.Stat("/upload/h")
	wantKind(t, err, fault.NotFound)
	s.End()
}

func expires(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.lose(u, "/upload/f", "0123456789")
	w.Pass(8 * 24 * time.Hour)
	w.tree.Close()
	w.open() // the janitor expires partials when it starts, and every minute
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s := w.login(u)
		_, err := s.Stat("/upload/f")
		s.End()
		if fault.Is(err, fault.NotFound) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it is still there: %v", err)
		}
	}
}

func lostChange(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	put(t, s, "/upload/f", "0123456789")
	h := open(t, s, "/upload/f", update)
	must(t, write(h, "AB", 3))
	s.End()
	if v := w.drops(); len(v) != 1 {
		t.Fatalf("%d drops", len(v))
	}
	s = w.login(u)
	defer s.End()
	v, err := s.Versions("/upload/f", model.Paging{})
	must(t, err)
	if len(v) != 1 || v[0].SHA256 != hash("0123456789") {
		t.Fatalf("%+v", v)
	}
}

// A bug: an upload remained without an owner, kept its quota and never expired.
func lastToLeave(t *testing.T, w *world) {
	u := w.Customer("acme")
	a, b := w.login(u), w.login(u)
	defer b.End()
	old := open(t, a, "/upload/f", create)
	must(t, write(old, "0123456789", 0))
	must(t, closeHandle(open(t, b, "/upload/f", update))) // takes the upload over, and leaves it
	wantKind(t, closeHandle(old), fault.Conflict)
	a.End()
	w.isPartial(b, "/upload/f", 9)
	w.resume(u, "/upload/f", "0123456789")
}

func lostReader(t *testing.T, w *world) {
	u := w.Customer("acme")
	a, b := w.login(u), w.login(u)
	defer a.End()
	must(t, write(open(t, a, "/upload/f", create), "0123456789", 0))
	open(t, b, "/upload/f", exchange.FlagRead)
	a.End()
	b.End()
	a = w.login(u)
	w.isPartial(a, "/upload/f", 9)
}

func (w *world) isPartial(s *tree.Session, path string, size int64) {
	w.Helper()
	f, err := s.Stat(path)
	w.Must(err)
	if f.Size != size || f.Mtime.Unix() != 0 {
		w.Fatalf("it shows %d bytes since %v, want a partial of %d", f.Size, f.Mtime, size)
	}
}
