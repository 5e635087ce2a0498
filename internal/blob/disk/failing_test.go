package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
)

// failing is a System whose calls fail, or wait, on command.
type failing struct {
	disk.OS
	mu    sync.Mutex
	fails func(call, path string) error // nil: nothing fails
	calls []string
}

func (s *failing) on(fails func(call, path string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails, s.calls = fails, nil
}

// asked records a call and returns its error, if it is to fail.
func (s *failing) asked(call, path string) error {
	s.mu.Lock()
	fails := s.fails
	s.calls = append(s.calls, call+" "+path)
	s.mu.Unlock()
	if fails == nil {
		return nil
	}
	return fails(call, path)
}

// count is how many calls so far end with a text.
func (s *failing) count(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if strings.HasSuffix(c, text) {
			n++
		}
	}
	return n
}

func (s *failing) OpenFile(path string, flags int, mode os.FileMode) (disk.File, error) {
	if err := s.asked("open", path); err != nil {
		return nil, err
	}
	f, err := s.OS.OpenFile(path, flags, mode)
	if err != nil {
		return nil, err
	}
	return failingFile{f, s, path}, nil
}

func (s *failing) Mkdir(path string, mode os.FileMode) error {
	return errors.Join(s.asked("mkdir", path), s.OS.Mkdir(path, mode)) // fails late: the folder is made
}

func (s *failing) Rename(from, to string) error {
	if err := s.asked("rename", to); err != nil {
		return err
	}
	return s.OS.Rename(from, to)
}

func (s *failing) Link(from, to string) error {
	if err := s.asked("link", to); err != nil {
		return err
	}
	return s.OS.Link(from, to)
}

func (s *failing) SyncDir(path string) error {
	if err := s.asked("syncdir", path); err != nil {
		return err
	}
	return s.OS.SyncDir(path)
}

func (s *failing) Everything(path string) (disk.Everything, error) {
	all, err := s.OS.Everything(path)
	return failingAll{all, s, path}, err
}

type failingAll struct {
	disk.Everything
	s    *failing
	path string
}

func (a failingAll) Sync() error {
	if err := a.s.asked("syncall", a.path); err != nil {
		return err
	}
	return a.Everything.Sync()
}

type failingFile struct {
	disk.File
	s    *failing
	path string
}

func (f failingFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.s.asked("write", f.path); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f failingFile) Sync() error {
	if err := f.s.asked("fsync", f.path); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f failingFile) Datasync() error {
	if err := f.s.asked("fdatasync", f.path); err != nil {
		return err
	}
	return f.File.Datasync()
}

func (f failingFile) Chmod(mode os.FileMode) error {
	if err := f.s.asked("chmod", f.path); err != nil {
		return err
	}
	return f.File.Chmod(mode)
}

// when fails calls whose name and path contain these parts.
func when(call, part string) func(string, string) error {
	return func(c, path string) error {
		if c == call && strings.Contains(path, part) {
			return syscall.EIO
		}
		return nil
	}
}

const key = "owner/2026/01/01F-x"

func TestSystemCallsThatFail(t *testing.T) {
	for name, story := range map[string]func(*testing.T, *failing, *disk.Store, string){
		"a folder whose sync failed is synced by the next commit":         folderSync,
		"a synced stage's folder that failed since is synced again":       folderSyncedBefore,
		"a folder that was made in vain has its parent synced":            folderMade,
		"a write that a sync meets is synced again":                       writeUnderWay,
		"a failed sync of a file is final":                                fileSync,
		"a failed revert leaves the bytes sealed":                         revertFails,
		"a commit that could not name its bytes leaves the stage":         nameFails,
		"a commit that could not take its write permission leaves it all": chmodFails,
		"a rename that is not taken back leaves nothing to trust":         renameBack,
		"a second name that could not be given leaves the synced stage":   linkFails,
	} {
		t.Run(name, func(t *testing.T) {
			sys, root := &failing{}, t.TempDir()
			s, err := disk.OpenOn(sys, root, time.Now)
			must(t, err)
			story(t, sys, s, root)
		})
	}
}

