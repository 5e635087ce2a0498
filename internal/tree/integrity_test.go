package tree_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// TestBytesAndRowsAgree has one story for each order of events after which rows once
// described bytes that were missing or different.
func TestBytesAndRowsAgree(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"the hash after sync, overwrite, crash and resume is of the bytes": overwriteAndCrash,
		"the hash after a commit that failed is of the bytes":              overwriteAfterFailure,
		"a shorter second try leaves nothing of the first":                 shorterSecondTry,
		"holes of a second try are zeros":                                  holesOfSecondTry,
		"a partial that is opened and left loses no byte":                  openedAndLeft,
		"a partial loses no byte by restarts":                              manyRestarts,
		"a name in staging that came back takes nothing away":              stagingNameCameBack,
		"a resumed upload does not replace a newer version":                resumedAfterNewer,
		"an upload that was renamed replaces what it was renamed over":     renamedOver,
		"close fails when its only change was refused":                     onlyChangeRefused,
		"a partial is cut by its name and stays one":                       partialCutByName,
		"what one session writes late is not in another's file":            lateWrites,
		"a copy that fails is no success":                                  copyFails,
	})
}

func overwriteAndCrash(t *testing.T, w *world) {
	u := w.Customer("acme")
	for i, c := range []struct {
		last   string // the byte that the client sends again
		change func(h *tree.Handle) error
	}{
		{"A", func(h *tree.Handle) error { return write(h, "header", 0) }},
		{"x", func(h *tree.Handle) error { return write(h, "x", 4999) }},
		{"B", func(h *tree.Handle) error {
			return firstError(truncate(h, 100), write(h, strings.Repeat("B", 4950), 50))
		}},
		{"A", func(h *tree.Handle) error { return firstError(write(h, "B", 9), truncate(h, 6000), truncate(h, 5000)) }},
	} {
		path := "/upload/f" + string(rune('a'+i))
		s := w.login(u)
		h := open(t, s, path, create)
		must(t, write(h, strings.Repeat("A", 5000), 0))
		must(t, wait(h.Sync))
		must(t, c.change(h))
		w.crash()
		s = w.login(u)
		f, err := s.Stat(path)
		must(t, err)
		have := get(t, s, path)
		h = open(t, s, path, exchange.FlagWrite)
		rest := c.last + strings.Repeat("C", 2000)
		must(t, write(h, rest, f.Size))
		must(t, closeHandle(h))
		s.End()
		w.current(u, path, have+rest)
	}
}

func truncate(h *tree.Handle, size int64) error {
	return wait(func(done func(error)) { h.Truncate(size, done) })
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// overwriteAfterFailure: after the database refused a commit, the stage can be written
// again.
func overwriteAfterFailure(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	must(t, s.Mkdir("/upload/d"))
	for _, sync := range []bool{false, true} {
		a, b := open(t, s, "/upload/d/f", create), open(t, s, "/upload/d/f", exchange.FlagWrite)
		must(t, write(a, strings.Repeat("A", 5000), 0))
		must(t, write(b, "A", 0))
		if sync {
			must(t, wait(a.Sync))
		}
		inTheWay := w.IDs.New()
		w.Write(func(tx *store.Tx) error {
			at, err := tx.Walk(u.ID, []string{"upload", "d"})
			if err != nil {
				return err
			}
			return tx.AddDir(store.Dir{ID: inTheWay, User: u.ID, Parent: at[2].ID, Name: "f"})
		})
		wantKind(t, closeHandle(a), fault.Exists)
		w.Write(func(tx *store.Tx) error { return tx.RemoveDir(inTheWay) })
		must(t, write(b, "header", 0))
		must(t, closeHandle(b))
		w.current(u, "/upload/d/f", "header"+strings.Repeat("A", 4994))
	}
}

func shorterSecondTry(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "ab", 0))
	must(t, write(h, strings.Repeat("far", 5000), 100_000))
	s.End()
	w.resume(u, "/upload/f", "abc")

	s = w.login(u)
	h = open(t, s, "/upload/g", create)
	must(t, write(h, "ab", 0))
	must(t, write(h, strings.Repeat("far", 5000), 100_000))
	must(t, wait(h.Sync))
	w.crash()
	w.resume(u, "/upload/g", "abc")
}

