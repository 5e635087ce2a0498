// Package blobtest tests the contract of blob.Store: every driver passes it.
package blobtest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/blob"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// Recorder is a Store that also keeps rows, for stages that carry bytes into them (blob.Carrier).
type Recorder interface {
	blob.Store
	// Record does what the transaction does that records a blob.
	Record(key string, size int64, from blob.Carrier) error
}

// Run checks a driver. open opens the same storage as a new process would. It is called once at first,
// and again to test what must survive a restart.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	for name, test := range map[string]func(*testing.T, func(*testing.T) blob.Store){
		"a committed blob reads back":                    commits,
		"a stage reads what was written, in any order":   scattered,
		"truncate cuts and extends with zeros":           truncates,
		"fill copies a blob that stays as it was":        fills,
		"revert makes a stage again":                     reverts,
		"discard leaves nothing":                         discards,
		"a synced stage survives with its note":          survives,
		"a synced stage commits, also after more writes": syncedCommits,
		"removing keeps open readers":                    removes,
		"walk finds blobs and no stages":                 walks,
		"many commits at once":                           manyAtOnce,
		"what is absent is not found":                    absent,
		"committed bytes are changed by nothing":         sealed,
		"a commit of another size is refused":            sizes,
		"a crash before the row leaves the synced stage": beforeRow,
		"a leftover with a row is settled":               settled,
		"a reader ends where its row does":               clipped,
		"fill takes no more than is wanted":              fillsSome,
		"whole blobs are put, also again":                puts,
		"a stage grows and shrinks":                      grows,
		"a stage that was closed goes on":                goesOn,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

var when = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stage makes a stage with content.
func stage(t testing.TB, s blob.Store, id string, content []byte) blob.Stage {
	t.Helper()
	g, err := s.Stage(id)
	must(t, err)
	_, err = g.WriteAt(content, 0)
	must(t, err)
	return g
}

// commit commits a stage as if a transaction recorded it.
func commit(t testing.TB, s blob.Store, g blob.Stage, key string, size int64) {
	t.Helper()
	must(t, committed(s, g, key, size))
}

func committed(s blob.Store, g blob.Stage, key string, size int64) error {
	if err := g.Commit(key, size); err != nil {
		return err
	}
	r, keepsRows := s.(Recorder)
	c, carries := g.(blob.Carrier)
	if !keepsRows || !carries {
		return nil
	}
	return r.Record(key, size, c)
}

func store(t testing.TB, s blob.Store, id string, content []byte) string {
	t.Helper()
	g := stage(t, s, id, content)
	key := blob.Key("owner", id, "Some Name.csv", when)
	commit(t, s, g, key, int64(len(content)))
	must(t, g.Settle())
	must(t, g.Close())
	return key
}

