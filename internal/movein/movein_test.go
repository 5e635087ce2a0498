package movein_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/deposit"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/movein"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

var ctx = context.Background()

// world is the service over a real database and a real folder.
type world struct {
	*testkit.World
	s       *movein.Service
	arrived int // files that became drops
	blobs   string
	run     model.MoveInRun
	n       int
}

func newWorld(t *testing.T, url string) *world {
	w := &world{World: testkit.NewWorld(t, url), blobs: filepath.Join(t.TempDir(), "blobs")}
	blobs, err := disk.Open(w.blobs, w.Clock)
	w.Must(err)
	desk := deposit.New(w.Store, slog.New(slog.DiscardHandler))
	t.Cleanup(desk.Close)
	w.s = movein.New(movein.Options{Store: w.Store, Blobs: blobs, Desk: desk, Clock: w.Clock, IDs: w.IDs,
		Log: slog.New(slog.DiscardHandler), Directories: 10,
		Limits:   exchange.DefaultLimits{QuotaBytes: 1000, QuotaFiles: 20, KeptPercent: 150},
		OnCommit: func(_ *store.Tx, list []exchange.Arrival) error { w.arrived += len(list); return nil },
		Final:    func(_, path string) bool { return !strings.HasSuffix(path, ".part") },
		OnGone:   func(*store.Tx, string, bool) (bool, error) { return false, nil },
		Class:    func(string, string, string) string { return "" }})
	w.Customer("acme")
	w.run, err = w.s.Begin(ctx)
	w.Must(err)
	return w
}

// file lays a file into the folder.
func (w *world) file(path, text string, at time.Time) model.MovedFile {
	w.Helper()
	w.n++
	name := "F" + string(rune('A'+w.n))
	w.Must(os.WriteFile(filepath.Join(w.run.Folder, name), []byte(text), 0o400))
	sum := sha256.Sum256([]byte(text))
	return model.MovedFile{Path: []byte(path), Size: int64(len(text)), Mtime: at, Mode: 0o640, Stage: name,
		SHA256: hex.EncodeToString(sum[:])}
}

// does moves a batch in, and returns what it did with the files.
func (w *world) does(in model.MoveIn) string {
	w.Helper()
	in.Run = w.run.Run
	out, err := w.s.Take(ctx, "local:root(0)", "acme", in)
	if err != nil {
		return fault.KindIn(err).String()
	}
	var words []string
	for _, f := range out.Files {
		words = append(words, string(f.Does))
	}
	return strings.Join(words, " ")
}

