package tree_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/tree"
)

// machine drives one session at random beside a model of what must be there.
type machine struct {
	w      *world
	u      exchange.User
	s      *tree.Session
	stored map[string][]byte // what names show to others
	open   map[string]*opened
}

// opened is a handle with what it must commit.
type opened struct {
	h       *tree.Handle
	content []byte
	changed bool
}

var paths = []string{"/upload/a", "/upload/b", "/upload/c.part", "/upload/d/e"}

func TestRandomWorkKeepsEveryPromise(t *testing.T) {
	w, users := newWorld(t, ""), 0
	rapid.Check(t, func(rt *rapid.T) {
		users++
		m := &machine{w: w, u: w.user(fmt.Sprintf("u%d", users)), stored: map[string][]byte{}, open: map[string]*opened{}}
		m.s = w.login(m.u)
		must(t, m.s.Mkdir("/upload/d"))
		rt.Repeat(map[string]func(*rapid.T){
			"open":     m.doOpen,
			"write":    m.doWrite,
			"truncate": m.doTruncate,
			"close":    m.doClose,
			"rename":   m.doRename,
			"remove":   m.doRemove,
			"vanish":   m.doVanish,
			"":         m.check,
		})
		m.s.End()
		m.audit(rt)
	})
}

func (m *machine) path(t *rapid.T, label string) string {
	return rapid.SampledFrom(paths).Draw(t, label)
}

// busy picks an open file, or skips.
func (m *machine) busy(t *rapid.T) (string, *opened) {
	if len(m.open) == 0 {
		t.Skip("nothing is open")
	}
	p := rapid.SampledFrom(slices.Sorted(maps.Keys(m.open))).Draw(t, "open")
	return p, m.open[p]
}

