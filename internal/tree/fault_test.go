package tree_test

import (
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// TestFaults has the cases that the random test found.
func TestFaults(t *testing.T) {
	for name, story := range map[string]func(*testing.T, *lab){
		"a removal that failed leaves the upload, too":                 failedRemoval,
		"a fresh start forgets that the stored file was not copied":    freshAfterCopy,
		"a fresh start that failed changes nothing":                    failedFreshStart,
		"a plain rename replaces nothing that it can't look at":        renameOntoUnreadable,
		"a write of which nothing was written makes no file longer":    nothingWritten,
		"what could not be reverted is a partial after the next start": failedRevert,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "")
			l.begin()
			defer func() {
				l.die()
				l.bury()
			}()
			story(t, l)
		})
	}
}

func (l *lab) fails(op blobtest.Op) { l.arm(op, blobtest.Fault{Fail: true}) }

func failedRemoval(t *testing.T, l *lab) {
	s := l.login("")
	defer s.End()
	put(t, s, "/upload/f", "old")
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "new", 0))
	l.refuse(errRefused)
	if err := s.Remove("/upload/f"); err == nil {
		t.Fatal("a refused removal succeeded")
	}
	must(t, closeHandle(h))
	if got := get(t, s, "/upload/f"); got != "new" {
		t.Fatalf("it has %q", got)
	}
}

func freshAfterCopy(t *testing.T, l *lab) {
	s := l.login("")
	defer s.End()
	put(t, s, "/upload/f", "old")
	first := open(t, s, "/upload/f", update)
	l.fails(blobtest.OpFill)
	if err := write(first, "x", 0); err == nil {
		t.Fatal("a change without its copy succeeded")
	}
	put(t, s, "/upload/f", "all of it, new")
	if got := get(t, s, "/upload/f"); got != "all of it, new" {
		t.Fatalf("it has %q", got)
	}
}

func failedFreshStart(t *testing.T, l *lab) {
	s := l.login("")
	defer s.End()
	put(t, s, "/upload/f", "stored")
	h := open(t, s, "/upload/f", update)
	l.fails(blobtest.OpTruncate)
	if _, err := s.Open("/upload/f", create, 0); err == nil {
		t.Fatal("a file that could not be emptied was opened")
	}
	must(t, write(h, "!", 6))
	must(t, closeHandle(h))
	if got := get(t, s, "/upload/f"); got != "stored!" {
		t.Fatalf("it has %q", got)
	}
}

func nothingWritten(t *testing.T, l *lab) {
	s := l.login("")
	defer s.End()
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "abc", 0))
	for _, at := range []int64{3, 6, 1000} {
		l.fails(blobtest.OpWriteAt)
		if err := write(h, "refused", at); err == nil {
			t.Fatal("a write that the disk refused succeeded")
		}
		if f, err := h.Stat(); err != nil || f.Size != 3 {
			t.Fatalf("after a refused write at %d it has %d bytes, %v", at, f.Size, err)
		}
	}
	if err := closeHandle(h); err == nil {
		t.Fatal("a file that lacks bytes was stored")
	}
}

func renameOntoUnreadable(t *testing.T, l *lab) {
	s := l.login("")
	defer s.End()
	put(t, s, "/upload/f", "stored")
	h := open(t, s, "/upload/f", update)
	l.fails(blobtest.OpFill)
	if err := write(h, "x", 0); err == nil {
		t.Fatal("a change without its copy succeeded")
	}
	fresh := open(t, s, "/upload/g", create)
	if err := s.Rename("/upload/g", "/upload/f", false); err == nil {
		t.Fatal("a plain rename took a name that is taken")
	}
	must(t, closeHandle(fresh))
	if err := closeHandle(h); err == nil {
		t.Fatal("half a change was stored")
	}
	if got := get(t, s, "/upload/f"); got != "stored" {
		t.Fatalf("it has %q", got)
	}
}

func failedRevert(t *testing.T, l *lab) {
	s := l.login("")
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "0123456789", 0))
	must(t, wait(h.Sync))
	l.refuse(errRefused)
	l.fails(blobtest.OpRevert)
	if err := closeHandle(h); err == nil {
		t.Fatal("what the database refused was acknowledged")
	}
	_, err := s.Stat("/upload/f")
	wantKind(t, err, fault.NotFound)
	l.die()
	s.End()
	l.bury()
	must(t, l.start())
	s = l.login("")
	defer s.End()
	f, err := s.Stat("/upload/f")
	must(t, err)
	if f.Size != 9 || get(t, s, "/upload/f") != "012345678" {
		t.Fatalf("it shows %+v", f)
	}
}
