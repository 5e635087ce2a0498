package disk_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/blobtest"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
)

func TestADriverThatIsNotToldToFailKeepsTheContract(t *testing.T) {
	roots := map[string]string{}
	blobtest.Run(t, func(t *testing.T) blob.Store {
		if roots[t.Name()] == "" {
			roots[t.Name()] = t.TempDir()
		}
		s, err := disk.Open(roots[t.Name()], time.Now)
		must(t, err)
		return blobtest.NewFaulty(s, nil)
	})
}

func TestADriverFailsOnCommand(t *testing.T) {
	for name, story := range map[string]func(*testing.T, *blobtest.Faulty, blob.Stage){
		"a late write leaves its first half":       halfWrite,
		"a lost sync is final":                     lostSync,
		"a call is held, and then goes on":         heldCommit,
		"after its death nothing changes any more": killed,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := disk.Open(t.TempDir(), time.Now)
			must(t, err)
			f := blobtest.NewFaulty(s, nil)
			g, err := f.Stage("01FAULT")
			must(t, err)
			defer g.Close()
			_, err = g.WriteAt([]byte("0123"), 0)
			must(t, err)
			story(t, f, g)
		})
	}
}

// on is a plan for one operation.
func on(op blobtest.Op, what blobtest.Fault) blobtest.Plan {
	return func(o blobtest.Op, _ string) blobtest.Fault {
		if o == op {
			return what
		}
		return blobtest.Fault{}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func halfWrite(t *testing.T, f *blobtest.Faulty, g blob.Stage) {
	f.Plan(on(blobtest.OpWriteAt, blobtest.Fault{Late: true}))
	if n, err := g.WriteAt([]byte("4567"), 4); n != 2 || !errors.Is(err, blobtest.ErrFault) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if err := g.Commit("owner/2026/01/01FAULT", 6); err != nil {
		t.Fatalf("it has not the first half: %v", err)
	}
}

func lostSync(t *testing.T, f *blobtest.Faulty, g blob.Stage) {
	f.Plan(on(blobtest.OpSync, blobtest.Fault{Late: true}))
	if err := g.Sync(4, []byte("note"), ""); !errors.Is(err, blob.ErrLost) {
		t.Fatal(err)
	}
	f.Plan(nil)
	if err := g.Commit("owner/2026/01/01FAULT", 4); !errors.Is(err, blob.ErrLost) {
		t.Fatalf("lost bytes were committed: %v", err)
	}
}

func heldCommit(t *testing.T, f *blobtest.Faulty, g blob.Stage) {
	held, release := make(chan struct{}), make(chan struct{})
	f.Plan(on(blobtest.OpCommit, blobtest.Fault{Before: func() { close(held); <-release }}))
	outcome := make(chan error, 1)
	go func() { outcome <- g.Commit("owner/2026/01/01FAULT", 4) }()
	<-held
	if _, err := f.Open("owner/2026/01/01FAULT", -1); err == nil {
		t.Error("it was committed before it was let go")
	}
	close(release)
	must(t, <-outcome)
}

func killed(t *testing.T, f *blobtest.Faulty, g blob.Stage) {
	f.Kill()
	_, err := g.WriteAt([]byte("x"), 0)
	for what, err := range map[string]error{"written": err, "cut": g.Truncate(0), "synced": g.Sync(4, nil, ""),
		"committed": g.Commit("owner/2026/01/01FAULT", 4), "discarded": g.Discard()} {
		if !errors.Is(err, blobtest.ErrFault) {
			t.Errorf("it was %s: %v", what, err)
		}
	}
}