func stage(t *testing.T, s *disk.Store, id, text string) blob.Stage {
	t.Helper()
	g, err := s.Stage(id)
	must(t, err)
	t.Cleanup(func() { _ = g.Close() })
	_, err = g.WriteAt([]byte(text), 0)
	must(t, err)
	return g
}

// reads checks a key's content, and that the file is read-only.
func reads(t *testing.T, root, key, want string) {
	t.Helper()
	path := filepath.Join(root, key)
	got, err := os.ReadFile(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if string(got) != want || info.Mode().Perm() != 0o400 {
		t.Fatalf("%s has %q, mode %v", key, got, info.Mode())
	}
}

func folderSync(t *testing.T, sys *failing, s *disk.Store, root string) {
	first := stage(t, s, "01A", "first")
	sys.on(when("syncdir", "/01"))
	if err := first.Commit("owner/2026/01/01A", 5); err == nil {
		t.Fatal("a commit whose folder was not synced succeeded")
	}
	sys.on(nil)
	must(t, first.Commit("owner/2026/01/01A", 5))
	if n := sys.count("syncdir " + root + "/owner/2026/01"); n != 1 {
		t.Fatalf("the folder was synced %d times", n)
	}
	reads(t, root, "owner/2026/01/01A", "first")
}

func folderSyncedBefore(t *testing.T, sys *failing, s *disk.Store, root string) {
	g := stage(t, s, "01F", "synced")
	must(t, g.Sync(6, []byte("note"), key)) // the name under key is durable
	other := stage(t, s, "01O", "other")
	sys.on(when("syncdir", "/01"))
	if err := other.Commit("owner/2026/01/01O", 5); err == nil {
		t.Fatal("a commit whose folder was not synced succeeded")
	}
	sys.on(nil)
	must(t, g.Commit(key, 6))
	if sys.count("syncdir "+root+"/owner/2026/01") == 0 {
		t.Fatal("a folder whose last sync failed was taken for synced")
	}
	reads(t, root, key, "synced")
}

func folderMade(t *testing.T, sys *failing, s *disk.Store, root string) {
	g := stage(t, s, "01F", "text")
	sys.on(when("mkdir", "/2026")) // the folder exists, but may not be durable
	if err := g.Commit(key, 4); err == nil {
		t.Fatal("a commit without its folder succeeded")
	}
	sys.on(when("syncdir", "/owner"))
	if err := g.Commit(key, 4); err == nil {
		t.Fatal("a commit into a folder whose name was not synced succeeded")
	}
	sys.on(nil)
	must(t, g.Commit(key, 4))
	for _, dir := range []string{"/owner", "/owner/2026", "/owner/2026/01"} {
		if sys.count("syncdir "+root+dir) == 0 {
			t.Fatalf("%s was not synced: %q", dir, sys.calls)
		}
	}
	reads(t, root, key, "text")
}

// writeUnderWay: the write begins before the sync and ends after it, so the sync
// may have missed its bytes.
func writeUnderWay(t *testing.T, sys *failing, s *disk.Store, root string) {
	g := stage(t, s, "01F", "0123")
	begun, synced := make(chan struct{}), make(chan struct{})
	sys.on(func(call, _ string) error {
		if call == "write" {
			close(begun)
			<-synced
		}
		return nil
	})
	written := make(chan error, 1)
	go func() {
		_, err := g.WriteAt([]byte("4567"), 4)
		written <- err
	}()
	<-begun
	must(t, g.Sync(4, []byte("note"), key))
	close(synced)
	must(t, <-written)
	sys.on(nil)
	must(t, g.Commit(key, 8))
	if sys.count("sync "+root+"/staging/01F") == 0 {
		t.Fatalf("what was written beside the sync was not synced: %q", sys.calls)
	}
	reads(t, root, key, "01234567")
}

func fileSync(t *testing.T, sys *failing, s *disk.Store, root string) {
	for _, synced := range []bool{false, true} {
		g := stage(t, s, "01F", "text")
		if synced {
			sys.on(when("fsync", "/01F"))
			if err := g.Sync(4, []byte("note"), key); !errors.Is(err, blob.ErrLost) {
				t.Fatalf("a failed sync: %v", err)
			}
		} else {
			sys.on(when("fdatasync", ""))
			if err := g.Commit(key, 4); !errors.Is(err, blob.ErrLost) {
				t.Fatalf("a failed sync: %v", err)
			}
		}
		sys.on(nil) // the kernel would report success for the next sync
		if err := g.Commit(key, 4); !errors.Is(err, blob.ErrLost) {
			t.Fatalf("lost bytes were committed: %v", err)
		}
		if err := g.Sync(4, nil, key); !errors.Is(err, blob.ErrLost) {
			t.Fatalf("lost bytes were synced: %v", err)
		}
		must(t, g.Discard())
		if _, err := os.Stat(filepath.Join(root, key)); err == nil {
			t.Fatal("lost bytes have a key")
		}
	}
}

func revertFails(t *testing.T, sys *failing, s *disk.Store, root string) {
	for _, call := range []string{"chmod", "open", "rename"} {
		g := stage(t, s, "01F", "text")
		must(t, g.Commit(key, 4))
		sys.on(when(call, "/01F"))
		if err := g.Revert(); err == nil {
			t.Fatalf("%s: a revert that failed said that it did not", call)
		}
		sys.on(nil)
		if _, err := g.WriteAt([]byte("x"), 0); !errors.Is(err, blob.ErrSealed) {
			t.Fatalf("%s: sealed bytes were written: %v", call, err)
		}
		if err := g.Discard(); !errors.Is(err, blob.ErrSealed) {
			t.Fatalf("%s: sealed bytes were discarded: %v", call, err)
		}
		if got, err := os.ReadFile(filepath.Join(root, key)); err != nil || string(got) != "text" {
			t.Fatalf("%s: %q, %v", call, got, err)
		}
		must(t, g.Revert())
		must(t, g.Discard())
	}
}

// stands checks that a stage still takes writes, and commits.
func stands(t *testing.T, g blob.Stage, root string) {
	t.Helper()
	_, err := g.WriteAt([]byte("more"), 4)
	must(t, err)
	must(t, g.Commit(key, 8))
	reads(t, root, key, "textmore")
}

func nameFails(t *testing.T, sys *failing, s *disk.Store, root string) {
	g := stage(t, s, "01F", "text")
	sys.on(when("rename", key))
	if err := g.Commit(key, 4); err == nil {
		t.Fatal("bytes without a name were committed")
	}
	sys.on(nil)
	stands(t, g, root)
}

func chmodFails(t *testing.T, sys *failing, s *disk.Store, root string) {
	g := stage(t, s, "01F", "text")
	sys.on(when("chmod", ""))
	if err := g.Commit(key, 4); err == nil {
		t.Fatal("bytes that could be written were committed")
	}
	sys.on(nil)
	stands(t, g, root)
}

func renameBack(t *testing.T, sys *failing, s *disk.Store, root string) {
	g := stage(t, s, "01F", "text")
	sys.on(func(call, path string) error {
		if call == "syncdir" && strings.HasSuffix(path, "/01") || call == "rename" && strings.Contains(path, "staging") {
			return syscall.EIO
		}
		return nil
	})
	if err := g.Commit(key, 4); err == nil {
		t.Fatal("a commit whose folder was not synced succeeded")
	}
	sys.on(nil)
	if err := g.Commit(key, 4); !errors.Is(err, blob.ErrLost) {
		t.Fatalf("it was committed after all: %v", err)
	}
	must(t, g.Discard())
	if _, err := os.Stat(filepath.Join(root, key)); err == nil {
		t.Fatal("discarded bytes have a key")
	}
}

func linkFails(t *testing.T, sys *failing, s *disk.Store, root string) {
	g := stage(t, s, "01F", "text")
	must(t, g.Sync(4, []byte("note"), ""))
	sys.on(when("link", key))
	if err := g.Commit(key, 4); err == nil {
		t.Fatal("bytes without a name were committed")
	}
	sys.on(nil)
	stands(t, g, root)
}
