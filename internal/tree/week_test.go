package tree_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob/small"
	"github.com/sallyport-sftp/sallyport/internal/retention"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// TestAWeekOfSmallFilesDoesNotFillTheDatabase: for a week on a simulated clock, files of 4 KiB come every hour, are
// moved out of the database, and are removed after a day. The database is at most as much larger than one that never
// had their bytes as the files of two hours are.
func TestAWeekOfSmallFilesDoesNotFillTheDatabase(t *testing.T) {
	testkit.Long(t, "it stores thousands of files")
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w, files := newWorld(t, url), 6
		if url != "" {
			files = 2
		}
		w.Blobs.Replace(small.Policy{}) // nothing lies in the database
		before := w.databaseSize()
		w.week("never", files, url != "")
		never := w.databaseSize()
		w.Blobs.Replace(bigSmall)
		w.week("inline", files, url != "")
		inline := w.databaseSize()
		use, err := w.Store.Read(context.Background()).BodyUse()
		w.Must(err)
		t.Logf("%d files: %d KiB without their bytes, %d KiB with those of the last hours; %d files are in the database",
			files*24*7, (never-before)>>10, (inline-never)>>10, use.Count)
		if use.Count > int64(2*files) {
			t.Errorf("%d files are still in the database", use.Count)
		}
		bodies := int64(2*files) * 8 << 10 // a body and its page
		if more := (inline - never) - (never - before); more > bodies+256<<10 {
			t.Errorf("the database grew by %d bytes more", more)
		}
	})
}

// week lets a week pass, with a number of files every hour, for a user of its own. vacuum does what PostgreSQL
// does by the real clock.
func (w *world) week(name string, files int, vacuum bool) {
	w.Helper()
	ctx, t := context.Background(), w.TB
	sweeper := retention.NewSweeper(w.Store, w.Blobs, w.Clock, slog.New(slog.DiscardHandler))
	s := w.login(w.Customer(name))
	defer s.End()
	file := func(hour, i int) string { return fmt.Sprintf("/upload/%04d-%02d.csv", hour, i) }
	for hour := range 7 * 24 {
		for i := range files {
			text := strings.Repeat(fmt.Sprintf("%s;%d;%d;", name, hour, i), 1000)[:4<<10]
			put(t, s, file(hour, i), text)
			if hour >= 24 {
				must(t, s.Remove(file(hour-24, i)))
			}
		}
		w.Set(w.Clock().Add(time.Hour))
		_, err := w.Blobs.Move(ctx)
		w.Must(err)
		_, err = sweeper.Sweep(ctx)
		w.Must(err)
		if hour%24 == 23 && vacuum {
			_, err := w.DB.Exec(`VACUUM bodies, blobs, versions, files, drops`)
			w.Must(err)
		}
	}
}

func (w *world) databaseSize() int64 {
	w.Helper()
	size, err := w.Store.Read(context.Background()).DatabaseSize()
	w.Must(err)
	return size.Bytes
}