func holesOfSecondTry(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "abc", 0))
	must(t, write(h, strings.Repeat("Z", 5000), 10))
	s.End()
	s = w.login(u)
	defer s.End()
	h = open(t, s, "/upload/f", exchange.FlagWrite)
	must(t, write(h, "end", 20))
	must(t, closeHandle(h))
	w.current(u, "/upload/f", "ab"+strings.Repeat("\x00", 18)+"end")
}

func openedAndLeft(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.lose(u, "/upload/f", "0123456789")
	for range 5 {
		s := w.login(u)
		h := open(t, s, "/upload/f", exchange.FlagWrite)
		wantKind(t, closeHandle(h), fault.Conflict) // nothing was stored, so OK would be wrong
		open(t, s, "/upload/f", exchange.FlagWrite) // this handle is never closed
		if f, err := s.Stat("/upload/f"); err != nil || f.Size != 9 {
			t.Fatalf("it shows %d bytes, %v", f.Size, err)
		}
		s.End()
	}
	if n := len(w.drops()); n != 0 {
		t.Fatalf("%d drops", n)
	}
	w.resume(u, "/upload/f", "0123456789")
}

func manyRestarts(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.lose(u, "/upload/f", "0123456789")
	for i := range 4 {
		if i%2 == 0 {
			w.tree.Close()
			w.open()
		} else {
			w.crash()
		}
		s := w.login(u)
		if f, err := s.Stat("/upload/f"); err != nil || f.Size != 9 {
			t.Fatalf("it shows %d bytes, %v", f.Size, err)
		}
		h := open(t, s, "/upload/f", exchange.FlagWrite)
		wantKind(t, closeHandle(h), fault.Conflict)
		s.End()
	}
	w.resume(u, "/upload/f", "0123456789")
}

// stagingNameCameBack: before a power loss, the row reached the disk, but the unlink of
// the stage's name did not.
func stagingNameCameBack(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	text := strings.Repeat("A", 5000)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, text, 0))
	must(t, wait(h.Sync))
	staged, err := filepath.Glob(filepath.Join(w.Root, "staging/*"))
	must(t, err)
	if len(staged) != 1 {
		t.Fatalf("staging has %v", staged)
	}
	must(t, closeHandle(h))
	s.End()
	stored, err := filepath.Glob(filepath.Join(w.Root, u.ID, "*/*/*"))
	must(t, err)
	must(t, os.Link(stored[0], staged[0]))
	w.crash()
	w.current(u, "/upload/f", text)
	if left, _ := os.ReadDir(filepath.Join(w.Root, "staging")); len(left) != 0 {
		t.Fatalf("staging has %v", left)
	}
}

// resumedAfterNewer: a version was stored after the upload began. The resumed upload must
// not replace it.
func resumedAfterNewer(t *testing.T, w *world) {
	u := w.Customer("acme")
	for i, between := range []func(){
		func() {},
		w.crash,
		func() { w.tree.Close(); w.open() },
	} {
		path := "/upload/f" + string(rune('a'+i))
		s := w.login(u)
		put(t, s, path, "an older version")
		s.End()
		s = w.login(u)
		h := open(t, s, path, create)
		must(t, write(h, "half of a", 0))
		must(t, wait(h.Sync))
		if i == 0 {
			s.End()
		}
		between()
		s = w.login(u)
		h = open(t, s, path, exchange.FlagWrite)
		w.deliver(u, path, "a newer version")
		must(t, write(h, "half of another", 3))
		wantKind(t, closeHandle(h), fault.Conflict)
		s.End()
		w.current(u, path, "a newer version")
		s = w.login(u)
		if f, err := s.Stat(path); err != nil || f.Size != int64(len("a newer version")) {
			t.Fatalf("what could not replace it still answers for it: %d bytes, %v", f.Size, err)
		}
		put(t, s, path, "from its start")
		s.End()
		w.current(u, path, "from its start")
	}
}

// deliver gives a file a new version without the tree, as a publication does.
func (w *world) deliver(u model.User, full, text string) {
	w.Helper()
	b := w.AddBlob(u.ID, "", text)
	w.Write(func(tx *store.Tx) error {
		found, err := tx.Look(u.ID, store.SplitPath(full))
		if err != nil {
			return err
		}
		f := *found.File
		if err := tx.Use(u.ID, store.Counts{Bytes: b.Size - f.Size}, model.StorageLimits{QuotaBytes: 1 << 62}); err != nil {
			return err
		}
		f.VersionID, f.Size = b.ID, b.Size
		if err := tx.AddBlob(b, 1, time.UnixMicro(1)); err != nil {
			return err
		}
		if err := tx.AddVersion(store.Version{ID: b.ID, FileID: f.FileID, UserID: u.ID, BlobID: b.ID,
			StoredAt: time.UnixMicro(1), Class: model.ClassDefault}); err != nil {
			return err
		}
		return tx.PutFile(f)
	})
}