func content(t testing.TB, s blob.Store, key string) []byte {
	t.Helper()
	r, err := s.Open(key, -1)
	must(t, err)
	defer r.Close()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	must(t, err)
	return b
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func commits(t *testing.T, open func(*testing.T) blob.Store) {
	want := random(300_000)
	key := store(t, open(t), "01COMMIT", want)
	if got := content(t, open(t), key); !bytes.Equal(got, want) {
		t.Fatal("the bytes differ")
	}
	empty := store(t, open(t), "01EMPTY", nil)
	if got := content(t, open(t), empty); len(got) != 0 {
		t.Fatal("the empty blob has bytes")
	}
}

func scattered(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	g, err := s.Stage("01SCATTER")
	must(t, err)
	_, err = g.WriteAt([]byte("world"), 6)
	must(t, err)
	_, err = g.WriteAt([]byte("hello "), 0)
	must(t, err)
	b := make([]byte, 11)
	_, err = g.ReadAt(b, 0)
	must(t, err)
	if string(b) != "hello world" {
		t.Fatalf("read %q", b)
	}
	key := blob.Key("owner", "01SCATTER", "", when)
	commit(t, s, g, key, 11)
	_, err = g.ReadAt(b[:5], 6) // a stage still reads after its commit
	must(t, err)
	must(t, g.Close())
	if got := content(t, s, key); string(got) != "hello world" {
		t.Fatalf("stored %q", got)
	}
}

func truncates(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	g := stage(t, s, "01TRUNC", []byte("abcdef"))
	must(t, g.Truncate(3))
	must(t, g.Truncate(5))
	key := blob.Key("owner", "01TRUNC", "x", when)
	commit(t, s, g, key, 5)
	must(t, g.Close())
	if got := content(t, s, key); string(got) != "abc\x00\x00" {
		t.Fatalf("stored %q", got)
	}
}

func fills(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	want := random(200_000)
	from := store(t, s, "01FROM", want)
	g, err := s.Stage("01FILL")
	must(t, err)
	r, err := s.Open(from, -1)
	must(t, err)
	must(t, g.Fill(r, r.Size()))
	must(t, r.Close())
	_, err = g.WriteAt([]byte("CHANGED"), 1000)
	must(t, err)
	key := blob.Key("owner", "01FILL", "x", when)
	commit(t, s, g, key, int64(len(want)))
	must(t, g.Close())
	if !bytes.Equal(content(t, s, from), want) {
		t.Fatal("the source changed")
	}
	copy(want[1000:], "CHANGED")
	if !bytes.Equal(content(t, s, key), want) {
		t.Fatal("the copy differs")
	}
}

func reverts(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	g := stage(t, s, "01REVERT", []byte("first"))
	key := blob.Key("owner", "01REVERT", "x", when)
	must(t, g.Commit(key, 5))
	must(t, g.Revert())
	if _, err := s.Open(key, -1); !fault.Is(err, fault.NotFound) {
		t.Fatalf("the key is still there: %v", err)
	}
	_, err := g.WriteAt([]byte(" and more"), 5)
	must(t, err)
	commit(t, s, g, key, 14)
	must(t, g.Close())
	if got := content(t, s, key); string(got) != "first and more" {
		t.Fatalf("stored %q", got)
	}
}

func discards(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	g := stage(t, s, "01DISCARD", []byte("gone"))
	must(t, g.Sync(4, []byte("note"), blob.Key("owner", "01DISCARD", "x", when)))
	must(t, g.Discard())
	must(t, g.Close())
	left, err := open(t).Leftovers()
	must(t, err)
	for _, l := range left {
		if l.ID == "01DISCARD" {
			t.Fatal("it is left over")
		}
	}
}

func survives(t *testing.T, open func(*testing.T) blob.Store) {
	g := stage(t, open(t), "01SURVIVE", []byte("half a file"))
	must(t, g.Sync(11, []byte("the note"), blob.Key("owner", "01SURVIVE", "x", when)))
	_, err := g.WriteAt([]byte(", not synced"), 11)
	must(t, err)
	must(t, g.Close())
	s := open(t)
	left, err := s.Leftovers()
	must(t, err)
	for _, l := range left {
		if l.ID != "01SURVIVE" {
			continue
		}
		if string(l.Note) != "the note" || l.Size < 11 {
			t.Fatalf("left over: %+v", l)
		}
		g, err := s.Reopen(l.ID, blob.Key("owner", l.ID, "x", when))
		must(t, err)
		must(t, g.Truncate(11))
		key := blob.Key("owner", l.ID, "x", when)
		commit(t, s, g, key, 11)
		must(t, g.Settle())
		must(t, g.Close())
		if got := content(t, s, key); string(got) != "half a file" {
			t.Fatalf("stored %q", got)
		}
		return
	}
	t.Fatal("it is not left over")
}

func syncedCommits(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	key := blob.Key("owner", "01SYNCED", "x", when)
	g := stage(t, s, "01SYNCED", []byte("first "))
	must(t, g.Sync(6, []byte("a"), key))
	_, err := g.WriteAt([]byte("FIRST second"), 0)
	must(t, err)
	must(t, g.Sync(12, []byte("b"), key))
	must(t, g.Sync(12, []byte("c"), "")) // the upload stays unfinished
	must(t, g.Sync(12, []byte("d"), key))
	must(t, g.Commit(key, 12))
	must(t, g.Revert())
	commit(t, s, g, key, 12)
	must(t, g.Settle())
	must(t, g.Close())
	if got := content(t, s, key); string(got) != "FIRST second" {
		t.Fatalf("stored %q", got)
	}
	if left, err := open(t).Leftovers(); err != nil || len(left) != 0 {
		t.Fatalf("left over: %v, %v", left, err)
	}
}

func removes(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	key := store(t, s, "01REMOVE", []byte("still here"))
	r, err := s.Open(key, -1)
	must(t, err)
	must(t, s.Remove(key))
	must(t, s.Remove(key)) // twice is no error
	b := make([]byte, 10)
	_, err = r.ReadAt(b, 0)
	must(t, err)
	must(t, r.Close())
	if string(b) != "still here" {
		t.Fatalf("read %q", b)
	}
}

func walks(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	key := store(t, s, "01WALK", random(200_000))
	g := stage(t, s, "01STAGED", []byte("x"))
	defer g.Close()
	found := map[string]int64{}
	must(t, s.Walk(func(key string, size int64, _ time.Time) error {
		found[key] = size
		return nil
	}))
	if found[key] != 200_000 || blob.ID(key) != "01WALK" {
		t.Fatalf("found %v", found)
	}
	for k := range found {
		if blob.ID(k) == "01STAGED" {
			t.Fatal("a stage is in the walk")
		}
	}
	stop := errors.New("stop")
	if err := s.Walk(func(string, int64, time.Time) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("the walk's error is %v", err)
	}
}

func manyAtOnce(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	var wg sync.WaitGroup
	keys := make([]string, 40)
	for i := range keys {
		wg.Go(func() {
			id := fmt.Sprintf("01MANY%02d", i)
			g, err := s.Stage(id)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = blob.Key(fmt.Sprintf("owner%d", i%3), id, id, when)
			_, err = g.WriteAt([]byte(id), 0)
			if err := errors.Join(err, committed(s, g, keys[i], int64(len(id))), g.Settle(), g.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, key := range keys {
		if got := content(t, s, key); string(got) != fmt.Sprintf("01MANY%02d", i) {
			t.Fatalf("%s has %q", key, got)
		}
	}
}

func absent(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	if _, err := s.Open("owner/2026/01/none", -1); !fault.Is(err, fault.NotFound) {
		t.Fatalf("opening what is absent: %v", err)
	}
	if free, err := s.Free(); err != nil || free <= 0 {
		t.Fatalf("free: %d, %v", free, err)
	}
}

func sealed(t *testing.T, open func(*testing.T) blob.Store) {
	for _, synced := range []bool{false, true} {
		s := open(t)
		id := fmt.Sprintf("01SEALED%v", synced)
		key := blob.Key("owner", id, "x", when)
		g := stage(t, s, id, []byte("for ever"))
		if synced {
			must(t, g.Sync(8, []byte("note"), key))
		}
		commit(t, s, g, key, 8)
		_, err := g.WriteAt([]byte("x"), 0)
		for what, err := range map[string]error{"written": err, "cut": g.Truncate(1), "discarded": g.Discard(),
			"synced": g.Sync(8, nil, key), "committed again": g.Commit(key, 8)} {
			if !errors.Is(err, blob.ErrSealed) {
				t.Errorf("synced %v: committed bytes were %s: %v", synced, what, err)
			}
		}
		must(t, g.Settle())
		if err := g.Discard(); !errors.Is(err, blob.ErrSealed) {
			t.Errorf("settled bytes were discarded: %v", err)
		}
		must(t, g.Close())
		if got := content(t, open(t), key); string(got) != "for ever" {
			t.Fatalf("stored %q", got)
		}
	}
}

func sizes(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	key := blob.Key("owner", "01SIZE", "x", when)
	g := stage(t, s, "01SIZE", []byte("12345678"))
	for _, size := range []int64{0, 7, 9} {
		if err := g.Commit(key, size); err == nil {
			t.Fatalf("8 bytes were committed as %d", size)
		}
	}
	must(t, g.Truncate(7)) // the stage is as before
	commit(t, s, g, key, 7)
	must(t, g.Close())
	if got := content(t, s, key); string(got) != "1234567" {
		t.Fatalf("stored %q", got)
	}
}

func beforeRow(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	key := blob.Key("owner", "01BEFORE", "x", when)
	g := stage(t, s, "01BEFORE", []byte("promised"))
	must(t, g.Sync(8, []byte("note"), key))
	must(t, g.Commit(key, 8))
	must(t, g.Close()) // and the process dies
	s = open(t)
	left, err := s.Leftovers()
	must(t, err)
	if len(left) != 1 || left[0].ID != "01BEFORE" || string(left[0].Note) != "note" || left[0].Size != 8 {
		t.Fatalf("left over: %+v", left)
	}
	g, err = s.Reopen("01BEFORE", key)
	must(t, err)
	if _, err := s.Open(key, -1); !fault.Is(err, fault.NotFound) {
		t.Fatalf("the key is still there: %v", err)
	}
	_, err = g.WriteAt([]byte(", kept"), 8)
	must(t, err)
	commit(t, s, g, key, 14)
	must(t, g.Settle())
	must(t, g.Close())
	if got := content(t, s, key); string(got) != "promised, kept" {
		t.Fatalf("stored %q", got)
	}
}

func settled(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	key := blob.Key("owner", "01ROW", "x", when)
	g := stage(t, s, "01ROW", []byte("recorded"))
	must(t, g.Sync(8, []byte("note"), key))
	commit(t, s, g, key, 8)
	must(t, g.Close()) // the row is written, and the process dies
	s = open(t)
	must(t, s.Settle("01ROW"))
	must(t, s.Settle("01ROW")) // twice is no error
	if left, err := s.Leftovers(); err != nil || len(left) != 0 {
		t.Fatalf("left over: %v, %v", left, err)
	}
	if got := content(t, s, key); string(got) != "recorded" {
		t.Fatalf("stored %q", got)
	}
}

func clipped(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	key := store(t, s, "01CLIP", []byte("0123456789"))
	r, err := s.Open(key, 4)
	must(t, err)
	defer r.Close()
	b := make([]byte, 10)
	if n, err := r.ReadAt(b, 1); n != 3 || err != io.EOF || string(b[:n]) != "123" {
		t.Fatalf("read %q, %v", b[:n], err)
	}
	if n, err := r.ReadAt(b, 4); n != 0 || err != io.EOF {
		t.Fatalf("past the end: %d bytes, %v", n, err)
	}
	if _, err := s.Open(key, 11); err == nil || fault.Is(err, fault.NotFound) {
		t.Fatalf("a blob shorter than its row was opened: %v", err)
	}
}

func fillsSome(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	want := random(100_000)
	r, err := s.Open(store(t, s, "01ALL", want), -1)
	must(t, err)
	defer r.Close()
	g, err := s.Stage("01SOME")
	must(t, err)
	must(t, g.Fill(r, 1000))
	key := blob.Key("owner", "01SOME", "x", when)
	commit(t, s, g, key, 1000)
	must(t, g.Close())
	if !bytes.Equal(content(t, s, key), want[:1000]) {
		t.Fatal("the copy differs")
	}
}

func puts(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	var list []blob.Whole
	for i := range 20 {
		list = append(list, blob.Whole{Key: blob.Key(fmt.Sprintf("owner%d", i%3), fmt.Sprintf("01PUT%02d", i), "x", when),
			Bytes: random(i * 1000)})
	}
	must(t, s.Put(list[:12]))
	must(t, s.Put(list)) // twice is no error
	s = open(t)
	if left, err := s.Leftovers(); err != nil || len(left) != 0 {
		t.Fatalf("left over: %v, %v", left, err)
	}
	for _, b := range list {
		if got := content(t, s, b.Key); !bytes.Equal(got, b.Bytes) {
			t.Fatalf("%s differs", b.Key)
		}
	}
}

// grows takes a stage over sizes at which a driver may keep bytes elsewhere, up and down, and reads it at
// each.
func grows(t *testing.T, open func(*testing.T) blob.Store) {
	for _, synced := range []bool{false, true} {
		s := open(t)
		id := fmt.Sprintf("01GROW%v", synced)
		key := blob.Key("owner", id, "x", when)
		g := stage(t, s, id, nil)
		var want []byte
		for _, size := range []int{1, 4095, 4097, 32 << 10, 32<<10 + 1, 0, 40_000, 200_000, 100, 128<<10 + 1} {
			if more := size - len(want); more > 0 {
				p := random(more)
				_, err := g.WriteAt(p, int64(len(want)))
				must(t, err)
				want = append(want, p...)
			} else {
				must(t, g.Truncate(int64(size)))
				want = want[:size]
			}
			if synced {
				must(t, g.Sync(int64(size), []byte(fmt.Sprint(size)), key))
			}
			got, err := io.ReadAll(io.NewSectionReader(g, 0, int64(size)+1))
			must(t, err)
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes differ", size)
			}
		}
		commit(t, s, g, key, int64(len(want)))
		must(t, g.Settle())
		must(t, g.Close())
		s = open(t)
		if left, err := s.Leftovers(); err != nil || len(left) != 0 {
			t.Fatalf("left over: %v, %v", left, err)
		}
		if got := content(t, s, key); !bytes.Equal(got, want) {
			t.Fatal("the blob differs")
		}
	}
}

// goesOn closes a stage and opens it again in the same process: whether it was synced, and whether it grew
// since.
func goesOn(t *testing.T, open func(*testing.T) blob.Store) {
	s := open(t)
	for i, more := range []int{0, 10, 100_000} {
		for _, synced := range []bool{false, true} {
			id := fmt.Sprintf("01AGAIN%d%v", i, synced)
			key := blob.Key("owner", id, "x", when)
			want := random(1000)
			g := stage(t, s, id, want)
			if synced {
				must(t, g.Sync(1000, []byte("note"), ""))
			}
			if more > 0 {
				p := random(more)
				_, err := g.WriteAt(p, 1000)
				must(t, err)
				want = append(want, p...)
			}
			must(t, g.Close())
			g, err := s.Reopen(id, key)
			must(t, err)
			commit(t, s, g, key, int64(len(want)))
			must(t, g.Settle())
			must(t, g.Close())
			if got := content(t, s, key); !bytes.Equal(got, want) {
				t.Fatalf("%s differs", id)
			}
		}
	}
	if left, err := open(t).Leftovers(); err != nil || len(left) != 0 {
		t.Fatalf("left over: %v, %v", left, err)
	}
}
