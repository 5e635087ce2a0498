package retention_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSweep: a dead blob goes a day after its death, an orphan is claimed a
// day after it was written and goes a day later, and what lives stays.
func TestSweep(t *testing.T) {
	ctx := context.Background()
	now := time.Now()
	clock := func() time.Time { return now }
	s, err := store.Open(ctx, store.Options{Dir: t.TempDir()})
	must(t, err)
	defer s.Close()
	blobs, err := disk.Open(t.TempDir(), clock)
	must(t, err)
	w := retention.NewSweeper(s, blobs, clock, slog.New(slog.DiscardHandler))
	key := map[string]string{}
	for _, id := range []string{"LIVE", "DEAD", "ORPHAN"} {
		g, err := blobs.Stage(id)
		must(t, err)
		_, err = g.WriteAt([]byte(id), 0)
		must(t, err)
		key[id] = blob.Key("u", id, "f", now)
		must(t, g.Commit(key[id], int64(len(id))))
		must(t, g.Close())
	}
	must(t, testkit.Write(ctx, s, func(tx *store.Tx) error {
		for _, id := range []string{"LIVE", "DEAD"} {
			if err := tx.AddBlob(store.Blob{ID: id, Key: key[id], SHA256: []byte{}}, 1, now); err != nil {
				return err
			}
		}
		return tx.ReleaseBlob("DEAD", now)
	}))
	there := func(id string) bool {
		r, err := blobs.Open(key[id], -1)
		if err == nil {
			_ = r.Close()
		}
		return err == nil
	}
	for _, step := range []struct {
		after                time.Duration
		live, dead, orphaned bool
	}{{0, true, true, true}, {25 * time.Hour, true, false, true}, {25 * time.Hour, true, false, false}} {
		now = now.Add(step.after)
		_, err := w.Sweep(ctx)
		must(t, err)
		if there("LIVE") != step.live || there("DEAD") != step.dead || there("ORPHAN") != step.orphaned {
			t.Fatalf("%v later: live %v, dead %v, orphan %v", step.after, there("LIVE"), there("DEAD"), there("ORPHAN"))
		}
	}
	err = s.Write(ctx, func(tx *store.Tx) error { return tx.RefBlob("LIVE", 1) })
	must(t, err)
}
