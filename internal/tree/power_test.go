package tree_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/blob/disk"
	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/inbox"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/internal/tree"
	"github.com/sallyport-sftp/sallyport/model"
)

// said is an event of a client about a path. A change is marked before it is made, a
// promise of the server after its answer.
type said struct {
	what    string // opened, wrote, cut, synced, closing, stored, removed
	path    string
	off     int64
	content []byte
}

// uploader uploads files and marks its events on the recorded disk.
type uploader struct {
	t    *testing.T
	p    *testkit.Power
	s    *tree.Session
	path string
	h    *tree.Handle
	have []byte // what the file should have
	gaps []bool // per byte of have: not written
	odds *mathrand.Rand
}

func (c *uploader) mark(what string, off int64, content []byte) {
	c.p.Disk.Mark(&said{what, c.path, off, bytes.Clone(content)})
}

// open creates or truncates a file.
func (c *uploader) open(path string) {
	c.path, c.have, c.gaps = path, nil, nil
	c.mark("opened", 0, nil)
	c.h = open(c.t, c.s, path, create)
}

// update opens an existing file whose content is known.
func (c *uploader) update(path string, content []byte) {
	c.path, c.have, c.gaps = path, bytes.Clone(content), make([]bool, len(content))
	c.mark("opened", 0, content)
	c.h = open(c.t, c.s, path, update)
}

// bytes returns n random bytes. None is zero, so that a hole is visible.
func (c *uploader) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + c.odds.IntN(255))
	}
	return b
}

func (c *uploader) write(off, n int) {
	b := c.bytes(n)
	c.mark("wrote", int64(off), b)
	must(c.t, write(c.h, string(b), int64(off)))
	c.grow(off, true)
	c.grow(off+n, false)
	copy(c.have[off:], b)
	copy(c.gaps[off:], make([]bool, n))
}

func (c *uploader) cut(size int) {
	c.mark("cut", int64(size), nil)
	must(c.t, wait(func(done func(error)) { c.h.Truncate(int64(size), done) }))
	c.grow(size, true)
	c.have, c.gaps = c.have[:size], c.gaps[:size]
}

// sync makes the contiguous prefix durable.
func (c *uploader) sync() {
	must(c.t, wait(c.h.Sync))
	n := slices.Index(c.gaps, true)
	if n < 0 {
		n = len(c.have)
	}
	c.mark("synced", 0, c.have[:n])
}

// grow extends the expected content to size. gap says that the new bytes are not written.
func (c *uploader) grow(size int, gap bool) {
	for len(c.have) < size {
		c.have, c.gaps = append(c.have, 0), append(c.gaps, gap)
	}
}

func (c *uploader) close() {
	c.mark("closing", 0, c.have)
	must(c.t, closeHandle(c.h))
	c.mark("stored", 0, c.have)
}

// vanish ends the session as a broken connection does, waits until the partial is
// durable, and restarts.
func (c *uploader) vanish(w *powerWorld) {
	c.s.End()
	w.tree.Close() // waits for the partial's sync, too
	w.Disk.Close()
	w.start()
	c.s = w.login(w.u)
}