func (m *machine) doOpen(t *rapid.T) {
	p := m.path(t, "path")
	if m.open[p] != nil {
		t.Skip("open already")
	}
	o := &opened{}
	flags := create
	if old, exists := m.stored[p]; exists && rapid.Bool().Draw(t, "update") {
		flags, o.content = update, bytes.Clone(old)
	} else {
		o.changed = true
	}
	h, err := m.s.Open(p, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	o.h = h
	m.open[p] = o
}

func (m *machine) doWrite(t *rapid.T) {
	_, o := m.busy(t)
	at := rapid.IntRange(0, len(o.content)+10).Draw(t, "at")
	text := rapid.SliceOfN(rapid.Byte(), 1, 3000).Draw(t, "text")
	if err := write(o.h, string(text), int64(at)); err != nil {
		t.Fatal(err)
	}
	if end := at + len(text); end > len(o.content) {
		o.content = append(o.content, make([]byte, end-len(o.content))...)
	}
	copy(o.content[at:], text)
	o.changed = true
}

func (m *machine) doTruncate(t *rapid.T) {
	_, o := m.busy(t)
	size := rapid.IntRange(0, len(o.content)+10).Draw(t, "size")
	if err := wait(func(done func(error)) { o.h.Truncate(int64(size), done) }); err != nil {
		t.Fatal(err)
	}
	o.changed = o.changed || size != len(o.content)
	if size > len(o.content) {
		o.content = append(o.content, make([]byte, size-len(o.content))...)
	}
	o.content = o.content[:size]
}

func (m *machine) doClose(t *rapid.T) {
	p, o := m.busy(t)
	if err := closeHandle(o.h); err != nil {
		t.Fatal(err)
	}
	delete(m.open, p)
	if o.changed {
		m.stored[p] = o.content
	}
}

func (m *machine) doRename(t *rapid.T) {
	from, to := m.path(t, "from"), m.path(t, "to")
	_, stored := m.stored[from]
	if from == to || !stored || m.open[from] != nil || m.open[to] != nil {
		t.Skip("not now")
	}
	_, taken := m.stored[to]
	if err := m.s.Rename(from, to, false); exchange.Is(err, exchange.Exists) != taken {
		t.Fatalf("plain rename onto taken=%v: %v", taken, err)
	}
	if taken {
		if err := m.s.Rename(from, to, true); err != nil {
			t.Fatal(err)
		}
	}
	m.stored[to] = m.stored[from]
	delete(m.stored, from)
}

func (m *machine) doRemove(t *rapid.T) {
	p := m.path(t, "path")
	if _, stored := m.stored[p]; !stored || m.open[p] != nil {
		t.Skip("not now")
	}
	if err := m.s.Remove(p); err != nil {
		t.Fatal(err)
	}
	delete(m.stored, p)
}

// doVanish loses the session: what was open is not stored, and what it left
// is removed, so that the model stays simple.
func (m *machine) doVanish(t *rapid.T) {
	m.s.End()
	m.s = m.w.login(m.u)
	for p := range m.open {
		if _, stored := m.stored[p]; stored {
			if h, err := m.s.Open(p, create, 0); err != nil {
				t.Fatal(err)
			} else if err := write(h, string(m.stored[p]), 0); err != nil {
				t.Fatal(err)
			} else if err := closeHandle(h); err != nil {
				t.Fatal(err)
			}
		} else if err := m.s.Remove(p); err != nil && !exchange.Is(err, exchange.NotFound) {
			t.Fatal(err)
		}
		delete(m.open, p)
	}
}

// check compares what a stored name shows with the model.
func (m *machine) check(t *rapid.T) {
	for p, want := range m.stored {
		if m.open[p] != nil {
			continue
		}
		r, sum, err := m.s.OpenVersion(p, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		_ = r.Close()
		if err != nil || !bytes.Equal(got, want) || sum != fmt.Sprintf("%x", sha256.Sum256(got)) {
			t.Fatalf("%s: %d bytes, want %d, %v", p, len(got), len(want), err)
		}
	}
}

// audit checks the books: references, use, and that no byte is unaccounted for.
func (m *machine) audit(t *rapid.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(m.w.dir, "sallyport.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for what, query := range map[string]string{
		"references differ from versions": `SELECT COUNT(*) FROM blobs b WHERE refs <> (SELECT COUNT(*) FROM versions v WHERE v.blob_id = b.id)`,
		"a dead blob has references":      `SELECT COUNT(*) FROM blobs WHERE (state = 'dead') <> (refs = 0)`,
		"use differs from what is visible": `SELECT COUNT(*) FROM mailboxes WHERE used_bytes <>
			(SELECT COALESCE(SUM(size), 0) FROM files f JOIN dirs d ON d.id = f.dir_id WHERE d.user_id = mailboxes.user_id)
			OR used_files <> (SELECT COUNT(*) FROM files f JOIN dirs d ON d.id = f.dir_id WHERE d.user_id = mailboxes.user_id)`,
		"a file shows no version":  `SELECT COUNT(*) FROM files f WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE v.id = f.version_id AND v.file_id = f.file_id)`,
		"a live drop has no bytes": `SELECT COUNT(*) FROM drops d WHERE state = 'new' AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.id = d.id)`,
	} {
		var n int
		if err := db.QueryRowContext(context.Background(), query).Scan(&n); err != nil || n != 0 {
			t.Fatalf("%s: %d rows, %v", what, n, err)
		}
	}
	rows, err := db.Query(`SELECT key, sha256 FROM blobs`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	known := map[string]bool{}
	for rows.Next() {
		var key string
		var sum []byte
		if err := rows.Scan(&key, &sum); err != nil {
			t.Fatal(err)
		}
		known[key] = true
		b, err := os.ReadFile(filepath.Join(m.w.dir, "blobs", key))
		if got := sha256.Sum256(b); err != nil || !bytes.Equal(got[:], sum) {
			t.Fatalf("%s: the bytes are not what was recorded: %v", key, err)
		}
	}
}
