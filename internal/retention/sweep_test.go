package retention_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestSweep: a dead blob is removed a day after its death. An orphan is claimed a day after it
// was written and removed a day later. Live blobs stay.
func TestSweep(t *testing.T) {
	w := testkit.NewWorld(t, "")
	w.Set(time.Now()) // the age of an orphan is its time on disk
	w.OpenBlobs()
	sweeper := retention.NewSweeper(w.Store, w.Blobs, w.Clock, slog.New(slog.DiscardHandler))
	stored := map[string]store.Blob{}
	for _, name := range []string{"LIVE", "DEAD", "ORPHAN"} {
		stored[name] = w.AddBlob("u", "f", "the text of "+name)
	}
	w.Write(func(tx *store.Tx) error {
		for _, name := range []string{"LIVE", "DEAD"} {
			if err := tx.AddBlob(stored[name], 1, w.Clock()); err != nil {
				return err
			}
		}
		return tx.ReleaseBlob(stored["DEAD"].ID, w.Clock())
	})
	there := func(name string) bool {
		r, err := w.Blobs.Open(stored[name].Key, -1)
		if err == nil {
			_ = r.Close()
		}
		return err == nil
	}
	for _, step := range []struct {
		after                time.Duration
		live, dead, orphaned bool
	}{{0, true, true, true}, {25 * time.Hour, true, false, true}, {25 * time.Hour, true, false, false}} {
		w.Pass(step.after)
		_, err := sweeper.Sweep(ctx)
		testkit.Must(t, err)
		if there("LIVE") != step.live || there("DEAD") != step.dead || there("ORPHAN") != step.orphaned {
			t.Fatalf("%v later: live %v, dead %v, orphan %v", step.after, there("LIVE"), there("DEAD"), there("ORPHAN"))
		}
	}
	testkit.Must(t, w.Store.Write(ctx, func(tx *store.Tx) error { return tx.RefBlob(stored["LIVE"].ID, 1) }))
}

// TestABackupHoldsDeadBlobs: what a backup's snapshot names stays until the backup has ended, however long it has been
// dead.
func TestABackupHoldsDeadBlobs(t *testing.T) {
	w := testkit.NewWorld(t, "")
	w.OpenBlobs()
	w.Write(func(tx *store.Tx) error {
		if err := tx.AddBlob(store.Blob{ID: "b", Key: "x/2026/01/b", SHA256: []byte{1}}, 1, w.Clock()); err != nil {
			return err
		}
		return tx.ReleaseBlob("b", w.Clock())
	})
	w.Pass(3 * testkit.Day)
	sweeper := retention.NewSweeper(w.Store, w.Blobs, w.Clock, slog.New(slog.DiscardHandler))
	held, released := true, 0
	sweeper.YieldTo(func() (func(), error) {
		if held {
			return nil, retention.ErrHeld
		}
		return func() { released++ }, nil
	})
	for _, want := range []int{0, 1} {
		n, err := sweeper.Sweep(context.Background())
		w.Must(err)
		if there, err := w.Store.Read(context.Background()).HasBlob("b"); err != nil || n != want || there != held {
			t.Fatalf("held %v: %d were removed, the row is there: %v, %v", held, n, there, err)
		}
		held = false
	}
	if released != 1 {
		t.Errorf("the hold was released %d times", released)
	}
}
