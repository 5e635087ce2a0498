package hotfolder_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/hotfolder"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

var pickStories = stories{
	"a file is published when it has stood still": func(t *testing.T, w *world) {
		w.put("data/acme/a.csv", "1")
		w.look()
		w.Pass(settle - time.Second)
		w.look()
		w.wantPublished()
		w.Pass(time.Second)
		w.look()
		w.wantPublished("acme a.csv 1")
		w.want("data/acme/processed/a.csv", "1")
		w.wantNone("data/acme/a.csv")
		w.wantNone("data/acme/.work/a.csv")
		w.settled()
		w.wantPublished("acme a.csv 1")
		var via, actor string
		testkit.Must(t, w.DB.QueryRow("SELECT via, actor FROM publications").Scan(&via, &actor))
		if via != "folder" || actor != hotfolder.Actor {
			t.Fatalf("it came by %s, from %s", via, actor)
		}
	},
	"a file that grows is waited for": func(t *testing.T, w *world) {
		w.put("data/acme/a.csv", "1")
		for _, text := range []string{"12", "123", "1234"} {
			w.settledBut(func() { w.put("data/acme/a.csv", text) })
			w.wantPublished()
		}
		w.settled()
		w.want("data/acme/processed/a.csv", "1234")
		w.wantPublished("acme a.csv 1")
	},
	"the folder all is for every subscriber": func(t *testing.T, w *world) {
		w.put("data/all/a.csv", "1")
		w.settled()
		w.wantPublished("acme a.csv 1", "beta a.csv 1")
		w.want("data/all/processed/a.csv", "1")
	},
	"the same name later is its next issue": func(t *testing.T, w *world) {
		w.put("data/acme/a.csv", "1")
		w.settled()
		w.put("data/acme/a.csv", "22")
		w.settled()
		w.wantPublished("acme a.csv 1", "acme a.csv 2")
		w.want("data/acme/processed/a.csv", "1")
		w.want("data/acme/processed/1-a.csv", "22")
	},
	"the same file for two accounts is two publications": func(t *testing.T, w *world) {
		w.put("data/acme/a.csv", "1")
		w.settled()
		w.put("data/beta/x", "")
		testkit.Must(t, os.Remove(w.path("data/beta/x")))
		testkit.Must(t, os.Rename(w.path("data/acme/processed/a.csv"), w.path("data/beta/a.csv")))
		w.settled()
		w.wantPublished("acme a.csv 1", "beta a.csv 1")
	},
	"a file that was given back in two steps is published once": func(t *testing.T, w *world) {
		w.put("data/acme/.work/a.csv", "1")
		testkit.Must(t, os.Link(w.path("data/acme/.work/a.csv"), w.path("data/acme/a.csv"))) // a stop between link and remove
		w.open()
		w.settled()
		w.settled()
		w.wantPublished("acme a.csv 1")
		w.want("data/acme/processed/a.csv", "1")
		w.wantNone("data/acme/a.csv")
		w.wantNone("data/acme/failed")
	},
	"hidden and temporary names are left alone until they are renamed": func(t *testing.T, w *world) {
		w.put("data/acme/.a.csv", "1")
		w.put("data/acme/a.csv.part", "1")
		w.put(".hidden/acme/a.csv", "1")
		w.put("data/.acme/a.csv", "1")
		w.settled()
		w.settled()
		w.wantPublished()
		w.want("data/acme/.a.csv", "1")
		w.want("data/acme/a.csv.part", "1")
		testkit.Must(t, os.Rename(w.path("data/acme/a.csv.part"), w.path("data/acme/a.csv")))
		w.settled()
		w.wantPublished("acme a.csv 1")
	},
	"a file that vanishes is nobody's business": func(t *testing.T, w *world) {
		w.put("data/acme/a.csv", "1")
		w.look()
		testkit.Must(t, os.Remove(w.path("data/acme/a.csv")))
		w.Pass(settle)
		w.look()
		w.wantPublished()
		w.wantNone("data/acme/failed")
		w.put("data/acme/a.csv", "1") // the waiting time starts again
		w.look()
		w.wantPublished()
		w.Pass(settle)
		w.look()
		w.wantPublished("acme a.csv 1")
	},
	"folders among the files, and files among the folders, are passed over": func(t *testing.T, w *world) {
		w.put("data/acme/sub/a.csv", "1")
		w.put("data/README", "1")
		w.put("README", "1")
		w.settled()
		w.settled()
		w.wantPublished()
		w.want("data/acme/sub/a.csv", "1")
		w.want("data/README", "1")
	},
	"a processed file goes when it has stayed long enough": func(t *testing.T, w *world) {
		w.put("data/acme/a.csv", "1")
		w.settled()
		w.Pass(keep - time.Hour)
		w.look()
		w.want("data/acme/processed/a.csv", "1")
		w.Pass(2 * time.Hour)
		w.look()
		w.wantNone("data/acme/processed/a.csv")
	},
}