func (w *world) want(what, got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestFilesAreMovedIn(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		old := time.Unix(1577934245, 123456000)
		all := []string{"all"}
		dirs := []model.MovedDir{{Path: []byte("/in"), Rights: &all, Mtime: old}, {Path: []byte("/in/a\xff"), Mtime: old}}
		first := []model.MovedFile{w.file("/in/x", "one", old), w.file("/in/a\xff/y", "two", old)}
		w.want("new", w.does(model.MoveIn{Dirs: dirs, Files: first}), "add add")
		w.want("again", w.does(model.MoveIn{Dirs: dirs, Files: first}), "same same")
		u, err := w.Store.Read(ctx).User("acme")
		w.Must(err)
		found, err := w.Store.Read(ctx).Look(u.ID, []string{"in", "x"})
		w.Must(err)
		if !found.File.Mtime.Equal(old) || found.File.Mode != 0o640 ||
			!found.Content.StoredAt.Equal(w.Clock().Truncate(time.Microsecond)) ||
			found.Dirs[1].Mtime.Unix() != old.Unix() {
			t.Errorf("%+v", found)
		}
		if b, err := os.ReadFile(filepath.Join(w.blobs, found.Content.Key)); err != nil || string(b) != "one" {
			t.Errorf("%q %v", b, err)
		}
		if w.arrived != 0 || len(w.Audited("file.move_in")) != 1 || w.Count("moved_in") != 4 {
			t.Error(w.arrived, w.Audited("file.move_in"), w.Count("moved_in"))
		}

		touched := first[0]
		touched.Mtime, touched.Stage = old.Add(time.Hour), w.file("/", "one", old).Stage
		w.want("another date", w.does(model.MoveIn{Files: []model.MovedFile{touched}}), "same")
		w.want("it is known", w.does(model.MoveIn{DryRun: true, Files: []model.MovedFile{touched}}), "same")
		changed := w.file("/in/x", "changed", old.Add(2*time.Hour))
		w.want("another content", w.does(model.MoveIn{Files: []model.MovedFile{changed}, FromOriginal: true}), "change")
		found, err = w.Store.Read(ctx).Look(u.ID, []string{"in", "x"})
		w.Must(err)
		if !found.Content.StoredAt.Equal(changed.Mtime) || w.Usage(u).Bytes != 10 || w.Usage(u).Files != 2 {
			t.Errorf("%+v %+v", found.Content, w.Usage(u))
		}

		w.Exec(`UPDATE files SET version_id = 'other' WHERE file_id = $1`, found.File.FileID)
		w.want("changed here", w.does(model.MoveIn{Files: []model.MovedFile{w.file("/in/x", "more", old)}}), "kept")
		w.Exec(`DELETE FROM moved_in WHERE path = $1`, []byte("/in/a\xff/y"))
		w.want("not moved in", w.does(model.MoveIn{Files: []model.MovedFile{w.file("/in/a\xff/y", "2", old)}}), "kept")
		w.want("a directory's name", w.does(model.MoveIn{Files: []model.MovedFile{w.file("/in", "2", old)}}), "kept")
		w.want("below a file", w.does(model.MoveIn{Files: []model.MovedFile{w.file("/in/x/z", "2", old)}}), "kept")
		drops := []model.MovedFile{w.file("/in/d", "d", old), w.file("/in/d.part", "d", old)}
		w.want("drops", w.does(model.MoveIn{Files: drops, Drops: true}), "add add")
		if w.arrived == 0 { // the function may run more than once
			t.Error("no drop")
		}
	})
}

// A batch that is refused leaves its files in the folder, and nothing else.
func TestABatchThatIsRefused(t *testing.T) {
	testkit.OnBoth(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		now := time.Unix(1_600_000_000, 0)
		good, large := w.file("/a", "a", now), w.file("/b", strings.Repeat("b", 1000), now)
		w.want("quota", w.does(model.MoveIn{Files: []model.MovedFile{good, large}}), "quota")
		short := w.file("/c", "c", now)
		short.Size = 2
		w.want("another size", w.does(model.MoveIn{Files: []model.MovedFile{good, short}}), "unavailable")
		writable := w.file("/d", "d", now)
		w.Must(os.Chmod(filepath.Join(w.run.Folder, writable.Stage), 0o600))
		w.want("writable", w.does(model.MoveIn{Files: []model.MovedFile{writable}}), "unavailable")
		for _, p := range []string{"/", "a", "/a/../b", "/a//b", ""} {
			f := good
			f.Path = []byte(p)
			w.want("path "+p, w.does(model.MoveIn{Files: []model.MovedFile{f}}), "invalid")
		}
		for _, stage := range []string{"../x", "", "a/b", "lock"} {
			f := good
			f.Stage = stage
			w.want("stage "+stage, w.does(model.MoveIn{Files: []model.MovedFile{f}}), "invalid")
		}
		w.want("twice", w.does(model.MoveIn{Files: []model.MovedFile{good, good}}), "invalid")
		if w.Count("blobs")+w.Count("moved_in")+w.Count("files") != 0 {
			t.Error("something was recorded")
		}
		w.want("after all that", w.does(model.MoveIn{Files: []model.MovedFile{good}}), "add")
		var dirs []model.MovedDir
		for _, name := range strings.Split("abcdefghijk", "") {
			dirs = append(dirs, model.MovedDir{Path: []byte("/D" + name), Mtime: now})
		}
		if _, err := w.s.Take(ctx, "x", "acme", model.MoveIn{Run: w.run.Run, Dirs: dirs}); !fault.Is(err, fault.Quota) {
			t.Error(err)
		}
		w.Must(w.s.End(ctx, w.run.Run))
		if left, err := os.ReadDir(filepath.Join(w.blobs, "staging")); err != nil || len(left) > 0 {
			t.Error(left, err)
		}
	})
}