// shapes are typical uploads, by name.
var shapes = map[string]func(c *uploader, w *powerWorld){
	"nothing":    func(c *uploader, _ *powerWorld) { c.open("/upload/a"); c.close() },
	"one byte":   func(c *uploader, _ *powerWorld) { c.open("/upload/a"); c.write(0, 1); c.close() },
	"29 bytes":   func(c *uploader, _ *powerWorld) { c.open("/upload/a"); c.write(0, 29); c.close() },
	"64 KiB":     func(c *uploader, _ *powerWorld) { c.open("/upload/a"); c.chunks(64<<10, 32<<10); c.close() },
	"3 MiB":      func(c *uploader, _ *powerWorld) { c.open("/upload/a"); c.chunks(3<<20, 256<<10); c.close() },
	"two months": func(c *uploader, w *powerWorld) { c.twice(w) },
	"out of order": func(c *uploader, _ *powerWorld) {
		c.open("/upload/a")
		for _, i := range c.odds.Perm(12) {
			c.write(i*10_000, 10_000)
			if i%5 == 0 {
				c.sync()
			}
		}
		c.close()
	},
	"the end first, then synced": func(c *uploader, _ *powerWorld) {
		c.open("/upload/a")
		c.write(100_000, 50_000)
		c.write(0, 100_000)
		c.sync()
		c.close()
	},
	"overwritten below what was synced": func(c *uploader, _ *powerWorld) {
		c.open("/upload/a")
		c.chunks(80_000, 20_000)
		c.sync()
		c.write(5_000, 30_000)
		c.sync()
		c.write(0, 1)
		c.write(70_000, 30_000)
		c.sync()
		c.write(2, 3)
		c.close()
	},
	"cut and extended": func(c *uploader, _ *powerWorld) {
		c.open("/upload/a")
		c.chunks(50_000, 10_000)
		c.sync()
		c.cut(20_000)
		c.sync()
		c.write(20_000, 20_000)
		c.cut(35_000)
		c.sync()
		c.cut(60_000)
		c.write(40_000, 20_000)
		c.write(35_000, 5_000)
		c.sync()
		c.close()
	},
	"the space taken first": func(c *uploader, _ *powerWorld) {
		c.open("/upload/a")
		c.cut(40_000)
		c.chunks(40_000, 10_000)
		c.sync()
		c.close()
	},
	"synced many times": func(c *uploader, _ *powerWorld) {
		c.open("/upload/a")
		for i := range 6 {
			c.write(i*9_000, 9_000)
			c.sync()
		}
		c.sync()
		c.close()
	},
	"a link that is lost": func(c *uploader, w *powerWorld) {
		c.open("/upload/a")
		c.chunks(30_000, 10_000)
		c.sync()
		c.write(30_000, 100)
		c.vanish(w)
		c.update("/upload/a", c.have[:30_099])
		c.write(30_099, 9_000)
		c.sync()
		c.close()
	},
	"a link that is lost, and no sync": func(c *uploader, w *powerWorld) {
		c.open("/upload/a")
		c.chunks(30_000, 10_000)
		c.vanish(w)
		c.update("/upload/a", c.have[:29_999])
		c.write(29_999, 9_000)
		c.close()
	},
	"over a file": func(c *uploader, _ *powerWorld) {
		c.open("/upload/a")
		c.write(0, 20_000)
		c.close()
		c.open("/upload/a")
		c.write(0, 5_000)
		c.sync()
		c.write(5_000, 30_000)
		c.close()
	},
	"a file changed in place": func(c *uploader, _ *powerWorld) {
		c.open("/upload/a")
		c.write(0, 20_000)
		c.close()
		c.update("/upload/a", c.have)
		c.write(100, 50)
		c.write(20_000, 50)
		c.sync()
		c.write(300, 50)
		c.close()
	},
	"begun again": func(c *uploader, _ *powerWorld) {
		c.open("/upload/a")
		c.write(0, 20_000)
		c.sync()
		c.open("/upload/a")
		c.write(0, 100)
		c.sync()
		c.close()
	},
	"removed, and another": func(c *uploader, _ *powerWorld) {
		c.open("/upload/b")
		c.write(0, 500)
		c.close()
		c.mark("removed", 0, nil)
		must(c.t, c.s.Remove("/upload/b"))
		c.open("/upload/c")
		c.write(0, 500)
		c.close()
	},
	"two in one new folder at once": func(c *uploader, w *powerWorld) {
		other := &uploader{t: c.t, p: c.p, s: w.login(w.u), odds: mathrand.New(mathrand.NewPCG(9, 9))}
		defer other.s.End()
		c.open("/upload/a")
		other.open("/upload/b")
		c.write(0, 10_000)
		other.write(0, 20_000)
		var both sync.WaitGroup
		both.Go(c.close)
		both.Go(other.close)
		both.Wait()
	},
}

func (c *uploader) chunks(size, chunk int) {
	for off := 0; off < size; off += chunk {
		c.write(off, min(chunk, size-off))
	}
}

// twice stores one file in each of two months, because each month has its own folder.
func (c *uploader) twice(w *powerWorld) {
	c.open("/upload/a")
	c.write(0, 300)
	c.close()
	w.Pass(32 * 24 * time.Hour)
	c.open("/upload/b")
	c.write(0, 300)
	c.close()
}

// powerWorld is a world whose disk and database calls are recorded.
type powerWorld struct {
	*world
	p *testkit.Power
	u model.User
}

// start starts a process on the existing files and rows.
func (w *powerWorld) start() {
	w.Helper()
	files, err := disk.OpenOn(w.p.Disk, w.p.Blobs, w.Clock)
	w.Must(err)
	w.UseDisk(files)
	w.tree, err = w.treeOn(w.Store, w.Blobs)
	w.Must(err)
}

func (w *world) treeOn(s *store.Store, b blob.Store) (*tree.Tree, error) {
	w.inbox = inbox.New(inbox.Options{Store: s, Blobs: b, Clock: w.Clock, IDs: w.IDs})
	return tree.New(tree.Options{Store: s, Blobs: b, Clock: w.Clock, IDs: w.IDs, Log: slog.New(slog.DiscardHandler),
		Policy: w.policy, Hooks: tree.Hooks{OnGone: w.inbox.Gone, OnCommit: w.inbox.Arrived, OnRename: w.inbox.Renamed,
			Final: notPart}})
}

