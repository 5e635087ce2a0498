package tree_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

func TestBoundsOfWork(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"a change past the budget ends with the session":     spendStopped,
		"a file with a hole is stored up to a limit":         longHoles,
		"a CLOSE that reads back ends with the session":      hashStopped,
		"a file with hundreds of versions is removed whole":  manyVersions,
		"no change is made while the storage is nearly full": floorGuards,
	})
}

func spendStopped(t *testing.T, w *world) {
	w.policy.Changes = 1
	w.reopen()
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	slowed := 0
	s.OnSlowed(func() { slowed++ })
	must(t, s.Mkdir("/upload/a"))
	ended := make(chan error, 1)
	go func() { ended <- s.Mkdir("/upload/b") }()
	select {
	case err := <-ended:
		t.Fatalf("the second change did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.Stop()
	wantKind(t, <-ended, fault.Unavailable)
	if slowed != 1 {
		t.Fatalf("told %d times", slowed)
	}
	op := w.tree.Begin(exchange.Login{User: u, Operator: "test"}, nil)
	defer op.End()
	must(t, op.Mkdir("/upload/c"))
}

func longHoles(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	defer s.End()
	set := func(path string, size int64) error {
		h := open(t, s, path, create)
		must(t, write(h, "the start", 0))
		must(t, wait(func(done func(error)) { h.Truncate(size, done) }))
		return closeHandle(h)
	}
	began := time.Now()
	err := set("/upload/big", 50<<30)
	wantKind(t, err, fault.Invalid)
	if took := time.Since(began); took > 5*time.Second || !strings.Contains(err.Error(), "never written") {
		t.Fatalf("after %v: %v", took, err)
	}
	must(t, set("/upload/small", 40<<20))
	h := open(t, s, "/upload/far", create)
	must(t, write(h, "x", 3<<30))
	wantKind(t, closeHandle(h), fault.Invalid)
}

func hashStopped(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	h := open(t, s, "/upload/f", create)
	must(t, write(h, "the start", 0))
	must(t, write(h, "the end", 30<<20))
	s.Stop()
	wantKind(t, closeHandle(h), fault.Unavailable)
	s.End()
	again := w.login(u)
	defer again.End()
	if f, err := again.Stat("/upload/f"); err != nil || f.Size != 8 || f.Mtime.Unix() != 0 {
		t.Fatalf("what was cut off is %+v, %v", f, err)
	}
}

func manyVersions(t *testing.T, w *world) {
	s := w.login(w.Customer("acme"))
	for i := range 230 {
		w.Pass(2 * time.Hour) // else the previous version is dropped at once
		put(t, s, "/upload/f", fmt.Sprint(i))
	}
	must(t, s.Remove("/upload/f"))
	s.End() // End waits for the background removal
	dead, err := w.Store.Read(context.Background()).DeadBlobs(time.UnixMicro(1<<62), 1000)
	must(t, err)
	if len(dead) != 229 { // all but the newest, which is an unclaimed drop
		t.Fatalf("%d versions of 230 were let go of", len(dead))
	}
}

func floorGuards(t *testing.T, w *world) {
	u := w.Customer("acme")
	s := w.login(u)
	put(t, s, "/upload/f", "x")
	must(t, s.Mkdir("/upload/d"))
	s.End()
	w.policy.FreeFloor = 1 << 60
	w.reopen()
	s = w.login(u)
	defer s.End()
	mtime := time.Unix(1, 0)
	for what, err := range map[string]error{
		"mkdir":  s.Mkdir("/upload/e"),
		"rmdir":  s.Rmdir("/upload/d"),
		"rename": s.Rename("/upload/f", "/upload/g", false),
		"remove": s.Remove("/upload/f"),
		"times":  s.Setstat("/upload/f", exchange.Change{Mtime: &mtime}),
		"upload": try(s, "/upload/h", "x"),
	} {
		if !fault.Is(err, fault.NoSpace) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := get(t, s, "/upload/f"); got != "x" {
		t.Fatal("what is there cannot be read")
	}
}
