package tree_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
)

func TestUnfinishedUploads(t *testing.T) {
	onBoth(t, map[string]func(*testing.T, *world){
		"a partial holds no descriptor, nor does one after a restart": restingPartials,
		"partials are files of the quota":                             partialsCount,
		"there is a limit on unfinished uploads":                      unfinishedLimit,
		"a stored size covers the handles on its name once":           coveredOnce,
		"a stage that can't be read stops no start":                   unreadableStage,
	})
}

// staged returns how many file descriptors this process has on stages.
func (w *world) staged() (n int) {
	w.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	w.Must(err)
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && strings.HasPrefix(to, filepath.Join(w.Root, "staging")) {
			n++
		}
	}
	return n
}

// rested waits until this process has no stage open.
func (w *world) rested() {
	w.Helper()
	for end := time.Now().Add(20 * time.Second); w.staged() > 0 || w.Blobs.Used() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("%d stages are open, and no handle is", w.staged())
		}
	}
}

func restingPartials(t *testing.T, w *world) {
	u := w.Customer("acme")
	text := strings.Repeat("some text of a file", 100)
	s := w.login(u)
	for i := range 100 {
		must(t, write(open(t, s, fmt.Sprintf("/upload/f%d", i), create), text[:1000], 0))
	}
	if n := w.staged(); n != 100 {
		t.Fatalf("%d stages are open", n)
	}
	s.End()
	w.rested()
	s = w.login(u)
	if got := get(t, s, "/upload/f7"); got != text[:999] {
		t.Fatalf("a partial that rested reads %d bytes", len(got))
	}
	must(t, s.Rename("/upload/f8", "/upload/g8", false))
	must(t, s.Remove("/upload/f9"))
	s.End()
	w.rested()
	w.resume(u, "/upload/f7", text)
	w.resume(u, "/upload/g8", text)
	w.crash()
	if n := w.staged(); n != 0 {
		t.Fatalf("a start opened %d stages", n)
	}
	w.resume(u, "/upload/f10", text)
	s = w.login(u)
	defer s.End()
	if _, err := s.Stat("/upload/f9"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("a partial that was removed while it rested: %v", err)
	}
	must(t, s.Remove("/upload/f11"))
	left, err := os.ReadDir(filepath.Join(w.Root, "staging"))
	must(t, err)
	if len(left) != 95 { // 100 uploads, of which 3 were stored and 2 removed
		t.Fatalf("%d stages lie there", len(left))
	}
}

func partialsCount(t *testing.T, w *world) {
	w.policy.Limits.QuotaFiles = 5
	w.reopen()
	u := w.Customer("acme")
	s := w.login(u)
	put(t, s, "/upload/stored", "x")
	for i := range 4 {
		must(t, write(open(t, s, fmt.Sprintf("/upload/p%d", i), create), "two", 0))
	}
	_, err := s.Open("/upload/one-more", create, 0)
	wantKind(t, err, fault.Quota)
	s.End()
	s = w.login(u)
	defer s.End()
	_, err = s.Open("/upload/one-more", create, 0)
	wantKind(t, err, fault.Quota)
	if space, err := s.Space(); err != nil || space.UsedFiles != 5 {
		t.Fatalf("%+v, %v", space, err)
	}
	put(t, s, "/upload/stored", "a name that is stored already takes no other")
	put(t, s, "/upload/p0", "nor does a partial that goes on")
	must(t, s.Remove("/upload/p1"))
	put(t, s, "/upload/one-more", "x")
}

func unfinishedLimit(t *testing.T, w *world) {
	w.policy.Unfinished = 10
	w.reopen()
	u := w.Customer("acme")
	s := w.login(u)
	put(t, s, "/upload/stored", "x")
	for i := range 10 {
		must(t, write(open(t, s, fmt.Sprintf("/upload/p%d", i), create), "two", 0))
	}
	s.End()
	w.rested()
	w.crash()
	s = w.login(u)
	defer s.End()
	for _, path := range []string{"/upload/new", "/upload/stored"} {
		_, err := s.Open(path, create, 0)
		wantKind(t, err, fault.Quota)
	}
	w.resume(u, "/upload/p3", "two and three")
	put(t, s, "/upload/new", "there is room again")
	other := w.login(w.Customer("other"))
	defer other.End()
	put(t, other, "/upload/mine", "another user has a limit of its own")
}

func coveredOnce(t *testing.T, w *world) {
	w.policy.Limits.QuotaBytes = 800
	w.reopen()
	u := w.Customer("acme")
	s := w.login(u)
	defer s.End()
	put(t, s, "/upload/f", strings.Repeat("x", 600))
	var accepted int
	for range 4 {
		other := w.login(u)
		defer other.End()
		h := open(t, other, "/upload/f", create)
		for at := int64(0); at < 600; at += 100 {
			if write(h, strings.Repeat("y", 100), at) == nil {
				accepted += 100
			}
		}
	}
	if accepted != 800 { // 600 that replace the stored file, and 200 that are free
		t.Fatalf("%d bytes were accepted beside 600 of 800", accepted)
	}
}

func unreadableStage(t *testing.T, w *world) {
	u := w.Customer("acme")
	w.lose(u, "/upload/f", "the first half and no more")
	w.rested()
	// A note that is a folder cannot be read, and a stage that is a folder cannot be opened.
	must(t, os.MkdirAll(filepath.Join(w.Root, "staging", "01BROKEN"), 0o700))
	must(t, os.WriteFile(filepath.Join(w.Root, "staging", "01NOTE"), []byte("bytes"), 0o600))
	must(t, os.Mkdir(filepath.Join(w.Root, "staging", "01NOTE.note"), 0o700))
	w.crash()
	w.resume(u, "/upload/f", "the first half and no more, and the second")
	if _, err := os.Stat(filepath.Join(w.Root, "staging", "01NOTE")); err != nil {
		t.Fatalf("what could not be read was not left alone: %v", err)
	}
}