// TestAPowerLossAtEveryCall uploads files of many shapes, simulates a power loss after
// every recorded disk call, and starts again on the result.
func TestAPowerLossAtEveryCall(t *testing.T) {
	for name, shape := range shapes {
		for _, noAttrs := range []bool{false, true} {
			if noAttrs && !strings.Contains(name, "overwritten") && !strings.Contains(name, "link") {
				continue // the other shapes cover all kinds of notes
			}
			how := name
			if noAttrs {
				how += ", notes beside the stages"
			}
			t.Run(how, func(t *testing.T) {
				t.Parallel()
				w := &powerWorld{world: newWorld(t, "")}
				w.tree.Close()
				w.u = w.Customer("acme")
				w.p = testkit.NewPower(t, w.Dir)
				w.p.Disk.NoAttrs = noAttrs
				w.start()
				c := &uploader{t: t, p: w.p, s: w.login(w.u), odds: mathrand.New(mathrand.NewPCG(1, 2))}
				shape(c, w)
				c.s.End()
				w.tree.Close()
				w.Disk.Close()
				check := &afterPower{w: w}
				did := w.p.Each(testkit.Losses{Seed: 1, Mixtures: testkit.Rounds(t, 2, 0, "mixtures at each step"),
					Second: testkit.Rounds(t, 9, 90, "one second loss in so many images"), Check: check.check, After: check.sendOn})
				t.Logf("%d steps, %d different images, %d more after a second loss; %d partials were taken up, %d sent on to "+
					"their end",
					did.Steps, did.Images, did.Second, check.partials, check.continued)
			})
		}
	}
}

// afterPower checks the process that starts after a power loss.
type afterPower struct {
	w                   *powerWorld
	left                []string // paths with partials
	partials, continued int
}

// start runs a process on what the power loss left.
func (a *afterPower) start(c *testkit.Crash, s *store.Store, do func(*tree.Tree, blob.Store)) {
	c.T.Helper()
	files, err := disk.OpenOn(c.Disk, c.Blobs, a.w.Clock)
	if err != nil {
		c.Fail("the disk: %v", err)
	}
	defer files.Close()
	blobs := a.w.Small(files, s)
	tr, err := a.w.treeOn(s, blobs)
	if err != nil {
		c.Fail("the tree: %v", err)
	}
	defer tr.Close()
	do(tr, blobs)
}

func (a *afterPower) check(c *testkit.Crash) {
	c.T.Helper()
	a.left = nil
	a.start(c, c.Store, func(tr *tree.Tree, blobs blob.Store) {
		c.Stored(blobs)
		s := tr.Begin(exchange.Login{User: a.w.u, Fingerprint: "SHA256:test"}, nil)
		defer s.End()
		for path, life := range lives(c.Marks) {
			if a.path(c, s, path, life) {
				a.left = append(a.left, path)
			}
		}
		a.stages(c)
	})
	a.partials += len(a.left)
}

// stages fails if an opened stage also has a final name: the sweep would skip that file, and
// a commit could not use the name.
func (a *afterPower) stages(c *testkit.Crash) {
	c.T.Helper()
	list, err := os.ReadDir(filepath.Join(c.Blobs, "staging"))
	if err != nil {
		c.Fail("%v", err)
	}
	for _, e := range list {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a note that is being written
		}
		if err != nil {
			c.Fail("%v", err)
		}
		if info.Sys().(*syscall.Stat_t).Nlink > 1 {
			c.Fail("%s has a final name after the start", e.Name())
		}
		if info.Mode()&0o200 == 0 {
			c.Fail("%s cannot be written", e.Name())
		}
	}
}

// life is the events of one path.
type life []*said

func lives(marks []any) map[string]life {
	out := map[string]life{}
	for _, m := range marks {
		if s, ok := m.(*said); ok {
			out[s.path] = append(out[s.path], s)
		}
	}
	return out
}

// last returns the index of the last event of a kind; -1 if there is none.
func (l life) last(what string) int {
	for i, s := range slices.Backward(l) {
		if s.what == what {
			return i
		}
	}
	return -1
}