// settledBut looks, calls a function, and looks again when an unchanged file would be ready.
func (w *world) settledBut(fn func()) {
	w.Helper()
	w.look()
	w.Pass(settle)
	fn()
	w.look()
}

var refuseStories = stories{
	"a hard link to a file that only the server may read is refused": func(t *testing.T, w *world) {
		secret := filepath.Join(t.TempDir(), "secret")
		testkit.Must(t, os.WriteFile(secret, []byte("not for acme"), 0o600))
		w.put("data/acme/x", "")
		testkit.Must(t, os.Remove(w.path("data/acme/x")))
		testkit.Must(t, os.Link(secret, w.path("data/acme/a.csv")))
		w.settled()
		w.wantPublished()
		w.wantIn("data/acme/failed/a.csv.txt", "It is a hard link")
		w.wantNone("data/acme/processed")
	},
	"what the feed refuses is in failed, with the reason": func(t *testing.T, w *world) {
		for _, c := range []struct{ at, text, reason string }{
			{"none/acme/a.csv", "1", "no feed \"none\""},
			{"data/none/a.csv", "1", "no account \"none\""},
			{"data/acme/a.zip", "PK\x03\x04", "takes csv and pdf files"},
			{"data/acme/a.pdf", "a;b", "does not begin like one"},
			{"data/acme/a\nb.csv", "1", "control characters"},
			{"data/acme/big.csv", strings.Repeat("1", 1<<20+1), "larger than the limit"},
		} {
			w.put(c.at, c.text)
			w.settled()
			dir, name := filepath.Split(c.at)
			w.want(dir+"failed/"+name, c.text)
			w.wantIn(dir+"failed/"+name+".txt", c.reason)
			w.wantNone(c.at)
			w.wantNone(dir + ".work/" + name)
		}
		w.wantIn("data/acme/failed/a\nb.csv.txt", `a\x0ab.csv was not published`)
		w.settled()
		w.wantPublished()
	},
	"links are refused, and never followed": func(t *testing.T, w *world) {
		outside := filepath.Join(t.TempDir(), "secret.csv")
		testkit.Must(t, os.WriteFile(outside, []byte("secret"), 0o600))
		w.put("data/acme/other.csv", "1")
		testkit.Must(t, os.Symlink(outside, w.path("data/acme/a.csv")))
		testkit.Must(t, os.Symlink("other.csv", w.path("data/acme/b.csv")))
		testkit.Must(t, os.Symlink("nowhere", w.path("data/acme/c.csv")))
		w.settled()
		w.wantPublished("acme other.csv 1")
		for _, name := range []string{"a.csv", "b.csv", "c.csv"} {
			w.wantIn("data/acme/failed/"+name+".txt", "links are never followed")
			w.wantNone("data/acme/" + name)
		}
		if info, err := os.Lstat(w.path("data/acme/failed/a.csv")); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Fatalf("the link is %v, %v", info, err)
		}
	},
	"a link in place of a picked-up file is not followed either": func(t *testing.T, w *world) {
		outside := filepath.Join(t.TempDir(), "secret.csv")
		testkit.Must(t, os.WriteFile(outside, []byte("secret"), 0o600))
		testkit.Must(t, os.MkdirAll(w.path("data/acme/.work"), 0o750))
		testkit.Must(t, os.Symlink(outside, w.path("data/acme/.work/a.csv")))
		w.settled()
		w.wantPublished()
		w.wantIn("data/acme/failed/a.csv.txt", "cannot be read")
	},
	"a folder that is a link out is not looked into": func(t *testing.T, w *world) {
		outside := t.TempDir()
		testkit.Must(t, os.WriteFile(filepath.Join(outside, "secret.csv"), []byte("secret"), 0o600))
		testkit.Must(t, os.MkdirAll(w.path("data"), 0o750))
		testkit.Must(t, os.Symlink(outside, w.path("data/acme")))
		w.settled()
		w.wantPublished()
		if list, err := os.ReadDir(outside); err != nil || len(list) != 1 {
			t.Fatalf("outside is %v, %v", list, err)
		}
	},
	"a pipe is refused, and holds nobody up": func(t *testing.T, w *world) {
		w.put("data/acme/b.csv", "1")
		testkit.Must(t, syscall.Mkfifo(w.path("data/acme/a.csv"), 0o640))
		w.settled()
		w.wantPublished("acme b.csv 1")
		w.wantIn("data/acme/failed/a.csv.txt", "not a plain file")
	},
	"a reason never replaces a refused file": func(t *testing.T, w *world) {
		w.put("data/acme/a.txt", "one")
		w.settled()
		w.put("data/acme/a", "two")
		w.settled()
		w.put("data/acme/a", "three")
		w.settled()
		w.want("data/acme/failed/a.txt", "one")
		w.want("data/acme/failed/a", "two")
		w.want("data/acme/failed/1-a", "three")
	},
	"a name as long as names can be is refused, too": func(t *testing.T, w *world) {
		name := strings.Repeat("n", valid.MaxName)
		w.put("data/acme/"+name, "one")
		w.settled()
		w.want("data/acme/failed/"+name, "one")
		list, err := filepath.Glob(w.path("data/acme/failed/*.txt"))
		if err != nil || len(list) != 1 {
			t.Fatalf("the reasons are %v, %v", list, err)
		}
		w.put("data/acme/"+name, "two")
		w.settled()
		w.want("data/acme/failed/1-"+name[:valid.MaxName-8], "two")
	},
}