func renamedOver(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.lose(u, "/upload/f.part", "0123456789")
	s := w.login(u)
	defer s.End()
	put(t, s, "/upload/f", "an older version")
	h := open(t, s, "/upload/f.part", exchange.FlagWrite)
	must(t, write(h, "9!", 9))
	must(t, s.Rename("/upload/f.part", "/upload/f", true))
	must(t, closeHandle(h))
	w.current(u, "/upload/f", "0123456789!")
}

// onlyChangeRefused: if a handle's only change was refused, CLOSE must fail, because OK
// would mean that the change is stored.
func onlyChangeRefused(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	text := strings.Repeat("x", 1<<20+1) // above MaxCopy
	put(t, s, "/upload/large", text)
	for _, change := range []func(h *tree.Handle) error{
		func(h *tree.Handle) error { return write(h, "y", 5) },
		func(h *tree.Handle) error { return truncate(h, 1<<20+5) },
		func(h *tree.Handle) error { return write(h, "y", 1<<60) },
	} {
		h := open(t, s, "/upload/large", update)
		if err := change(h); err == nil {
			t.Fatal("the change was taken")
		}
		wantKind(t, closeHandle(h), fault.Conflict)
	}
	w.current(u, "/upload/large", text)
	h := open(t, s, "/upload/large", update) // truncating copies only the bytes that it keeps
	must(t, truncate(h, 1000))
	must(t, closeHandle(h))
	w.current(u, "/upload/large", text[:1000])
	size := int64(7)
	put(t, s, "/upload/large", text)
	must(t, s.Setstat("/upload/large", exchange.Change{Size: &size}))
	w.current(u, "/upload/large", text[:7])
}

func partialCutByName(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.lose(u, "/upload/f", "0123456789")
	s := w.login(u)
	size := int64(5)
	must(t, s.Setstat("/upload/f", exchange.Change{Size: &size}))
	f, err := s.Stat("/upload/f")
	must(t, err)
	if f.Size > 5 || f.Mtime.Unix() != 0 {
		t.Fatalf("it shows %+v", f)
	}
	s.End()
	if n := len(w.drops()); n != 0 {
		t.Fatalf("%d drops", n)
	}
	w.resume(u, "/upload/f", "01234abc")
}

// lateWrites: one session writes while another takes the upload over and closes it. After
// the CLOSE, the stored content must never change.
func lateWrites(t *testing.T, w *world) {
	u := w.Customer("acme")
	for range 30 {
		a, b := w.login(u), w.login(u)
		h := open(t, a, "/upload/f", create)
		must(t, write(h, strings.Repeat("a", 3000), 0))
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := range int64(1000) {
				if err := write(h, "late", i*3); err != nil {
					return
				}
			}
		})
		g := open(t, b, "/upload/f", exchange.FlagWrite)
		must(t, write(g, "b", 0))
		must(t, closeHandle(g))
		text := get(t, b, "/upload/f")
		writing.Wait()
		w.current(u, "/upload/f", text)
		wantKind(t, write(h, "late", 0), fault.Conflict)
		wantKind(t, closeHandle(h), fault.Conflict)
		w.current(u, "/upload/f", text)
		a.End()
		b.End()
	}
}

// copyFails: a stored file is changed, but its bytes cannot be read for the copy.
func copyFails(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	put(t, s, "/upload/f", "stored on disk")
	lies, err := filepath.Glob(filepath.Join(w.Root, u.ID, "*/*/*"))
	must(t, err)
	must(t, os.Rename(lies[0], lies[0]+".away"))
	h := open(t, s, "/upload/f", update)
	if err := write(h, "ST", 0); err == nil {
		t.Fatal("the write was taken")
	}
	wantKind(t, closeHandle(h), fault.Conflict)
	must(t, os.Rename(lies[0]+".away", lies[0]))
	w.current(u, "/upload/f", "stored on disk")
}