// path checks what a path shows, and reports whether it is a partial.
func (a *afterPower) path(c *testkit.Crash, s *tree.Session, path string, l life) (partial bool) {
	c.T.Helper()
	info, err := s.Stat(path)
	there := err == nil
	if err != nil && !fault.Is(err, fault.NotFound) {
		c.Fail("%s: %v", path, err)
	}
	partial = there && info.Mtime.Unix() == 0
	var got []byte
	if partial {
		h := open(c.T, s, path, update)
		got = content(c.T, h)
		_ = closeHandle(h) // nothing was added, so it stays a partial
	} else if there {
		got = []byte(get(c.T, s, path))
	}
	stored, synced, opened := l.last("stored"), l.last("synced"), l.last("opened")
	if l.last("removed") > stored && !there {
		return false
	}
	closings := [][]byte{}
	for _, m := range l[max(stored, 0):] {
		if m.what == "closing" {
			closings = append(closings, m.content)
		}
	}
	isClosing := slices.ContainsFunc(closings, func(b []byte) bool { return bytes.Equal(b, got) })
	switch {
	case partial:
		l.mayHave(c, path, got)
	case there && !isClosing && !(stored >= 0 && bytes.Equal(got, l[stored].content)):
		c.Fail("%s has %d bytes that nobody closed", path, len(got))
	case !there && stored >= 0:
		c.Fail("%s is gone", path)
	}
	if synced < 0 || synced < stored || synced < opened && len(l[opened].content) == 0 || there && !partial && isClosing {
		return partial
	}
	want := l[synced].content
	least := len(want)
	for _, m := range l[synced:] {
		if m.what == "cut" || m.what == "opened" && len(m.content) == 0 {
			least = min(least, int(m.off))
		}
	}
	switch {
	case least > 0 && !partial:
		c.Fail("%s was synced with %d bytes, and there is no partial", path, len(want))
	case len(got) < least-1: // a partial shows one byte less
		c.Fail("%s was synced with %d bytes, its partial has %d", path, least, len(got))
	}
	l.stillHas(c, path, got, synced)
	return partial
}

// mayHave fails if a partial has bytes that the client never wrote at their offsets.
func (l life) mayHave(c *testkit.Crash, path string, got []byte) {
	c.T.Helper()
	if at := l.odd(got, nil, 0); at >= 0 {
		c.Fail("%s: byte %d of %d of the partial is %d, which nobody wrote", path, at, len(got), got[at])
	}
}

// stillHas fails if a byte of an acknowledged sync has changed, except by a later write.
func (l life) stillHas(c *testkit.Crash, path string, got []byte, synced int) {
	c.T.Helper()
	want := l[synced].content
	if at := l.odd(got[:min(len(got), len(want))], want, synced); at >= 0 {
		c.Fail("%s: byte %d was synced as %d, and is %d", path, at, want[at], got[at])
	}
}

// odd returns the index of a byte that is neither as in was nor as written since an event;
// -1 if there is none.
func (l life) odd(got, was []byte, since int) int {
	fine := make([]bool, len(got))
	for i := range got {
		fine[i] = i < len(was) && was[i] == got[i]
	}
	smallest := int64(len(got))
	for _, m := range l[since:] {
		switch m.what {
		case "wrote", "opened":
			for i, b := range m.content {
				if at := int(m.off) + i; at < len(got) && got[at] == b {
					fine[at] = true
				}
			}
		case "cut":
			smallest = min(smallest, m.off, int64(len(was)))
			for at := smallest; at < int64(len(got)); at++ { // if extended again, it reads as zero
				fine[at] = fine[at] || got[at] == 0
			}
		}
	}
	return slices.Index(fine, false)
}

// content reads the whole content of an open file.
func content(t testing.TB, h *tree.Handle) []byte {
	t.Helper()
	must(t, h.Ready())
	info, err := h.Stat()
	must(t, err)
	b := make([]byte, info.Size)
	for n := 0; n < len(b); {
		got, err := h.ReadAt(b[n:], int64(n))
		must(t, err)
		n += got
	}
	return b
}

// sendOn resumes the partials that were left, as their client would, on a fresh database.
// It does so for a sample of the images only.
func (a *afterPower) sendOn(c *testkit.Crash) {
	c.T.Helper()
	if len(a.left) == 0 || a.partials%5 != 0 {
		return
	}
	a.continued++
	db := c.Fresh()
	defer func() { must(c.T, db.Close()) }()
	a.start(c, db, func(tr *tree.Tree, _ blob.Store) {
		s := tr.Begin(exchange.Login{User: a.w.u, Fingerprint: "SHA256:test"}, nil)
		defer s.End()
		for _, path := range a.left {
			h := open(c.T, s, path, update)
			want := append(content(c.T, h), "and the rest"...)
			must(c.T, write(h, "and the rest", int64(len(want)-12)))
			if err := closeHandle(h); err != nil {
				c.Fail("%s could not be sent on: %v", path, err)
			}
			if got := get(c.T, s, path); got != string(want) {
				c.Fail("%s: %d bytes, want %d", path, len(got), len(want))
			}
		}
	})
}