var stopStories = stories{
	"what was picked up before a stop is published after it": func(t *testing.T, w *world) {
		w.put("data/acme/.work/a.csv", "1")
		w.look()
		w.wantPublished("acme a.csv 1")
		w.want("data/acme/processed/a.csv", "1")
	},
	"what was published before a stop, and not moved, is not published twice": func(t *testing.T, w *world) {
		w.put("data/acme/a.csv", "1")
		info, err := os.Lstat(w.path("data/acme/a.csv"))
		testkit.Must(t, err)
		w.settled()
		testkit.Must(t, os.Rename(w.path("data/acme/processed/a.csv"), w.path("data/acme/.work/a.csv")))
		// the move changed its time
		testkit.Must(t, os.Chtimes(w.path("data/acme/.work/a.csv"), info.ModTime(), info.ModTime()))
		w.open()
		w.look()
		w.wantPublished("acme a.csv 1")
		w.want("data/acme/processed/a.csv", "1")
		w.wantNone("data/acme/.work/a.csv")
	},
	"a file that is still being written goes back, and waits": func(t *testing.T, w *world) {
		w.put("data/acme/a.csv", "1")
		w.look()
		w.Pass(settle)
		w.blobs.reading = func() { w.appendTo("data/acme/.work/a.csv", "2") }
		w.look()
		w.blobs.reading = nil
		w.wantPublished()
		w.want("data/acme/a.csv", "12")
		w.wantNone("data/acme/.work/a.csv")
		w.look()
		w.wantPublished() // the waiting time starts again
		w.settled()
		w.wantPublished("acme a.csv 1")
		w.want("data/acme/processed/a.csv", "12")
	},
	"a file that cannot be published now is tried again": func(t *testing.T, w *world) {
		w.floor = 1 << 50
		w.open()
		w.put("data/acme/a.csv", "1")
		w.settled()
		w.want("data/acme/a.csv", "1")
		w.wantNone("data/acme/failed")
		w.floor = 0
		w.open()
		w.settled()
		w.wantPublished("acme a.csv 1")
	},
	"a newer file is kept when an older one cannot be published now": func(t *testing.T, w *world) {
		w.floor = 1 << 50
		w.open()
		w.put("data/acme/.work/a.csv", "older")
		w.put("data/acme/a.csv", "newer")
		for range 10 {
			w.settled()
		}
		w.floor = 0
		w.open()
		w.settled()
		w.settled()
		w.wantPublished("acme a.csv 1", "acme a.csv 2")
		w.want("data/acme/processed/a.csv", "older")
		w.want("data/acme/processed/1-a.csv", "newer")
	},
	"an older file that is still being written is not replaced by a newer one": func(t *testing.T, w *world) {
		w.put("data/acme/.work/a.csv", "older")
		w.put("data/acme/a.csv", "newer")
		w.blobs.reading = func() { w.appendTo("data/acme/.work/a.csv", "+") }
		w.settled()
		w.blobs.reading = nil
		w.settled()
		w.settled()
		w.wantIn("data/acme/processed/a.csv", "older")
		w.wantIn("data/acme/processed/1-a.csv", "newer")
	},
}

func (w *world) appendTo(p, text string) {
	w.Helper()
	f, err := os.OpenFile(w.path(p), os.O_WRONLY|os.O_APPEND, 0)
	w.Must(err)
	_, err = f.WriteString(text)
	w.Must(err)
	w.Must(f.Close())
}

// What the service creates is readable for the group of the folder's writers, whatever the
// umask is.
func TestTheGroupOfWritersReadsWhatBecameOfFiles(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	w := newWorld(t, "").begin(t)
	w.put("data/acme/a.csv", "1")
	w.put("data/acme/b.zip", "PK\x03\x04")
	w.settled()
	for path, want := range map[string]os.FileMode{".": 0o750, "data/acme/processed": 0o750, "data/acme/failed": 0o750,
		"data/acme/.work": 0o750, "data/acme/failed/b.zip.txt": 0o640} {
		if info, err := os.Stat(w.path(path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info, err, want)
		}
	}
}
