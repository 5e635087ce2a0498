package hotfolder_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

var kernelStories = stories{
	"a file that a program has open is not published, however long it stands": func(t *testing.T, w *world) {
		f := w.writer("data/acme/a.csv", "1")
		w.settled()
		w.settled()
		w.wantPublished()
		_, err := f.WriteString("2")
		testkit.Must(t, err)
		w.Pass(2 * time.Hour)
		w.settled()
		w.wantPublished()
		w.Pass(2 * time.Hour)
		w.look()
		w.wantTold("data/acme/a.csv", "has had the file open")
		testkit.Must(t, f.Close())
		w.look()
		w.wantPublished("acme a.csv 1")
		w.want("data/acme/processed/a.csv", "12")
	},
	"a file that was written on after it was published is published again, whole": func(t *testing.T, w *world) {
		w.put("data/acme/a.csv", "1")
		w.settled()
		w.wantPublished("acme a.csv 1")
		// as a program on another machine that continues to write
		f, err := os.OpenFile(w.path("data/acme/processed/a.csv"), os.O_APPEND|os.O_WRONLY, 0)
		testkit.Must(t, err)
		_, err = f.WriteString("2")
		testkit.Must(t, err)
		testkit.Must(t, f.Close())
		w.look()
		w.wantTold("data/acme/processed/a.csv", "written on after it was published")
		w.settled()
		w.wantPublished("acme a.csv 1", "acme a.csv 2")
		w.want("data/acme/processed/a.csv", "12")
	},
	"what belongs nowhere is told once": func(t *testing.T, w *world) {
		w.put("stray.csv", "1")
		w.put("data/stray.csv", "1")
		w.put("data/acme/2026-11/a.csv", "1")
		w.put("data/acme/old.part", "1")
		testkit.Must(t, os.MkdirAll(w.path("data/acme/empty"), 0o755))
		for range 3 {
			w.settled()
		}
		w.wantTold("stray.csv", "folders of feeds")
		w.wantTold("data/stray.csv", "folders of accounts")
		w.wantTold("data/acme/2026-11", "a.csv")
		if len(w.told) != 3 {
			t.Fatalf("told are %q", w.told)
		}
		w.Pass(25 * time.Hour)
		w.settled()
		w.wantTold("data/acme/old.part", "a temporary name for a day")
		testkit.Must(t, os.Remove(w.path("stray.csv")))
		w.look()
		w.put("stray.csv", "1")
		w.look()
		if len(w.told) != 5 { // it appeared again
			t.Fatalf("told are %q", w.told)
		}
		w.wantPublished()
	},
	"what programs leave in folders is passed over": func(t *testing.T, w *world) {
		w.put("data/acme/THUMBS.db", "1")
		w.put("data/acme/~$bill.csv", "1")
		w.settled()
		w.wantPublished()
		if len(w.told) != 0 {
			t.Fatalf("told are %q", w.told)
		}
	},
	"what the kernel says is closed is published soon": func(t *testing.T, w *world) {
		testkit.Must(t, os.MkdirAll(w.path("data/acme"), 0o755))
		watching, stop := context.WithCancel(ctx)
		over := make(chan struct{})
		go func() { defer close(over); w.service.Watch(watching) }()
		defer func() { stop(); <-over }()
		testkit.Eventually(t, "the folder is watched", func() bool { return w.watches() > 0 })
		f := w.writer("data/acme/a.csv", "1")
		w.put("data/acme/b.csv", "2") // the clock stands still, so no waiting time passes
		soon := func(want ...string) func() bool {
			return func() bool {
				w.Pass(time.Second / 10) // much less than the waiting time
				return slices.Equal(w.published(), want)
			}
		}
		testkit.Eventually(t, "the closed file is published", soon("acme b.csv 1"))
		_, err := f.WriteString("2")
		testkit.Must(t, err)
		testkit.Must(t, f.Close())
		testkit.Eventually(t, "the other one, too", soon("acme b.csv 1", "acme a.csv 1"))
		testkit.Eventually(t, "it is moved", func() bool {
			_, err := os.Stat(w.path("data/acme/processed/a.csv"))
			return err == nil
		})
		w.want("data/acme/processed/a.csv", "12")
	},
}

// writer is a program that has written a part of a file and has it open.
func (w *world) writer(p, text string) *os.File {
	w.Helper()
	w.put(p, text)
	f, err := os.OpenFile(w.path(p), os.O_APPEND|os.O_WRONLY, 0)
	w.Must(err)
	w.Cleanup(func() { _ = f.Close() })
	return f
}

// watches counts the inotify watches of this process.
func (w *world) watches() (n int) {
	fds, err := os.ReadDir("/proc/self/fdinfo")
	w.Must(err)
	for _, fd := range fds {
		text, _ := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		n += strings.Count(string(text), "inotify wd:")
	}
	return n
}

func (w *world) wantTold(path, words string) {
	w.Helper()
	if !slices.ContainsFunc(w.told,
		func(s string) bool { return strings.HasPrefix(s, path+": ") && strings.Contains(s, words) }) {
		w.Fatalf("nobody was told %q of %s: %q", words, path, w.told)
	}
}
